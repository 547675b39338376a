"""What becomes of a probe when its pod dies, sleeps, leaves, or its caller hangs up."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import orjson
import pytest

from sidecar.faults.catalog import ok, status
from tests.fleet.stores.redis_server import RedisServer
from tests.live.measured import note
from tests.live.pods import LEASE_S, PATIENCE_S, Fleet, Pod, a_fleet
from tests.live.shelves import SHELVES, Shelf
from tests.stories.world import eventually

ONE_PROBE = """
breaker: {open_timeout: 1s, half_open_probes: 1, success_threshold: 1}
drain_timeout: 300ms
"""
LONG_S = 1.5  # of an answer: longer than it takes to kill its pod, shorter than the lease


@asynccontextmanager
async def two_pods(kind: str) -> AsyncIterator[tuple[Shelf, Fleet]]:
    """Two pods at a store of that kind, and the breaker is open."""
    with SHELVES[kind]() as shelf:
        async with a_fleet(shelf.url, 2, ONE_PROBE) as fleet:
            fleet.first.plays(status(503))
            for _ in range(3):
                await fleet.pods[0].chat()
            await fleet.until_state("open")
            fleet.first.hits = 0
            yield shelf, fleet


async def probe(fleet: Fleet, pod: Pod) -> asyncio.Task[object]:
    """Ask `pod` until one of its calls is a probe; that call."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + PATIENCE_S
    while loop.time() < until_s:
        call: asyncio.Task[object] = asyncio.create_task(pod.chat())
        await eventually(partial(has_come_to_something, fleet, call))
        if fleet.first.hits:
            return call
        await asyncio.sleep(0.02)
    raise TimeoutError("no call was a probe")


def has_come_to_something(fleet: Fleet, call: asyncio.Task[object]) -> bool:
    return call.done() or fleet.first.hits > 0


async def until_closed_by(fleet: Fleet, pod: Pod) -> float:
    """Ask `pod` until it has closed the breaker. Returns the seconds."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    async with asyncio.timeout(PATIENCE_S):
        while (await pod.standing())["state"] != "closed":
            await pod.chat()
            await asyncio.sleep(0.02)
    return loop.time() - began_s


@pytest.mark.parametrize("kind", SHELVES)
async def test_after_a_killed_prober_another_pod_probes_within_a_lease(kind: str) -> None:
    async with two_pods(kind) as (_, fleet):
        prober, other = fleet.pods
        fleet.first.plays("silence")
        call = await probe(fleet, prober)
        fleet.first.plays("ok")
        prober.process.kill()
        with pytest.raises(aiohttp.ClientConnectionError):
            await call

        took_s = await until_closed_by(fleet, other)

        assert fleet.first.hits == 2
        note(f"a prober is killed, {kind}", f"the other closes {took_s:.1f} s later ({LEASE_S} s)")


async def hang_up(call: asyncio.Task[object], _: Pod) -> None:
    call.cancel()


async def leave(call: asyncio.Task[object], prober: Pod) -> None:
    assert await prober.end() == 0
    await call


@pytest.mark.parametrize("end", [hang_up, leave], ids=["the caller hangs up", "the pod leaves"])
async def test_a_probe_that_came_to_nothing_hands_its_lease_back(
    end: Callable[[asyncio.Task[object], Pod], Awaitable[None]],
) -> None:
    async with two_pods("valkey") as (server, fleet):
        assert isinstance(server, RedisServer)
        prober, other = fleet.pods
        fleet.first.plays("silence")
        call = await probe(fleet, prober)
        before = record(server, fleet)
        assert [pod for pod, _ in before["leases"].values()] == [prober.name]

        await end(call, prober)
        await eventually(lambda: not record(server, fleet)["leases"], LEASE_S)

        after = record(server, fleet)
        assert (after["state"], after["epoch"]) == ("half_open", before["epoch"])
        assert not any(after.get(judged) for judged in ("succ", "lost", "excluded"))
        fleet.first.plays("ok")
        await until_closed_by(fleet, other)


def record(server: RedisServer, fleet: Fleet) -> dict[str, Any]:
    """The breaker as it is stored."""
    key = f"llm-failover:{{{fleet.namespace}}}:breaker:first"
    stored: dict[str, Any] = orjson.loads(server.ask("HGET", key, "data"))
    return stored


async def test_a_prober_that_slept_too_long_has_no_say() -> None:
    async with two_pods("valkey") as (_, fleet):
        prober, other = fleet.pods
        fleet.first.plays(ok(first_after_s=LONG_S))
        call = await probe(fleet, prober)
        os.kill(prober.process.pid, signal.SIGSTOP)
        await asyncio.sleep(LEASE_S)
        fleet.first.plays(status(503))
        await asyncio.sleep(0.5)
        while fleet.first.hits < 2:
            await other.chat()
        await fleet.until_state("open", other)
        epoch = (await other.standing())["epoch"]

        os.kill(prober.process.pid, signal.SIGCONT)
        await call
        await fleet.until_state("open")

        assert await fleet.epochs() == {epoch}
