"""Twenty processes at one store: what an outage, and the end of it, cost the provider."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime

import pytest
import pytest_asyncio

from sidecar.faults.catalog import ok, status
from tests.fleet.stores import redis_server
from tests.live.load import a_load
from tests.live.measured import note, quantile
from tests.live.pods import Fleet, Pod, a_fleet
from tests.stories.world import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

PODS = 20
SYNC_S = 4
THRESHOLD = 3
PROBES = 2
BREAKER = "breaker: {open_timeout: 3s, half_open_probes: 2, success_threshold: 2}\n"
PROBE_S = 1.5  # an answer that takes its time, so that the probes are in flight together
MOVED = "Circuit breaker state transition"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def twenty() -> AsyncIterator[Fleet]:
    async with a_fleet(redis_server.shared().url) as fleet:
        # so seldom that what is known sooner was pushed
        await fleet.start(*[fleet.text(sync=f"{SYNC_S}s") + BREAKER] * PODS)
        await fleet.until_all_are_seen()
        yield fleet


@pytest_asyncio.fixture(loop_scope="module")
async def fleet(twenty: Fleet) -> Fleet:
    """All of them, and nothing has happened."""
    twenty.first.plays("ok")
    await twenty.pods[0].order("reset")
    await twenty.until_state("closed")
    twenty.first.hits = 0
    twenty.first.calls.clear()
    return twenty


async def opened_at_s(pods: list[Pod], epoch: int) -> list[float]:
    """When each of them heard that the breaker is open in that epoch, in Unix time."""
    lines = [line for pod in pods for line in pod.logged(MOVED)]
    return [moment_s(line["time"]) for line in lines if line["epoch"] == epoch]


async def test_what_one_pod_finds_out_no_other_pays_for(fleet: Fleet) -> None:
    fleet.first.plays(status(503))
    finder, *others = fleet.pods
    for _ in range(THRESHOLD):
        await finder.chat()

    await fleet.until_state("open", *others)
    heard = await asyncio.gather(*(pod.chat() for pod in others))

    assert fleet.first.hits == THRESHOLD
    assert {one.code for one in heard} == {200}
    assert all(one.attempts.startswith("first;skipped;open;") for one in heard)
    assert await fleet.moves(to_state="open", origin="fleet") == len(others)
    (epoch,) = await fleet.epochs()
    found_s, *rest_s = sorted(await opened_at_s(fleet.pods, epoch))
    spread_s = [at_s - found_s for at_s in rest_s]
    assert len(spread_s) == len(others)
    assert max(spread_s) < 0.85 * SYNC_S / 3  # a third of them would wait for longer
    p50_ms, p99_ms = (quantile(spread_s, share) * 1000 for share in (0.5, 0.99))
    note(
        f"{PODS} pods, the primary goes down",
        f"{fleet.first.hits} calls to it; the others know {p50_ms:.0f} ms (p50) and {p99_ms:.0f} ms"
        " (p99) later",
    )


async def test_under_load_an_outage_costs_no_pod_more_than_its_threshold(fleet: Fleet) -> None:
    fleet.first.plays(ok(first_after_s=0.1))
    async with a_load(fleet.pods) as load:
        await load.more(2 * PODS)
        fleet.first.plays(status(503))
        failing_from = fleet.first.hits
        await fleet.until_state("open")
        down = list(fleet.first.calls)[failing_from:]
        await load.more(2 * PODS)

    since_s = (await fleet.pods[0].standing())["since"]
    before_trip = [call for call in down if wall_s(call.opened_s) <= since_s]
    assert len(before_trip) <= PODS * (THRESHOLD - 1) + 1
    assert {heard.code for heard in load.heard.values()} == {200}
    assert await fleet.moves(to_state="open", origin="self") >= 1
    assert len(await fleet.epochs()) == 1
    late_s = [wall_s(call.opened_s) - since_s for call in down[len(before_trip) :]]
    note(
        f"{PODS} pods under load, the primary goes down",
        f"{len(before_trip)} calls until it was sure, {len(late_s)} while that spread,"
        f" the last {max(late_s, default=0.0) * 1000:.0f} ms later",
    )


async def test_pods_that_are_sure_at_once_make_one_move(fleet: Fleet) -> None:
    before = await fleet.moves(to_state="open", origin="self")
    fleet.first.plays(status(503))
    await asyncio.gather(*(pod.chat() for pod in fleet.pods for _ in range(THRESHOLD)))

    await fleet.until_state("open")

    assert len(await fleet.epochs()) == 1
    assert await fleet.moves(to_state="open", origin="self") == before + 1


async def test_a_half_open_moment_has_so_many_probes_and_no_more(fleet: Fleet) -> None:
    fleet.first.plays(status(503))
    for _ in range(THRESHOLD):
        await fleet.pods[0].chat()
    await fleet.until_state("open")
    await asyncio.gather(*(pod.chat() for pod in fleet.pods))  # now all of them want it back
    fleet.first.plays(ok(first_after_s=PROBE_S))
    fleet.first.hits = 0

    async with a_load(fleet.pods) as load:
        await eventually(lambda: fleet.first.hits >= PROBES, 20.0)
        await load.more(PODS)
    await fleet.until_state("closed")

    assert fleet.first.hits == PROBES
    assert {heard.code for heard in load.heard.values()} == {200}
    note(
        f"{PODS} pods at one deadline", f"{fleet.first.hits} calls to the primary, {PROBES} wanted"
    )


def wall_s(monotonic_s: float) -> float:
    """Unix time of a monotonic one."""
    return monotonic_s + time.time() - time.monotonic()


def moment_s(told: str) -> float:
    """Unix time of what the log says."""
    return datetime.fromisoformat(told).timestamp()
