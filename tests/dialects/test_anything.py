"""No JSON is too odd to be read: what a provider sends never breaks the sidecar."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.answer import AnswerFailed, Judge, Move
from sidecar.core.outcome import Endpoint
from sidecar.core.sse import Event, Parser
from sidecar.dialects.dialect import Json
from sidecar.dialects.openai import ChatReader, read_usage
from sidecar.dialects.openai_application import ChatApplication
from sidecar.dialects.openai_whole import as_stream, read_answer
from sidecar.dialects.tidy_whole import tidy_whole

NAMES = st.sampled_from(
    (
        *("choices", "delta", "message", "content", "index", "finish_reason", "tool_calls", "id"),
        *("function", "name", "role", "usage", "prompt_tokens", "prompt_tokens_details", "error"),
        *("cached_tokens", "text", "type", "reasoning", "data", "code", "details", "param"),
    )
)
WORDS = st.sampled_from(
    ("stop", "error", "content_filter", "assistant", "t1", "", "text", "\ud800", "\udfff")
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
CHOICES = st.lists(st.dictionaries(NAMES, ODD, max_size=5) | ODD, max_size=3)
CHUNKS = ODD | st.fixed_dictionaries({"choices": CHOICES}, optional={"usage": ODD, "error": ODD})
# Calls that mostly have begun and have no arguments, and pieces that say nothing.
CALLS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(("t1", "t2", "")),
        "index": st.integers(0, 1),
        "function": st.just({"name": "f"}) | st.dictionaries(NAMES, WORDS, max_size=2) | ODD,
    },
)
CALLING = st.builds(
    lambda calls, finish: {"choices": [{"delta": {"tool_calls": calls}, "finish_reason": finish}]},
    st.lists(CALLS, min_size=1, max_size=2),
    st.sampled_from((None, "stop", "tool_calls")),
)
STREAMS = st.lists(CHUNKS, min_size=1, max_size=4) | st.lists(CALLING, min_size=2, max_size=3)


@given(STREAMS, st.booleans())
def test_any_stream_of_json_is_read_and_written(chunks: list[object], wants: bool) -> None:
    reader, judge = ChatReader("s"), Judge()
    writer = ChatApplication(Endpoint.CHAT, wants_usage=wants).writer()

    for chunk in chunks:
        reading = reader.read(an_event(as_json(chunk)))
        for event in Parser(10**6).feed(writer.write(reading)):
            assert isinstance(json.loads(event.data)["choices"], list)
        try:
            judge.judge(reading.piece, 1)
        except AnswerFailed:
            return


ENDPOINTS = st.sampled_from((Endpoint.CHAT, Endpoint.COMPLETIONS))


@given(answer=CHUNKS, endpoint=ENDPOINTS)
def test_any_whole_json_is_an_answer_or_fails(answer: object, endpoint: Endpoint) -> None:
    try:
        read = read_answer(as_json(answer), endpoint)
        tidy_whole(read, "s")
        read_usage(read.get("usage"))
        stream = as_stream(read, endpoint)
    except AnswerFailed:
        return
    assert moves(stream)[-1] is Move.END


def as_json(value: object) -> bytes:
    """JSON as lenient writers have it: with NaN, and with halves of letters as escapes."""
    return json.dumps(value).encode()


def an_event(data: bytes) -> Event:
    return Event(data, b"", b"data: " + data + b"\n\n")


def moves(stream: list[Json]) -> list[Move]:
    """What becomes of a stream that was made from a whole answer."""
    reader, judge = ChatReader("s"), Judge()
    events = [an_event(data) for data in (*map(as_json, stream), b"[DONE]")]
    return [judge.judge(reader.read(event).piece, 1) for event in events]
