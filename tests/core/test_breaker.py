from __future__ import annotations

from dataclasses import replace

import pytest

from sidecar.core.breaker import Bury, Cool, Hold, Lease, Release, Reset, Settle, Trip, step
from sidecar.core.events import Cause, ProbeVerdict, State
from sidecar.core.record import Policy, Record, Slot

T0 = 1_700_000_000_000
POLICY = Policy(open_ms=60_000, lease_ms=10_000, round_ms=40_000)
DUE = T0 + POLICY.open_ms
NEW = Record(name="gemini")

SUCCESS, FAILURE = ProbeVerdict.SUCCESS, ProbeVerdict.FAILURE
VOID, INCONCLUSIVE = ProbeVerdict.VOID, ProbeVerdict.INCONCLUSIVE


def trip(
    record: Record, pod: str = "a", *, weight: int = 2, retry_after_ms: int = 0, at: int = T0
) -> Record:
    op = Trip(
        pod=pod,
        epoch=record.epoch,
        policy=POLICY,
        weight=weight,
        status=503,
        retry_after_ms=retry_after_ms,
    )
    return step(record, op, at)[0]


def opened(**changes: object) -> Record:
    """Open since T0; `changes` are to its policy."""
    record = trip(NEW)
    return replace(record, policy=replace(record.policy, **changes))  # type: ignore[arg-type]  # any field


def ask(record: Record, pod: str, at: int = DUE) -> tuple[Record, Slot | None]:
    return step(record, Lease(pod=pod, epoch=record.epoch, token=f"{pod}-1"), at)


def probed_by(pods: str, record: Record | None = None, at: int = DUE) -> Record:
    """Each of `pods` asks for a lease in turn."""
    record = record or opened()
    for pod in pods:
        record = ask(record, pod, at)[0]
    return record


def settle(record: Record, pod: str, verdict: ProbeVerdict, at: int = DUE + 1) -> Record:
    op = Settle(pod=pod, epoch=record.epoch, token=f"{pod}-1", verdict=verdict)
    return step(record, op, at)[0]


def run(script: str) -> Record:
    """One pod's probes of an open breaker, one after the other: `+` went well, `x` failed."""
    record, at = opened(), DUE
    for mark in script:
        at = max(at + 1, record.until_ms) if record.state is State.OPEN else at + 1
        record = settle(probed_by("a", record, at), "a", SUCCESS if mark == "+" else FAILURE, at)
    return record


def test_a_sound_accusation_opens_it_for_the_open_time() -> None:
    record = trip(NEW)

    assert (record.state, record.until_ms) == (State.OPEN, DUE)


def test_opening_says_why() -> None:
    why = trip(NEW).why

    assert why
    assert (why.cause, why.pod, why.at_ms, why.status) == (Cause.FAILURES, "a", T0, 503)


def test_a_stated_wait_beyond_the_open_time_keeps_it_open_longer() -> None:
    assert trip(NEW, retry_after_ms=90_000).until_ms == T0 + 90_000


def test_a_stated_wait_keeps_it_open_no_longer_than_the_policy_allows() -> None:
    assert trip(NEW, retry_after_ms=10**9).until_ms == T0 + POLICY.max_ms


def test_one_doubtful_accusation_does_not_open_it() -> None:
    assert trip(NEW, weight=1).state is State.CLOSED


def test_two_pods_doubtful_accusations_open_it() -> None:
    assert trip(trip(NEW, "a", weight=1), "b", weight=1).state is State.OPEN


def test_the_same_pods_doubt_does_not_add_up() -> None:
    assert trip(trip(NEW, "a", weight=1), "a", weight=1).state is State.CLOSED


def test_a_doubt_is_forgotten_after_the_open_time() -> None:
    doubted = trip(NEW, "a", weight=1)

    assert trip(doubted, "b", weight=1, at=DUE).state is State.CLOSED


def test_an_accusation_from_before_the_trip_does_not_open_it_again() -> None:
    recovered = run("++")
    late = Trip(pod="b", epoch=NEW.epoch, policy=POLICY)

    assert step(recovered, late, DUE + 10)[0] is recovered


def test_nobody_gets_a_lease_before_the_deadline() -> None:
    record, slot = ask(opened(), "a", DUE - 1)

    assert (record.state, slot) == (State.OPEN, None)


def test_the_first_to_ask_after_the_deadline_makes_it_half_open() -> None:
    record, slot = ask(opened(), "a")

    assert (record.state, slot) == (State.HALF_OPEN, Slot("a-1", "a", DUE + POLICY.lease_ms))


def test_no_more_probes_at_once_than_allowed() -> None:
    record, slot = ask(probed_by("ab"), "c")

    assert (len(record.leases), slot) == (2, None)


def test_no_more_probes_than_are_needed_to_close_it() -> None:
    half_way = settle(probed_by("a"), "a", SUCCESS)

    assert ask(probed_by("b", half_way), "c")[1] is None


def test_a_pod_has_one_probe_at_a_time() -> None:
    record = probed_by("a")
    again = Lease(pod="a", epoch=record.epoch, token="a-2")

    assert step(record, again, DUE)[1] is None


def test_asking_twice_with_one_token_is_one_lease() -> None:
    first = ask(opened(), "a")
    op = Lease(pod="a", epoch=opened().epoch, token="a-1")

    assert step(first[0], op, DUE) == first


def test_a_request_for_a_lease_of_an_earlier_epoch_is_refused() -> None:
    late = Lease(pod="b", epoch=opened().epoch, token="b-1")

    assert step(probed_by("a"), late, DUE)[1] is None


@pytest.mark.parametrize(
    ("script", "state"),
    [
        ("+", State.HALF_OPEN),
        ("++", State.CLOSED),
        ("x", State.OPEN),
        ("+x", State.OPEN),
        ("+x+", State.HALF_OPEN),
        ("+x++", State.CLOSED),
    ],
)
def test_only_enough_good_probes_in_one_round_close_it(script: str, state: State) -> None:
    assert run(script).state is state


@pytest.mark.parametrize(("script", "rounds"), [("x", 1), ("xx", 2), ("xx++", 0)])
def test_failed_rounds_are_counted_until_it_closes(script: str, rounds: int) -> None:
    assert run(script).rounds == rounds


def test_a_failed_probe_opens_it_for_the_next_longer_time() -> None:
    record = settle(probed_by("a", opened(multiplier=2.0)), "a", FAILURE, DUE + 5)

    assert record.until_ms == DUE + 5 + 120_000


def test_a_void_probe_gives_its_slot_back() -> None:
    record = settle(probed_by("ab"), "a", VOID)

    assert ask(record, "c")[1]


def test_an_inconclusive_failure_bars_only_that_pod() -> None:
    record = settle(probed_by("a"), "a", INCONCLUSIVE)

    assert (record.state, ask(record, "a")[1], bool(ask(record, "b")[1])) == (
        State.HALF_OPEN,
        None,
        True,
    )


def test_a_verdict_after_the_lease_ran_out_is_void() -> None:
    record = probed_by("a")

    late = settle(record, "a", SUCCESS, DUE + POLICY.lease_ms)

    assert (late.succ, late.lost) == (0, 1)


def test_a_verdict_of_an_earlier_round_is_void() -> None:
    earlier = probed_by("ab")
    failed = settle(earlier, "b", FAILURE)
    op = Settle(pod="a", epoch=earlier.epoch, token="a-1", verdict=SUCCESS)

    assert step(failed, op, DUE + 2)[0] is failed


def test_a_lease_that_ran_out_makes_room_for_another_pod() -> None:
    assert ask(probed_by("ab"), "c", DUE + POLICY.lease_ms)[1]


def test_a_lease_of_the_dead_makes_room_for_another_pod() -> None:
    record = probed_by("ab")
    buried, _ = step(record, Bury(pod="c", epoch=record.epoch, dead=frozenset("a")), DUE + 1)

    assert [slot.pod for slot in buried.leases] == ["b"]
    assert buried.lost == 1
    assert ask(buried, "c", DUE + 2)[1]


@pytest.mark.parametrize(("epoch", "dead"), [(0, "c"), (-1, "a")], ids=["alive", "another epoch"])
def test_nobody_else_is_buried(epoch: int, dead: str) -> None:
    record = probed_by("ab")
    bury = Bury(pod="c", epoch=record.epoch + epoch, dead=frozenset(dead))

    assert step(record, bury, DUE + 1)[0] is record


def test_a_round_that_loses_its_probes_ends() -> None:
    record = probed_by("ab")
    record = probed_by("cd", record, DUE + POLICY.lease_ms)

    ended, slot = ask(record, "e", DUE + 2 * POLICY.lease_ms)

    assert (ended.state, slot, ended.why and ended.why.cause) == (
        State.OPEN,
        None,
        Cause.PROBES_LOST,
    )


def test_a_round_ends_at_its_deadline() -> None:
    record = settle(probed_by("a"), "a", SUCCESS)

    assert ask(record, "a", DUE + POLICY.round_ms)[0].state is State.OPEN


def test_a_round_that_saw_too_few_calls_may_begin_anew_at_once() -> None:
    record = settle(probed_by("a"), "a", SUCCESS)
    at = DUE + POLICY.round_ms

    ended = ask(record, "a", at)[0]

    assert ask(ended, "a", at)[1]


def test_a_round_with_no_word_from_its_probes_waits_the_open_time() -> None:
    at = DUE + POLICY.round_ms

    ended = ask(probed_by("a"), "b", at)[0]

    assert ended.until_ms == at + POLICY.open_ms


def test_no_lease_reaches_beyond_its_round() -> None:
    record = probed_by("a", at=DUE)
    late = DUE + POLICY.round_ms - POLICY.lease_ms

    record = probed_by("bc", record, late + 1)

    assert all(slot.until_ms <= record.until_ms for slot in record.leases)


def test_a_longer_cooldown_outlasts_a_shorter_one() -> None:
    record = NEW
    for wait_ms in (5_000, 1_000):
        record = step(record, Cool(pod="a", scope="m", until_ms=T0 + wait_ms), T0)[0]

    assert record.cooldown == (("m", T0 + 5_000),)


def test_a_cooldown_that_is_over_leaves_the_record() -> None:
    record = step(NEW, Cool(pod="a", scope="m", until_ms=T0 + 1), T0)[0]

    assert step(record, Cool(pod="a", scope="n", until_ms=T0 + 9), T0 + 1)[0].cooldown == (
        ("n", T0 + 9),
    )


def hold(record: Record, mode: State, ttl_ms: int | None = None, at: int = T0) -> Record:
    op = Hold(pod="a", mode=mode, ttl_ms=ttl_ms, by="me", reason="drill")
    return step(record, op, at)[0]


def test_a_hold_stands_above_the_state() -> None:
    held = hold(opened(), State.CLOSED)

    assert (held.in_force, held.state) == (State.CLOSED, State.OPEN)


def test_nothing_trips_what_is_held_closed() -> None:
    held = hold(NEW, State.CLOSED)

    assert trip(held) is held


def test_a_release_brings_back_the_state_underneath() -> None:
    held = hold(opened(), State.CLOSED)

    assert step(held, Release(pod="a"), T0 + 1)[0].in_force is State.OPEN


def test_a_hold_ends_by_itself() -> None:
    held = hold(NEW, State.OPEN, ttl_ms=1_000)

    assert ask(held, "a", T0 + 1_000)[0].in_force is State.CLOSED


def test_a_hold_calls_the_round_off() -> None:
    held = hold(probed_by("ab"), State.CLOSED, at=DUE)

    assert (held.state, held.leases) == (State.OPEN, ())


def test_a_reset_closes_it_and_forgets_cooldowns() -> None:
    record = step(opened(), Cool(pod="a", scope="m", until_ms=DUE), T0)[0]

    reset = step(record, Reset(pod="a"), T0 + 1)[0]

    assert (reset.state, reset.cooldown, reset.until_ms) == (State.CLOSED, (), 0)


def test_the_epoch_is_at_least_the_time_so_that_it_rises_after_a_loss_of_data() -> None:
    assert trip(NEW).epoch == T0


def test_the_epoch_rises_even_where_the_clock_is_behind_it() -> None:
    ahead = replace(NEW, epoch=T0 + 5)

    assert trip(ahead).epoch == T0 + 6
