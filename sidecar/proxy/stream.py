"""A streamed answer on its way: the provider's bytes in, judged events out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from sidecar.core.answer import AnswerFailed, Judge, Move, Piece
from sidecar.core.events import Usage
from sidecar.core.sse import Event, Parser
from sidecar.dialects.dialect import Assembler, Json, Reader, Reading, Writer
from sidecar.dialects.resumption import Told
from sidecar.proxy.replies import as_error
from sidecar.proxy.upstream import FOREIGN_ERRORS, UNREADABLE, as_failure, too_large, unread
from sidecar.proxy.watch import SAYING, Watch
from sidecar.proxy.wire import Answer

log = logging.getLogger(__name__)
END = b"[DONE]"


class Telling(NamedTuple):
    """How a stream is read and written. `told` takes down what is written, if that may matter."""

    reader: Callable[[], Reader]
    writer: Writer
    told: Told | None = None


class Assembling:
    """A writer that writes nothing: what it is given is put together to a whole answer."""

    __slots__ = ("_assembler",)

    def __init__(self, assembler: Assembler) -> None:
        self._assembler = assembler

    def write(self, reading: Reading) -> bytes:
        """Take it in."""
        self._assembler.add(reading)
        return b""

    def end(self) -> bytes:
        """Nothing."""
        return b""

    def broken(self, error: Json) -> bytes:  # noqa: ARG002  nobody has heard anything
        """Nothing."""
        return b""


class Stream:
    """One streamed answer. `until_content` first, then `read` until it gives nothing.

    `max_bytes` bounds one event, and all of an answer that is written anew: whoever translates it
    keeps what its end repeats.
    """

    def __init__(
        self,
        response: Answer,
        telling: Telling,
        judge: Judge,
        watch: Watch,
        max_bytes: int,
    ) -> None:
        self._response = response
        self._judge = judge
        self._watch = watch
        self._max_bytes = max_bytes
        self._parser = Parser(max_bytes)
        self._new_reader = telling.reader
        self._reader = self._new_reader()
        self.writer = telling.writer
        self.told = telling.told
        self._translated_bytes = 0
        self._ready: list[bytes] = []
        self._failure: AnswerFailed | None = None
        self.ended = False

    @property
    def usage(self) -> Usage | None:
        """The tokens that the provider counted, once it said so."""
        return self._judge.usage

    async def until_content(self, on_progress: Callable[[], None]) -> None:
        """Read up to the commit point. Raises `AnswerFailed`: nobody has seen anything yet.

        `on_progress` is called at the first token, be it only reasoning.
        """
        progressed = False
        while not (self._judge.committed or self.ended):
            await self._advance()
            if self._judge.progressed and not progressed:
                progressed = True
                self._watch.progress()
                on_progress()
            if self._failure and not self._judge.committed:
                raise self._failure

    async def read(self) -> bytes:
        """The next bytes for the application, as many events as came together; empty at the end.

        Raises `AnswerFailed` where the answer broke off, after all that came before the break.
        """
        while not self._ready:
            if self._failure:
                raise self._failure
            if self.ended:
                return b""
            await self._advance()
        ready, self._ready = self._ready, []
        return ready[0] if len(ready) == 1 else b"".join(ready)

    async def read_all(self) -> bytes:
        """All that is left, at most `max_bytes`. Raises `AnswerFailed` where it is not whole."""
        pieces: list[bytes] = []
        size = 0
        while piece := await self.read():
            pieces.append(piece)
            size += len(piece)
            if size > self._max_bytes:
                raise too_large(self._max_bytes)
        return b"".join(pieces)

    def broken(self, failed: AnswerFailed) -> bytes:
        """How the answer ends that broke off."""
        return self.writer.broken(as_error(failed))

    async def _advance(self) -> None:
        """Take in what the provider sent next."""
        try:
            self._take(await self._receive())
        except AnswerFailed as failure:
            self._failure = failure
        except UNREADABLE as error:
            log.warning("a stream could not be read", exc_info=error)
            self._failure = unread(error)

    async def _receive(self) -> list[Event] | None:
        """The next events, or `None` at the end."""
        self._watch.waiting()
        try:
            chunk = await self._response.content.readany()
        except FOREIGN_ERRORS as error:
            self._check_break(error)
            return None
        finally:
            self._watch.reading()
        return self._parser.feed(chunk) if chunk else None

    def _check_break(self, error: BaseException) -> None:
        """Raise `AnswerFailed` for a broken connection, unless the answer was whole by then."""
        if self._judge.whole:
            return
        if fired := self._watch.fired:
            raise AnswerFailed(fired, SAYING[fired]) from error
        raise as_failure(error) from error

    def _take(self, events: list[Event] | None) -> None:
        if events is None:
            last = self._parser.end()
            self._end(done=bool(last and last.data == END))
            return
        for event in events:
            reading = self._read(event)
            move = self._judge.judge(reading.piece, len(event.data))
            if move is not Move.DROP:
                self._write(event, reading)
            if move is Move.END:
                self._finish()
                return

    def _write(self, event: Event, reading: Reading) -> None:
        data = self.writer.write(reading)
        if self.told:
            self.told.note(reading)
        if data:
            self._ready.append(data)
        if data is reading.raw and data:  # it goes on as it came: nobody keeps any of it
            return
        self._translated_bytes += max(len(event.data), len(data))
        if self._translated_bytes > self._max_bytes:
            raise too_large(self._max_bytes)

    def _read(self, event: Event) -> Reading:
        reading = self._reader.read(event)
        if reading.piece.failure is None:
            return reading
        # what it says goes to the application: without our credentials, and as if never heard
        return self._new_reader().read(event._replace(data=self._response.scrub(event.data)))

    def _end(self, *, done: bool) -> None:
        """A whole answer ends as it should, also where the provider left that out."""
        self._judge.end(done=done)
        self._finish()

    def _finish(self) -> None:
        last = self.writer.write(Reading(Piece(), self._reader.end()))
        self._ready.append(last + self.writer.end())
        self.ended = True
