"""Whole chat answers as a Response."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai.types.responses import Response

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome
from sidecar.dialects.dialect import Answered, Json
from tests.dialects.responses.sdk import (
    USAGE,
    application,
    completion,
    events_of,
    last_of,
    put_together,
    types_of,
    whole,
)

CALL = {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
MESSAGE = {"content": "Hi", "reasoning_content": "Hm", "tool_calls": [CALL]}


def test_text_is_a_message() -> None:
    (item,) = whole(application(), {"content": "Hi"})["output"]

    assert (item["type"], item["role"], item["status"]) == ("message", "assistant", "completed")
    assert item["content"] == [
        {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}
    ]


def test_reasoning_comes_first_and_tool_calls_last() -> None:
    output = whole(application(), MESSAGE, "tool_calls")["output"]

    assert [item["type"] for item in output] == ["reasoning", "message", "function_call"]
    assert output[0]["summary"] == [{"type": "summary_text", "text": "Hm"}]
    assert (output[2]["call_id"], output[2]["name"]) == ("t1", "weather")


def test_a_refusal_is_a_part_of_the_message() -> None:
    (item,) = whole(application(), {"content": None, "refusal": "No."})["output"]

    assert item["content"] == [{"type": "refusal", "refusal": "No."}]


def test_a_call_without_an_id_gets_one() -> None:
    called = {"type": "function", "function": {"name": "weather", "arguments": "{}"}}
    (item,) = whole(application(), {"content": None, "tool_calls": [called]})["output"]

    assert item["call_id"].startswith("call_")


def test_a_call_of_a_custom_tool_is_plain_text() -> None:
    called = {"id": "t1", "function": {"name": "run", "arguments": '{"input":"ls"}'}}
    said = application(tools=[{"type": "custom", "name": "run"}])

    (item,) = whole(said, {"content": None, "tool_calls": [called]})["output"]

    assert (item["type"], item["call_id"], item["input"]) == ("custom_tool_call", "t1", "ls")


def test_usage_is_told_in_detail() -> None:
    assert whole(application(), MESSAGE, usage=USAGE)["usage"] == {
        "input_tokens": 5,
        "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 12,
    }


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "5"}, 5], ids=repr)
def test_usage_that_is_none_is_not_made_up(usage: object) -> None:
    assert whole(application(), MESSAGE, usage=usage)["usage"] is None


@pytest.mark.parametrize(
    ("finish", "status", "details"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("some_day", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_how_it_ended_is_its_status(finish: str, status: str, details: Json | None) -> None:
    response = whole(application(), {"content": "Hi"}, finish)

    assert (response["status"], response["incomplete_details"]) == (status, details)
    assert response["output"][0]["status"] == status


def test_everything_that_clients_count_on_is_there() -> None:
    response = whole(application(), {"content": "Hi"})

    assert response | FIXED == response
    assert Response.model_validate(response).output_text == "Hi"


FIXED: Json = {
    "object": "response",
    "id": "resp_gemini_s1",
    "created_at": 1700,
    "model": "gemini-3",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "reasoning": {"effort": None, "summary": None},
    "store": False,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "usage": None,
}

TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": True}
ASKED: list[tuple[str, object]] = [
    ("instructions", "Be brief."),
    ("max_output_tokens", 9),
    ("metadata", {"a": "b"}),
    ("parallel_tool_calls", False),
    ("temperature", 0.5),
    ("tool_choice", "required"),
    ("tools", [TOOL]),
    ("top_p", 0.5),
]


@pytest.mark.parametrize(("name", "value"), ASKED, ids=[row[0] for row in ASKED])
def test_what_was_asked_for_is_said_again(name: str, value: object) -> None:
    assert whole(application(**{name: value}), {"content": "Hi"})[name] == value


def test_that_nothing_is_kept_is_said_to_who_wanted_it_kept() -> None:
    response = whole(application(store=True, truncation="auto"), {"content": "Hi"})

    assert (response["store"], response["truncation"]) == (False, "disabled")


def test_a_format_is_said_again_beside_the_defaults() -> None:
    text = {"verbosity": "low"}

    response = whole(application(text=text, reasoning={"effort": "low"}), {"content": "Hi"})

    assert response["text"] == {"format": {"type": "text"}, "verbosity": "low"}
    assert response["reasoning"] == {"effort": "low", "summary": None}


DEEP = orjson.loads(b"[" * 300 + b"]" * 300)


def test_what_is_nested_too_deep_is_not_said_again() -> None:
    assert whole(application(metadata={"a": DEEP}), {"content": "Hi"})["metadata"] == {}


def test_ids_are_the_same_whenever_they_are_made() -> None:
    assert whole(application(), MESSAGE) == whole(application(), MESSAGE)


def test_ids_of_items_are_such_as_openai_takes_back() -> None:
    for item in whole(application(), MESSAGE)["output"]:
        assert len(item["id"]) <= 64
        assert item["id"].replace("_", "").isalnum()


def test_a_whole_answer_is_a_stream_of_the_same() -> None:
    answered = completion(MESSAGE, "tool_calls", usage=USAGE)
    response = orjson.loads(application().write_answer(answered))

    stream = application().write_stream(answered)

    assert last_of(stream) == response
    assert put_together(stream) == response["output"]
    assert types_of(stream)[:2] == ["created", "in_progress"]


def test_every_event_of_a_stream_is_about_the_same_response() -> None:
    stream = application().write_stream(completion(MESSAGE))

    ids = {event["response"]["id"] for event in events_of(stream) if "response" in event}
    assert ids == {"resp_gemini_s1"}


ANSWERS: list[tuple[str, Any]] = [
    ("no choices", {}),
    ("choices null", {"choices": None}),
    ("choices of text", {"choices": ["x"]}),
    ("only another choice", {"choices": [{"index": 1, "finish_reason": "stop"}]}),
    ("not finished", {"choices": [{"index": 0, "message": {"content": "Hi"}}]}),
]


@pytest.mark.parametrize("answer", [row[1] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_what_is_no_answer_fails(answer: Json) -> None:
    with pytest.raises(AnswerFailed) as whole_failed:
        application().write_answer(Answered(answer=answer))
    with pytest.raises(AnswerFailed) as stream_failed:
        application().write_stream(Answered(answer=answer))

    outcomes = {whole_failed.value.outcome, stream_failed.value.outcome}
    assert outcomes == {Outcome.PROTOCOL}
