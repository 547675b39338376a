"""Anthropic's streams, read as the chunks of a chat completion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.core.answer import Piece
from sidecar.core.events import Usage
from sidecar.core.sse import Event
from sidecar.dialects.anthropic.answer import REFUSAL, head_of, read_stop
from sidecar.dialects.anthropic.blocks import Blocks
from sidecar.dialects.anthropic.events import parsed
from sidecar.dialects.anthropic.usage import Meter
from sidecar.dialects.dialect import Json, Reading, Target
from sidecar.dialects.odd import object_in, text_in
from sidecar.dialects.openai import FIRST, NOISE, SILENT, THE_END

ROLE = {"role": "assistant", "content": ""}
KIND = "chat.completion.chunk"
NO_NEWS = Reading(SILENT)


class MessagesReader:
    """Reads one stream of Messages events. What it is told is explained at `Blocks`."""

    __slots__ = ("_begun", "_blocks", "_finished", "_head", "_meter", "_target")

    def __init__(self, names: Mapping[str, str], answer_tool: str, target: Target) -> None:
        self._blocks = Blocks(names, answer_tool, target.seed)
        self._head = head_of({}, target, KIND)
        self._meter = Meter()
        self._target = target
        self._begun = False
        self._finished = False

    def read(self, event: Event) -> Reading:
        """What the next event means and says. Events that nobody knows yet say nothing."""
        said = parsed(event)
        if isinstance(said, Piece):
            return Reading(said)
        match said.get("type"):
            case "message_start":
                return self._begin(object_in(said, "message"))
            case "message_delta":
                return self._finish(said)
            case "message_stop":
                return Reading(THE_END)
            case "ping":
                return Reading(NOISE)
        piece, delta = self._blocks.read(said)
        return Reading(piece, (self._chunk(delta),) if delta else ())

    def end(self) -> Sequence[Json]:
        """The usage, in a chunk of its own."""
        usage = self._meter.counted()
        return ({**self._head, "choices": [], "usage": usage},) if usage else ()

    def _begin(self, message: Json) -> Reading:
        """The message begins; some streams say so again later."""
        if self._begun:
            return NO_NEWS
        self._head = head_of(message, self._target, KIND)
        usage = self._meter.begin(object_in(message, "usage"))
        return Reading(Piece(usage=usage), (self._chunk({}),))

    def _finish(self, said: Json) -> Reading:
        usage = self._meter.note(object_in(said, "usage"))
        stop = object_in(said, "delta")
        piece = stop_piece(stop, usage)
        if self._finished or not piece.ends:
            return Reading(piece)
        self._finished = True
        unsaid = [self._chunk(one.delta) for one in self._blocks.end_all() if one.delta]
        self._blocks.keep(self._target.memory)
        finish, last = read_stop(stop, called=self._blocks.called)
        return Reading(piece, (*unsaid, self._chunk(last, finish)))

    def _chunk(self, delta: Json, finish: str | None = None) -> Json:
        """The chunk for `delta`; the first one also says who speaks."""
        if not self._begun:
            self._begun = True
            delta = ROLE | delta
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {**self._head, "choices": [choice]}


def stop_piece(stop: Mapping[str, Any], usage: Usage | None) -> Piece:
    """What the delta of a `message_delta` means."""
    reason = text_in(stop, "stop_reason")
    if not reason:
        return Piece(usage=usage)
    cut = reason not in {"end_turn", "tool_use", REFUSAL}
    return Piece(ends=FIRST, filtered=reason == REFUSAL, cut=cut, usage=usage)
