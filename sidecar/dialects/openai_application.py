"""Answers for an application that speaks OpenAI's chat completions, or one of their neighbours."""

from __future__ import annotations

from sidecar.core.outcome import Endpoint
from sidecar.core.sse import encode
from sidecar.dialects.dialect import Answered, Json, Reading, dumps
from sidecar.dialects.openai import SILENT
from sidecar.dialects.openai_whole import as_stream

DONE = b"data: [DONE]\n\n"


class ChatWriter:
    """Writes chunks. `wants_usage`: the application asked for the tokens to be counted."""

    __slots__ = ("_wants_usage",)

    def __init__(self, *, wants_usage: bool) -> None:
        self._wants_usage = wants_usage

    def write(self, reading: Reading) -> bytes:
        """The event as it came, or its chunks."""
        if reading.raw:
            return reading.raw
        return b"".join([encode(self._written(one)) for one in reading.chunks if self._wants(one)])

    def end(self) -> bytes:
        """The word that nothing is missing."""
        return DONE

    def broken(self, error: Json) -> bytes:
        """An error that every SDK raises, and no `[DONE]` after it."""
        return encode(dumps({"error": error}))

    def _wants(self, chunk: Json) -> bool:
        return self._wants_usage or not chunk.get("usage")

    def _written(self, chunk: Json) -> bytes:
        return dumps({"usage": None, **chunk} if self._wants_usage else chunk)


class ChatApplication:
    """What an application hears of a call of `endpoint`."""

    __slots__ = ("_endpoint", "_wants_usage")

    def __init__(self, endpoint: Endpoint, *, wants_usage: bool) -> None:
        self._endpoint = endpoint
        self._wants_usage = wants_usage

    def writer(self) -> ChatWriter:
        """What writes a streamed answer."""
        return ChatWriter(wants_usage=self._wants_usage)

    def write_answer(self, answered: Answered) -> bytes:
        """A whole answer: as it came, if nothing had to be mended."""
        return answered.raw or dumps(answered.answer)

    def write_stream(self, answered: Answered) -> bytes:
        """A whole answer as a stream. Raises `AnswerFailed`."""
        writer = self.writer()
        chunks = as_stream(answered.answer, self._endpoint)
        return writer.write(Reading(SILENT, chunks)) + writer.end()
