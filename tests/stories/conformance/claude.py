"""A scripted Claude, as strict about what it is asked as the real one."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

import orjson
import pydantic

from sidecar.faults.answer import Json, Scene
from sidecar.faults.fault import Effect, Fault, headers, speak
from sidecar.faults.refusals import JSON, Body
from sidecar.faults.speech import Speech
from sidecar.faults.steps import Send, Step
from sidecar.faults.wire import Call, whole
from tests.dialects.anthropic.rules import (
    assert_accepted,
    assert_suits,
    assert_turns_are_in_order,
)
from tests.dialects.anthropic.wire import (
    HI,
    STOP,
    block,
    end,
    message,
    sse,
    start,
    text_delta,
)
from tests.stories.conformance.scripts import strict

VERSIONS = ("2023-06-01", "2026-10-21")
NEWEST = "claude-opus-5-5"
OLDER = "claude-sonnet-4-5"


def claude(*blocks: Json, reason: str = "end_turn", **fields: object) -> Fault:
    """Answers with a message of `blocks`, streamed or not."""
    said = message(*(blocks or (HI,)), stop_reason=reason, **fields)
    return strict(objection, Fault("claude", "", Effect.SERVED, lambda scene: tell(scene, said)))


def claude_streams(*events: Json) -> Fault:
    """Streams just these events."""
    good = Fault("claude", "", Effect.SERVED, lambda scene: speak_of(scene, events))
    return strict(objection, good)


def tell(scene: Scene, said: Json) -> Iterator[Step]:
    if scene.streams:
        yield from speak_of(scene, events_of(said))
    else:
        yield Send(whole(200, headers(scene, JSON), orjson.dumps(said)))


def speak_of(scene: Scene, events: tuple[Json, ...] | list[Json]) -> Iterator[Step]:
    yield from speak(scene, Speech(words=[sse(event) for event in events]))


def events_of(said: Json) -> list[Json]:
    """A message as the stream that tells it."""
    told = [
        event for place, one in enumerate(said["content"]) for event in events_of_block(place, one)
    ]
    last = end(said["stop_reason"], said["usage"], stop_details=said.get("stop_details"))
    return [start(id=said["id"]), *told, last, STOP]


def events_of_block(place: int, said: Json) -> list[Json]:
    match said["type"]:
        case "text":
            return block(place, {**said, "text": ""}, text_delta(said["text"]))
        case "tool_use":
            given = orjson.dumps(said["input"]).decode()
            delta = {"type": "input_json_delta", "partial_json": given}
            return block(place, {**said, "input": {}}, delta)
        case "thinking":
            thought = {"type": "thinking_delta", "thinking": said["thinking"]}
            signed = {"type": "signature_delta", "signature": said["signature"]}
            return block(place, {**said, "thinking": "", "signature": ""}, thought, signed)
    return block(place, said)


def objection(scene: Scene) -> tuple[int, Body] | None:
    """What is wrong with a call; that with its headers comes first."""
    if wrong := wrong_headers(scene.call):
        return 401, error("authentication_error", wrong)
    if scene.call.headers.get("anthropic-version") not in VERSIONS:
        return 400, error("invalid_request_error", "anthropic-version: unknown")
    if wrong := wrong_body(scene.asked, scene.call.headers["anthropic-version"]):
        return 400, error("invalid_request_error", wrong)
    return None


def error(kind: str, text: str) -> Json:
    """An error as Anthropic puts it."""
    told = {"type": kind, "message": text, "details": None}
    return {"type": "error", "error": told, "request_id": "req_1"}


def wrong_headers(call: Call) -> str:
    if "origin" in call.headers:
        return "CORS requests are not allowed for this organization."
    if "authorization" in call.headers or call.headers.get("x-api-key") != "key-of-first":
        return "invalid x-api-key"
    return ""


def wrong_body(asked: Json, version: str) -> str:
    """The first rule that it breaks."""
    try:
        assert_accepted(asked)
        assert_turns_are_in_order(asked["messages"])
        assert_suits(asked, version)
    except (AssertionError, pydantic.ValidationError) as broken:
        rule = traceback.extract_tb(broken.__traceback__)[-1].line
        return f"against the rule: {rule} {broken}"
    return ""
