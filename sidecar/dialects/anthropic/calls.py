"""Tool calls of a conversation and their results, paired as Anthropic's API insists on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import orjson

from sidecar.dialects.anthropic.blocks import FAMILY
from sidecar.dialects.anthropic.parts import SAID_BY_USER, blocks_of, cache_mark
from sidecar.dialects.anthropic.schema import listed
from sidecar.dialects.anthropic.tools import safe_name
from sidecar.dialects.dialect import Json
from sidecar.dialects.legal import safe_id
from sidecar.dialects.memory import Memory
from sidecar.dialects.odd import object_in, text_in

NO_RESULT = "There is no result: the call was not carried out."
LATE_RESULT = "The result of a tool call:"
UNNAMED = "unnamed"
SIGNED = {"thinking": ("thinking", "signature"), "redacted_thinking": ("data",)}

Recall = Callable[[str], list[Json]]


@dataclass(slots=True)
class Awaited:
    """A call without its result: its name, and its id on both sides."""

    name: str
    said_id: str
    safe_id: str


@dataclass(slots=True)
class Calls:
    """The calls of a conversation so far. Ids are unique in it, though providers repeat theirs."""

    used: set[str] = field(default_factory=set)

    def write(self, message: Json) -> Iterator[tuple[Json, Awaited]]:
        """The calls of an assistant's message, each as a block and as what awaits its result."""
        for call in calls_of(message):
            custom = call.get("type") == "custom"
            function = object_in(call, "custom" if custom else "function")
            given = {"input": function.get("input")} if custom else function.get("arguments")
            awaited = Awaited(
                name=text_in(function, "name"),
                said_id=text_in(call, "id"),
                safe_id=self._unique(text_in(call, "id")),
            )
            yield (
                {
                    "type": "tool_use",
                    "id": awaited.safe_id,
                    "name": safe_name(awaited.name or UNNAMED),
                    "input": read_input(given),
                },
                awaited,
            )

    def _unique(self, said_id: str) -> str:
        chosen = safe_id(said_id)
        if chosen in self.used:
            chosen = safe_id(f"{said_id}#{len(self.used)}")
        self.used.add(chosen)
        return chosen


def calls_of(message: Json) -> list[Json]:
    """The calls that an assistant's message makes, the deprecated single one, too."""
    calls = [call for call in listed(message.get("tool_calls")) if isinstance(call, dict)]
    function = object_in(message, "function_call")
    return [*calls, {"type": "function", "function": function}] if function else calls


def read_input(arguments: object) -> Json:
    """The arguments as an object. What a model wrote wrongly is kept as it stands."""
    if isinstance(arguments, dict):
        return arguments
    if not isinstance(arguments, str) or not arguments.strip():
        return {}
    try:
        value = orjson.loads(arguments)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"_raw": arguments}


def take(awaited: list[Awaited], message: Json) -> Awaited | None:
    """Take the call that `message` is the result of out of `awaited`, if it is there."""
    name, said_id = text_in(message, "name"), text_in(message, "tool_call_id")
    by_name = message.get("role") == "function"
    for place, one in enumerate(awaited):
        if (one.name == name) if by_name else (one.said_id == said_id):
            return awaited.pop(place)
    return None


def write_result(message: Json, awaited: Awaited) -> Json:
    result: Json = {"type": "tool_result", "tool_use_id": awaited.safe_id}
    content = message.get("content")
    if isinstance(content, str):
        result |= {"content": content} if content.strip() else {}
    elif blocks := blocks_of(content, SAID_BY_USER):
        result["content"] = blocks
    if message.get("is_error") is True:
        result["is_error"] = True
    return result | cache_mark(message)


def missing_result(awaited: Awaited) -> Json:
    return {
        "type": "tool_result",
        "tool_use_id": awaited.safe_id,
        "content": NO_RESULT,
        "is_error": True,
    }


def late_result(message: Json) -> list[Json]:
    """A result of no call that it could follow, as something the user says."""
    blocks = blocks_of(message.get("content"), SAID_BY_USER)
    return [{"type": "text", "text": LATE_RESULT}, *blocks] if blocks else []


def signed_thinking(memory: Memory, message: Json) -> list[Json]:
    """The thinking that led to the calls of `message`, as its vendor signed it and wants it back.

    It is kept under the id of the first call.
    """
    first = next(iter(calls_of(message)), {})
    kept = memory.recall(FAMILY, text_in(first, "id"))
    try:
        blocks = listed(orjson.loads(kept or b"[]"))
    except ValueError:
        return []
    return [block for block in blocks if isinstance(block, dict) and is_signed(block)]


def is_signed(block: Json) -> bool:
    members = SIGNED.get(text_in(block, "type"), ())
    return bool(members) and all(isinstance(block.get(name), str) for name in members)
