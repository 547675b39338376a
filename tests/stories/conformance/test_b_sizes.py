"""Streams that are long, applications that leave, and applications that are slow."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from sidecar.core.outcome import Outcome, RequestOutcome
from sidecar.core.settings import Limits
from sidecar.faults.answer import Scene
from sidecar.faults.catalog import Fault, ok, stall
from sidecar.faults.fault import Effect, open_answer, send
from sidecar.faults.healthy import speech_of
from sidecar.faults.speech import encode
from sidecar.faults.steps import Send, Step, Wait
from sidecar.faults.wire import chunk
from tests.stories.conformance.scripts import delta, streams_chat
from tests.stories.conformance.strikes import (
    CALLS,
    CHAT,
    IN_BAND,
    MESSAGES,
    OF_SECOND,
    RESPONSES,
    a_first,
    assert_served,
    bytes_of,
    code_of,
    outcomes,
    over,
    tell,
    wire_of,
)
from tests.stories.voices import Reply
from tests.stories.world import MODEL, World, eventually

MB = 1024**2
# Every way from a provider's format to an application's: as it is, and translated.
EVERY_WAY = pytest.mark.parametrize(
    ("kind", "endpoint"),
    [
        *(("openai", CHAT), ("openai", RESPONSES), ("anthropic", MESSAGES)),
        *(("gemini", RESPONSES), ("gemini", MESSAGES), ("anthropic", CHAT)),
    ],
)
WORDS = 10_000


@over()
async def test_b29_an_event_may_have_a_megabyte(kind: str) -> None:
    await assert_served(kind, "big_event", reply=Reply("x" * 10**6))


@over()
async def test_b29_bytes_may_come_one_by_one(kind: str) -> None:
    await assert_served(kind, "one_byte")


@EVERY_WAY
async def test_b29_of_ten_thousand_tiny_events_none_is_lost(kind: str, endpoint: str) -> None:
    async with a_first(kind) as world:
        world.first.plays("tiny_events")
        assert len(text_of(endpoint, await bytes_of(world, endpoint)).split()) == WORDS


def text_of(endpoint: str, stream: bytes) -> str:
    """What the events of a stream say."""
    lines = [line[6:] for line in stream.splitlines() if line.startswith(b"data: {")]
    return "".join(said_by(endpoint, orjson.loads(line)) for line in lines)


def said_by(endpoint: str, event: Any) -> str:
    """What one event says."""
    if endpoint == CHAT:
        choices = event.get("choices", ())  # an error has none
        return "".join(choice["delta"].get("content") or "" for choice in choices)
    if event.get("type") == "content_block_delta":
        return str(event["delta"]["text"])
    return str(event["delta"]) if event.get("type") == "response.output_text.delta" else ""


# B30: applications that leave


def unfinished(scene: Scene) -> Iterator[Step]:
    """Everything but the last event."""
    yield open_answer(scene)
    yield from send(speech_of(scene).events[:-1])
    yield Wait()


STAGES: dict[str, Fault | str] = {
    "before the head": "silence",
    "amid the head": "half_header_stall",
    "after the head": "headers_then_silence",
    "amid comments": "comments_only",
    "before content": stall(0),
    "amid content": stall(2),
    "amid many words": ok(words=10_000, delay_s=0.001),
    "before the last event": Fault("unfinished", "", Effect.SERVED, unfinished),
}


@over()
async def test_b30_whoever_leaves_frees_the_provider_and_blames_nobody(kind: str) -> None:
    async with a_first(kind) as world:
        for stage, fault in STAGES.items():
            world.first.plays(fault)
            assert await all_left(world, stream=True), stage
        await assert_nothing_counted(world, len(STAGES) * len(CALLS))


@over()
async def test_b30_nor_is_the_provider_kept_by_a_call_that_was_not_streamed(kind: str) -> None:
    faults = ("silence", "headers_then_silence", stall())
    async with a_first(kind) as world:
        for fault in faults:
            world.first.plays(fault)
            assert await all_left(world, stream=False), fault
        await assert_nothing_counted(world, len(faults) * len(CALLS))


async def all_left(world: World, *, stream: bool) -> bool:
    """Call each endpoint and leave amid its answer; whether a second later nobody is waited for."""
    hits = world.first.hits
    calling = [asyncio.create_task(bytes_of(world, one, stream=stream)) for one in CALLS]
    await eventually(lambda: world.first.hits == hits + len(calling))
    await asyncio.sleep(0.02)  # for what is sent to be there
    for one in calling:
        one.cancel()
    leaving = [asyncio.create_task(call.closed_early.wait()) for call in world.first.calls]
    _, staying = await asyncio.wait(leaving, timeout=1)
    return not staying


async def assert_nothing_counted(world: World, calls: int) -> None:
    await eventually(lambda: len(world.requests()) == calls)
    async with world.http.get(f"{world.admin}/status.json") as answer:
        standing = (await answer.json())["providers"][0]

    assert outcomes(world, "first") == {Outcome.CANCELLED}
    assert {one.outcome for one in world.requests()} == {RequestOutcome.CANCELLED}
    assert (standing["consecutive_failures"], standing["in_flight"]) == (0, 0)
    assert world.second.hits == 0


# B31: applications that are slow


class Spring:
    """A stream without end. `sent` are the bytes of it that somebody took."""

    def __init__(self) -> None:
        self.sent = 0

    def flow(self, scene: Scene) -> Iterator[Step]:
        speech = speech_of(scene)
        yield open_answer(scene)
        yield from send(speech.opening)
        gush = chunk(b"".join(map(encode, speech.words)) * 100)
        while True:
            yield Send(gush)
            self.sent += len(gush)

    async def stands_still(self) -> None:
        """Wait until nobody takes any more."""
        before = -1
        while self.sent != before:
            before = self.sent
            await asyncio.sleep(0.06)


@asynccontextmanager
async def idle_reader(world: World, endpoint: str) -> AsyncIterator[None]:
    """An application that streams, and does not read."""
    path, asked = CALLS[endpoint]
    body = orjson.dumps({"model": MODEL, "stream": True, **asked})
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    loop = asyncio.get_running_loop()
    with socket.socket() as lazy:
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        lazy.setblocking(False)
        await loop.sock_connect(lazy, (world.sidecar.api.host, world.sidecar.api.port))
        await loop.sock_sendall(lazy, head.encode() + body)
        yield


@EVERY_WAY
async def test_b31_nothing_is_taken_from_a_provider_that_nobody_reads(
    kind: str, endpoint: str
) -> None:
    spring = Spring()
    async with a_first(kind) as world:
        world.first.plays(Fault("spring", "", Effect.SERVED, spring.flow))
        async with asyncio.timeout(20), idle_reader(world, endpoint):
            await eventually(lambda: spring.sent > 0)
            await spring.stands_still()

        assert spring.sent < 32 * MB  # what the sockets on the way may hold
        async with asyncio.timeout(1):
            assert await world.first.calls[-1].closed_early.wait()


SMALL = Limits(response_body_bytes=50_000)
LONG_WORDS = 2000
LONG = ok(words=LONG_WORDS)


@EVERY_WAY
async def test_b31_only_what_is_translated_has_the_bound_of_a_whole_answer(
    kind: str, endpoint: str
) -> None:
    async with a_first(kind, limits=SMALL) as world:
        world.first.plays(LONG)
        stream = await bytes_of(world, endpoint)

        passed_on = wire_of(kind, endpoint) == endpoint
        assert (len(text_of(endpoint, stream).split()) == LONG_WORDS) is passed_on
        assert (world.first.hits, world.second.hits) == (1, 0)


TRANSLATED = pytest.mark.parametrize("endpoint", [RESPONSES, MESSAGES])


@TRANSLATED
async def test_b31_an_answer_over_its_bound_is_raised_as_a_fault_of_the_protocol(
    endpoint: str,
) -> None:
    async with a_first("gemini", limits=SMALL) as world:
        heard = (await tell(world, LONG, [endpoint]))[endpoint]

    assert isinstance(heard, IN_BAND)
    assert code_of(heard) == Outcome.PROTOCOL


@TRANSLATED
async def test_b31_before_content_the_bound_is_a_reason_to_fail_over(endpoint: str) -> None:
    thoughts = streams_chat(*[delta(reasoning_content="Hm. " * 100)] * 200)
    async with a_first("gemini", limits=SMALL) as world:
        assert await tell(world, thoughts, [endpoint]) == {endpoint: OF_SECOND}
