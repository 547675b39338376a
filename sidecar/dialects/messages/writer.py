"""A streamed answer as the events that Anthropic's clients put a message together from."""

from __future__ import annotations

from typing import Any

from sidecar.core.sse import encode
from sidecar.dialects.dialect import Json, Reading, dumps
from sidecar.dialects.messages.blocks import Blocks
from sidecar.dialects.messages.errors import in_band
from sidecar.dialects.messages.events import event, message_end
from sidecar.dialects.messages.message import (
    Terms,
    arguments_of,
    as_usage,
    calls_of,
    first_choice,
    opened,
    reasoning_of,
    stop_reason,
    tool_use,
    words_of,
)
from sidecar.dialects.odd import object_in, text_in
from sidecar.dialects.openai import finish_of


class MessagesWriter:
    """Writes one message. How it ended, and its tokens, come last, whenever they were said."""

    __slots__ = ("_begun", "_blocks", "_finish", "_refused", "_terms", "_usage")

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._begun = False
        self._blocks = Blocks()
        self._finish = ""
        self._refused = False
        self._usage: Any = None

    def write(self, reading: Reading) -> bytes:
        """The events for the chunks that were read."""
        return b"".join([self._write_chunk(chunk) for chunk in reading.chunks])

    def end(self) -> bytes:
        """The end of all blocks and of the message."""
        opening = b"" if self._begun else self._open({})
        blocks = self._blocks.end()
        reason = stop_reason(self._finish, called=self._blocks.called, refused=self._refused)
        return opening + blocks + message_end(reason, as_usage(self._usage))

    def broken(self, error: Json) -> bytes:
        """An error event, which every client raises."""
        return encode(dumps(in_band(error)), b"error")

    def _write_chunk(self, chunk: Json) -> bytes:
        opening = b"" if self._begun else self._open(chunk)
        self._usage = chunk.get("usage") or self._usage
        choice = first_choice(chunk)
        if choice is None:
            return opening
        self._finish = finish_of(choice) or self._finish
        return opening + self._say(object_in(choice, "delta"))

    def _open(self, chunk: Json) -> bytes:
        self._begun = True
        return event("message_start", message=opened(chunk, self._terms))

    def _say(self, delta: Json) -> bytes:
        written = []
        if self._terms.thinking and (reasoning := reasoning_of(delta)):
            written.append(self._blocks.say("thinking", reasoning))
        if words := words_of(delta):
            self._refused = self._refused or bool(text_in(delta, "refusal"))
            written.append(self._blocks.say("text", words))
        written += [self._call(call) for call in calls_of(delta)]
        return b"".join(written)

    def _call(self, call: Json) -> bytes:
        place = call.get("index")
        place = place if isinstance(place, int) else 0
        began = b""
        if not self._blocks.knows(place):
            began = self._blocks.begin_call(place, tool_use(call, place, self._terms))
        return began + self._blocks.call(place, arguments_of(call))
