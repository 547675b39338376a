"""Server-sent events are read alike wherever they are cut, and written so that they read back."""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from types import FrameType
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sidecar.core.sse import LINE_BYTES, Event, EventTooLarge, Parser, encode
from tests.core.streams import DONE, HELLO, ROLE, STREAMS, Read, Stream, plain

ROOMY = 1 << 20
LINE_END = re.compile(rb"\r\n|\n|\r")

each_stream = pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
pieces = st.lists(
    st.one_of(
        st.sampled_from([b"data", b"event", b"id", b"retry", b"datum", b":", b": ", b" ", b"\t"]),
        st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"data: 1\n\n"]),
        st.sampled_from([b"\xef\xbb\xbf", b"\xef", "ü".encode(), b"\x00"]),
        st.binary(max_size=8),
    ),
    max_size=24,
)


class Reading(NamedTuple):
    """All that a parser makes of one stream."""

    events: list[Event]
    rest: Event | None


def read(*chunks: bytes, max_event_bytes: int = ROOMY) -> Reading:
    parser = Parser(max_event_bytes)
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return Reading(events, parser.end())


def sliced(sent: bytes, size: int) -> list[bytes]:
    return [sent[start : start + size] for start in range(0, len(sent), size)]


def named(event: Event) -> Read:
    return event.name, event.data


def by_the_book(sent: bytes) -> tuple[list[Read], Read | None]:
    """The steps of the HTML document one by one, and our own rule that blank events are dropped."""
    *lines, last = LINE_END.split(sent.removeprefix(b"\xef\xbb\xbf"))
    events: list[Read] = []
    name, data = b"", b""

    def take(line: bytes) -> None:
        nonlocal name, data
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data += value + b"\n"
        elif field == b"event":
            name = value

    for line in lines:
        if line:
            take(line)
            continue
        if data.strip():
            events.append((name, data.removesuffix(b"\n")))
        name, data = b"", b""
    take(last)
    return events, (name, data.removesuffix(b"\n")) if data.strip() else None


@each_stream
def test_a_stream_holds_the_events_that_were_sent(stream: Stream) -> None:
    reading = read(stream.sent)

    assert tuple(named(event) for event in reading.events) == stream.events


@each_stream
def test_only_an_event_without_its_blank_line_is_left_at_the_end(stream: Stream) -> None:
    rest = read(stream.sent).rest

    assert (rest and named(rest)) == stream.rest


@each_stream
def test_a_cut_anywhere_changes_nothing(stream: Stream) -> None:
    whole, sent = read(stream.sent), stream.sent

    assert [at for at in range(len(sent)) if read(sent[:at], sent[at:]) != whole] == []


@each_stream
def test_the_size_of_the_chunks_changes_nothing(stream: Stream) -> None:
    whole, sent = read(stream.sent), stream.sent

    assert [n for n in range(1, len(sent)) if read(*sliced(sent, n)) != whole] == []


@each_stream
def test_empty_chunks_change_nothing(stream: Stream) -> None:
    chunks = [part for byte in sliced(stream.sent, 1) for part in (byte, b"")]

    assert read(*chunks) == read(stream.sent)


@given(pieces, st.lists(st.integers(0, 80), max_size=6))
@example([b"\xef\xbb\xbf", b"data", b":", b"1", b"\r", b"\n", b"\r"], [1, 2, 6, 7])
def test_any_stream_is_read_by_the_book(parts: list[bytes], cuts: list[int]) -> None:
    sent = b"".join(parts)
    places = [0, *sorted(cuts), len(sent)]

    reading = read(*(sent[a:b] for a, b in pairwise(places)))

    events = [named(event) for event in reading.events]
    assert (events, reading.rest and named(reading.rest)) == by_the_book(sent)


@given(pieces)
def test_what_may_go_on_as_it_is_reads_as_the_same_event(parts: list[bytes]) -> None:
    for event in read(b"".join(parts)).events:
        written = event.raw or encode(event.data, event.name)
        assert [named(one) for one in read(written).events] == [named(event)]


@given(st.binary().filter(bytes.strip), st.sampled_from([b"", b"response.created"]))
def test_what_is_written_reads_back_with_lf_for_every_line_end(data: bytes, name: bytes) -> None:
    reading = read(b"data: first\n\n", encode(data, name))

    assert [named(event) for event in reading.events[1:]] == [(name, LINE_END.sub(b"\n", data))]


@pytest.mark.parametrize(
    ("data", "name", "written"),
    [
        (b"{}", b"", b"data: {}\n\n"),
        (b"a\nb\r\nc\rd\n", b"", b"data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        (b"{}", b"ping", b"event: ping\ndata: {}\n\n"),
    ],
    ids=["one line", "several lines", "named"],
)
def test_an_event_is_written_in_the_usual_form(data: bytes, name: bytes, written: bytes) -> None:
    assert encode(data, name) == written


@pytest.mark.parametrize(
    ("sent", "raw"),
    [
        (b"data: 1\n\n", b"data: 1\n\n"),
        (b"data: 1\r\n\r\n", b"data: 1\n\n"),
        (b"data:1\n\n", b"data:1\n\n"),
        (b": hi\nid: 4\ndata: 1\nretry: 5\n\n", b"data: 1\n\n"),
        (b"event: e\ndata: 1\n\n", b""),
        (b"data: 1\ndata: 2\n\n", b""),
    ],
    ids=["plain", "crlf", "no space", "among dropped lines", "named", "several lines"],
)
def test_one_data_line_may_go_on_as_it_is(sent: bytes, raw: bytes) -> None:
    assert read(sent).events[0].raw == raw


def test_an_event_goes_out_with_the_byte_that_ends_it() -> None:
    parser = Parser(ROOMY)

    assert [bool(parser.feed(byte)) for byte in sliced(b"data: 1\r\r\n", 1)][-2:] == [True, False]


def test_an_event_without_an_end_may_not_go_on_as_it_is() -> None:
    rest = read(b"data: 1\n").rest

    assert rest == Event(b"1", b"", b"")


@pytest.mark.parametrize(
    "sent",
    [
        b"data: 3456789",
        b"data: 3456789\n\n",
        b"data: 1\ndata: 2\n\n",
        b"data: 1\ndata: ",
        b"data\ndata\ndata\n",
        b": 3456789abc",
        b": 3456789abc\n",
        b"data\n: 6789a\n",
        b"event: 89abc\n",
    ],
    ids=[
        *("line without an end", "line", "event", "event without an end", "many short lines"),
        *("comment without an end", "comment", "comment in an event", "name"),
    ],
)
def test_what_is_too_large_is_refused_wherever_it_is_cut(sent: bytes) -> None:
    def is_refused(*chunks: bytes) -> bool:
        try:
            read(b"data: 0\n\n", *chunks, max_event_bytes=LINE_BYTES + 11)
        except EventTooLarge:
            return True
        return False

    assert [at for at in range(len(sent)) if not is_refused(sent[:at], sent[at:])] == []


@pytest.mark.parametrize("size", range(1, 24))
def test_what_just_fits_is_read(size: int) -> None:
    sent = plain(b"78901", b"78901") + b": 345678901\n"

    reading = read(*sliced(sent, size), max_event_bytes=LINE_BYTES + 11)

    assert [event.data for event in reading.events] == [b"78901", b"78901"]


def test_lines_that_just_fit_together_are_read() -> None:
    reading = read(b"data\ndata:1\n\n", max_event_bytes=2 * LINE_BYTES + 10)

    assert [event.data for event in reading.events] == [b"\n1"]


def test_what_an_event_of_tiny_lines_takes_is_bounded() -> None:
    fits = b"data:\n" * (ROOMY // (LINE_BYTES + 5))

    assert read(fits).events == []
    with pytest.raises(EventTooLarge):
        read(fits + b"data:\n")


def test_many_events_in_one_chunk_are_all_too_small_to_refuse() -> None:
    assert len(read(plain(b"1") * 100, max_event_bytes=LINE_BYTES + 10).events) == 100


def test_a_large_event_arrives_in_small_pieces() -> None:
    data = b"0123456789abcdef" * (8 << 16)

    reading = read(*sliced(plain(data), 999), max_event_bytes=16 << 20)

    assert [event.data == data for event in reading.events] == [True]


def test_a_pending_line_grows_in_place() -> None:
    parser = Parser(ROOMY)
    parser.feed(b"data: ")
    held = parser._rest

    for _ in range(100):
        parser.feed(b"x" * 100)

    assert (parser._rest is held, len(held)) == (True, 10_006)


@pytest.mark.parametrize(
    "event", [b"data: 1\n\n", b"data: 1\r\n\r\n", b"event: e\ndata: 1\n\n"], ids=repr
)
def test_ten_times_the_events_in_a_chunk_are_ten_times_the_work(event: bytes) -> None:
    few, many = calls_for(event * 1_000), calls_for(event * 10_000)

    assert many < 10.1 * few


def calls_for(chunk: bytes) -> int:
    """How many functions, of Python and of C, are called to read `chunk`."""
    calls = 0

    def count(_frame: FrameType, happening: str, _argument: object) -> None:
        nonlocal calls
        calls += happening in {"call", "c_call"}

    parser = Parser(ROOMY)
    parser.feed(plain(ROLE, HELLO, DONE))
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        parser.feed(chunk)
    finally:
        sys.setprofile(before)
    return calls
