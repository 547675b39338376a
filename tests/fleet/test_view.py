from __future__ import annotations

from dataclasses import replace
from typing import Any, get_type_hints

import pytest

from sidecar.core.events import BreakerMoved, ProbeVerdict
from sidecar.core.outcome import FAILURES, PARKING, Outcome, SkipReason
from sidecar.core.permit import Breakers, Ending
from sidecar.core.policies import OpenBackoff, Scope
from sidecar.fleet.stores.memory import MemoryStore
from tests.fleet.scene import (
    BLAMELESS,
    DOWN,
    HUNG_UP,
    LATE,
    LIMITED,
    OK,
    SILENT,
    UNIX_S,
    FakeClock,
    Pod,
    entry,
    impatient,
    with_policy,
)

OTHER = entry("anthropic", "haiku")
UNSTATED = LIMITED
OPENED = "closed>open failures self"
HALF_OPENED = "open>half_open open_timeout self"
CLOSED = "half_open>closed probes_succeeded self"
REOPENED = "half_open>open probe_failed self"


def opened() -> Pod:
    pod = Pod()
    pod.calls(3, DOWN)
    return pod


def due() -> Pod:
    pod = opened()
    pod.clock.turn(60.0)
    return pod


def test_it_is_what_the_proxy_asks_for() -> None:
    breakers: Breakers = Pod().breakers

    assert get_type_hints(type(breakers).admit) == get_type_hints(Breakers.admit)


# --- closed


def test_a_closed_breaker_gives_leave_without_a_lease() -> None:
    permit = Pod().permit()

    assert (permit.token, permit.deadline_s) == ("", float("inf"))


def test_three_failures_in_a_row_open_it() -> None:
    assert opened().refused() is SkipReason.OPEN


def test_two_failures_in_a_row_do_not_open_it() -> None:
    pod = Pod()
    pod.calls(2, DOWN)

    assert pod.refused() is None


def test_a_success_in_between_keeps_it_closed() -> None:
    pod = Pod()
    for ending in (DOWN, DOWN, OK, DOWN, DOWN):
        pod.call(ending)

    assert pod.refused() is None


def test_half_of_ten_calls_failing_opens_it() -> None:
    pod = Pod(entries=[entry(policy=with_policy(failure_threshold=100))])
    for _ in range(5):
        pod.calls(1, OK)
        pod.calls(1, DOWN)

    assert pod.moves == ["closed>open ratio self"]


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - FAILURES - PARKING - {"rate_limit"}))
def test_nothing_else_counts_against_the_provider(outcome: Outcome) -> None:
    pod = Pod()
    permits = [pod.permit() for _ in range(20)]
    for permit in permits:
        pod.breakers.settle(permit, Ending(outcome=outcome, wait_s=0.0))

    assert pod.moves == []


@pytest.mark.parametrize("ending", [BLAMELESS, replace(DOWN, blameless=True)], ids=str)
def test_a_blameless_failure_does_not_count_against_the_provider(ending: Ending) -> None:
    pod = Pod()
    pod.calls(20, ending)

    assert pod.moves == []


def test_a_blameless_failure_ends_no_row_of_failures() -> None:
    pod = Pod()
    for ending in (DOWN, DOWN, BLAMELESS, DOWN):
        pod.call(ending)

    assert pod.refused() is SkipReason.OPEN


def test_a_permit_is_settled_once() -> None:
    pod = Pod()
    permit = pod.permit()
    for _ in range(3):
        pod.breakers.settle(permit, DOWN)

    assert pod.refused() is None


def test_one_providers_failures_do_not_touch_another() -> None:
    assert opened().refused(OTHER) is None


def test_models_of_one_provider_share_its_breaker() -> None:
    pod = Pod(entries=[entry(), entry(model="pro")])
    pod.calls(3, DOWN)

    assert pod.refused(entry(model="pro")) is SkipReason.OPEN


def test_with_a_breaker_for_each_model_they_do_not() -> None:
    policy = with_policy(scope=Scope.MODEL)
    pod = Pod(entries=[entry(policy=policy), entry(model="pro", policy=policy)])
    pod.calls(3, DOWN)

    assert pod.refused(entry(model="pro", policy=policy)) is None


# --- closed, and slow


def slowed(*endings: Ending, **changes: Any) -> Pod:
    """A pod that thinks three seconds slow, after these calls."""
    pod = Pod(entries=[entry(policy=impatient(**changes))])
    for ending in endings:
        pod.call(ending)
    return pod


def test_half_of_ten_calls_slow_to_begin_open_it() -> None:
    assert slowed(*[OK, LATE] * 5).moves == ["closed>open slow self"]


def test_a_slow_success_opens_it_by_itself() -> None:
    pod = slowed(*[LATE] * 5, *[OK] * 4)
    before = pod.moves
    pod.call(LATE)

    assert (before, pod.moves) == ([], ["closed>open slow self"])


def test_slow_calls_and_failures_count_together() -> None:
    endings = [*[OK] * 5, LATE, DOWN, LATE, DOWN, LATE]

    assert slowed(*endings).moves == ["closed>open slow self"]


def test_the_last_of_them_may_be_a_failure() -> None:
    endings = [*[OK] * 5, LATE, DOWN, LATE, LATE, DOWN]

    assert slowed(*endings).moves == ["closed>open slow self"]


@pytest.mark.parametrize(
    "ending",
    [OK, replace(LATE, ttft_s=3.0), replace(OK, ttft_s=None), replace(HUNG_UP, ttft_s=9.0)],
    ids=["not streamed", "just in time", "no first token", "hung up"],
)
def test_what_is_not_slow_does_not_open_it(ending: Ending) -> None:
    assert slowed(*[ending] * 20).moves == []


def test_a_stream_that_was_slow_and_then_broke_is_a_failure() -> None:
    broken = Ending(outcome=Outcome.STREAM_TRUNCATED, status=200, ttft_s=9.0)

    assert slowed(*[broken] * 3).moves == [OPENED]


def test_a_slow_success_ends_a_row_of_failures() -> None:
    assert slowed(DOWN, DOWN, LATE, DOWN, DOWN).moves == []


def test_without_a_limit_nothing_is_slow() -> None:
    pod = Pod()
    pod.calls(20, LATE)

    assert pod.moves == []


# --- open


def test_an_open_breaker_says_when_to_ask_again() -> None:
    pod = opened()
    pod.clock.turn(12.5)

    assert pod.retry_in_s() == 47.5


def test_a_stated_wait_keeps_it_open_longer() -> None:
    pod = Pod()
    pod.calls(3, replace(DOWN, wait_s=90.0))

    assert pod.retry_in_s() == 90.0


def test_without_a_stated_wait_it_stays_open_no_longer_than_configured() -> None:
    pod = Pod(entries=[entry(policy=with_policy(open_timeout_s=0.2))])
    pod.calls(3, DOWN)

    assert pod.retry_in_s() == 0.2


def test_an_answer_from_before_the_trip_does_not_close_it() -> None:
    pod = Pod()
    late = pod.permit()
    pod.calls(3, DOWN)

    pod.breakers.settle(late, OK)

    assert pod.refused() is SkipReason.OPEN


def test_failures_from_before_the_trip_do_not_count_after_it_has_closed() -> None:
    pod = Pod()
    late = [pod.permit() for _ in range(3)]
    pod.calls(3, DOWN)
    pod.recover()

    for permit in late:
        pod.breakers.settle(permit, DOWN)

    assert pod.refused() is None


def test_a_stepping_wall_clock_moves_no_deadline() -> None:
    pod = opened()
    pod.clock.unix_s += 3600

    assert pod.retry_in_s() == 60.0


# --- half-open


def test_the_first_call_after_the_open_time_is_the_probe() -> None:
    assert due().permit().token


def test_a_probe_must_end_with_its_lease() -> None:
    pod = due()
    permit = pod.permit()

    assert permit.deadline_s == pod.clock.now_s + 125.0  # connecting, and a whole answer


def test_while_a_probe_runs_other_calls_are_refused() -> None:
    pod = due()
    pod.permit()

    assert pod.refused() is SkipReason.HALF_OPEN


def test_two_good_probes_close_it() -> None:
    pod = due()
    pod.calls(2, OK)

    assert pod.moves == [OPENED, HALF_OPENED, CLOSED]


def test_one_good_probe_does_not_close_it() -> None:
    pod = due()
    pod.call(OK)

    assert pod.moves == [OPENED, HALF_OPENED]


def test_a_failed_probe_opens_it_again_for_the_open_time() -> None:
    pod = due()
    pod.call(DOWN)

    assert (pod.moves[-1], pod.retry_in_s()) == (REOPENED, 60.0)


def test_each_failed_probe_lengthens_the_open_time_where_the_policy_says_so() -> None:
    policy = with_policy(open_backoff=OpenBackoff(multiplier=2.0))
    pod = Pod(entries=[entry(policy=policy)])
    pod.calls(3, DOWN)
    pod.clock.turn(60.0)
    pod.call(DOWN)

    assert pod.retry_in_s() == 120.0


@pytest.mark.parametrize(
    "ending",
    [HUNG_UP, LIMITED, Ending(outcome=Outcome.BAD_REQUEST, status=400)],
    ids=["hung up", "429", "400"],
)
def test_a_probe_that_says_nothing_of_the_provider_gives_its_slot_back(ending: Ending) -> None:
    pod = due()
    pod.call(ending)
    pod.clock.turn(2.0)

    assert pod.permit().token


@pytest.mark.parametrize(
    ("ending", "verdict"),
    [
        (OK, ProbeVerdict.SUCCESS),
        (DOWN, ProbeVerdict.FAILURE),
        (SILENT, ProbeVerdict.FAILURE),
        (HUNG_UP, ProbeVerdict.VOID),
        (BLAMELESS, ProbeVerdict.VOID),
    ],
    ids=["ok", "503", "silence of the only pod", "hung up", "blameless"],
)
def test_every_probe_is_reported(ending: Ending, verdict: ProbeVerdict) -> None:
    pod = due()
    pod.call(ending)

    assert pod.probes == [verdict]


def test_a_slow_probe_is_a_failure_or_a_slow_provider_would_flap() -> None:
    pod = slowed(*[LATE] * 10)
    pod.clock.turn(60.0)
    pod.call(LATE)

    assert (pod.probes, pod.moves[-1]) == ([ProbeVerdict.FAILURE], REOPENED)


def test_a_probe_in_time_is_a_success_after_slow_calls() -> None:
    pod = slowed(*[LATE] * 10)
    pod.clock.turn(60.0)
    pod.calls(2, replace(LATE, ttft_s=0.4))

    assert pod.moves[-1] == CLOSED


def test_without_a_limit_no_probe_is_slow() -> None:
    pod = due()
    pod.call(LATE)

    assert pod.probes == [ProbeVerdict.SUCCESS]


def test_a_probe_that_ends_after_its_lease_is_reported_as_lost() -> None:
    pod = due()
    permit = pod.permit()
    pod.clock.turn(125.0)

    pod.breakers.settle(permit, OK)

    assert pod.probes == [ProbeVerdict.LOST]


def test_a_lost_probe_makes_room_for_the_next() -> None:
    pod = due()
    pod.permit()
    pod.clock.turn(125.0)

    assert pod.permit().token


def test_with_few_calls_each_is_let_through_as_a_probe() -> None:
    pod = due()
    for _ in range(5):
        pod.call(OK)
        pod.clock.turn(3600.0)

    assert pod.refused() is None


# --- evidence


def test_the_only_pod_opens_it_for_want_of_another_opinion() -> None:
    pod = Pod()
    pod.calls(3, SILENT)

    assert pod.moves == [OPENED]


# --- reports


def test_a_move_says_when_it_may_half_open() -> None:
    pod = opened()
    moved = pod.events[0]

    assert isinstance(moved, BreakerMoved)
    assert (moved.breaker, moved.until_unix_s) == ("gemini", UNIX_S + 60.0)


def test_each_move_has_a_higher_epoch() -> None:
    pod = due()
    pod.calls(2, OK)
    epochs = [event.epoch for event in pod.events if isinstance(event, BreakerMoved)]

    assert epochs == sorted(set(epochs))


# --- one store, several lives


def test_a_new_view_of_the_same_store_knows_what_the_old_one_knew() -> None:
    clock = FakeClock()
    store = MemoryStore(clock)
    Pod(clock, store).calls(3, DOWN)

    assert Pod(clock, store).refused() is SkipReason.OPEN


async def test_closing_hands_back_the_lease_of_a_running_probe() -> None:
    clock = FakeClock()
    store = MemoryStore(clock)
    pod = Pod(clock, store)
    pod.calls(3, DOWN)
    clock.turn(60.0)
    pod.permit()

    await pod.breakers.close()

    record = store.read_now("gemini")
    assert record
    assert record.leases == ()
