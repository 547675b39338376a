"""Responses of a provider that has them, passed on."""

from __future__ import annotations

from typing import Any

import openai
import orjson
import pytest

from sidecar.core.answer import AnswerFailed, Judge, Move, Piece
from sidecar.core.events import Usage
from sidecar.core.outcome import Outcome
from sidecar.core.sse import Event, encode
from sidecar.dialects.dialect import Json, Reading, Untranslatable
from sidecar.dialects.openai import CONTENT, GARBLED, NOISE, REASONING, SILENT
from sidecar.dialects.responses.native import NativeReader
from tests.dialects.responses.sdk import (
    ERROR,
    application,
    chunk,
    client_of,
    final,
    native,
    parsed,
    read,
    streamed,
    whole,
)

ZERO = frozenset((0,))
RESPONSE: Json = {
    "id": "resp_68af",
    "object": "response",
    "created_at": 1,
    "model": "gpt-5",
    "status": "in_progress",
    "output": [],
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "error": None,
    "usage": None,
    "previous_response_id": "resp_67ae",
}
TEXT = {"type": "output_text", "text": "Hi", "annotations": []}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [TEXT],
}
USAGE = {
    "input_tokens": 5,
    "input_tokens_details": {"cached_tokens": 3},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 12,
}
COMPLETED = {**RESPONSE, "status": "completed", "output": [MESSAGE], "usage": USAGE}
FILTERED = {
    **RESPONSE,
    "status": "incomplete",
    "incomplete_details": {"reason": "content_filter"},
}


def event(kind: str, **members: Any) -> Event:
    return Event(orjson.dumps({"type": kind, "sequence_number": 4, **members}), kind.encode())


def delta(kind: str, text: str = "Hi") -> Event:
    return event(f"response.{kind}.delta", delta=text, item_id="i", output_index=0)


def item(kind: str, moment: str = "added") -> Event:
    return event(f"response.output_item.{moment}", item={"type": kind}, output_index=0)


def end(**members: Any) -> Piece:
    return Piece(ends=ZERO, done=True, **members)


EVENTS: list[tuple[str, Event, Piece]] = [
    ("created", event("response.created", response=RESPONSE), SILENT),
    ("in progress", event("response.in_progress", response=RESPONSE), SILENT),
    ("queued", event("response.queued", response=RESPONSE), SILENT),
    ("text", delta("output_text"), CONTENT),
    ("no text", delta("output_text", ""), SILENT),
    ("refusal", delta("refusal"), CONTENT),
    ("arguments", delta("function_call_arguments"), CONTENT),
    ("input", delta("custom_tool_call_input"), CONTENT),
    ("audio", delta("audio"), CONTENT),
    (
        "image",
        event("response.image_generation_call.partial_image", partial_image_b64="AA"),
        CONTENT,
    ),
    ("summary", delta("reasoning_summary_text"), REASONING),
    ("reasoning", delta("reasoning_text"), REASONING),
    ("message begins", item("message"), SILENT),
    ("reasoning begins", item("reasoning"), SILENT),
    ("reasoning is done", item("reasoning", "done"), SILENT),
    ("function call begins", item("function_call"), CONTENT),
    ("search begins", item("web_search_call"), CONTENT),
    ("computer call is done", item("computer_call", "done"), CONTENT),
    ("something new", event("response.something.new"), SILENT),
    (
        "completed",
        event("response.completed", response=COMPLETED),
        end(cut=True, usage=Usage(5, 7, 3)),
    ),
    ("filtered", event("response.incomplete", response=FILTERED), end(cut=True, filtered=True)),
    ("incomplete", event("response.incomplete", response=RESPONSE), end(cut=True)),
    ("ping", event("ping"), NOISE),
    ("keep-alive", event("keepalive"), NOISE),
    ("no type", Event(b"{}"), NOISE),
    ("done", Event(b"[DONE]"), NOISE),
    ("not JSON", Event(b'{"type":'), GARBLED),
    ("a bare string", Event(b'"hello"'), GARBLED),
    (
        "failed",
        event("response.failed", response={"error": {"code": "server_error", "message": "oh"}}),
        Piece(failure=Outcome.STREAM_ERROR, message="oh"),
    ),
    (
        "rate limit",
        event("response.failed", response={"error": {"code": "rate_limit_exceeded"}}),
        Piece(failure=Outcome.RATE_LIMIT),
    ),
    (
        "refused prompt",
        event("response.failed", response={"error": {"code": "invalid_prompt"}}),
        Piece(failure=Outcome.CONTENT_FILTER),
    ),
    (
        "failed without a word",
        event("response.failed", response={"metadata": {"reasons": "x"}}),
        Piece(failure=Outcome.STREAM_ERROR),
    ),
    (
        "flat error",
        event("error", code="rate_limit_exceeded", message="slow", param=None),
        Piece(failure=Outcome.RATE_LIMIT, message="slow"),
    ),
    (
        "nested error",
        Event(b'{"error":{"code":"server_is_overloaded","message":"busy"}}'),
        Piece(failure=Outcome.OVERLOADED, message="busy"),
    ),
]


def begun() -> NativeReader:
    """Reads a stream that has begun as it should."""
    reader = native().reader()
    reader.read(event("response.created", response=RESPONSE))
    return reader


@pytest.mark.parametrize(
    ("told", "piece"), [row[1:] for row in EVENTS], ids=[row[0] for row in EVENTS]
)
def test_an_event_means(told: Event, piece: Piece) -> None:
    assert begun().read(told).piece == piece


def test_an_event_goes_on_as_it_came() -> None:
    data = b'{"type": "response.output_text.delta",  "delta": "Hi", "n": 1.50}'

    named = begun().read(Event(data, b"response.output_text.delta")).raw
    bare = begun().read(Event(data, b"", b"data:%b\n\n" % data)).raw

    assert named == b"event: response.output_text.delta\ndata: %b\n\n" % data
    assert bare == b"data:%b\n\n" % data


def test_a_response_is_known_by_our_id() -> None:
    raw = native().reader().read(event("response.created", response=RESPONSE)).raw

    (told,) = read(raw)
    assert told.name == b"response.created"
    assert parsed(told.data)["response"] == {
        **RESPONSE,
        "id": "resp_openai_68af",
        "previous_response_id": "resp_openai_67ae",
    }


def test_an_event_that_names_a_response_names_it_by_our_id() -> None:
    raw = begun().read(event("response.new", response_id="resp_68af")).raw

    assert parsed(read(raw)[0].data)["response_id"] == "resp_openai_68af"


def test_nothing_is_heard_before_a_response_begins() -> None:
    reader = native().reader()
    odd = event("response.output_text.delta", delta="Hi")

    assert reader.read(odd) == Reading(NOISE)
    assert reader.read(event("response.created", response=RESPONSE)).raw
    assert reader.read(odd).piece is CONTENT


@pytest.mark.parametrize("kind", ["response.in_progress", "response.completed"])
def test_a_response_that_is_under_way_or_over_begins_before(kind: str) -> None:
    raw = native().reader().read(event(kind, response=COMPLETED)).raw

    created, told = [parsed(one.data) for one in read(raw)]
    assert (created["type"], told["type"]) == ("response.created", kind)
    assert created["response"]["id"] == told["response"]["id"]
    assert (created["response"]["status"], created["response"]["output"]) == ("in_progress", [])


def test_a_response_whose_beginning_was_made_up_fails_under_its_own_id() -> None:
    said = native()
    reader, writer = said.reader(), said.writer()
    writer.write(reader.read(event("response.in_progress", response=RESPONSE)))

    failed, _ = read(writer.broken(ERROR))

    assert parsed(failed.data)["response"]["id"] == "resp_openai_68af"


def test_what_cannot_be_written_again_is_garbled() -> None:
    deep = b'{"type":"response.created","response":{"id":"resp_1","x":%b}}'

    assert native().reader().read(Event(deep % (b"[" * 300 + b"]" * 300))).piece is GARBLED


STREAM = streamed(application(), chunk(content="Hi"), chunk("stop"))


def passed_on(stream: bytes) -> bytes:
    said = native()
    reader, writer = said.reader(), said.writer()
    written = [writer.write(reader.read(told)) for told in read(stream)]
    return b"".join(written) + writer.end()


def test_a_stream_that_is_passed_on_is_read_by_the_sdk() -> None:
    response = final(passed_on(STREAM))

    assert response.output_text == "Hi"
    assert response.id == "resp_openai_gemini~1s1"


def test_a_stream_is_whole_with_its_last_event() -> None:
    reader, judge = native().reader(), Judge()

    moves = [judge.judge(reader.read(told).piece, 1) for told in read(STREAM)]

    assert moves[-1] is Move.END
    assert Move.END not in moves[:-1]


def test_what_broke_off_failed_under_the_same_id_and_is_raised() -> None:
    said = native()
    reader, writer = said.reader(), said.writer()
    begun = [writer.write(reader.read(told)) for told in read(STREAM)[:5]]
    stream = b"".join(begun) + writer.broken(ERROR)

    *_, failed, _ = [parsed(told.data) for told in read(stream)]
    assert failed["type"] == "response.failed"
    assert (failed["response"]["id"], failed["sequence_number"]) == ("resp_openai_gemini~1s1", 5)
    with (
        pytest.raises(openai.APIError, match="it broke off"),
        client_of(stream).responses.stream(model="smart", input="Hi") as events,
    ):
        events.until_done()


def test_what_broke_before_it_began_is_only_raised() -> None:
    assert native().writer().broken(ERROR) == encode(orjson.dumps({"error": ERROR}))


def test_a_whole_answer_is_known_by_our_id() -> None:
    said = native()

    answered = said.read_answer(orjson.dumps(COMPLETED))

    ids = {"id": "resp_openai_68af", "previous_response_id": "resp_openai_67ae"}
    assert parsed(said.write_answer(answered)) == {**COMPLETED, **ids}
    assert answered.usage == Usage(5, 7, 3)
    assert not answered.filtered
    assert not answered.empty


def test_a_refusal_by_policy_is_seen() -> None:
    assert native().read_answer(orjson.dumps(FILTERED)).filtered


NOTHING = {**COMPLETED, "usage": {**USAGE, "output_tokens": 0}}
REASONED = {"type": "reasoning", "summary": []}
CALL = {"type": "function_call"}
EMPTY: list[tuple[str, Json, bool]] = [
    ("no items", {"output": []}, True),
    ("an empty message", {"output": [{**MESSAGE, "content": []}]}, True),
    ("reasoning", {"output": [REASONED]}, True),
    ("a message", {"output": [MESSAGE]}, False),
    ("a call", {"output": [CALL]}, False),
    ("tokens", {"output": [], "usage": USAGE}, False),
    ("not done", {"output": [], "status": "queued"}, False),
]


@pytest.mark.parametrize(
    ("members", "empty"), [row[1:] for row in EMPTY], ids=[row[0] for row in EMPTY]
)
def test_an_answer_that_says_nothing_is_empty(members: Json, empty: bool) -> None:
    assert native().read_answer(orjson.dumps({**NOTHING, **members})).empty is empty


@pytest.mark.parametrize("status", ["completed", "incomplete", "queued", "in_progress"])
def test_a_whole_answer_is_a_short_stream(status: str) -> None:
    said = native()

    stream = said.write_stream(said.read_answer(orjson.dumps({**COMPLETED, "status": status})))

    first, last = [parsed(told.data) for told in read(stream)]
    assert (first["type"], last["type"]) == ("response.created", f"response.{status}")
    assert first["response"]["id"] == last["response"]["id"] == "resp_openai_68af"


def test_a_short_stream_is_read_by_the_sdk() -> None:
    said = native()

    stream = said.write_stream(said.read_answer(orjson.dumps(COMPLETED)))

    assert final(stream).output_text == "Hi"


FAILED = {**RESPONSE, "status": "failed"}
FAILURES: list[tuple[str, object, Outcome]] = [
    ("a list", [], Outcome.PROTOCOL),
    ("a chat completion", {"object": "chat.completion", "choices": []}, Outcome.PROTOCOL),
    ("no output", {**COMPLETED, "output": None}, Outcome.PROTOCOL),
    ("cancelled", {**COMPLETED, "status": "cancelled"}, Outcome.PROTOCOL),
    ("failed", {**FAILED, "error": {"code": "server_error"}}, Outcome.SERVER_ERROR),
    ("failed without a word", FAILED, Outcome.SERVER_ERROR),
    ("rate limit", {**FAILED, "error": {"code": "rate_limit_exceeded"}}, Outcome.RATE_LIMIT),
    ("an error", {"error": {"code": "server_is_overloaded"}}, Outcome.OVERLOADED),
]


@pytest.mark.parametrize(
    ("answer", "outcome"), [row[1:] for row in FAILURES], ids=[row[0] for row in FAILURES]
)
def test_a_200_may_be_no_answer(answer: object, outcome: Outcome) -> None:
    with pytest.raises(AnswerFailed) as failed:
        native().read_answer(orjson.dumps(answer))

    assert failed.value.outcome is outcome


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"object":'], ids=repr)
def test_what_is_not_json_is_no_answer(body: bytes) -> None:
    with pytest.raises(AnswerFailed) as failed:
        native().read_answer(body)

    assert failed.value.outcome is Outcome.PROTOCOL


def sent(fields: Json, **target: Any) -> Json:
    return parsed(native(fields, **target).outgoing.body)


def test_a_request_goes_on_for_another_model() -> None:
    fields = {"model": "smart", "input": "Hi", "tools": [{"type": "web_search"}], "new": 1}

    assert sent(fields) == {**fields, "model": "gpt-5"}
    assert native(fields).outgoing.path == "/responses"


def test_a_field_that_is_refused_stays_here() -> None:
    fields = {"model": "smart", "input": "Hi", "user": "u", "top_p": 1}
    refused = frozenset(("user", "seed"))

    assert sent(fields, without=refused) == {"model": "gpt-5", "input": "Hi", "top_p": 1}
    assert native(fields, without=refused).outgoing.dropped == ("user",)


@pytest.mark.parametrize(("asked", "granted"), [(5, 5), (50, 9), (None, None)])
def test_an_answer_is_no_longer_than_it_may_be(asked: int | None, granted: int | None) -> None:
    fields = {"model": "smart", "max_output_tokens": asked}

    assert sent(fields, max_tokens=9)["max_output_tokens"] == granted


def test_reasoning_that_another_provider_did_is_not_sent() -> None:
    ours = whole(application(), {"content": None, "reasoning_content": "Hm"})["output"]
    own = {"type": "reasoning", "id": "rs_1", "encrypted_content": "gAAA"}
    user = {"role": "user", "content": "Hi"}

    assert sent({"model": "m", "input": [user, *ours, own]})["input"] == [user, own]


def test_a_request_that_cannot_be_written_is_refused() -> None:
    deep: object = []
    for _ in range(5000):
        deep = [deep]

    with pytest.raises(Untranslatable):
        native({"model": "m", "input": [deep]})
