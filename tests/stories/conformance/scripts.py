"""Worlds as a configuration file makes them, and providers that say just what a story needs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sidecar.core.events import AttemptEnded
from sidecar.core.settings import Settings
from sidecar.faults.answer import Json, Scene
from sidecar.faults.catalog import status
from sidecar.faults.fault import Effect, Fault, play_well, speak
from sidecar.faults.refusals import Body, refuse_with
from sidecar.faults.speech import DONE, Event, Speech
from tests.config.texts import settings_of
from tests.stories.world import CHAT, World, a_world_of

Objection = Callable[[Scene], tuple[int, Body] | None]
NOTHING: Json = {}


@asynccontextmanager
async def a_world_with(
    kind: str, model: str | None, *, route: Json = NOTHING, **provider: Any
) -> AsyncIterator[World]:
    """The first provider is of `kind`, the second of kind openai.

    `provider` is what the file says beside, `route` what it says of the route. The first is asked
    for `model`, both for the application's own where that is `None`.
    """
    async with a_world_of(
        lambda first, second: configured(
            {
                "first": {
                    "kind": kind,
                    "base_url": first.base_url,
                    "api_key": "key-of-first",
                    **provider,
                },
                "second": {"kind": "openai", "base_url": second.base_url},
            },
            {"chain": [f"first/{model}" if model else "first", "second"], **route},
        )
    ) as world:
        yield world


def configured(providers: Json, route: Json) -> Settings:
    """What a file comes to."""
    here = "127.0.0.1:0"
    file = {"listen": here, "admin": here, "providers": providers}
    return settings_of(json.dumps({**file, "routes": [{"models": ["*"], **route}]}))


def says(body: Body, code: int = 200, **headers: object) -> Fault:
    """Just this, whatever is asked."""
    return status(code, body, **headers)


def streams(*events: Event) -> Fault:
    """Just these events."""
    return Fault("streams", "", Effect.SERVED, lambda scene: speak(scene, Speech(words=[*events])))


def streams_chat(*chunks: Json) -> Fault:
    """Chunks of a chat completion, and that this was all."""
    return streams(*({**CHUNK, **chunk} for chunk in chunks), DONE)


def strict(objection: Objection, good: Fault | None = None) -> Fault:
    """Whoever refuses what it objects to, and answers the rest as `good` does, or just well."""
    answer = good.script if good else play_well

    def script(scene: Scene) -> Any:
        if wrong := objection(scene):
            return refuse_with(*wrong)(scene)
        return answer(scene)

    return Fault("strict", "answers what is asked rightly", Effect.SERVED, script)


CHUNK: Json = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def delta(finish: str | None = None, **said: Any) -> Json:
    """A chunk that says this."""
    return {"choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


def completion(finish: str = "stop", **said: Any) -> Json:
    """A whole answer that says this."""
    message = {"role": "assistant", "content": None, **said}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    whole = {**CHUNK, "object": "chat.completion"}
    return {**whole, "choices": [choice], "usage": usage}


def heard(world: World) -> Json:
    """The request that the first provider got last."""
    body: Json = world.first.calls[-1].json
    return body


def attempts(world: World) -> list[str]:
    """What came of each attempt, in order: `provider;outcome`."""
    ended = [event for event in world.events if isinstance(event, AttemptEnded)]
    return [f"{one.provider};{one.outcome}" for one in ended]


def dropped(world: World) -> tuple[str, ...]:
    """The fields that the last provider asked did not hear."""
    return next(one.dropped for one in reversed(world.events) if isinstance(one, AttemptEnded))


async def metric(world: World, name: str, **labels: str) -> float:
    """The sum of a metric's values at these labels."""
    async with world.http.get(f"{world.admin}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    found = [line for line in lines if line.startswith(f"llm_failover_{name}{{")]
    return sum(float(line.split()[-1]) for line in found if all(one in line for one in wanted))


# How the real client hears an answer

STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


async def ask(world: World, *, stream: bool = False, **fields: Any) -> Json:
    """The whole answer, as the real client has it or puts it together."""
    chats: Any = world.openai.chat.completions
    call = {**CHAT, **fields}
    if not stream:
        whole: Json = (await chats.create(**call)).to_dict(mode="json", warnings=False)
        return whole
    async with chats.stream(**call, stream_options={"include_usage": True}) as events:
        async for _ in events:
            pass
        put: Json = events.current_completion_snapshot.to_dict(mode="json", warnings=False)
        return put


async def chunks(world: World, **fields: Any) -> list[Json]:
    """Every chunk, as it was sent."""
    got: list[Json] = []
    await listen(world, got, **fields)
    return got


async def listen(world: World, got: list[Json], **fields: Any) -> None:
    """Add every chunk to `got`, until the stream ends or breaks."""
    chats: Any = world.openai.chat.completions
    async for chunk in await chats.create(**{**CHAT, "stream": True, **fields}):
        got.append(chunk.to_dict())  # noqa: PERF401  what came before it broke is to be kept


def message_of(answer: Json) -> Json:
    """What is said in an answer, without what is not."""
    members = answer["choices"][0]["message"].items()
    return {name: value for name, value in members if value is not None}


def finish_of(answer: Json) -> str:
    """Why it ended."""
    finish: str = answer["choices"][0]["finish_reason"]
    return finish
