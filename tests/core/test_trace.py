"""A caller's trace is joined if it is stated as it should be, and a new one begins if not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.trace import STATE_CHARS, TraceContext, read_state, read_trace

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STATED = f"00-{TRACE}-{SPAN}-01"


def hexadecimal(digits: int) -> st.SearchStrategy[str]:
    """A number of so many digits that is not 0."""
    return st.integers(min_value=1, max_value=16**digits - 1).map(lambda one: f"{one:0{digits}x}")


CONTEXTS = st.builds(TraceContext, hexadecimal(32), hexadecimal(16), st.booleans(), st.just(""))


@given(CONTEXTS)
def test_what_is_written_is_read_back(context: TraceContext) -> None:
    assert read_trace([context.traceparent], []) == context


@given(CONTEXTS, hexadecimal(16))
def test_another_span_of_a_trace_differs_in_its_id_alone(context: TraceContext, span: str) -> None:
    other = context._replace(state="a=1").within(span)

    assert other == (context.trace_id, span, context.is_sampled, "a=1")


@given(st.text() | st.from_regex("[0-9a-f-]{50,60}", fullmatch=True))
def test_whatever_is_stated_nothing_but_a_right_form_is_joined(text: str) -> None:
    joined = read_trace([text], [])

    assert joined is None or re.fullmatch("[0-9a-f]{32}", joined.trace_id)


@given(st.integers(min_value=0, max_value=len(STATED) - 1), st.sampled_from("gG -_ü\x00"))
def test_a_letter_that_is_out_of_place_begins_a_new_trace(at: int, letter: str) -> None:
    wrong = STATED[:at] + letter + STATED[at + 1 :]

    assert wrong == STATED or read_trace([wrong], []) is None


@pytest.mark.parametrize(
    "stated",
    [
        "",
        STATED.upper(),
        f" {STATED}",
        f"{STATED}\n",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{STATED}-more",
        f"{STATED}-",
        f"cc-{TRACE}-{SPAN}-01more",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"0-{TRACE}-{SPAN}-01",
    ],
)
def test_a_wrong_form_begins_a_new_trace(stated: str) -> None:
    assert read_trace([stated], []) is None


def test_two_headers_begin_a_new_trace() -> None:
    assert read_trace([STATED, STATED], []) is None


def test_no_header_begins_a_new_trace() -> None:
    assert read_trace([], ["a=1"]) is None


@pytest.mark.parametrize("rest", ["", "-", "-what will be"])
def test_a_later_version_is_read_as_far_as_it_is_known(rest: str) -> None:
    assert read_trace([f"cc-{TRACE}-{SPAN}-01{rest}"], []) == (TRACE, SPAN, True, "")


@pytest.mark.parametrize(
    ("flags", "is_sampled"), [("00", False), ("01", True), ("ff", True), ("fe", False)]
)
def test_of_the_flags_only_the_known_one_is_read(flags: str, *, is_sampled: bool) -> None:
    joined = read_trace([f"00-{TRACE}-{SPAN}-{flags}"], [])

    assert joined
    assert joined.is_sampled == is_sampled
    assert joined.traceparent == f"00-{TRACE}-{SPAN}-{'01' if is_sampled else '00'}"


@pytest.mark.parametrize(
    ("states", "read"),
    [
        (["a=1"], "a=1"),
        (["a=1,b=2"], "a=1,b=2"),
        (["a=1 , \tb=2", "c=3"], "a=1,b=2,c=3"),
        (["a=1,,b=2,"], "a=1,b=2"),
        (["tenant@vendor=x y"], "tenant@vendor=x y"),
        (["0tenant@vendor=1"], "0tenant@vendor=1"),
    ],
)
def test_what_vendors_say_goes_on(states: list[str], read: str) -> None:
    joined = read_trace([STATED], states)

    assert joined
    assert joined.state == read
    assert joined.headers() == [("traceparent", STATED), ("tracestate", read)]


@pytest.mark.parametrize(
    "state",
    [
        *("a", "=1", "a=", "A=1", "a=1=2", "0a=1", "a=ü", "a=\x00", "a b=1", "a=1,b", "a=1,a=2"),
        f"{'a' * 257}=1",
        f"a={'1' * 257}",
        ",".join(f"a{number}=1" for number in range(33)),
    ],
)
def test_a_state_in_a_wrong_form_is_left_out_and_the_trace_goes_on(state: str) -> None:
    joined = read_trace([STATED], [state])

    assert joined == (TRACE, SPAN, True, "")
    assert joined.headers() == [("traceparent", STATED)]


def test_of_a_long_state_the_longest_entries_go_first() -> None:
    short = [f"a{number}={'x' * 90}" for number in range(5)]

    assert read_state(",".join([f"long={'y' * 200}", *short])) == ",".join(short)


@given(st.lists(st.from_regex(r"[a-z]{1,9}=[!-+]{1,100}", fullmatch=True), max_size=40))
def test_a_state_is_bounded_and_keeps_its_order(entries: list[str]) -> None:
    kept = [entry for entry in read_state(",".join(entries)).split(",") if entry]

    assert len(",".join(kept)) <= STATE_CHARS
    assert kept == [entry for entry in entries if entry in kept]
