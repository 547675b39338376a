from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sidecar.core.events import State
from sidecar.core.outcome import Outcome, SkipReason
from sidecar.core.permit import Ending, Refusal
from sidecar.core.record import Record
from sidecar.fleet.stores.base import StoreUnavailable
from tests.fleet.scene import (
    DOWN,
    LATE,
    OK,
    SILENT,
    DistantStore,
    FakeClock,
    Pod,
    entry,
    impatient,
    settled,
)

OTHER = entry("anthropic", "haiku")
ENTRIES = (entry(policy=impatient()), OTHER)


class Pods(list[Pod]):
    """A fleet on one clock and one distant store."""

    clock: FakeClock
    store: DistantStore

    async def turn(self, seconds: float) -> None:
        """Let time pass, and the background tasks do what they can."""
        while seconds > 0:
            await settled(10)
            self.clock.turn(min(seconds, 1.0))
            seconds -= 1.0
        await settled()

    @property
    def record(self) -> Record:
        """What the store has of the first provider."""
        record = self.store.inner.read_now("gemini")
        assert record
        return record


@pytest.fixture
async def pods() -> AsyncIterator[Pods]:
    fleet = Pods()
    fleet.clock = FakeClock()
    fleet.store = DistantStore(fleet.clock)
    fleet.extend(
        Pod(fleet.clock, fleet.store, entries=ENTRIES, name=f"pod-{letter}") for letter in "abcde"
    )
    for pod in fleet:
        await pod.breakers.open()
    await settled()
    await fleet.turn(2.5)  # by now all have heard of each other
    yield fleet
    fleet.store.gate.set()
    for pod in fleet:
        await pod.breakers.close()


async def open_fleet(pods: Pods) -> None:
    pods[0].calls(3, DOWN)
    await settled()


async def test_what_one_pod_learns_every_pod_knows(pods: Pods) -> None:
    await open_fleet(pods)

    assert {pod.refused() for pod in pods} == {SkipReason.OPEN}


async def test_another_pods_move_is_the_fleets(pods: Pods) -> None:
    await open_fleet(pods)

    assert [pod.moves for pod in pods[:2]] == [
        ["closed>open failures self"],
        ["closed>open failures fleet"],
    ]


async def test_a_pod_opens_at_once_without_the_stores_word(pods: Pods) -> None:
    pods.store.gate.clear()
    pods[0].calls(3, DOWN)

    assert (pods[0].refused(), pods[1].refused()) == (SkipReason.OPEN, None)


async def test_pods_that_trip_at_once_make_one_move(pods: Pods) -> None:
    for pod in pods:
        pod.calls(3, DOWN)
    await settled(100)

    moves = [move for pod in pods for move in pod.moves]
    assert sorted(moves) == ["closed>open failures fleet"] * 4 + ["closed>open failures self"]


async def test_the_call_after_the_open_time_is_refused_and_the_next_is_the_probe(
    pods: Pods,
) -> None:
    await open_fleet(pods)
    await pods.turn(60.0)

    first = pods[0].refused()
    await settled()

    assert (first, bool(pods[0].permit().token)) == (SkipReason.HALF_OPEN, True)


async def test_the_whole_fleet_sends_no_more_probes_than_allowed(pods: Pods) -> None:
    await open_fleet(pods)
    await pods.turn(60.0)
    for _ in range(2):
        for pod in pods:
            pod.refused()
        await settled(100)

    assert sum(not isinstance(pod.admit(), Refusal) for pod in pods) == 2


async def probing(pods: Pods) -> None:
    """Open the fleet, wait, and have the first two pods get a lease each."""
    await open_fleet(pods)
    await pods.turn(60.0)
    for pod in pods[:2]:
        pod.refused()
        await settled()


async def test_good_probes_of_two_pods_close_it_for_all(pods: Pods) -> None:
    await probing(pods)
    for pod in pods[:2]:
        pod.call(OK)
        await settled()

    assert [pod.refused() for pod in pods] == [None] * 5


async def test_a_failed_probe_of_one_pod_opens_it_for_all(pods: Pods) -> None:
    await probing(pods)
    pods[1].call(DOWN)
    await settled()

    assert {pod.refused() for pod in pods} == {SkipReason.OPEN}


async def test_a_probe_without_a_way_out_bars_only_its_pod(pods: Pods) -> None:
    await probing(pods)
    pods[0].call(SILENT)
    await settled()

    assert (pods.record.state, pods.record.excluded) == (State.HALF_OPEN, ("pod-a",))


async def test_a_lease_that_no_call_takes_goes_back(pods: Pods) -> None:
    await probing(pods)
    before = len(pods.record.leases)

    await pods.turn(1.0)

    assert (before, pods.record.leases) == (2, ())


async def test_a_lease_that_a_call_took_does_not_go_back(pods: Pods) -> None:
    await probing(pods)
    pods[0].permit()

    await pods.turn(1.0)

    assert [slot.pod for slot in pods.record.leases] == ["pod-a"]


async def test_a_pod_without_a_way_out_opens_for_itself_alone(pods: Pods) -> None:
    pods[0].calls(3, SILENT)
    await settled()

    assert (pods[0].refused(), pods[1].refused(), pods.record.state) == (
        SkipReason.OPEN,
        None,
        State.CLOSED,
    )


async def test_a_pod_that_opened_for_itself_probes_and_closes_by_itself(pods: Pods) -> None:
    pods[0].calls(3, SILENT)
    await pods.turn(60.0)
    pods[0].calls(2, OK)

    assert (pods[0].refused(), pods[0].moves[-1]) == (
        None,
        "half_open>closed probes_succeeded self",
    )


async def test_two_pods_that_doubt_open_it_for_all(pods: Pods) -> None:
    for pod in pods[:2]:
        pod.calls(3, SILENT)
        await settled()

    assert pods[2].refused() is SkipReason.OPEN


async def test_an_answer_from_another_provider_proves_the_way_out(pods: Pods) -> None:
    pods[0].call(OK, OTHER)
    pods[0].calls(3, SILENT)
    await settled()

    assert pods[1].refused() is SkipReason.OPEN


async def test_an_answer_of_long_ago_proves_nothing(pods: Pods) -> None:
    pods[0].call(OK, OTHER)
    await pods.turn(10.5)
    pods[0].calls(3, SILENT)
    await settled()

    assert pods[1].refused() is None


async def test_a_pod_to_which_all_is_slow_opens_for_itself_alone(pods: Pods) -> None:
    pods[0].calls(10, LATE)
    await settled()

    assert (pods[0].refused(), pods[1].refused(), pods.record.state) == (
        SkipReason.OPEN,
        None,
        State.CLOSED,
    )


async def test_slow_calls_open_it_for_all_where_the_provider_owned_up_to_a_failure(
    pods: Pods,
) -> None:
    pods[0].call(DOWN)
    pods[0].calls(9, LATE)
    await settled()

    assert [pod.moves for pod in pods[:2]] == [
        ["closed>open slow self"],
        ["closed>open slow fleet"],
    ]


async def test_slow_calls_open_it_for_all_where_another_provider_answers(pods: Pods) -> None:
    pods[0].call(OK, OTHER)
    pods[0].calls(10, LATE)
    await settled()

    assert pods[1].refused() is SkipReason.OPEN


async def test_a_slow_probe_without_a_way_out_bars_only_its_pod(pods: Pods) -> None:
    await probing(pods)
    pods[0].call(LATE)
    await settled()

    assert (pods.record.state, pods.record.excluded) == (State.HALF_OPEN, ("pod-a",))


async def test_a_rate_limit_is_shared(pods: Pods) -> None:
    pods[0].call(Ending(outcome=Outcome.RATE_LIMIT, status=429, wait_s=30.0))
    await settled()

    assert pods[1].refused() is SkipReason.COOLDOWN


async def test_refused_calls_cost_the_store_nothing(pods: Pods) -> None:
    await open_fleet(pods)
    asked = pods.store.asked
    for _ in range(100):
        pods[0].refused()
    await settled()

    assert pods.store.asked == asked


async def test_many_calls_ask_for_one_lease(pods: Pods) -> None:
    await open_fleet(pods)
    await pods.turn(60.0)
    pods.store.gate.clear()
    asked = pods.store.asked
    for _ in range(100):
        pods[0].refused()
        await settled(2)
    pods.store.gate.set()
    await settled()

    assert pods.store.asked == asked + 1


async def test_word_that_was_missed_comes_with_the_next_sync(pods: Pods) -> None:
    pods.store.inner._readers.clear()  # nothing is pushed any more
    await open_fleet(pods)
    before = pods[1].refused()

    await pods.turn(2.5)

    assert (before, pods[1].refused()) == (None, SkipReason.OPEN)


async def test_an_operators_word_reaches_every_pod(pods: Pods) -> None:
    await pods[0].breakers.hold("gemini", State.OPEN, None, "me", "drill")
    await settled()

    assert {pod.refused() for pod in pods} == {SkipReason.HELD}


async def test_a_pod_that_missed_a_hold_can_release_it(pods: Pods) -> None:
    pods.store.inner._readers.clear()  # nothing is pushed any more
    await pods[1].breakers.hold("gemini", State.OPEN, None, "me", "drill")

    await pods[0].breakers.release("gemini")

    assert pods.record.hold is None


async def test_a_reset_ends_another_pods_parking(pods: Pods) -> None:
    pods[1].call(Ending(outcome=Outcome.AUTH, status=401))
    await pods[0].breakers.reset("gemini")
    await settled()

    assert pods[1].refused() is None


async def test_an_operator_hears_that_the_store_is_broken(pods: Pods) -> None:
    pods.store.broken = True

    with pytest.raises(StoreUnavailable):
        await pods[0].breakers.hold("gemini", State.OPEN, None, "me", "drill")


async def test_an_operator_hears_that_the_store_hangs(pods: Pods) -> None:
    pods.store.gate.clear()

    with pytest.raises(StoreUnavailable):
        await pods[0].breakers.reset("gemini")


async def test_a_store_that_comes_back_is_followed_again(pods: Pods) -> None:
    pods.store.broken = True
    await pods.turn(2.5)
    pods.store.broken = False
    await pods.turn(2.5)
    await open_fleet(pods)
    await pods.turn(2.5)

    assert pods[1].refused() is SkipReason.OPEN


async def test_a_broken_store_keeps_no_pod_from_opening(pods: Pods) -> None:
    pods.store.broken = True
    pods[0].calls(3, DOWN)
    await settled()

    assert (pods[0].refused(), pods[0].moves) == (SkipReason.OPEN, [])
    await pods.turn(8.0)  # by then it decides alone
    assert pods[0].moves == ["closed>open failures self"]


async def test_closing_hands_leases_back(pods: Pods) -> None:
    await probing(pods)
    pods[0].permit()

    for pod in pods:
        await pod.breakers.close()

    assert pods.record.leases == ()


async def test_a_store_that_lost_its_data_is_told_again(pods: Pods) -> None:
    await open_fleet(pods)
    pods.store.inner._records.clear()

    await pods[0].breakers.hold("gemini", State.OPEN, None, "me", "drill")

    assert pods.record.in_force is State.OPEN


async def test_a_pod_whose_own_clock_is_wrong_goes_by_the_stores(pods: Pods) -> None:
    await open_fleet(pods)
    wrong = FakeClock()
    wrong.unix_s += 3600
    late = Pod(wrong, pods.store, name="pod-late")
    await late.breakers.open()
    await settled()

    assert late.retry_in_s() == 60.0

    await late.breakers.close()


async def test_a_fast_clock_makes_no_early_half_open(pods: Pods) -> None:
    await open_fleet(pods)
    hasty = Pod(FakeClock(), pods.store, name="pod-hasty")
    await hasty.breakers.open()
    await settled()
    hasty.clock.turn(61.0)  # by the store's clock no time has passed

    hasty.refused()
    await settled()

    assert pods.record.state is State.OPEN

    await hasty.breakers.close()
