"""Writes chat requests for Claude in tests."""

from __future__ import annotations

from typing import Any

from sidecar.dialects.anthropic.request import Written, write_request
from sidecar.dialects.dialect import Json, Target
from sidecar.dialects.memory import Memory
from sidecar.dialects.presets import Preset

NEWEST = "claude-opus-5-5"
SONNET_4_5 = "claude-sonnet-4-5-20250929"
OLD = "claude-3-7-sonnet-latest"
DIRECT = Preset(base_url="https://api.anthropic.com/v1", dialect="anthropic")


def target(model: str = NEWEST, **options: Any) -> Target:
    given = {"preset": DIRECT, "memory": Memory(), **options}
    return Target(provider="anthropic", model=model, seed="s", created=1, **given)


def written(fields: Json, model: str = NEWEST, **options: Any) -> Written:
    """What becomes of a request; of `hi`, where it has no messages."""
    return write_request({"messages": [user("hi")], **fields}, target(model, **options))


def body(fields: Json, model: str = NEWEST, **options: Any) -> Json:
    return written(fields, model, **options).body


def said(*messages: Json, model: str = NEWEST, **options: Any) -> list[Json]:
    """The messages that Anthropic hears."""
    turns: list[Json] = body({"messages": list(messages)}, model, **options)["messages"]
    return turns


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def system(content: Any) -> Json:
    return {"role": "system", "content": content}


def assistant(content: Any, *calls: Json) -> Json:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def call(call_id: str, name: str = "f", arguments: Any = "{}") -> Json:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def result(call_id: str, content: Any = "done") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def function(name: str, **more: Any) -> Json:
    return {"type": "function", "function": {"name": name, **more}}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def turn(role: str, *blocks: Json) -> Json:
    return {"role": role, "content": list(blocks)}


def used(call_id: str, name: str = "f", arguments: Json | None = None) -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments or {}}


def returned(call_id: str, content: Any = "done") -> Json:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content}
