"""Server-sent events (WHATWG HTML, section 9.2): bytes in, events out, wherever the bytes are cut.

Nothing is decoded here. Where clients read less than the document allows, the clients win: events
with blank data are dropped, and so are `id:` and `retry:`.
"""

from __future__ import annotations

from typing import NamedTuple

BOM = b"\xef\xbb\xbf"
CR, LF = b"\r\n"  # as numbers: `13 in line` takes a quarter of the time of `b"\r" in line`


LINE_BYTES = 64  # what Python keeps for a line beside its text


class EventTooLarge(ValueError):
    """An event grew past what the parser may hold; the parser is of no more use."""


class Event(NamedTuple):
    """One event: its data lines joined by LF, never blank, and its name (the `event:` field).

    `raw` is the same as bytes that may go on as they are: one `data:` line, LF LF. It is empty
    where the event must be written anew, because it has a name or several lines.
    """

    data: bytes
    name: bytes = b""
    raw: bytes = b""


class Parser:
    """Reads one stream.

    `max_event_bytes` bounds the memory for one event's data lines, and for every other line.
    """

    __slots__ = (
        *("_after_cr", "_between", "_bom", "_lines", "_max_bytes", "_name", "_rest"),
        "_size",
    )

    def __init__(self, max_event_bytes: int) -> None:
        self._max_bytes = max_event_bytes
        self._bom = BOM  # empty once the first line is through
        self._after_cr = False  # an LF now would be the second half of a line end
        self._rest = bytearray()  # of a line that has no end yet; grows in place
        self._lines: list[bytes] = []  # data lines of an event that has no end yet …
        self._size = 0  # … and the memory for them
        self._name = b""
        self._between = False  # whether nothing of the above is under way

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end in `chunk`. Raises `EventTooLarge`."""
        if self._between and len(chunk) + LINE_BYTES <= self._max_bytes:
            events = _plain_events(chunk)
            if events is not None:
                return events
        return self._feed_lines(chunk)

    def end(self) -> Event | None:
        """What came of an event whose blank line never did, `raw` empty: the stream broke off."""
        if self._rest:
            self._read(bytes(self._rest).removeprefix(self._bom))
        event = self._finished()
        return event and event._replace(raw=b"")

    def _feed_lines(self, chunk: bytes) -> list[Event]:
        events = []
        for line in self._whole_lines(chunk):
            if line:
                self._read(line)
            elif event := self._finished():
                events.append(event)
        if self._rest:
            self._require_room_for(self._rest)
        under_way = (self._rest, self._lines, self._name, self._after_cr, self._bom)
        self._between = not any(under_way)
        return events

    def _whole_lines(self, chunk: bytes) -> list[bytes]:
        """The lines that end in `chunk`, without their ends; what follows them is kept."""
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if CR in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = _with_lf(chunk)
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if lines:
            self._rest += lines[0]
            lines[0] = bytes(self._rest).removeprefix(self._bom)
            self._rest.clear()
            self._bom = b""
        self._rest += rest
        return lines

    def _read(self, line: bytes) -> None:
        self._require_room_for(line)
        if line.startswith(b"data:") or line == b"data":
            self._lines.append(line)
            self._size += len(line) + LINE_BYTES
        elif line.startswith(b"event:") or line == b"event":
            self._name = _value(line, b"event")

    def _require_room_for(self, line: bytes | bytearray) -> None:
        if self._size + len(line) + LINE_BYTES > self._max_bytes:
            raise EventTooLarge(f"an event of the stream takes more than {self._max_bytes} bytes")

    def _finished(self) -> Event | None:
        lines, name = self._lines, self._name
        self._lines, self._name, self._size = [], b"", 0
        data = b"\n".join([_value(line, b"data") for line in lines])
        if _is_blank(data):
            return None
        raw = lines[0] + b"\n\n" if len(lines) == 1 and not name else b""
        return Event(data, name, raw)


def encode(data: bytes, name: bytes = b"") -> bytes:
    """An event as bytes, one `data:` line for each line of `data`. `name` must be a single line."""
    head = b"event: %b\n" % name if name else b""
    return b"%bdata: %b\n\n" % (head, _with_lf(data).replace(b"\n", b"\ndata: "))


def _plain_events(chunk: bytes) -> list[Event] | None:
    """The events of a chunk of whole `data: …` lines with LF LF each: nearly all there is.

    `None` for any other chunk.
    """
    if CR in chunk or not chunk.endswith(b"\n\n"):
        return None
    events = []
    for line in chunk[:-2].split(b"\n\n"):
        if LF in line or not line.startswith(b"data: "):
            return None
        data = line[6:]
        if not _is_blank(data):
            events.append(Event(data, b"", line + b"\n\n"))
    return events


def _with_lf(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _value(line: bytes, field: bytes) -> bytes:
    start = len(field) + 1
    return line[start + (line[start : start + 1] == b" ") :]


def _is_blank(data: bytes) -> bool:
    return not data or data.isspace()
