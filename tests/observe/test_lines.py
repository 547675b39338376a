"""A log line is one line, and writing it hurts nobody."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.observe import lines
from sidecar.observe.lines import LineWriter, as_json, as_text

UNIX_S = 1_760_000_000.25
ODD_FIELDS = {
    "a newline": "one\ntwo",
    "half a surrogate pair": "\ud800",
    "a large number": 2**70,
    "an object": object(),
    "bytes": b"\xff",
}


class Stuck(io.StringIO):
    """A stream whose reader does not read."""

    def __init__(self) -> None:
        super().__init__()
        self.reader_is_back = threading.Event()

    def write(self, text: str) -> int:
        self.reader_is_back.wait(5)
        return super().write(text)


class Broken(io.StringIO):
    """A stream whose reader is gone."""

    def write(self, _: str) -> int:
        raise BrokenPipeError


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    stream = Stuck()
    yield stream
    stream.reader_is_back.set()


def written(*put: str) -> str:
    stream = io.StringIO()
    writer = LineWriter(stream)
    for line in put:
        writer.put(line)
    writer.close()
    return stream.getvalue()


def test_a_json_line_begins_with_time_level_and_message() -> None:
    line = as_json(UNIX_S, "info", "request", {"code": 200})

    assert line == '{"time":"2025-10-09T08:53:20.250Z","level":"info","msg":"request","code":200}\n'


def test_fields_without_a_value_are_left_out() -> None:
    assert "ttft_s" not in orjson.loads(as_json(UNIX_S, "info", "request", {"ttft_s": None}))


def test_fields_that_are_false_or_zero_are_not_left_out() -> None:
    line = orjson.loads(as_json(UNIX_S, "info", "request", {"stream": False, "tokens_in": 0}))

    assert (line["stream"], line["tokens_in"]) == (False, 0)


def test_a_text_line_is_for_people() -> None:
    line = as_text(UNIX_S, "warning", "Provider failed, trying next", {"next": "b", "why": "x y"})

    assert line == "08:53:20.250 WARNING Provider failed, trying next next=b why='x y'\n"


@pytest.mark.parametrize("form", [as_json, as_text], ids=["json", "text"])
@pytest.mark.parametrize("value", ODD_FIELDS.values(), ids=ODD_FIELDS.keys())
def test_whatever_a_field_holds_comes_to_one_line(form: lines.Form, value: object) -> None:
    assert len(form(UNIX_S, "info", "odd", {"field": value}).splitlines()) == 1


@given(st.text(), st.text())
def test_no_text_can_begin_a_line_of_json(message: str, value: str) -> None:
    line = as_json(UNIX_S, "info", message, {"field": value})

    assert line.count("\n") == 1
    assert orjson.loads(line)["field"] == value


@given(st.text(), st.text())
def test_no_text_can_begin_a_line_of_text(message: str, value: str) -> None:
    line = as_text(UNIX_S, "info", message, {"field": value})

    assert line[:-1].isprintable()


@pytest.mark.parametrize(
    ("unix_s", "shown"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (0.9999, "1970-01-01T00:00:00.999Z"),
        (1_709_251_199.001, "2024-02-29T23:59:59.001Z"),
    ],
    ids=["the epoch", "not rounded up", "a leap day"],
)
def test_moments_are_shown_in_utc_with_milliseconds(unix_s: float, shown: str) -> None:
    assert lines.rfc3339(unix_s) == shown


def test_lines_are_written_in_the_order_in_which_they_came() -> None:
    put = [f"line {number}\n" for number in range(1000)]

    assert written(*put) == "".join(put)


def test_a_flushed_line_is_written() -> None:
    stream = io.StringIO()
    writer = LineWriter(stream)
    writer.put("now\n")

    writer.flush()

    assert stream.getvalue() == "now\n"
    writer.close()


def test_nobody_waits_for_a_reader_who_is_stuck(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_WAITING", 10)
    writer = LineWriter(stuck)

    for _ in range(100):
        writer.put("line\n")

    assert writer.lost >= 100 - 10 - 10 - 1  # waiting, gathered to be written, or just taken
    stuck.reader_is_back.set()
    writer.close()


def test_the_end_does_not_wait_for_a_reader_who_is_stuck(
    stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "PATIENCE_S", 0.01)
    writer = LineWriter(stuck)
    writer.put("line\n")

    writer.close()

    assert stuck.getvalue() == ""


def test_lines_for_a_reader_who_is_gone_are_counted_as_lost() -> None:
    writer = LineWriter(Broken())
    writer.put("one\n")
    writer.put("two\n")

    writer.close()

    assert writer.lost == 2


def test_lines_for_a_closed_stream_are_counted_as_lost() -> None:
    stream = io.StringIO()
    stream.close()
    writer = LineWriter(stream)
    writer.put("line\n")

    writer.close()

    assert writer.lost == 1


def test_a_closed_writer_takes_no_more() -> None:
    writer = LineWriter(io.StringIO())
    writer.close()

    writer.put("late\n")

    assert writer.lost == 1


def test_a_closed_writer_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    writer = LineWriter(io.StringIO())
    (thread,) = set(threading.enumerate()) - before

    writer.close()
    thread.join(1)

    assert not thread.is_alive()
