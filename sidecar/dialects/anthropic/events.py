"""Anthropic's stream events: read off the wire, and written for a message that came whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecar.core.answer import Piece
from sidecar.core.sse import Event
from sidecar.dialects.dialect import Json, loads
from sidecar.dialects.messages.events import block_start, block_stop, event
from sidecar.dialects.odd import object_in, text_in, written
from sidecar.dialects.openai import (
    GARBLED,
    failed_piece,
    is_error,
    read_error_event,
    read_odd_event,
)

NO_USAGE = {"input_tokens": 0, "output_tokens": 0}  # clients read it also where there is none
UNTOLD: Json = {"content": [], "stop_reason": None, "stop_sequence": None}  # when a message starts
TOLD_LAST = ("stop_reason", "stop_sequence", "stop_details")
TEXT_DELTAS = {"text": "text_delta", "thinking": "thinking_delta", "signature": "signature_delta"}
GROWING = {  # by the type of a block: its members that deltas add to
    "text": ("text",),
    "thinking": ("thinking", "signature"),
    "tool_use": ("input",),
    "server_tool_use": ("input",),
}


def parsed(told: Event) -> Json | Piece:
    """What an event holds, or what it means where that is an error or nothing we can read."""
    if told.name == b"error":
        return read_error_event(told.data)
    try:
        said = loads(told.data)
    except ValueError:
        return GARBLED
    if not isinstance(said, dict):
        return read_odd_event(said)
    return failed_piece(said) if is_error(said) else said


def stream_of(message: Json) -> Iterator[bytes]:
    """A message that `parse_message` gave as the stream it could have been.

    Raises `RecursionError` for what is nested too deep.
    """
    usage = object_in(message, "usage") or NO_USAGE
    yield event("message_start", message={**message, **UNTOLD, "usage": usage})
    blocks = (block for block in message["content"] if isinstance(block, dict))
    for index, block in enumerate(blocks):
        yield from stream_of_block(index, block)
    last = {name: message[name] for name in TOLD_LAST if name in message}
    yield event("message_delta", delta=last, usage=usage)
    yield event("message_stop")


def stream_of_block(index: int, block: Json) -> Iterator[bytes]:
    """A block. What no delta could add is there when it starts."""
    names = GROWING.get(text_in(block, "type"), ())
    growing = {name: block[name] for name in names if isinstance(block.get(name), str | dict)}
    yield block_start(index, block | {name: type(said)() for name, said in growing.items()})
    for name, said in growing.items():
        yield event("content_block_delta", index=index, delta=delta_of(name, said))
    yield block_stop(index)


def delta_of(name: str, said: Any) -> Json:
    """What adds all of `said` to a member of a block."""
    if name == "input":
        return {"type": "input_json_delta", "partial_json": written(said).decode()}
    return {"type": TEXT_DELTAS[name], name: said}
