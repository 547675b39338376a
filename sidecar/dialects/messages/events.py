"""The events of a Messages stream, as bytes."""

from __future__ import annotations

from typing import Any

from sidecar.core.sse import encode
from sidecar.dialects.dialect import Json, dumps

# By the type of a block: that of its deltas, and the member that holds their text.
DELTAS = {
    "text": ("text_delta", "text"),
    "thinking": ("thinking_delta", "thinking"),
    "tool_use": ("input_json_delta", "partial_json"),
}


def event(kind: str, **members: Any) -> bytes:
    """One event. Its name is its type."""
    return encode(dumps({"type": kind, **members}), kind.encode())


def block_start(index: int, block: Json) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def block_delta(index: int, kind: str, piece: str) -> bytes:
    """The next piece of a block of this kind."""
    name, member = DELTAS[kind]
    return event("content_block_delta", index=index, delta={"type": name, member: piece})


def block_stop(index: int) -> bytes:
    return event("content_block_stop", index=index)


def message_end(reason: str | None, usage: Json) -> bytes:
    """What ends a whole message."""
    delta = {"stop_reason": reason, "stop_sequence": None}
    return event("message_delta", delta=delta, usage=usage) + event("message_stop")
