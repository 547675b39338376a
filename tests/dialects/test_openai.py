"""OpenAI's wire format, read."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sidecar.core.answer import AnswerFailed, Piece
from sidecar.core.events import Usage
from sidecar.core.outcome import Endpoint, Outcome
from sidecar.core.sse import Event
from sidecar.dialects.dialect import Answered, Json, Reading
from sidecar.dialects.openai import (
    CONTENT,
    GARBLED,
    NOISE,
    REASONING,
    SILENT,
    THE_END,
    ChatReader,
    read_usage,
)
from sidecar.dialects.openai_application import ChatApplication
from sidecar.dialects.openai_whole import as_stream, is_empty, is_filtered, read_answer

ZERO = frozenset((0,))


def chunk(*choices: dict[str, Any], **fields: Any) -> bytes:
    return orjson.dumps({"object": "chat.completion.chunk", "choices": choices, **fields})


def delta(index: int = 0, finish: object = None, **fields: Any) -> dict[str, Any]:
    return {"index": index, "delta": fields, "finish_reason": finish}


EVENTS: list[tuple[str, bytes, Piece]] = [
    ("role only", chunk(delta(role="assistant", content="")), SILENT),
    ("text", chunk(delta(content="Hi")), CONTENT),
    ("text as a list", chunk(delta(content=[{"type": "text", "text": "Hi"}])), CONTENT),
    ("tool call", chunk(delta(tool_calls=[{"index": 0, "id": "t1"}])), CONTENT),
    ("refusal", chunk(delta(refusal="No.")), CONTENT),
    ("audio", chunk(delta(audio={"data": "AAAA"})), CONTENT),
    ("completion text", chunk({"index": 0, "text": "Hi", "finish_reason": None}), CONTENT),
    ("reasoning_content", chunk(delta(reasoning_content="Hm")), REASONING),
    ("reasoning", chunk(delta(reasoning="Hm")), REASONING),
    ("second choice", chunk(delta(1, content="Hi")), Piece(starts=frozenset((1,)))),
    ("finish", chunk(delta(finish="stop")), Piece(ends=ZERO)),
    ("finish with text", chunk(delta(finish="stop", content="!")), Piece(starts=ZERO, ends=ZERO)),
    ("filtered", chunk(delta(finish="content_filter")), Piece(ends=ZERO, filtered=True)),
    ("no choices", chunk(prompt_filter_results=[]), SILENT),
    ("choices null", b'{"choices":null}', NOISE),
    ("ping", b'{"type":"ping"}', NOISE),
    ("nothing", b"{}", NOISE),
    ("usage null without choices", b'{"usage":null}', NOISE),
    (
        "usage without choices",
        b'{"usage":{"prompt_tokens":5,"completion_tokens":7}}',
        Piece(usage=Usage(5, 7)),
    ),
    ("finish that is no word", chunk(delta(finish=5, content="Hi")), CONTENT),
    ("finish that is nothing", chunk(delta(finish="")), SILENT),
    (
        "usage alone",
        chunk(usage={"prompt_tokens": 5, "completion_tokens": 7}),
        Piece(usage=Usage(5, 7)),
    ),
    (
        "usage with finish",
        chunk(
            delta(finish="stop"),
            usage={
                "prompt_tokens": 5,
                "completion_tokens": 7,
                "prompt_tokens_details": {"cached_tokens": 3},
            },
        ),
        Piece(ends=ZERO, usage=Usage(5, 7, 3)),
    ),
    ("usage null", chunk(delta(content="Hi"), usage=None), CONTENT),
    ("done", b"[DONE]", THE_END),
    ("not JSON", b'{"choices":[', GARBLED),
    ("a bare string", b'"hello"', GARBLED),
    (
        "error",
        b'{"error":{"message":"busy","code":"server_is_overloaded"}}',
        Piece(failure=Outcome.OVERLOADED, message="busy"),
    ),
    (
        "error that says nothing known",
        b'{"error":"boo"}',
        Piece(failure=Outcome.STREAM_ERROR, message="boo"),
    ),
    (
        "Gemini's list",
        b'[{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}]',
        Piece(failure=Outcome.OVERLOADED, message="busy"),
    ),
    (
        "Gemini's failed tool call",
        chunk(delta(finish="function_call_filter: MALFORMED_FUNCTION_CALL")),
        Piece(
            failure=Outcome.GENERATION_FAILED,
            message="the provider finished with function_call_filter: MALFORMED_FUNCTION_CALL",
        ),
    ),
    ("finish of a vendor's own", chunk(delta(finish="end_of_turn")), Piece(ends=ZERO)),
    ("half a character", rb'{"choices":[{"index":0,"delta":{"content":"\ud83d"}}]}', CONTENT),
    ("not a number", b'{"choices":[{"index":0,"delta":{"content":"a"},"p":-Infinity}]}', CONTENT),
    (
        "finish that says error",
        chunk(delta(finish="error")),
        Piece(failure=Outcome.GENERATION_FAILED, message="the provider finished with error"),
    ),
]


@pytest.mark.parametrize(
    ("data", "piece"), [row[1:] for row in EVENTS], ids=[row[0] for row in EVENTS]
)
def test_an_event_means(data: bytes, piece: Piece) -> None:
    assert ChatReader("s").read(Event(data)).piece == piece


def read(answer: object, endpoint: Endpoint = Endpoint.CHAT) -> Outcome:
    try:
        read_answer(orjson.dumps(answer), endpoint)
    except AnswerFailed as failed:
        return failed.outcome
    return Outcome.OK


CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
ANSWERS: list[tuple[str, object, Outcome]] = [
    ("whole", {"choices": [CHOICE]}, Outcome.OK),
    ("no choices", {"id": "x"}, Outcome.PROTOCOL),
    ("empty choices", {"choices": []}, Outcome.PROTOCOL),
    ("choices null", {"choices": None}, Outcome.PROTOCOL),
    ("choices of null", {"choices": [None]}, Outcome.PROTOCOL),
    ("choices of text", {"choices": ["x"]}, Outcome.PROTOCOL),
    ("choices of nothing", {"choices": [{}]}, Outcome.PROTOCOL),
    ("a choice's text alone", {"choices": [{"text": "Hi"}]}, Outcome.PROTOCOL),
    ("a finish alone", {"choices": [{"finish_reason": "stop"}]}, Outcome.OK),
    ("one good choice", {"choices": [None, CHOICE]}, Outcome.OK),
    ("error", {"error": {"code": 429, "message": "slow"}}, Outcome.RATE_LIMIT),
    ("error beside choices", {"error": {"message": "?"}, "choices": []}, Outcome.SERVER_ERROR),
    ("a list", [{"error": {"status": "UNAVAILABLE"}}], Outcome.OVERLOADED),
    ("an error by its type", {"type": "error", "choices": [CHOICE]}, Outcome.SERVER_ERROR),
    ("failed", {"choices": [{**CHOICE, "finish_reason": "error"}]}, Outcome.GENERATION_FAILED),
    (
        "a tool call that failed",
        {"choices": [{"finish_reason": "MALFORMED_FUNCTION_CALL"}]},
        Outcome.GENERATION_FAILED,
    ),
    ("filtered", {"choices": [{**CHOICE, "finish_reason": "content_filter"}]}, Outcome.OK),
]


@pytest.mark.parametrize(
    ("answer", "outcome"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS]
)
def test_a_200_may_be_no_answer(answer: object, outcome: Outcome) -> None:
    assert read(answer) is outcome


def test_a_refusal_by_policy_is_told_from_an_answer() -> None:
    assert is_filtered({"choices": [CHOICE, {**CHOICE, "finish_reason": "content_filter"}]})
    assert not is_filtered({"choices": [CHOICE]})


SILENCE = {**CHOICE, "message": {"role": "assistant", "content": ""}}
EMPTY: list[tuple[str, Json, bool]] = [
    ("says nothing", {"choices": [SILENCE], "usage": {"completion_tokens": 0}}, True),
    ("says something", {"choices": [CHOICE], "usage": {"completion_tokens": 0}}, False),
    ("cost a token", {"choices": [SILENCE], "usage": {"completion_tokens": 1}}, False),
    ("cost nobody knows what", {"choices": [SILENCE]}, False),
    (
        "was cut short",
        {"choices": [SILENCE | {"finish_reason": "length"}], "usage": {"completion_tokens": 0}},
        False,
    ),
]


@pytest.mark.parametrize(
    ("answer", "empty"), [row[1:] for row in EMPTY], ids=[row[0] for row in EMPTY]
)
def test_an_answer_is_empty_that(answer: Json, empty: bool) -> None:
    assert is_empty(answer) is empty


def test_an_embedding_has_data_instead_of_choices() -> None:
    assert read({"data": [{"embedding": [0.1]}]}, Endpoint.EMBEDDINGS) is Outcome.OK
    assert read({"choices": [CHOICE]}, Endpoint.EMBEDDINGS) is Outcome.PROTOCOL


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"choices":[{"index":0'], ids=repr)
def test_what_is_not_json_is_no_answer(body: bytes) -> None:
    with pytest.raises(AnswerFailed) as failed:
        read_answer(body, Endpoint.CHAT)

    assert failed.value.outcome is Outcome.PROTOCOL


def test_a_completion_has_text_instead_of_a_message() -> None:
    assert read({"choices": [{"text": ""}]}, Endpoint.COMPLETIONS) is Outcome.OK
    assert read({"choices": [{"message": {}}]}, Endpoint.COMPLETIONS) is Outcome.PROTOCOL


NAMED: list[tuple[str, bytes, Piece]] = [
    (
        "flat",
        b'{"message":"busy","code":529}',
        Piece(failure=Outcome.OVERLOADED, message="busy"),
    ),
    (
        "wrapped",
        b'{"error":{"message":"busy"}}',
        Piece(failure=Outcome.STREAM_ERROR, message="busy"),
    ),
    ("text", b"busy", Piece(failure=Outcome.STREAM_ERROR, message="busy")),
    ("a chunk", chunk(delta(content="Hi")), Piece(failure=Outcome.STREAM_ERROR)),
]


@pytest.mark.parametrize(
    ("data", "piece"), [row[1:] for row in NAMED], ids=[row[0] for row in NAMED]
)
def test_an_event_that_is_called_an_error_is_one(data: bytes, piece: Piece) -> None:
    assert ChatReader("s").read(Event(data, b"error")).piece == piece


def test_an_envelope_that_reports_no_success_is_an_error() -> None:
    data = b'{"success":false,"errors":[{"code":2009,"message":"no"}],"result":null}'

    assert ChatReader("s").read(Event(data)).piece == Piece(failure=Outcome.AUTH, message="no")


def test_other_names_mean_nothing() -> None:
    assert ChatReader("s").read(Event(chunk(delta(content="Hi")), b"message")).piece is CONTENT


def an_event(data: bytes) -> Event:
    return Event(data, b"", b"data: " + data + b"\n\n")


def test_a_clean_event_goes_on_as_the_very_bytes_it_came_in() -> None:
    event = an_event(chunk(delta(role="assistant", content="Hi")))

    assert ChatReader("s").read(event).raw is event.raw


COUNTED = chunk(delta(finish="stop"), id="x", usage={"prompt_tokens": 5, "completion_tokens": 7})
COUNTS = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


def test_usage_comes_last_in_a_chunk_of_its_own_wherever_it_was_said() -> None:
    reader = ChatReader("s")
    said = reader.read(an_event(COUNTED))
    (last,) = reader.end()

    assert [one.get("usage") for one in said.chunks] == [None]
    assert (last["id"], last["choices"]) == ("x", [])
    assert last["usage"]["completion_tokens"] == 7


def test_a_chunk_of_usage_alone_says_nothing_more() -> None:
    reader = ChatReader("s")

    assert reader.read(an_event(b'{"usage":{"prompt_tokens":1}}')).chunks == ()
    assert [one["choices"] for one in reader.end()] == [[]]


@pytest.mark.parametrize("wants", [True, False])
def test_usage_is_told_to_those_who_asked(wants: bool) -> None:
    writer = ChatApplication(Endpoint.CHAT, wants_usage=wants).writer()
    reader = ChatReader("s")
    reader.read(an_event(COUNTED))
    written = writer.write(Reading(SILENT, reader.end()))

    assert (b'"usage":{' in written) is wants
    assert bool(written) is wants


@pytest.mark.parametrize(
    ("prompt", "completion", "usage"),
    [
        (5, 7, Usage(5, 7)),
        (0, 0, Usage(0, 0)),
        (10**9, 7, Usage(10**9, 7)),
        (10**9 + 1, 7, None),
        (-1, 7, None),
        (True, 7, None),
        (5.0, 7, None),
        ("5", 7, None),
        (5, -7, Usage(5, 0)),
        (5, True, Usage(5, 0)),
        (5, 10**12, Usage(5, 0)),
    ],
)
def test_only_what_may_be_added_to_a_counter_is_counted(
    prompt: object, completion: object, usage: Usage | None
) -> None:
    assert read_usage({"prompt_tokens": prompt, "completion_tokens": completion}) == usage


@pytest.mark.parametrize("cached", [-3, True, 3.5, None, 10**10])
def test_cached_tokens_that_cannot_be_are_none(cached: object) -> None:
    usage = {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": cached}}

    assert read_usage(usage) == Usage(5, 0, 0)


USAGE = {"prompt_tokens": 1, "completion_tokens": 2}


def streamed(answer: Json, endpoint: Endpoint = Endpoint.CHAT) -> list[Json]:
    return as_stream(answer, endpoint)


def test_a_whole_answer_turns_into_a_stream_that_means_the_same() -> None:
    calls = [{"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"role": "assistant", "content": "Hi", "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    answer = {"id": "x", "object": "chat.completion", "choices": [choice]}

    first, last = streamed(answer)

    assert first["object"] == "chat.completion.chunk"
    assert first["choices"][0]["delta"]["content"] == "Hi"
    assert first["choices"][0]["delta"]["tool_calls"] == [{"index": 0, **calls[0]}]
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]
    assert "usage" not in first


def test_whatever_else_a_choice_has_is_in_its_stream_once() -> None:
    rest = {"logprobs": {"content": [{"token": "Hi"}]}, "content_filter_results": {}}

    first, last = streamed({"choices": [{**CHOICE, **rest}]})

    assert first["choices"][0].items() >= rest.items()
    assert not last["choices"][0].keys() & rest.keys()


def test_usage_of_a_whole_answer_comes_last() -> None:
    last = streamed({"id": "x", "choices": [CHOICE], "usage": USAGE})[-1]

    assert (last["id"], last["choices"], last["usage"]) == ("x", [], USAGE)


def test_usage_that_the_provider_did_not_say_is_not_made_up() -> None:
    assert [one for one in streamed({"choices": [CHOICE]}) if "usage" in one] == []


def test_a_completion_turns_into_one_event_for_each_choice() -> None:
    choices = [
        {"index": index, "text": text, "finish_reason": "stop"}
        for index, text in enumerate(("Hi", "Ho"))
    ]

    chunks = streamed({"id": "x", "choices": choices}, Endpoint.COMPLETIONS)

    assert chunks == [
        {"id": "x", "object": "text_completion", "choices": [choice]} for choice in choices
    ]


@pytest.mark.parametrize(
    "choice",
    [None, "x", {**CHOICE, "finish_reason": None}, {**CHOICE, "finish_reason": 5}],
    ids=["null", "text", "unfinished", "finished by a number"],
)
def test_what_a_stream_would_call_truncated_turns_into_none(choice: object) -> None:
    with pytest.raises(AnswerFailed) as failed:
        streamed({"choices": [CHOICE, choice]})

    assert failed.value.outcome is Outcome.PROTOCOL


def test_a_whole_answer_that_needs_no_mending_goes_on_as_it_came() -> None:
    application = ChatApplication(Endpoint.CHAT, wants_usage=False)
    answered = Answered(answer={"choices": [CHOICE]}, raw=b'{ "choices": [] }')

    assert application.write_answer(answered) is answered.raw


def test_a_whole_answer_becomes_a_stream_that_is_done() -> None:
    application = ChatApplication(Endpoint.CHAT, wants_usage=False)
    stream = application.write_stream(Answered(answer={"choices": [CHOICE], "usage": USAGE}))

    assert stream.endswith(b"data: [DONE]\n\n")
    assert b'"usage"' not in stream
