"""Scripted models that call tools and are as strict about what they are sent as the real APIs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import orjson
from pydantic import ValidationError

from sidecar.faults.answer import MESSAGES, RESPONSES, Json, Scene
from sidecar.faults.fault import Effect, Fault, headers, play_well, speak
from sidecar.faults.refusals import JSON, google, openai, refuse_with
from sidecar.faults.speech import Speech, chunk_of, named
from sidecar.faults.steps import Send, Step
from sidecar.faults.wire import whole
from tests.dialects.anthropic.rules import assert_accepted

CITIES = ("Oslo", "Rome")
Rule = Callable[[Json], str | None]  # what is wrong with a request


def agent(family: str) -> Fault:
    """A model of `family` (openai, gemini, anthropic): two tool calls, then what they found."""
    return Fault(
        f"agent_{family}", "works with tools", Effect.SERVED, lambda scene: play(scene, family)
    )


def play(scene: Scene, family: str) -> Iterator[Step]:
    if scene.path.endswith(RESPONSES):  # such a model is reached through chat alone
        yield from refuse_with(404, openai("Not Found"))(scene)
        return
    if scene.path.endswith(MESSAGES):
        family = "anthropic"
    if wrong := RULES[family](scene.asked):
        yield from refuse_with(400, COMPLAINTS[family](wrong))(scene)
        return
    found = results(scene.asked)
    calls = [] if found or not scene.asked.get("tools") else list(enumerate(CITIES))
    if not calls:
        said = f"Found: {', '.join(found)}." if found else "Hello."
        yield from play_well(retold(scene, said))
    elif scene.streams:
        yield from speak(scene, SPEECHES[family](scene, calls))
    else:
        body = orjson.dumps(BODIES[family](scene, calls))
        yield Send(whole(200, headers(scene, JSON), body))


def retold(scene: Scene, text: str) -> Scene:
    return replace(scene, answer=replace(scene.answer, text=text, calls_tool=False))


def results(asked: Json) -> list[str]:
    """What the tools found since the user last spoke, in either format."""
    found: list[str] = []
    for message in asked["messages"]:
        content = message["content"]
        if message["role"] == "tool":
            found.append(content if isinstance(content, str) else content[0]["text"])
        elif message["role"] == "user":
            blocks = content if isinstance(content, list) else []
            given = [one for one in blocks if one["type"] == "tool_result"]
            found = [text_of(one["content"]) for one in given]
    return found


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "".join(one["text"] for one in content)


# What each API refuses


def openai_rule(asked: Json) -> str | None:
    """Every tool call is answered, right after it, under its id."""
    waiting: list[str] = []
    for message in asked["messages"]:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return "a tool message answers no call"
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return "tool calls without an answer"
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
    return "tool calls without an answer" if waiting else None


GEMINI_FIELDS = frozenset(
    (
        *("model", "messages", "tools", "tool_choice", "stream", "stream_options", "temperature"),
        *("top_p", "max_tokens", "max_completion_tokens", "n", "stop", "response_format"),
        *("reasoning_effort", "extra_body", "seed", "presence_penalty", "frequency_penalty"),
    )
)
BYPASS = re.compile("skip_thought_signature_validator|context_engineering_is_the_way_to_go")


def gemini_rule(asked: Json) -> str | None:
    """No unknown field, and a signature of its own on the first call of the current turn."""
    if unknown := asked.keys() - GEMINI_FIELDS:
        return f'Invalid JSON payload received. Unknown name "{min(unknown)}": Cannot find field.'
    for message in current_turn(asked["messages"]):
        calls = message.get("tool_calls") or ()
        if calls and not signature_fits(calls[0]):
            return "Function call is missing a thought_signature."
    return openai_rule(asked)


def current_turn(messages: list[Json]) -> list[Json]:
    last = max(at for at, one in enumerate(messages) if one["role"] == "user")
    return messages[last:]


def signature_fits(call: Json) -> bool:
    extra = call.get("extra_content") or {}
    signature = extra.get("google", {}).get("thought_signature", "")
    own = f"signed-{call['function']['arguments'].replace(' ', '')}"
    return signature == own or bool(BYPASS.fullmatch(signature))


def anthropic_rule(asked: Json) -> str | None:
    """Messages as the vendor's own types and the API reference have them."""
    try:
        assert_accepted(asked)
    except (AssertionError, ValidationError) as wrong:
        return f"not as the types have it: {wrong}"
    waiting: list[str] = []
    for message in asked["messages"]:
        blocks = message["content"] if isinstance(message["content"], list) else []
        given = [one["tool_use_id"] for one in blocks if one["type"] == "tool_result"]
        if sorted(waiting) != sorted(given):
            return "tool_use ids were found without tool_result blocks immediately after"
        waiting = [one["id"] for one in blocks if one["type"] == "tool_use"]
        if any(not re.fullmatch("[a-zA-Z0-9_-]+", one) for one in waiting):
            return "tool_use.id: String should match pattern"
    return None if asked["messages"][0]["role"] == "user" else "first message must be user"


RULES: dict[str, Rule] = {
    "openai": openai_rule,
    "gemini": gemini_rule,
    "anthropic": anthropic_rule,
}
COMPLAINTS: dict[str, Callable[[str], Any]] = {
    "openai": lambda wrong: openai(wrong, "invalid_request_error"),
    "gemini": lambda wrong: google(400, "INVALID_ARGUMENT", wrong),
    "anthropic": lambda wrong: {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": wrong},
    },
}


# How each API calls tools

Calls = list[tuple[int, str]]


def arguments(city: str) -> str:
    return f'{{"city":"{city}"}}'


def openai_call(scene: Scene, at: int, city: str) -> Json:
    function = {"name": "get_weather", "arguments": arguments(city)}
    return {"id": f"call:{scene.name}.{at}", "type": "function", "function": function}


def gemini_call(at: int, city: str) -> Json:
    """No id, and a signature on the first call alone."""
    function = {"name": "get_weather", "arguments": arguments(city)}
    call: Json = {"id": "", "type": "function", "function": function}
    if at == 0:
        call["extra_content"] = {"google": {"thought_signature": f"signed-{arguments(city)}"}}
    return call


def chat_body(scene: Scene, calls: list[Json], finish: str) -> Json:
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    whole_answer = {**chunk_of(scene), "object": "chat.completion", "choices": [choice]}
    return {**whole_answer, "usage": scene.usage}


def openai_speech(scene: Scene, calls: Calls) -> Speech:
    deltas = [{"tool_calls": [{"index": at, **openai_call(scene, at, city)}]} for at, city in calls]
    words = [chunk_of(scene, delta) for delta in deltas]
    return Speech(
        words=list(words), finish=[chunk_of(scene, {}, "tool_calls")], done=[b"data: [DONE]\n\n"]
    )


def gemini_speech(scene: Scene, calls: Calls) -> Speech:
    """Whole calls, one a chunk, all with index 0, finished by `stop`."""
    deltas = [
        {"role": "assistant", "tool_calls": [{"index": 0, **gemini_call(at, city)}]}
        for at, city in calls
    ]
    words = [chunk_of(scene, delta) for delta in deltas]
    return Speech(
        words=list(words), finish=[chunk_of(scene, {}, "stop")], done=[b"data: [DONE]\n\n"]
    )


def anthropic_body(scene: Scene, calls: Calls) -> Json:
    blocks = [
        {
            "type": "tool_use",
            "id": f"toolu_{scene.name}_{at}",
            "name": "get_weather",
            "input": {"city": city},
        }
        for at, city in calls
    ]
    return {
        "id": f"msg_{scene.name}",
        "type": "message",
        "role": "assistant",
        "model": scene.model,
        "content": [{"type": "text", "text": "Let me look."}, *blocks],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 9},
    }


def anthropic_speech(scene: Scene, calls: Calls) -> Speech:
    body = anthropic_body(scene, calls)
    start = {**body, "content": [], "stop_reason": None}
    events = [named("message_start", {"type": "message_start", "message": start})]
    for at, block in enumerate(body["content"]):
        events += block_events(at, block)
    last = {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use"},
        "usage": {"output_tokens": 9},
    }
    finish = [named("message_delta", last)]
    done = [named("message_stop", {"type": "message_stop"})]
    return Speech(words=list(events), finish=list(finish), done=list(done))


def block_events(at: int, block: Json) -> list[bytes]:
    if block["type"] == "text":
        begin: Json = {"type": "text", "text": ""}
        delta: Json = {"type": "text_delta", "text": block["text"]}
    else:
        begin = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": orjson.dumps(block["input"]).decode()}
    events: dict[str, Json] = {
        "content_block_start": {"content_block": begin},
        "content_block_delta": {"delta": delta},
        "content_block_stop": {},
    }
    return [named(kind, {"type": kind, "index": at, **more}) for kind, more in events.items()]


SPEECHES: dict[str, Callable[[Scene, Calls], Speech]] = {
    "openai": openai_speech,
    "gemini": gemini_speech,
    "anthropic": anthropic_speech,
}
BODIES: dict[str, Callable[[Scene, Calls], Json]] = {
    "openai": lambda scene, calls: chat_body(
        scene, [openai_call(scene, at, city) for at, city in calls], "tool_calls"
    ),
    "gemini": lambda scene, calls: chat_body(
        scene, [gemini_call(at, city) for at, city in calls], "stop"
    ),
    "anthropic": anthropic_body,
}
