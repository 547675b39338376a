"""Messages for who speaks Messages: the words go on as they came, and are only judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sidecar.core.answer import Piece
from sidecar.core.sse import Event, encode
from sidecar.dialects.anthropic.answer import REFUSAL, check_message, parse_message
from sidecar.dialects.anthropic.assembly import MessageAssembler
from sidecar.dialects.anthropic.calls import SIGNED
from sidecar.dialects.anthropic.events import NO_USAGE, parsed, stream_of
from sidecar.dialects.anthropic.reader import stop_piece
from sidecar.dialects.anthropic.side import PATH, version_headers
from sidecar.dialects.anthropic.usage import OUTPUT, Meter, chat_usage
from sidecar.dialects.dialect import Answered, Json, Outgoing, Reading, Target, dumps
from sidecar.dialects.messages.errors import in_band
from sidecar.dialects.messages.events import event as event_of
from sidecar.dialects.odd import entries, object_in, sendable, text_in, too_deep, written
from sidecar.dialects.openai import CONTENT, REASONING, SILENT, THE_END, is_count, read_usage

STOP = "message_stop"
EVENTS = frozenset(
    (
        *("message_start", "message_delta", STOP, "ping"),
        *("content_block_start", "content_block_delta", "content_block_stop"),
    )
)
COUNTING = ("message_start", "message_delta")
BLOCKS = {"tool_use": CONTENT, "text": SILENT}  # of any other, that the provider is at work
DELTAS = {"text_delta": ("text", CONTENT), "thinking_delta": ("thinking", REASONING)}


class NativeMessages:
    """One call of an application that speaks Messages, both as the provider and as it hears it.

    Raises `Untranslatable` for what is nested too deep.
    """

    def __init__(self, fields: Json, target: Target) -> None:
        self.outgoing = Outgoing(
            path=PATH,
            body=sendable(request_for(fields, target)),
            headers=version_headers(target),
            dropped=tuple(name for name in fields if name in target.without),
        )

    def reader(self) -> NativeReader:
        """What judges its streamed answer."""
        return NativeReader()

    def assembler(self) -> MessageAssembler:
        """What makes a whole answer of a streamed one."""
        return MessageAssembler(put_together)

    def read_answer(self, body: bytes) -> Answered:
        """Judge its whole answer. Raises `AnswerFailed`."""
        return judged(parse_message(body), body)

    def writer(self) -> NativeWriter:
        """What passes a streamed answer on."""
        return NativeWriter()

    def write_answer(self, answered: Answered) -> bytes:
        """A whole answer as it came."""
        return answered.raw

    def write_stream(self, answered: Answered) -> bytes:
        """A whole answer as a stream. Raises `AnswerFailed`."""
        try:
            return b"".join(stream_of(answered.answer))
        except RecursionError:
            raise too_deep() from None


def put_together(message: Json) -> Answered:
    """A message that was streamed. Raises `AnswerFailed` for what is none."""
    check_message(message)
    return judged(message, written(message))


def judged(message: Json, raw: bytes) -> Answered:
    """A whole message, whose bytes are `raw`, with what it means."""
    return Answered(
        answer=message,
        raw=raw,
        usage=read_usage(chat_usage(object_in(message, "usage"))),
        filtered=message["stop_reason"] == REFUSAL,
        empty=is_empty(message),
    )


class NativeReader:
    """Judges one stream, whose bytes may go on."""

    __slots__ = ("_meter",)

    def __init__(self) -> None:
        self._meter = Meter()

    def read(self, event: Event) -> Reading:
        """What the next event means, and its bytes."""
        said = parsed(event)
        if isinstance(said, Piece):
            return Reading(said)
        piece, kind = self._piece(said), text_in(said, "type")
        if uncounted(said):
            return Reading(piece, raw=encode(dumps(said), kind.encode()))
        return Reading(piece, raw=bytes_of(event, kind))

    def end(self) -> Sequence[Json]:
        """Nothing: all was said."""
        return ()

    def _piece(self, said: Json) -> Piece:
        match said.get("type"):
            case "content_block_delta":
                return delta_piece(object_in(said, "delta"))
            case "content_block_start":
                return block_piece(object_in(said, "content_block"))
            case "message_start":
                message = object_in(said, "message")
                return Piece(usage=self._meter.begin(object_in(message, "usage")))
            case "message_delta":
                usage = self._meter.note(object_in(said, "usage"))
                return stop_piece(object_in(said, "delta"), usage)
            case "message_stop":
                return THE_END
        return SILENT


class NativeWriter:
    """Passes one stream on."""

    __slots__ = ("_stopped",)

    def __init__(self) -> None:
        self._stopped = False

    def write(self, reading: Reading) -> bytes:
        """The event as it came."""
        self._stopped = self._stopped or reading.piece.done
        return reading.raw

    def end(self) -> bytes:
        """The word that nothing is missing, where the provider left it out."""
        return b"" if self._stopped else event_of(STOP)

    def broken(self, error: Json) -> bytes:
        """An error that every SDK raises."""
        return encode(dumps(in_band(error)), b"error")


def uncounted(said: Json) -> bool:
    """Whether an event had no usage that clients read unseen; then it has one of nothing."""
    kind = said.get("type")
    holder = object_in(said, "message") if kind == "message_start" else said
    if kind not in COUNTING or isinstance(holder.get("usage"), dict):
        return False
    holder["usage"] = dict(NO_USAGE)
    return True


def bytes_of(event: Event, kind: str) -> bytes:
    """An event as bytes. Clients hear none without its name."""
    if not event.name and kind in EVENTS:
        return encode(event.data, kind.encode())
    return event.raw or encode(event.data, event.name)


def block_piece(block: Json) -> Piece:
    """What the start of a block means."""
    kind = text_in(block, "type")
    prefilled = kind == "text" and text_in(block, "text")
    return CONTENT if prefilled else BLOCKS.get(kind, REASONING)


def delta_piece(delta: Json) -> Piece:
    """What a delta means. That there is a tool call, the start of its block has said."""
    name, piece = DELTAS.get(text_in(delta, "type"), ("", SILENT))
    return piece if text_in(delta, name) else SILENT


def is_empty(message: Json) -> bool:
    """Whether a message is complete, cost no token, and says nothing."""
    free = object_in(message, "usage").get(OUTPUT) == 0
    return free and message["stop_reason"] == "end_turn" and not message["content"]


def request_for(fields: Json, target: Target) -> Json:
    """What the application asked for, as far as the provider is known to grant it."""
    kept = {name: value for name, value in fields.items() if name not in target.without}
    longest, most = kept.get("max_tokens"), target.max_tokens
    if most and is_count(longest):
        kept["max_tokens"] = min(longest, most)
    if isinstance(kept.get("messages"), list):
        kept["messages"] = list(provable(kept["messages"]))
        if thinks_by_budget(kept) and calls_without_thought(kept["messages"]):
            del kept["thinking"]  # the API refuses to think on where the thinking before is lost
    return {**kept, "model": target.model}


def thinks_by_budget(fields: Json) -> bool:
    return object_in(fields, "thinking").get("type") == "enabled"


def calls_without_thought(turns: list[Any]) -> bool:
    """Whether the latest of the assistant's turns calls tools, and no thinking comes first."""
    said = [turn for turn in turns if isinstance(turn, dict) and turn.get("role") == "assistant"]
    content = said[-1].get("content") if said else None
    kinds = [text_in(block, "type") for block in entries(content) if isinstance(block, dict)]
    return "tool_use" in kinds and kinds[0] not in SIGNED


def provable(turns: list[Any]) -> Iterator[Any]:
    """The turns, without the thinking that other providers did: Anthropic has not signed it."""
    for turn in turns:
        content = turn.get("content") if isinstance(turn, dict) else None
        if not isinstance(content, list) or not any(map(is_unsigned, content)):
            yield turn
        elif kept := [block for block in content if not is_unsigned(block)]:
            yield {**turn, "content": kept}


def is_unsigned(block: object) -> bool:
    """Whether it is thinking without a signature, as we write it."""
    return (
        isinstance(block, dict) and block.get("type") == "thinking" and not block.get("signature")
    )
