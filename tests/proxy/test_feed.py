"""The status as events: the newest for everybody, and nothing kept for those who do not read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient, AiohttpRawServer

from sidecar.proxy.feed import EVERY_S, PATIENCE_S, Feed
from tests.stories.world import eventually

Client = TestClient[web.BaseRequest, None]

HUGE = b"x" * (16 * 1024 * 1024)  # more than the sockets between us take


@dataclass
class HandClock:
    """Stands still until it is moved on; who sleeps then wakes, and all have run on return."""

    now_s: float = 1000.0
    sleepers: list[asyncio.Event] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now_s

    def unix(self) -> float:
        return self.now_s

    async def sleep(self, _: float, /) -> None:
        woken = asyncio.Event()
        self.sleepers.append(woken)
        await woken.wait()

    async def pass_s(self, seconds: float) -> None:
        """Move on by at most what anybody sleeps."""
        await eventually(lambda: bool(self.sleepers))
        self.now_s += seconds
        woken, self.sleepers = self.sleepers, []
        for one in woken:
            one.set()


@dataclass
class Stage:
    """A feed that tells numbers, or something huge, and whom it tells."""

    clock: HandClock = field(default_factory=HandClock)
    snapshots: int = 0
    huge: bool = False
    transports: list[asyncio.Transport] = field(default_factory=list)
    feed: Feed = field(init=False)

    def __post_init__(self) -> None:
        self.feed = Feed(self.snapshot, self.clock, {"Cache-Control": "no-store"})

    def snapshot(self) -> bytes:
        self.snapshots += 1
        return HUGE if self.huge else b"%d" % self.snapshots

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport
        self.transports.append(request.transport)
        return await self.feed.tell(request)


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def client(
    stage: Stage, aiohttp_raw_server: AiohttpRawServer, aiohttp_client: AiohttpClient
) -> Client:
    return await aiohttp_client(await aiohttp_raw_server(stage.handle))


async def heard(answer: aiohttp.ClientResponse) -> bytes:
    async with asyncio.timeout(5.0):
        return await answer.content.readuntil(b"\n\n")


async def test_the_status_is_told_at_once_and_anew_each_second(
    client: Client, stage: Stage
) -> None:
    async with client.get("/") as answer:
        events = [await heard(answer)]
        for _ in range(2):
            await stage.clock.pass_s(EVERY_S)
            events.append(await heard(answer))

    assert events == [b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n"]


async def test_listeners_share_what_is_asked_once(client: Client, stage: Stage) -> None:
    answers = [await client.get("/") for _ in range(3)]
    events = [await heard(answer) for answer in answers]
    await eventually(lambda: len(stage.clock.sleepers) == len(answers))

    await stage.clock.pass_s(EVERY_S)

    assert events == [b"data: 1\n\n"] * 3
    assert [await heard(answer) for answer in answers] == [b"data: 2\n\n"] * 3


async def test_nobody_is_told_of_once_nobody_listens(client: Client, stage: Stage) -> None:
    async with client.get("/") as answer:
        await heard(answer)
    await eventually(stage.transports[0].is_closing)
    told = stage.snapshots

    await stage.clock.pass_s(EVERY_S)
    await asyncio.sleep(0.01)

    assert stage.snapshots == told


async def test_for_a_listener_that_does_not_read_one_event_waits_until_it_is_cut(
    client: Client, stage: Stage
) -> None:
    stage.huge = True
    _, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    held = []

    for _ in range(int(PATIENCE_S / EVERY_S)):
        await stage.clock.pass_s(EVERY_S)
        held.append(stage.transports[0].get_write_buffer_size())
    await eventually(stage.transports[0].is_closing)

    assert 0 < max(held) <= len(HUGE) + 1024
    assert not stage.feed.is_full
    writer.close()
