"""Messages for who speaks Messages, judged and passed on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sidecar.core.answer import AnswerFailed, Judge, Move, Piece
from sidecar.core.events import Usage
from sidecar.core.outcome import Outcome
from sidecar.core.sse import Event, encode
from sidecar.dialects.anthropic.native import NativeMessages, NativeReader, NativeWriter
from sidecar.dialects.dialect import Answered, Json, Reading, Untranslatable
from sidecar.dialects.openai import CONTENT, GARBLED, REASONING, SILENT, THE_END
from tests.dialects.anthropic.wire import (
    HI,
    LOOK_UP,
    PING,
    REDACTED,
    SEARCH,
    STOP,
    THOUGHT,
    block,
    deep,
    end,
    event_of,
    heard,
    message,
    readings_of_bytes,
    sse,
    start,
    target,
    text,
    thinking,
    tool,
)

ZERO = frozenset((0,))
ASKED: Json = {
    "model": "smart",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "Hi"}],
    "top_k": 5,
    "unheard_of": {"a": [1]},
}


def sent(fields: Json, **changes: Any) -> Json:
    body: Json = orjson.loads(NativeMessages(fields, target(**changes)).outgoing.body)
    return body


def turns(*given: Any) -> Any:
    return sent({**ASKED, "messages": list(given)})["messages"]


CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
SIGNED = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
UNSIGNED = {"type": "thinking", "thinking": "Hm.", "signature": ""}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "4"}
BUDGET = {"type": "enabled", "budget_tokens": 2000}


@pytest.mark.parametrize(
    ("said", "thinks"), [([SIGNED, CALL], True), ([UNSIGNED, CALL], False), ([CALL], False)]
)
def test_claude_thinks_on_only_where_its_thinking_before_is_there(
    said: list[Json], thinks: bool
) -> None:
    conversation = [
        {"role": "user", "content": "2 + 2?"},
        {"role": "assistant", "content": said},
        {"role": "user", "content": [RESULT]},
    ]
    heard = sent({"model": "m", "messages": conversation, "thinking": BUDGET})

    assert ("thinking" in heard) is thinks


def test_the_request_goes_on_with_the_providers_model() -> None:
    assert sent(ASKED) == {**ASKED, "model": "claude-haiku-5-5"}


def test_the_request_goes_to_messages() -> None:
    assert NativeMessages(ASKED, target()).outgoing.path == "/messages"


@pytest.mark.parametrize(
    ("version", "says"), [("", "2023-06-01"), ("2026-10-21", "2026-10-21")], ids=["none", "one"]
)
def test_a_version_is_always_named(version: str, says: str) -> None:
    outgoing = NativeMessages(ASKED, target(version=version)).outgoing

    assert outgoing.headers == (("anthropic-version", says),)


def test_a_field_that_the_provider_refuses_is_dropped() -> None:
    without = frozenset(("top_k", "temperature"))

    assert "top_k" not in sent(ASKED, without=without)
    assert NativeMessages(ASKED, target(without=without)).outgoing.dropped == ("top_k",)


@pytest.mark.parametrize(
    ("asked", "granted"), [(1000, 500), (100, 100), ("many", "many"), (None, None)]
)
def test_an_answer_is_no_longer_than_is_granted(asked: object, granted: object) -> None:
    assert sent({**ASKED, "max_tokens": asked}, max_tokens=500)["max_tokens"] == granted


def test_thinking_that_is_not_signed_is_taken_out() -> None:
    ours = {"type": "thinking", "thinking": "Hm.", "signature": ""}
    said = {"role": "assistant", "content": [ours, THOUGHT, REDACTED, HI]}

    assert turns(said) == [{"role": "assistant", "content": [THOUGHT, REDACTED, HI]}]


def test_a_turn_of_nothing_else_is_left_out() -> None:
    question = {"role": "user", "content": "Hi"}
    said = {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}]}

    assert turns(question, said, question) == [question, question]


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "assistant", "content": []},
        {"role": "assistant", "content": "Hi"},
        {"role": "assistant", "content": [THOUGHT, HI, "odd", None]},
        {"role": "assistant"},
        "odd",
        None,
    ],
    ids=str,
)
def test_another_turn_stays_as_it_is(turn: object) -> None:
    assert turns(turn) == [turn]


def test_messages_that_are_no_list_are_the_providers_to_refuse() -> None:
    assert sent({**ASKED, "messages": {"role": "user"}})["messages"] == {"role": "user"}


def test_what_is_nested_too_deep_is_not_asked() -> None:
    with pytest.raises(Untranslatable):
        NativeMessages({**ASKED, "unheard_of": deep()}, target())


EVENTS: list[tuple[str, Json, Piece]] = [
    ("start", start(), Piece(usage=Usage(43, 1))),
    ("ping", PING, SILENT),
    ("text begins", text("Hi")[0], SILENT),
    ("text begins with words", block(0, HI)[0], CONTENT),
    ("text", text("Hi")[1], CONTENT),
    ("empty text", text("")[1], SILENT),
    ("tool call", tool()[0], CONTENT),
    ("arguments", tool("{}")[1], SILENT),
    ("thinking begins", thinking()[0], REASONING),
    ("thinking", thinking("Hm")[1], REASONING),
    ("signature", thinking()[1], SILENT),
    ("redacted thinking", block(0, REDACTED)[0], REASONING),
    ("server tool", block(0, SEARCH)[0], REASONING),
    ("unknown block", block(0, {"type": "news", "text": "Hi"})[0], REASONING),
    ("end of a block", text()[-1], SILENT),
    ("end", end(), Piece(ends=ZERO, usage=Usage(43, 7))),
    ("counts only", end(None), Piece(usage=Usage(43, 7))),
    ("refusal", end("refusal"), Piece(ends=ZERO, filtered=True, usage=Usage(43, 7))),
    ("stop", STOP, THE_END),
    ("unknown event", {"type": "news"}, SILENT),
]


@pytest.mark.parametrize(
    ("said", "piece"), [row[1:] for row in EVENTS], ids=[n for n, *_ in EVENTS]
)
def test_an_event_is_judged(said: Json, piece: Piece) -> None:
    assert NativeReader().read(event_of(said)).piece == piece


@pytest.mark.parametrize("said", [row[1] for row in EVENTS], ids=[n for n, *_ in EVENTS])
def test_an_event_goes_on_as_it_came(said: Json) -> None:
    (reading,) = readings_of_bytes(NativeReader(), sse(said))

    assert reading.raw == sse(said)


def test_an_event_that_clients_look_for_usage_in_has_one() -> None:
    begun: Json = {"type": "message_start", "message": {"id": "msg_1"}}
    ended: Json = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": None}
    none = {"input_tokens": 0, "output_tokens": 0}

    told = [NativeReader().read(event_of(said)).raw for said in (begun, ended)]

    assert told == [
        encode(
            orjson.dumps({**begun, "message": {"id": "msg_1", "usage": none}}), b"message_start"
        ),
        encode(orjson.dumps({**ended, "usage": none}), b"message_delta"),
    ]


def test_an_event_without_a_name_gets_it() -> None:
    assert NativeReader().read(Event(b'{"type": "ping"}', raw=b"data: {}\n\n")).raw == (
        b'event: ping\ndata: {"type": "ping"}\n\n'
    )


def test_an_unknown_event_stays_without_a_name() -> None:
    raw = b'data: {"type":"a\\nb"}\n\n'

    assert NativeReader().read(Event(raw[6:-2], raw=raw)).raw == raw


def test_the_last_usage_wins() -> None:
    stream = sse(start(), end(usage={"input_tokens": 61, "output_tokens": 9}))

    assert readings_of_bytes(NativeReader(), stream)[-1].piece.usage == Usage(61, 9)


def test_a_second_start_counts_nothing() -> None:
    read = readings_of_bytes(NativeReader(), sse(start(), end(), start()))

    assert read[-1].piece.usage == Usage(43, 7)


def test_an_error_is_what_it_says() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Busy."}}
    expected = Reading(Piece(failure=Outcome.OVERLOADED, message="Busy."))

    assert readings_of_bytes(NativeReader(), sse(error)) == [expected]


def test_what_is_no_json_is_garbled() -> None:
    assert NativeReader().read(Event(b"{", b"ping")) == Reading(GARBLED)


def test_nothing_goes_out_before_the_first_word() -> None:
    judge = Judge()
    stream = sse(start(), PING, *thinking("Hm"), *text("Hi", index=1)[:2])
    moves = [judge.judge(one.piece, 10) for one in readings_of_bytes(NativeReader(), stream)]

    assert moves == [Move.HOLD] * 7 + [Move.RELAY]


def test_the_reader_has_nothing_to_add() -> None:
    assert NativeReader().end() == ()


def test_a_stream_that_was_stopped_is_not_stopped_again() -> None:
    writer = NativeWriter()

    assert writer.write(Reading(THE_END, raw=sse(STOP))) == sse(STOP)
    assert writer.end() == b""


def test_a_missing_stop_is_added() -> None:
    writer = NativeWriter()
    writer.write(Reading(Piece(ends=ZERO), raw=sse(end())))

    assert writer.end() == b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def test_a_broken_stream_says_so() -> None:
    error = {"message": "Cut.", "type": "stream_error", "param": None, "code": "transport"}
    broken = NativeWriter().broken(error)

    assert broken.startswith(b"event: error\ndata: ")
    said = orjson.loads(broken.partition(b"data: ")[2])
    assert said["type"] == "error"
    assert said["error"]["type"] == "api_error"
    assert said["error"]["message"] == "Cut."


def answered(*blocks: Json, **fields: Any) -> Answered:
    body = orjson.dumps(message(*blocks, **fields))
    return NativeMessages(ASKED, target()).read_answer(body)


def test_a_whole_answer_goes_on_as_it_came() -> None:
    native, body = NativeMessages(ASKED, target()), orjson.dumps(message(HI)) + b"  "

    assert native.write_answer(native.read_answer(body)) == body


def test_a_whole_answer_is_counted() -> None:
    usage = {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 4}

    assert answered(HI, usage=usage).usage == Usage(5, 2, 4)


@pytest.mark.parametrize(("reason", "filtered"), [("refusal", True), ("end_turn", False)])
def test_only_a_refusal_is_filtered(reason: str, filtered: bool) -> None:
    assert answered(stop_reason=reason).filtered is filtered


FREE = {"input_tokens": 5, "output_tokens": 0}


@pytest.mark.parametrize(
    ("blocks", "fields", "empty"),
    [
        ((), {"usage": FREE}, True),
        ((HI,), {"usage": FREE}, False),
        ((), {}, False),
        ((), {"usage": FREE, "stop_reason": "refusal"}, False),
        ((), {"usage": None}, False),
    ],
    ids=["nothing", "text", "tokens", "refusal", "uncounted"],
)
def test_an_answer_is_empty(blocks: tuple[Json, ...], fields: Json, empty: bool) -> None:
    assert answered(*blocks, **fields).empty is empty


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'{"type":"error","error":{"type":"overloaded_error"}}']
)
def test_what_is_no_message_is_no_answer(body: bytes) -> None:
    with pytest.raises(AnswerFailed):
        NativeMessages(ASKED, target()).read_answer(body)


def streamed(*blocks: Json, **fields: Any) -> bytes:
    return NativeMessages(ASKED, target()).write_stream(answered(*blocks, **fields))


def test_a_whole_answer_for_a_stream_is_one() -> None:
    words = {"type": "text", "text": ""}
    begin = {"type": "content_block_start", "index": 0, "content_block": words}
    said = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "Hi"},
    }
    usage = message()["usage"]
    stop = {"stop_reason": "end_turn", "stop_sequence": None}

    events: tuple[Json, ...] = (
        {"type": "message_start", "message": message(stop_reason=None)},
        *(begin, said, {"type": "content_block_stop", "index": 0}),
        {"type": "message_delta", "delta": stop, "usage": usage},
        STOP,
    )
    assert streamed(HI) == b"".join(
        encode(orjson.dumps(one), one["type"].encode()) for one in events
    )


@pytest.mark.parametrize(
    "said", [HI, LOOK_UP, {**LOOK_UP, "input": {}}, THOUGHT, REDACTED, SEARCH], ids=str
)
def test_a_block_arrives_whole(said: Json) -> None:
    (block_heard,) = heard(streamed(said))["content"]

    assert block_heard.items() >= said.items()


def test_an_input_comes_as_a_delta() -> None:
    assert b'"partial_json":"{\\"q\\":\\"cats\\"}"' in streamed(LOOK_UP)


def test_citations_are_not_lost() -> None:
    cited = {**HI, "citations": [{"type": "char_location", "cited_text": "Hi"}]}

    assert heard(streamed(cited))["content"][0]["citations"][0]["cited_text"] == "Hi"


def test_a_refusal_keeps_its_details() -> None:
    details = {"type": "refusal", "category": None, "explanation": "No."}
    said = heard(streamed(stop_reason="refusal", stop_details=details))

    assert said["stop_details"]["explanation"] == "No."


def test_a_message_without_usage_can_be_streamed() -> None:
    assert heard(streamed(HI, usage=None))["usage"]["output_tokens"] == 0


def test_what_is_nested_too_deep_is_not_streamed() -> None:
    answer = Answered(answer=message({"type": "news", "news": deep()}))

    with pytest.raises(AnswerFailed):
        NativeMessages(ASKED, target()).write_stream(answer)
