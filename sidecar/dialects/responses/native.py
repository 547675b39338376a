"""Responses of providers that have them: the words go on as they came, but for whose they are."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from sidecar.core.answer import Piece
from sidecar.core.sse import Event, encode
from sidecar.dialects.anthropic.events import parsed
from sidecar.dialects.dialect import (
    Answered,
    Json,
    Outgoing,
    Reading,
    Target,
    Untranslatable,
    dumps,
)
from sidecar.dialects.odd import object_in, too_deep, written
from sidecar.dialects.openai import GARBLED, NOISE, is_count
from sidecar.dialects.openai_side import path_of
from sidecar.dialects.responses.assembly import ResponseAssembler
from sidecar.dialects.responses.ids import brought_back
from sidecar.dialects.responses.meaning import (
    is_empty,
    is_filtered,
    parse_response,
    piece_of,
    status_of,
)
from sidecar.dialects.responses.naming import name_event, name_response
from sidecar.dialects.responses.numbers import usage_of
from sidecar.dialects.responses.writer import Script, failed_for

PATH = "/responses"


class NativeResponses:
    """One call of an application that wants a Response, both as the provider and as it hears it.

    What the call goes on with (`previous_response_id`) is named by the provider's own id. Raises
    `Untranslatable` for what is nested too deep to be written.
    """

    def __init__(self, fields: Json, target: Target) -> None:
        self._provider = target.provider
        self.outgoing = Outgoing(
            path=path_of(target.preset, PATH, target.model),
            body=body_for(fields, target),
            dropped=tuple(name for name in fields if name in target.without),
        )

    def reader(self) -> NativeReader:
        """What judges its streamed answer."""
        return NativeReader(self._provider)

    def assembler(self) -> ResponseAssembler:
        """What makes a whole answer of a streamed one, which its reader gave our ids."""
        return ResponseAssembler(judged)

    def read_answer(self, body: bytes) -> Answered:
        """Judge its whole answer. Raises `AnswerFailed`."""
        response = parse_response(body)
        name_response(response, self._provider)
        return judged(response)

    def writer(self) -> NativeWriter:
        """What passes a streamed answer on."""
        return NativeWriter()

    def write_answer(self, answered: Answered) -> bytes:
        """A whole answer as it came."""
        return answered.raw

    def write_stream(self, answered: Answered) -> bytes:
        """A whole answer as the shortest stream there is. Raises `AnswerFailed`."""
        try:
            return shortest_stream(answered.answer)
        except RecursionError:
            raise too_deep() from None


def judged(response: Json) -> Answered:
    """A whole response, with what it means. Raises `AnswerFailed` for what cannot be written."""
    return Answered(
        answer=response,
        raw=written(response),
        usage=usage_of(response),
        filtered=is_filtered(response),
        empty=is_empty(response),
    )


class NativeReader:
    """Judges one stream of `provider`, whose bytes may go on.

    Clients refuse a stream that does not begin with `response.created`. So nothing is heard before
    the first event that has the response; if that is another one, what it left out is made up.
    """

    __slots__ = ("_begun", "_provider")

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._begun = False

    def read(self, event: Event) -> Reading:
        """What the next event means, and its bytes."""
        if event.data.startswith(b"[DONE]"):
            return Reading(NOISE)
        said = parsed(event)
        if isinstance(said, Piece):
            return Reading(said)
        piece = piece_of(said)
        if not (self._begun or piece.failure or object_in(said, "response")):
            return Reading(NOISE)
        try:
            return Reading(piece, raw=self._written(said, event))
        except orjson.JSONEncodeError:  # it reads what is nested deeper than it writes
            return Reading(GARBLED)

    def end(self) -> Sequence[Json]:
        """Nothing: all was said."""
        return ()

    def _written(self, said: Json, event: Event) -> bytes:
        changed = name_event(said, self._provider)
        opening = b"" if self._begun else opening_for(said)
        self._begun = True
        if changed:
            return opening + encode(orjson.dumps(said), event.name)
        return opening + (event.raw or encode(event.data, event.name))


class NativeWriter:
    """Passes one stream on."""

    __slots__ = ("_first", "_last")

    def __init__(self) -> None:
        self._first = b""
        self._last = b""

    def write(self, reading: Reading) -> bytes:
        """The event as it came."""
        if reading.raw:
            self._first = self._first or reading.raw
            self._last = reading.raw
        return reading.raw

    def end(self) -> bytes:
        """Nothing: the event that ends an answer was passed on."""
        return b""

    def broken(self, error: Json) -> bytes:
        """The failure twice: an event for who reads events, and an error that clients raise."""
        return self._failed(error) + encode(dumps({"error": error}))

    def _failed(self, error: Json) -> bytes:
        """What the last event would have been; none of an answer that had not begun."""
        response = object_in(data_of(self._first), "response")
        if not response:
            return b""
        number = data_of(self._last).get("sequence_number")
        script = Script(number + 1 if is_count(number) else 0)
        failed = {**response, "status": "failed", "error": failed_for(error)}
        script.say("response.failed", response=failed)
        return script.take()


def opening_for(said: Json) -> bytes:
    """What has to be heard before the first event; nothing if that is what it says."""
    if said.get("type") == "response.created":
        return b""
    script = Script()
    script.say("response.created", response=begun(object_in(said, "response")))
    return script.take()


def shortest_stream(response: Json) -> bytes:
    """A whole response as the two events that clients need."""
    script = Script()
    script.say("response.created", response=begun(response))
    script.say(f"response.{status_of(response)}", response=response)
    return script.take()


def begun(response: Json) -> Json:
    """A response before anything of it was said."""
    untold: Json = {
        "status": "in_progress",
        "output": [],
        "usage": None,
        "incomplete_details": None,
    }
    return {**response, **untold}


def data_of(raw: bytes) -> Json:
    """What the first event of these says; nothing of one that was never written."""
    lines = (line.partition(b": ") for line in raw.partition(b"\n\n")[0].splitlines())
    data = b"\n".join(value for name, _, value in lines if name == b"data")
    said = orjson.loads(data) if data else {}
    return said if isinstance(said, dict) else {}


def body_for(fields: Json, target: Target) -> bytes:
    """The request as bytes. Raises `Untranslatable` for what is nested too deep."""
    try:
        return dumps({**granted(fields, target), "model": target.model})
    except RecursionError:
        raise Untranslatable("The request is nested too deep.") from None


def granted(fields: Json, target: Target) -> Json:
    """What the application asked for, as far as the provider is known to grant it."""
    kept = {name: value for name, value in fields.items() if name not in target.without}
    longest, most = kept.get("max_output_tokens"), target.max_tokens
    if most and is_count(longest):
        kept["max_output_tokens"] = min(longest, most)
    if isinstance(kept.get("input"), list):
        kept["input"] = brought_back(kept["input"], target.provider)
    return kept
