"""Log lines: how one looks, and a thread that writes them so that nobody else has to wait."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from queue import Empty, SimpleQueue
from typing import Any, TextIO

import orjson

MAX_WAITING = 10_000  # lines; about 5 MB, a second or two of a busy sidecar whose reader is stuck
GATHER_S = 0.02  # lines written at once cost one system call; a crash loses at most these
PATIENCE_S = 1.0  # what a stuck reader may hold up the end of the process

Fields = Mapping[str, object]
Form = Callable[[float, str, str, Fields], str]


def as_json(unix_s: float, level: str, message: str, fields: Fields) -> str:
    """One JSON object on one line. Fields that are `None` are left out."""
    line: dict[str, Any] = {"time": rfc3339(unix_s), "level": level, "msg": message}
    line |= {name: value for name, value in fields.items() if value is not None}
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE).decode()
    except TypeError:  # half a surrogate pair, or a number beyond 64 bits
        return json.dumps(line, default=str) + "\n"


def as_text(unix_s: float, level: str, message: str, fields: Fields) -> str:
    """The same for people: `02:30:00.123 WARNING message name=value …`."""
    shown = [f"{name}={plain(value)}" for name, value in fields.items() if value is not None]
    clock = rfc3339(unix_s)[11:-1]
    return " ".join((clock, f"{level.upper():<7}", one_line(message), *shown)) + "\n"


def rfc3339(unix_s: float) -> str:
    """A moment in UTC with milliseconds (RFC 3339)."""
    milliseconds = int(unix_s * 1000)
    return f"{second(milliseconds // 1000)}.{milliseconds % 1000:03}Z"


@lru_cache(maxsize=4)  # the lines of a busy sidecar share their second
def second(unix_s: int) -> str:
    """A moment in UTC, to the second."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat()[:-6]


def plain(value: object) -> str:
    """`value` as it is if that is one word, else in quotes."""
    text = str(value)
    return text if text.isprintable() and text and " " not in text else repr(text)


def one_line(text: str) -> str:
    """`text` with everything escaped that could begin another line or move a cursor."""
    return text if text.isprintable() else repr(text)[1:-1]


class LineWriter:
    """Writes lines to `stream` from a thread of its own.

    `put` never waits and never fails. What the stream does not take, or what a stuck reader would
    make us hoard, is dropped and counted in `lost`.
    """

    def __init__(self, stream: TextIO) -> None:
        self.lost = 0
        self._stream = stream
        self._queue: SimpleQueue[str | threading.Event] = SimpleQueue()
        self._hurry = threading.Event()
        self._closed = False
        threading.Thread(target=self._run, name="log-writer", daemon=True).start()

    def put(self, line: str) -> None:
        """Have `line` written soon."""
        if self._queue.qsize() < MAX_WAITING and not self._closed:
            self._queue.put(line)
        else:
            self.lost += 1

    def flush(self) -> None:
        """Wait, for a second at most, until what was put before is written."""
        if self._closed:
            return
        written = threading.Event()
        self._queue.put(written)
        self._hurry.set()
        written.wait(PATIENCE_S)

    def close(self) -> None:
        """Write what was put before, and end the thread."""
        self.flush()
        self._closed = True
        self._queue.put("")
        self._hurry.set()

    def _run(self) -> None:
        while not self._closed:
            batch = [self._queue.get()]
            self._hurry.wait(GATHER_S)
            self._hurry.clear()
            self._drain_into(batch)
            self._write([item for item in batch if isinstance(item, str)])
            for item in batch:
                if isinstance(item, threading.Event):
                    item.set()

    def _drain_into(self, batch: list[str | threading.Event]) -> None:
        while True:
            try:
                batch.append(self._queue.get_nowait())
            except Empty:
                return

    def _write(self, lines: list[str]) -> None:
        try:
            self._stream.write("".join(lines))
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream was closed
            self.lost += len(lines)
