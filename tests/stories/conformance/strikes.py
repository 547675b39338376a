"""A stream that goes wrong at the first provider, and what every SDK makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anthropic
import openai
import orjson
import pytest

from sidecar.core.events import AttemptEnded
from sidecar.core.outcome import Outcome, RequestOutcome
from sidecar.core.policies import BreakerPolicy, Timeouts
from sidecar.dialects.presets import PRESETS
from sidecar.faults import answer
from sidecar.faults.answer import Json, Scene
from sidecar.faults.fault import Change, Effect, Fault, play_well, speak
from sidecar.faults.healthy import speech_of
from sidecar.faults.steps import Step
from tests.stories.voices import VOICES, Reply, Wish
from tests.stories.world import MESSAGES as SAID
from tests.stories.world import MODEL, World, a_world, eventually

KINDS = ("openai", "gemini", "huggingface", "anthropic", "cloudflare")
CHAT, MESSAGES, RESPONSES = "chat", "messages", "responses"
WIRES = (CHAT, MESSAGES, RESPONSES)
PATHS = {answer.MESSAGES: MESSAGES, answer.RESPONSES: RESPONSES}
OF_FIRST, OF_SECOND = Reply("Hello from first."), Reply("Hello from second.")
PATIENT = Timeouts()  # most of these stories are not about clocks
UNMOVED = BreakerPolicy(failure_threshold=1000, min_requests=1000)
IN_BAND = (openai.APIError, anthropic.APIStatusError)  # how the SDKs tell of an error in a stream
ENDS = (b"[DONE]", b"message_stop", b"response.completed")  # what only a whole answer says
CALLS: dict[str, tuple[str, Json]] = {  # a streamed call of each endpoint
    CHAT: ("/v1/chat/completions", {"messages": SAID}),
    MESSAGES: ("/v1/messages", {"messages": SAID, "max_tokens": 1000}),
    RESPONSES: ("/v1/responses", {"input": "Say hello."}),
}
Wires = tuple[str, ...]
Outcomes = dict[str, Reply | BaseException]


def wire_of(kind: str, endpoint: str) -> str:
    """The format that a provider of `kind` is spoken to in for a call of `endpoint`."""
    preset = PRESETS[kind]
    if preset.dialect == "anthropic" or (endpoint == MESSAGES and preset.messages):
        return MESSAGES
    return RESPONSES if endpoint == RESPONSES and preset.responses else CHAT


def endpoints(kind: str, wires: Wires = WIRES) -> list[str]:
    """The endpoints that reach a provider of `kind` in one of these formats."""
    return [one for one in CALLS if wire_of(kind, one) in wires]


def over(wires: Wires = WIRES) -> pytest.MarkDecorator:
    """Once for every kind that is spoken to in one of these formats."""
    return pytest.mark.parametrize("kind", [one for one in KINDS if endpoints(one, wires)])


@asynccontextmanager
async def a_first(kind: str, **changes: Any) -> AsyncIterator[World]:
    """A world whose first provider is of `kind`, and whose breakers let everything through."""
    settings: Json = {"kinds": {"first": kind}, "policy": UNMOVED, "timeouts": PATIENT}
    async with a_world(**{**settings, **changes}) as world:
        yield world


async def tell(
    world: World, fault: Fault | str, asked: list[str], *, tools: bool = False
) -> Outcomes:
    """What the helpers for streams of the SDKs make of `fault`, asked all at once."""
    world.first.plays(fault)
    asking = [VOICES[f"{one} streamed"].ask(world.api, Wish(tools=tools)) for one in asked]
    heard = await asyncio.gather(*asking, return_exceptions=True)
    return dict(zip(asked, heard, strict=True))


async def assert_served(
    kind: str, *faults: Fault | str, wires: Wires = WIRES, reply: Reply = OF_FIRST
) -> None:
    """Every SDK puts the whole `reply` together, and nobody else was asked."""
    async with a_first(kind) as world:
        asked = endpoints(kind, wires)
        for fault in faults:
            heard = await tell(world, fault, asked)

            assert (fault, heard) == (fault, dict.fromkeys(asked, reply))
        assert world.first.hits == len(asked) * len(faults)
        assert world.second.hits == 0


async def assert_fails_over(
    kind: str, *faults: Fault | str, wires: Wires = WIRES, timeouts: Timeouts = PATIENT
) -> None:
    """Every SDK hears the second provider alone."""
    async with a_first(kind, timeouts=timeouts) as world:
        asked = endpoints(kind, wires)
        for fault in faults:
            heard = await tell(world, fault, asked)

            assert (fault, heard) == (fault, dict.fromkeys(asked, OF_SECOND))
        assert world.first.hits == world.second.hits == len(asked) * len(faults)
        assert Outcome.OK not in outcomes(world, "first")


async def assert_interrupted(
    kind: str, *faults: Fault | str, wires: Wires = WIRES, code: str = "", said: str = ""
) -> None:
    """Every SDK raises its own error, and no other provider's words follow.

    The error has the `code`, and its message the words `said`, if they are given.
    """
    async with a_first(kind) as world:
        asked = endpoints(kind, wires)
        for fault in faults:
            heard = await tell(world, fault, asked)

            assert (fault, [one for one in heard.values() if not isinstance(one, IN_BAND)]) == (
                fault,
                [],
            )
            assert all(said in str(one) for one in heard.values())
            assert not code or set(map(code_of, heard.values())) == {code}
        await eventually(lambda: len(world.requests()) == len(asked) * len(faults))
        assert {one.outcome for one in world.requests()} == {RequestOutcome.INTERRUPTED}
        assert world.second.hits == 0


def code_of(error: object) -> Any:
    """What a program reads of an error in a stream."""
    body: Any = error.body if isinstance(error, IN_BAND) else {}
    return body.get("error", body).get("code")


def outcomes(world: World, provider: str) -> set[Outcome]:
    """What the attempts at `provider` came to."""
    ended = [event for event in world.events if isinstance(event, AttemptEnded)]
    return {event.outcome for event in ended if event.provider == provider}


# Without an SDK


async def call(world: World, endpoint: str, **fields: Any) -> aiohttp.ClientResponse:
    """A streamed call."""
    path, asked = CALLS[endpoint]
    body = {"model": MODEL, "stream": True, **asked, **fields}
    return await world.http.post(world.api + path, json=body)


async def bytes_of(world: World, endpoint: str, **fields: Any) -> bytes:
    """All that a streamed call brings."""
    async with await call(world, endpoint, **fields) as heard:
        return await heard.read()


async def chunks_of(world: World, **fields: Any) -> list[Json]:
    """The chunks of a streamed chat completion."""
    lines = (await bytes_of(world, CHAT, **fields)).splitlines()
    return [orjson.loads(line[6:]) for line in lines if line.startswith(b"data: {")]


def finishes_of(chunks: list[Json]) -> list[str]:
    """Why the answer ended, as often as that is said."""
    finishes = [choice.get("finish_reason") for chunk in chunks for choice in chunk["choices"]]
    return [finish for finish in finishes if finish]


# Faults


def changed(**changes: Change) -> Fault:
    """A stream changed by the one of `changes` that is named as its format."""

    def script(scene: Scene) -> Iterator[Step]:
        change = changes.get(wire_of_path(scene.path))
        return speak(scene, change(speech_of(scene))) if change else play_well(scene)

    return Fault("changed", "sends another stream", Effect.SERVED, script)


def everywhere(change: Change) -> Fault:
    """A stream changed in the same way, whatever its format."""
    return changed(**dict.fromkeys(WIRES, change))


def wire_of_path(path: str) -> str:
    """The format that a path is asked in."""
    return next((wire for end, wire in PATHS.items() if path.endswith(end)), CHAT)
