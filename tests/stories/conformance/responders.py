"""Who may answer a Responses call, what they say, and how the real client hears it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from itertools import groupby
from typing import Any, NamedTuple

import orjson
import pytest

from sidecar.core.policies import Timeouts
from sidecar.dialects.dialect import Json
from sidecar.faults.answer import MESSAGES, RESPONSES, Scene
from sidecar.faults.catalog import ok
from sidecar.faults.fault import Effect, Fault, headers, speak
from sidecar.faults.refusals import JSON, refuse_with
from sidecar.faults.refusals import openai as openai_error
from sidecar.faults.responses import Numbered, message_item, start_of, used
from sidecar.faults.speech import DONE, Event, Speech
from sidecar.faults.steps import Send, Step
from sidecar.faults.wire import whole
from tests.dialects.anthropic.wire import message as a_message
from tests.stories.conformance.claude import tell
from tests.stories.conformance.scripts import (
    completion,
    delta,
)
from tests.stories.world import MODEL, World, a_world

PATIENT = Timeouts()  # these stories are not about clocks
HELLO: Json = {"model": MODEL, "input": "Say hello."}
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
LOOK_UP: Json = {"type": "function", "name": "look_up", "parameters": SCHEMA, "strict": False}


# Who answers: one that has Responses itself, or one whose words are translated


def chat_only(good: Fault | None = None) -> Fault:
    """A server that knows chat completions alone, whatever its kind says."""
    rest = good or ok()

    def script(scene: Scene) -> Any:
        if RESPONSES in scene.path:
            return refuse_with(404, openai_error("Not Found"))(scene)
        return rest.script(scene)

    return Fault("chat_only", "knows no Responses", Effect.SERVED, script)


KINDS = {"native": "openai", "gemini": "gemini", "anthropic": "anthropic", "chat only": "openai"}
ANYBODY = pytest.mark.parametrize("who", KINDS)


def a_world_of(who: str, second: str = "native") -> AbstractAsyncContextManager[World]:
    return a_world(kinds={"first": KINDS[who], "second": KINDS[second]}, timeouts=PATIENT)


def play(world: World, who: str, good: Fault) -> None:
    world.first.plays(chat_only(good) if who == "chat only" else good)


class Saying(NamedTuple):
    """An answer of one message."""

    text: str = ""
    refusal: str = ""
    finish: str = "stop"


def saying(said: Saying) -> Fault:
    """A provider that says this in whichever format it is asked."""
    return Fault("saying", "", Effect.SERVED, lambda scene: say(scene, said))


def say(scene: Scene, said: Saying) -> Iterator[Step]:
    if scene.path.endswith(MESSAGES):
        yield from tell(scene, as_message(said))
    elif scene.streams:
        native = scene.path.endswith(RESPONSES)
        speech = response_events(scene, said) if native else chat_events(said)
        yield from speak(scene, Speech(words=list(speech)))
    else:
        native = scene.path.endswith(RESPONSES)
        body = response_of(scene, said) if native else chat_of(said)
        yield Send(whole(200, headers(scene, JSON), orjson.dumps(body)))


def as_message(said: Saying) -> Json:
    reason = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}[said.finish]
    return a_message({"type": "text", "text": said.text}, stop_reason=reason)


def spoken(said: Saying) -> Json:
    return {"refusal": said.refusal} if said.refusal else {"content": said.text}


def chat_of(said: Saying) -> Json:
    return completion(said.finish, **spoken(said))


def chat_events(said: Saying) -> list[Event]:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    pieces = [delta(role="assistant"), delta(**spoken(said)), delta(said.finish)]
    return [*({**head, **piece} for piece in pieces), DONE]


REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


def part_of(said: Saying, *, full: bool = True) -> Json:
    if said.refusal:
        return {"type": "refusal", "refusal": said.refusal if full else ""}
    return {"type": "output_text", "text": said.text if full else "", "annotations": []}


def response_of(scene: Scene, said: Saying) -> Json:
    reason = REASONS.get(said.finish)
    state = "incomplete" if reason else "completed"
    item = {**message_item(scene), "content": [part_of(said)], "status": state}
    details = {"reason": reason} if reason else None
    about = {"status": state, "incomplete_details": details, "usage": used(scene)}
    return {**start_of(scene), **about, "output": [item]}


def response_events(scene: Scene, said: Saying) -> list[Event]:
    event, response = Numbered().event, response_of(scene, said)
    item = response["output"][0]
    place = {"output_index": 0, "content_index": 0, "item_id": item["id"]}
    kind, member = ("refusal", "refusal") if said.refusal else ("output_text", "text")
    probable: Json = {} if said.refusal else {"logprobs": []}
    full = said.refusal or said.text
    return [
        event("response.created", response=start_of(scene)),
        event("response.in_progress", response=start_of(scene)),
        event("response.output_item.added", output_index=0, item=message_item(scene)),
        event("response.content_part.added", **place, part=part_of(said, full=False)),
        event(f"response.{kind}.delta", **place, delta=full, **probable),
        event(f"response.{kind}.done", **place, **{member: full}, **probable),
        event("response.content_part.done", **place, part=part_of(said)),
        event("response.output_item.done", output_index=0, item=item),
        event(f"response.{response['status']}", response=response),
    ]


# What the application hears, by the real client


async def hear(world: World, got: list[Json], **fields: Any) -> None:
    """Add every event to `got`, until the stream ends or breaks."""
    responses: Any = world.openai.responses
    async for event in await responses.create(**{**HELLO, "stream": True, **fields}):
        got.append(event.to_dict(mode="json", warnings=False))  # noqa: PERF401  what came before it broke is to be kept


async def events(world: World, **fields: Any) -> list[Json]:
    """Every event of a whole answer, numbered without a gap."""
    got: list[Json] = []
    await hear(world, got, **fields)
    assert [one["sequence_number"] for one in got] == list(range(len(got)))
    return got


async def helped(world: World, **fields: Any) -> tuple[list[str], Any]:
    """The types of the events as the helper gives them, and the response that it ends with."""
    responses: Any = world.openai.responses
    async with responses.stream(**{**HELLO, **fields}) as stream:
        types = [event.type async for event in stream]
        return in_order(types), await stream.get_final_response()


async def create(world: World, *, stream: bool = False, **fields: Any) -> Any:
    """The whole response."""
    responses: Any = world.openai.responses
    if not stream:
        return await responses.create(**{**HELLO, **fields})
    async with responses.stream(**{**HELLO, **fields}) as events:
        return await events.get_final_response()


def types_of(got: list[Json]) -> list[str]:
    return in_order([one["type"] for one in got])


def in_order(types: list[str]) -> list[str]:
    """The types in order, the same in a row but once."""
    return [kind.removeprefix("response.") for kind, _ in groupby(types)]
