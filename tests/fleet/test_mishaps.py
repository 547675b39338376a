"""Small stories that a fleet once got wrong: lost data, wrong clocks, pods without a way out."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sidecar.core.breaker import Merge, step
from sidecar.core.events import Cause, State
from sidecar.core.outcome import Outcome, SkipReason
from sidecar.core.permit import Ending, Permit
from sidecar.core.record import Held, Record, Slot, Why
from tests.fleet.scene import (
    DOWN,
    OK,
    SILENT,
    FakeClock,
    Pod,
    entry,
    limited,
    settled,
    with_policy,
)
from tests.fleet.test_lane import ENTRIES, Pods, open_fleet
from tests.fleet.test_outage import lose, regain

BROKEN = Ending(outcome=Outcome.STREAM_TRUNCATED, status=200)
HOUR_S = 3600.0


def newcomer(pods: Pods, ahead_s: float = 0.0) -> Pod:
    """A pod that has not heard of the store yet, on a clock that is so far ahead."""
    clock = FakeClock()
    clock.unix_s = pods.clock.unix_s + ahead_s
    pod = Pod(clock, pods.store, entries=ENTRIES, name="new")
    pods.append(pod)
    return pod


# Lost data


async def test_after_a_loss_no_revision_comes_again(pods: Pods) -> None:
    await open_fleet(pods)
    rev = pods.record.rev
    pods.store.inner._records.clear()
    pods.clock.turn(1.0)

    await pods[1].breakers.hold("gemini", State.OPEN, None, "me", "drill")

    assert pods.record.rev > rev


def test_a_hold_that_is_over_is_not_brought_back() -> None:
    hold = Held(State.OPEN, 500, "me", "drill")
    snapshot = Record(name="p", epoch=9, rev=3, hold=hold, why=Why(Cause.HOLD, "a", 9))

    merged = step(Record(name="p"), Merge(pod="a", snapshot=snapshot), 1000)[0]

    assert merged.hold is None


# No way out


async def test_what_a_pod_cannot_prove_it_does_not_propose_after_an_outage(pods: Pods) -> None:
    await lose(pods)
    pods[0].calls(3, SILENT)
    pods.store.broken = False
    await pods.turn(6.0)

    assert pods[1].refused() is None


async def test_an_answer_from_before_its_network_failed_proves_nothing(pods: Pods) -> None:
    pods[0].call(OK, ENTRIES[1])
    pods.clock.turn(1.0)
    pods[0].calls(3, SILENT)
    await settled()

    assert pods[1].refused() is None


async def test_neither_does_it_where_half_of_the_calls_have_failed(pods: Pods) -> None:
    patient = entry(policy=with_policy(failure_threshold=9, min_requests=4))
    pod = Pod(pods.clock, pods.store, entries=(patient, ENTRIES[1]), name="patient")
    pods.append(pod)
    await pod.breakers.open()
    await pods.turn(2.5)
    pod.calls(2, OK)
    pod.call(OK, ENTRIES[1])
    pods.clock.turn(1.0)
    pod.calls(2, SILENT)
    await settled()

    assert (pod.refused(), pods[1].refused()) == (SkipReason.OPEN, None)


async def test_the_fallback_of_the_first_failed_call_proves_the_way_out(pods: Pods) -> None:
    pods[0].call(SILENT)
    pods.clock.turn(1.0)
    pods[0].call(OK, ENTRIES[1])
    pods.clock.turn(1.0)
    pods[0].calls(2, SILENT)
    await settled()

    assert pods[1].refused() is SkipReason.OPEN


async def test_an_answer_that_broke_off_proves_nothing(pods: Pods) -> None:
    pods[0].call(SILENT)
    pods[0].call(BROKEN, ENTRIES[1])
    pods[0].calls(2, SILENT)
    await settled()

    assert pods[1].refused() is None


async def test_a_pod_that_has_not_heard_of_others_accuses_with_half_a_voice(pods: Pods) -> None:
    new = newcomer(pods)
    new.calls(3, SILENT)
    await new.breakers.open()
    await settled()

    assert (new.refused(), pods[1].refused()) == (SkipReason.OPEN, None)


async def test_a_doubtful_probe_of_its_own_bars_nobody_for_a_round(pods: Pods) -> None:
    pods[0].calls(3, SILENT)
    await pods.turn(60.0)
    pods[0].call(SILENT)

    assert pods[0].retry_in_s() == 60.0


# Alone and back


async def test_it_follows_a_store_that_is_open_whatever_it_opened_itself(pods: Pods) -> None:
    await open_fleet(pods)
    await lose(pods)
    await pods.turn(70.0)
    pods[0].calls(2, OK)
    pods[0].calls(3, DOWN)
    pods.store.broken = False
    await pods.turn(6.0)
    pods[0].refused()
    await settled()

    assert pods[0].permit().token
    assert pods.record.state is State.HALF_OPEN


async def test_what_a_pod_has_found_well_again_it_does_not_propose(pods: Pods) -> None:
    quick = entry(policy=with_policy(open_timeout_s=2.0))
    pod = Pod(pods.clock, pods.store, entries=(quick, ENTRIES[1]), name="quick")
    pods.append(pod)
    await pod.breakers.open()
    await lose(pods)
    pod.calls(3, DOWN)
    await pods.turn(3.0)
    pod.calls(2, OK)
    pods.store.broken = False
    await pods.turn(6.0)

    assert pods[1].refused() is None


async def test_to_follow_the_store_again_is_no_move_of_its_own(pods: Pods) -> None:
    await open_fleet(pods)
    await lose(pods)
    await pods.turn(70.0)
    pods[0].calls(2, OK)
    await regain(pods)

    assert pods[0].moves[-1] == "closed>open failures fleet"


async def test_a_lease_that_comes_when_a_pod_is_alone_is_not_used(pods: Pods) -> None:
    await open_fleet(pods)
    await pods.turn(60.0)
    pods[1].refused()
    await settled()
    board, late = pods[0].breakers._board, Slot("late", "a", pods.record.until_ms)
    board.deserted()

    board.granted(replace(pods.record, leases=(late,)), late, pods.clock.now_s)

    assert pods[0].permit().token != "late"


# Clocks


async def test_a_probe_ends_before_its_lease_does_in_the_store(pods: Pods) -> None:
    await open_fleet(pods)
    late = newcomer(pods)
    await late.breakers.open()
    await settled()
    late.clock.turn(60.0)
    pods.clock.turn(60.2)  # the store's answers take their time: what was heard is not quite so new
    late.refused()
    await settled()
    left_s = late.permit().deadline_s - late.clock.now_s

    assert left_s * 1000 <= pods.record.leases[0].until_ms - pods.store.inner.now_ms()


async def test_a_wrong_clock_does_not_make_the_fleet_wait(pods: Pods) -> None:
    new = newcomer(pods, ahead_s=HOUR_S)
    new.calls(3, DOWN)
    new.call(limited(30.0), ENTRIES[1])
    await new.breakers.open()
    await settled()

    assert pods.record.until_ms == pods.store.inner.now_ms() + 60_000
    assert pods.store.inner.read_now("anthropic") is None


@pytest.mark.parametrize("ahead_s", [HOUR_S, -HOUR_S])
async def test_what_a_pod_decided_by_a_wrong_clock_lasts_as_long_as_it_should(
    pods: Pods, ahead_s: float
) -> None:
    new = newcomer(pods, ahead_s)
    new.call(limited(30.0))
    new.calls(3, SILENT, ENTRIES[1])
    await new.breakers.open()
    await settled()

    assert [new.retry_in_s(one) for one in ENTRIES] == [30.0, 60.0]


# Leases


async def test_the_dead_hold_no_lease_for_long(pods: Pods) -> None:
    await open_fleet(pods)
    pods.clock.turn(60.0)
    pods[0].admit()
    await settled()
    assert isinstance(pods[0].admit(), Permit)
    dead = pods.pop(0)
    await dead.breakers._lane.stop()  # it says nothing more, and not that it goes

    await pods.turn(13.0)

    assert pods.record.state is State.HALF_OPEN
    assert (pods.record.leases, pods.record.lost) == ((), 1)


async def test_who_is_seldom_called_waits_a_moment_for_its_second_lease(pods: Pods) -> None:
    await open_fleet(pods)
    pods.clock.turn(60.0)
    pods[0].admit()
    await settled()
    assert not pods[0].breakers.is_worth_a_wait(pods[0].entry)

    await pods.turn(2.0)

    assert not pods.record.leases
    assert pods[0].breakers.is_worth_a_wait(pods[0].entry)


async def test_an_answer_that_was_lost_leaves_no_lease_behind(pods: Pods) -> None:
    await open_fleet(pods)
    pods.clock.turn(60.0)
    lost = Slot("t", "a", pods.store.inner.now_ms() + 60_000)
    pods[0].admit()
    await settled()
    cell = pods[0].breakers._cells["gemini"]
    mine = replace(lost, token=f"{pods[0].breakers._board._mark}lost")
    record = pods.record
    pods.store.inner.swap_now(record.rev, replace(record, leases=(*record.leases, mine)))
    await pods.turn(10.0)

    assert cell.record.slot(mine.token) is None
    assert pods.record.slot(mine.token) is None


async def test_who_was_barred_before_the_outage_may_probe_alone(pods: Pods) -> None:
    await open_fleet(pods)
    pods.clock.turn(60.0)
    pods[0].admit()
    await settled()
    pods[0].call(SILENT)
    await settled()
    assert pods.record.excluded == ("a",)

    await lose(pods)

    assert isinstance(pods[0].admit(), Permit)


async def test_a_hold_that_ends_while_a_pod_is_alone_leaves_a_breaker(pods: Pods) -> None:
    await pods[0].breakers.hold("gemini", State.CLOSED, 60.0, "me", "drill")
    await settled()
    await lose(pods)
    await pods.turn(60.0)

    pods[0].calls(3, DOWN)

    assert pods[0].refused() is SkipReason.OPEN


async def test_where_all_are_barred_the_round_ends_after_the_open_time(pods: Pods) -> None:
    await open_fleet(pods)
    pods.clock.turn(60.0)
    for pod in pods:
        pod.admit()
        await settled()
        pod.call(SILENT)
        await settled()
    assert set(pods.record.excluded) == {"a", "b"}

    pods.clock.turn(61.0)
    pods[0].admit()
    await settled()

    assert pods.record.state is State.OPEN


async def test_leaving_takes_no_lease_and_loses_no_verdict(pods: Pods) -> None:
    await open_fleet(pods)
    pods.clock.turn(60.0)
    pods[0].admit()
    await settled()
    permit = pods[0].admit()
    assert isinstance(permit, Permit)
    pods.store.gate.clear()
    pods[0].breakers.settle(permit, OK)
    pods[0].admit()  # asks for another lease, which nobody will use
    leaving = asyncio.create_task(pods[0].breakers.close())
    await settled()
    pods.store.gate.set()
    await leaving
    pods.pop(0)

    assert pods.record.succ == 1
    assert pods.record.leases == ()
