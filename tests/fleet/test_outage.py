"""A store that is out of reach: the pod decides alone, and the fleet again once it is back."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sidecar.core.breaker import Merge, step
from sidecar.core.events import Cause, State, StoreAsked, StoreResult
from sidecar.core.outcome import SkipReason
from sidecar.core.permit import Permit
from sidecar.core.record import Policy, Record, Slot, Why
from sidecar.fleet.health import DEGRADED_AFTER, LONGEST_RETRY_S, Health
from sidecar.fleet.stores.base import Swap, Unreadable
from sidecar.fleet.stores.memory import MemoryStore
from tests.fleet.scene import DOWN, OK, Pod, settled
from tests.fleet.test_lane import OTHER, Pods, open_fleet

LONG_S = 15.0  # longer than any pause between two looks at the store


def status(pod: Pod) -> tuple[bool, bool]:
    """Whether the store is up and whether the pod decides alone."""
    told = pod.breakers.store_status()
    return told.up, told.degraded


async def lose(pods: Pods) -> None:
    pods.store.broken = True
    await pods.turn(LONG_S)


async def regain(pods: Pods) -> None:
    pods.store.broken = False
    await pods.turn(LONG_S)


async def test_a_store_that_fails_again_and_again_leaves_the_pod_alone(pods: Pods) -> None:
    assert [status(pod) for pod in pods] == [(True, False)] * 2

    await lose(pods)
    assert [status(pod) for pod in pods] == [(False, True)] * 2

    await regain(pods)
    assert [status(pod) for pod in pods] == [(True, False)] * 2


async def test_the_time_alone_is_counted(pods: Pods) -> None:
    await lose(pods)
    await regain(pods)
    alone_s = pods[0].breakers.store_status().degraded_s

    assert 0 < alone_s <= 2 * LONG_S
    await pods.turn(LONG_S)
    assert pods[0].breakers.store_status().degraded_s == alone_s


async def test_alone_a_pod_opens_probes_and_closes_by_itself(pods: Pods) -> None:
    await lose(pods)
    pods[0].calls(3, DOWN)

    assert (pods[0].refused(), pods[1].refused()) == (SkipReason.OPEN, None)
    await pods.turn(70.0)
    for _ in range(2):
        pods[0].call(OK)
    assert pods[0].refused() is None
    assert pods[0].moves == [
        "closed>open failures self",
        "open>half_open open_timeout self",
        "half_open>closed probes_succeeded self",
    ]


async def test_alone_a_pod_goes_on_with_what_it_knew(pods: Pods) -> None:
    await open_fleet(pods)
    await lose(pods)

    assert [pod.refused() for pod in pods] == [SkipReason.OPEN] * 2
    await pods.turn(70.0)
    assert all(isinstance(pod.admit(), Permit) for pod in pods)  # one probe each, and no more
    assert [pod.refused() for pod in pods] == [SkipReason.HALF_OPEN] * 2


async def test_the_stores_word_wins_when_it_is_back(pods: Pods) -> None:
    await lose(pods)
    pods[0].calls(3, DOWN)
    await pods.turn(LONG_S)  # what it opened is no news any more
    await regain(pods)

    assert [pod.refused() for pod in pods] == [None, None]


async def test_a_fresh_opening_is_proposed_to_the_store_that_is_back(pods: Pods) -> None:
    await lose(pods)
    pods[0].calls(3, DOWN)
    pods.store.broken = False
    await pods.turn(8.0)  # the longest wait for another try, and one round of the others

    assert [pod.refused() for pod in pods] == [SkipReason.OPEN] * 2
    assert pods.record.why
    assert pods.record.why.pod == "a"


async def test_an_opening_that_the_store_did_not_answer_to_is_told_it_again(pods: Pods) -> None:
    pods.store.broken = True
    pods[0].calls(3, DOWN)
    await settled()
    pods.store.broken = False  # after one failure: nobody decides alone
    await pods.turn(1.0)

    assert [pod.refused() for pod in pods] == [SkipReason.OPEN] * 2


async def test_an_opening_that_waits_when_the_outage_begins_is_proposed_after_it(
    pods: Pods,
) -> None:
    pods.store.broken = True
    pods[0].calls(3, DOWN)
    await settled()
    await pods.turn(5.0)
    assert status(pods[0]) == (False, True)

    pods.store.broken = False
    await pods.turn(3.0)

    assert [pod.refused() for pod in pods] == [SkipReason.OPEN] * 2


async def test_a_record_that_cannot_be_read_is_no_outage(
    pods: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> Swap:
        raise Unreadable("the record of another version is kept")

    monkeypatch.setattr(pods.store, "cas", refuse)
    pods[0].calls(3, DOWN)
    pods[0].calls(3, DOWN, OTHER)
    await pods.turn(LONG_S)

    assert status(pods[0]) == (True, False)
    assert pods[0].refused() is SkipReason.OPEN


async def test_what_waited_for_too_long_is_dropped(pods: Pods) -> None:
    pods.store.gate.clear()
    pods[0].calls(3, DOWN)
    await settled()  # this one is under way, and the next has to wait for it
    pods[0].calls(3, DOWN, OTHER)
    pods.clock.turn(6.0)
    pods.store.gate.set()
    await settled()

    assert pods.record.state is State.OPEN
    assert pods.store.inner.read_now("anthropic") is None


async def test_a_store_that_lost_its_data_is_given_them_back(pods: Pods) -> None:
    await open_fleet(pods)
    epoch = pods.record.epoch
    pods.store.inner = MemoryStore(pods.clock)

    await pods.turn(LONG_S)

    assert pods.record.state is State.OPEN
    assert pods.record.epoch > epoch
    assert [pod.refused() for pod in pods] == [SkipReason.OPEN] * 2


async def test_every_operation_is_told_of(pods: Pods) -> None:
    await open_fleet(pods)
    await lose(pods)

    told = [event for event in pods[0].events if isinstance(event, StoreAsked)]
    assert {(one.operation.value, one.result) for one in told} >= {
        ("sync", StoreResult.OK),
        ("cas", StoreResult.OK),
        ("sync", StoreResult.ERROR),
    }


async def test_a_lease_is_asked_for_at_the_very_deadline_if_calls_were_refused(pods: Pods) -> None:
    await open_fleet(pods)
    assert pods[1].refused() is SkipReason.OPEN

    await pods.turn(60.2)

    assert isinstance(pods[1].admit(), Permit)


async def test_nobody_asks_where_no_call_was_refused(pods: Pods) -> None:
    await open_fleet(pods)
    writes = len(pods.store.writes)

    await pods.turn(90.0)

    assert len(pods.store.writes) == writes
    assert pods.record.state is State.OPEN


async def test_refused_calls_wait_for_no_store(pods: Pods) -> None:
    pods.store.gate.clear()

    for _ in range(1000):
        pods[0].call(OK)

    await asyncio.sleep(0)
    assert pods.store.asked == 0


# Health


def test_it_takes_several_failures_in_a_row_to_be_alone() -> None:
    health = Health(0.0)
    for _ in range(DEGRADED_AFTER - 1):
        assert not health.failed(1.0)
    health.answered(1.0)
    for _ in range(DEGRADED_AFTER - 1):
        assert not health.failed(2.0)

    assert health.failed(3.0)
    assert not health.failed(4.0)
    assert health.degraded_for_s(5.0) == 2.0


def test_it_is_asked_less_and_less_often() -> None:
    health, pauses_s = Health(0.0), []
    for _ in range(10):
        health.failed(0.0)
        pauses_s.append(health.retry_s(0.99))

    assert pauses_s == sorted(pauses_s)
    assert pauses_s[0] < 0.5
    assert pauses_s[-1] <= LONGEST_RETRY_S
    assert health.retry_s(0.0) == 0.0


# What was lost


POLICY = Policy(open_ms=1000, max_ms=4000, multiplier=2.0)
ADOPTED = Record(
    name="gemini",
    epoch=900,
    rev=7,
    state=State.OPEN,
    until_ms=1500,
    policy=POLICY,
    why=Why(Cause.FAILURES, "b", 500),
)


def merged(snapshot: Record, stored: Record | None = None) -> Record:
    """What a store that has `stored` makes of it at 1000."""
    return step(stored or Record(name="gemini"), Merge(pod="a", snapshot=snapshot), 1000)[0]


def test_what_was_open_is_open_again_in_a_new_epoch() -> None:
    record = merged(ADOPTED)

    assert (record.state, record.until_ms, record.rev) == (State.OPEN, 1500, 0)
    assert record.epoch > ADOPTED.epoch
    assert record.why == Why(Cause.MERGE, "a", 1000)


def test_the_higher_epoch_wins() -> None:
    stored = replace(ADOPTED, epoch=901, state=State.CLOSED)

    assert merged(ADOPTED, stored) is stored


def test_done_twice_it_is_done_once() -> None:
    once = merged(ADOPTED)

    assert merged(ADOPTED, once) is once


def test_a_round_that_nobody_can_tell_of_is_called_off() -> None:
    half_open = replace(
        ADOPTED, state=State.HALF_OPEN, succ=1, leases=(Slot("t", "b", 5000),), until_ms=9000
    )

    record = merged(half_open)

    assert (record.state, record.until_ms, record.leases, record.succ) == (State.OPEN, 1000, (), 0)


@pytest.mark.parametrize(("rounds", "longest_ms"), [(0, 1000), (1, 2000), (9, 4000)])
def test_no_deadline_reaches_further_than_the_policy(rounds: int, longest_ms: int) -> None:
    record = merged(replace(ADOPTED, until_ms=10**9, rounds=rounds))

    assert record.until_ms == 1000 + longest_ms


def test_cooldowns_are_kept_by_the_later_one() -> None:
    snapshot = replace(ADOPTED, cooldown=(("flash", 5000), ("pro", 2000)))
    stored = Record(name="gemini", cooldown=(("pro", 3000),))

    assert merged(snapshot, stored).cooldown == (("flash", 5000), ("pro", 3000))


# The last one


async def test_a_call_with_nobody_else_to_ask_waits_a_moment_for_its_lease(pods: Pods) -> None:
    await open_fleet(pods)
    pods.clock.turn(60.0)
    waiting = asyncio.create_task(pods[0].breakers.ready(pods[0].entry))
    await settled()
    pods.clock.turn(0.005)
    await settled()

    assert waiting.done()
    assert isinstance(pods[0].admit(), Permit)


async def test_it_waits_for_no_more_than_a_moment(pods: Pods) -> None:
    await open_fleet(pods)
    pods.store.gate.clear()
    pods.clock.turn(60.0)
    waiting = asyncio.create_task(pods[0].breakers.ready(pods[0].entry))
    for _ in range(10):
        await settled()
        assert not waiting.done()
        pods.clock.turn(0.005)
    await settled()

    assert waiting.done()


async def test_nobody_waits_for_a_breaker_that_is_closed_or_open(pods: Pods) -> None:
    async with asyncio.timeout(1):  # a clock that nobody turns would be waited for in vain
        await pods[0].breakers.ready(pods[0].entry)
        await open_fleet(pods)
        await pods[0].breakers.ready(pods[0].entry)

    assert pods[0].refused() is SkipReason.OPEN
