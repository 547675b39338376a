"""A stream says what the whole message says, to OpenAI's client and to Anthropic's own."""

from __future__ import annotations

from typing import Any

import orjson
from anthropic.types import Message
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.answer import AnswerFailed, Judge, Move, Piece
from sidecar.core.events import Usage
from sidecar.core.sse import Event
from sidecar.dialects.anthropic.answer import parse_message, read_message
from sidecar.dialects.anthropic.events import stream_of
from sidecar.dialects.anthropic.native import NativeMessages, NativeReader
from sidecar.dialects.anthropic.reader import MessagesReader
from sidecar.dialects.dialect import Json, Reader
from sidecar.dialects.memory import Memory
from sidecar.dialects.openai import read_usage
from tests.dialects.anthropic.any_message import Told, told_messages
from tests.dialects.anthropic.wire import (
    accumulated,
    chunks_of,
    comparable,
    heard,
    message,
    readings_of_bytes,
    target,
)

TOOLS = {"other": "the other"}
CUTS = st.lists(st.integers(0, 2000), max_size=8)
ANSWER_TOOLS = st.sampled_from(("", "answer"))


def judged(reader: Reader, stream: bytes) -> tuple[Move | None, Usage | None]:
    """How a stream ends, and what it cost."""
    judge, move = Judge(), None
    for reading in readings_of_bytes(reader, stream):
        move = judge.judge(reading.piece, 10)
    return move, judge.usage


@given(told_messages(), CUTS, ANSWER_TOOLS)
def test_chunks_add_up_to_the_whole_answer(told: Told, cuts: list[int], answer_tool: str) -> None:
    reader = MessagesReader(TOOLS, answer_tool, target())
    whole = read_message(told.whole, TOOLS, answer_tool, target())

    chunks = chunks_of(reader, readings_of_bytes(reader, told.stream, cuts))

    assert accumulated(chunks) == comparable(whole)


@given(told_messages())
def test_a_stream_and_the_whole_answer_keep_the_same_thoughts(told: Told) -> None:
    streamed, at_once = Memory(), Memory()

    readings_of_bytes(MessagesReader({}, "", target(streamed)), told.stream)
    read_message(told.whole, {}, "", target(at_once))

    ids = {block.get("id", "") for block in told.whole["content"]}
    kept = {one: streamed.recall("anthropic", one) for one in ids}
    assert kept == {one: at_once.recall("anthropic", one) for one in ids}


@given(told_messages())
def test_a_stream_ends_whole_and_costs_what_the_answer_does(told: Told) -> None:
    whole = read_message(told.whole, {}, "", target())
    expected = (Move.END, read_usage(whole["usage"]))

    assert judged(MessagesReader({}, "", target()), told.stream) == expected
    assert judged(NativeReader(), told.stream) == expected


def as_message(said: Json) -> Json:
    """A message as Anthropic's client reads it."""
    read: Json = Message.construct(**said).to_dict(mode="json", warnings=False)
    return {name: read[name] for name in ("content", "stop_reason", "stop_details", "usage")}


@given(told_messages(), CUTS)
def test_a_native_stream_goes_on_as_it_came(told: Told, cuts: list[int]) -> None:
    native = NativeMessages({}, target())
    writer = native.writer()

    read = readings_of_bytes(native.reader(), told.stream, cuts)
    passed = b"".join(map(writer.write, read)) + writer.end()

    assert as_message(heard(passed)) == as_message(told.whole)


@given(told_messages())
def test_a_whole_message_becomes_a_stream_of_itself(told: Told) -> None:
    stream = b"".join(stream_of(told.whole))

    assert as_message(heard(stream)) == as_message(told.whole)
    assert judged(NativeReader(), stream)[0] is Move.END


NAMES = st.sampled_from(
    (
        *("type", "index", "delta", "content_block", "message", "usage", "error", "text", "id"),
        *("thinking", "signature", "partial_json", "input", "name", "stop_reason", "content"),
        *("stop_details", "explanation", "input_tokens", "output_tokens", "iterations", "data"),
    )
)
TYPES = st.sampled_from(
    (
        *("message_start", "message_delta", "message_stop", "ping", "error"),
        *("content_block_start", "content_block_delta", "content_block_stop"),
        *("text", "tool_use", "thinking", "redacted_thinking", "server_tool_use", "refusal"),
        *("text_delta", "input_json_delta", "thinking_delta", "signature_delta", "end_turn"),
    )
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | TYPES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
OBJECTS = st.dictionaries(NAMES, ODD, max_size=5)
TYPED = st.builds(lambda said, kind: {**said, "type": kind}, OBJECTS, TYPES)
DEEPER = st.builds(
    lambda said, kind, name, inner: {**said, "type": kind, name: inner},
    OBJECTS,
    TYPES,
    NAMES,
    TYPED,
)
EVENTS = ODD | TYPED | DEEPER


@given(st.lists(EVENTS, min_size=1, max_size=6))
def test_any_stream_of_json_is_read(events: list[Any]) -> None:
    for reader in (MessagesReader({}, "answer", target()), NativeReader()):
        read = [reader.read(Event(orjson.dumps(one))) for one in events]

        assert all(isinstance(one.piece, Piece) for one in read)
        orjson.dumps(chunks_of(reader, read))


BLOCKS = st.lists(EVENTS, max_size=4)


@given(EVENTS | st.builds(lambda content, fields: {**message(*content), **fields}, BLOCKS, OBJECTS))
def test_any_whole_json_is_an_answer_or_fails(said: Any) -> None:
    body = orjson.dumps(said)
    try:
        answer = read_message(parse_message(body), {}, "answer", target())
        native = NativeMessages({}, target())
        stream = native.write_stream(native.read_answer(body))
    except AnswerFailed:
        return
    assert answer["choices"][0]["finish_reason"]
    assert stream.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
