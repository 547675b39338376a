"""What a store forgets, drops or says late: the pods come to the same word again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from sidecar.faults.catalog import status
from tests.fleet.stores.redis_server import RedisServer
from tests.live.line import Line, a_line
from tests.live.load import a_load
from tests.live.pods import OP_TIMEOUT_S, Fleet, Pod, a_fleet
from tests.stories.world import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

BREAKER = "breaker: {open_timeout: 5m}\n"


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[RedisServer, RedisServer]]:
    """A primary and a replica."""
    primary = RedisServer("--repl-diskless-sync-delay", "0")
    replica = RedisServer()
    yield primary, replica
    for server in (primary, replica):
        server.remove()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pods(
    servers: tuple[RedisServer, RedisServer],
) -> AsyncIterator[tuple[Fleet, Line]]:
    async with (
        a_line(servers[0].port) as line,
        a_fleet(f"redis://127.0.0.1:{line.port}", 3, BREAKER) as fleet,
    ):
        yield fleet, line


@pytest_asyncio.fixture(loop_scope="module")
async def fleet(pods: tuple[Fleet, Line]) -> Fleet:
    """All closed."""
    fleet, _ = pods
    fleet.first.plays("ok")
    await fleet.until_all_follow()
    for what in ("release", "reset"):
        assert await fleet.pods[0].order(what) < 300
    await fleet.until_state("closed")
    return fleet


async def open_by(fleet: Fleet, pod: Pod) -> None:
    """Have one pod find out, and wait until all know."""
    fleet.first.plays(status(503))
    async with a_load([pod]):
        await fleet.until_state("open")


async def epoch(fleet: Fleet) -> int:
    (only,) = await fleet.epochs()
    return only


MISHAPS = {
    "its scripts are flushed": ("SCRIPT FLUSH",),
    "its listeners are cut off": ("CLIENT", "KILL", "TYPE", "pubsub"),
    "its data are flushed": ("FLUSHALL",),
}


@pytest.mark.parametrize("command", MISHAPS.values(), ids=list(MISHAPS))
async def test_what_one_pod_opens_the_others_skip_also_after(
    command: tuple[str, ...], fleet: Fleet, servers: tuple[RedisServer, RedisServer]
) -> None:
    servers[0].ask(*command)

    await open_by(fleet, fleet.pods[0])

    assert (await fleet.pods[1].chat()).attempts.startswith("first;skipped;open;")
    assert len(await fleet.epochs()) == 1


async def test_what_was_open_is_open_again_after_the_data_are_flushed(
    fleet: Fleet, servers: tuple[RedisServer, RedisServer]
) -> None:
    await open_by(fleet, fleet.pods[0])
    before = await epoch(fleet)
    servers[0].ask("FLUSHALL")

    async def has_merged(pod: Pod) -> bool:
        return bool((await pod.standing())["epoch"] > before)

    await fleet.until(has_merged)
    await fleet.until_state("open")
    assert len(await fleet.epochs()) == 1


async def test_a_replica_that_took_over_behind_its_time_is_brought_up_to_date(
    fleet: Fleet, pods: tuple[Fleet, Line], servers: tuple[RedisServer, RedisServer]
) -> None:
    primary, replica = servers
    replica.ask("REPLICAOF", "127.0.0.1", primary.port)
    await eventually(lambda: bool(replica.ask("ROLE")[3] == b"connected"))
    replica.ask("REPLICAOF", "NO", "ONE")
    await open_by(fleet, fleet.pods[0])
    before = await epoch(fleet)

    pods[1].lead_to(replica.port)

    async def has_merged(pod: Pod) -> bool:
        return bool((await pod.standing())["epoch"] > before)

    await fleet.until(has_merged)
    await fleet.until_state("open")
    assert len(await fleet.epochs()) == 1
    pods[1].lead_to(primary.port)


async def test_what_an_operator_was_refused_is_not_done_later(
    fleet: Fleet, servers: tuple[RedisServer, RedisServer]
) -> None:
    servers[0].freeze()
    refused = await fleet.pods[0].order("hold", mode="open")
    await asyncio.sleep(2 * OP_TIMEOUT_S)
    servers[0].thaw()
    await fleet.until_all_follow()

    assert refused == 503
    assert not [pod for pod in fleet.pods if (await pod.standing()).get("held")]
    assert (await fleet.pods[0].chat()).attempts.startswith("first;ok;")
