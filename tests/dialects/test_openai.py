"""OpenAI's wire format, read."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sidecar.core.answer import AnswerFailed, Piece
from sidecar.core.events import Usage
from sidecar.core.outcome import Endpoint, Outcome
from sidecar.dialects.openai import (
    CONTENT,
    GARBLED,
    REASONING,
    SILENT,
    THE_END,
    StreamReader,
    as_stream,
    read_answer,
)

ZERO = frozenset((0,))


def chunk(*choices: dict[str, Any], **fields: Any) -> bytes:
    return orjson.dumps({"object": "chat.completion.chunk", "choices": choices, **fields})


def delta(index: int = 0, finish: str | None = None, **fields: Any) -> dict[str, Any]:
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
    ("choices null", b'{"choices":null}', SILENT),
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
        "finish that says error",
        chunk(delta(finish="error")),
        Piece(failure=Outcome.GENERATION_FAILED, message="the provider finished with error"),
    ),
]


@pytest.mark.parametrize(
    ("data", "piece"), [row[1:] for row in EVENTS], ids=[row[0] for row in EVENTS]
)
def test_an_event_means(data: bytes, piece: Piece) -> None:
    assert StreamReader("s").read(data)[0] == piece


def read(answer: object, endpoint: Endpoint = Endpoint.CHAT, *, fails: bool = False) -> Outcome:
    try:
        read_answer(orjson.dumps(answer), endpoint, filter_fails=fails)
    except AnswerFailed as failed:
        return failed.outcome
    return Outcome.OK


CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
ANSWERS: list[tuple[str, object, Outcome]] = [
    ("whole", {"choices": [CHOICE]}, Outcome.OK),
    ("no choices", {"id": "x"}, Outcome.PROTOCOL),
    ("empty choices", {"choices": []}, Outcome.PROTOCOL),
    ("choices null", {"choices": None}, Outcome.PROTOCOL),
    ("error", {"error": {"code": 429, "message": "slow"}}, Outcome.RATE_LIMIT),
    ("error beside choices", {"error": {"message": "?"}, "choices": []}, Outcome.SERVER_ERROR),
    ("a list", [{"error": {"status": "UNAVAILABLE"}}], Outcome.OVERLOADED),
    ("failed", {"choices": [{**CHOICE, "finish_reason": "error"}]}, Outcome.GENERATION_FAILED),
    ("filtered", {"choices": [{**CHOICE, "finish_reason": "content_filter"}]}, Outcome.OK),
]


@pytest.mark.parametrize(
    ("answer", "outcome"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS]
)
def test_a_200_may_be_no_answer(answer: object, outcome: Outcome) -> None:
    assert read(answer) is outcome


def test_a_refusal_by_policy_fails_where_it_is_to_fail_over() -> None:
    filtered = {"choices": [{**CHOICE, "finish_reason": "content_filter"}]}

    assert read(filtered, fails=True) is Outcome.CONTENT_FILTER


def test_an_embedding_has_data_instead_of_choices() -> None:
    assert read({"data": [{"embedding": [0.1]}]}, Endpoint.EMBEDDINGS) is Outcome.OK
    assert read({"choices": [CHOICE]}, Endpoint.EMBEDDINGS) is Outcome.PROTOCOL


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"choices":[{"index":0'], ids=repr)
def test_what_is_not_json_is_no_answer(body: bytes) -> None:
    with pytest.raises(AnswerFailed) as failed:
        read_answer(body, Endpoint.CHAT, filter_fails=False)

    assert failed.value.outcome is Outcome.PROTOCOL


def test_a_whole_answer_turns_into_a_stream_that_means_the_same() -> None:
    calls = [{"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"role": "assistant", "content": "Hi", "tool_calls": calls}
    answer = {
        "id": "x",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 1},
    }

    first, last = (orjson.loads(data) for data in as_stream(answer))

    assert first["object"] == "chat.completion.chunk"
    assert first["choices"][0]["delta"]["content"] == "Hi"
    assert first["choices"][0]["delta"]["tool_calls"] == [{"index": 0, **calls[0]}]
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]
    assert "usage" not in first
