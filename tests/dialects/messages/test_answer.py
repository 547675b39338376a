"""Whole chat completions as messages."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.answer import AnswerFailed
from sidecar.dialects.dialect import Json
from tests.dialects.messages.answers import (
    COUNTED,
    THINKING,
    USAGE,
    call,
    checked,
    completion,
    heard,
    streamed,
    written,
)
from tests.dialects.messages.requests import TOOL, asked, chat

ZERO = {
    "input_tokens": 0,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 0,
}


def content(**message: Any) -> Any:
    return written(completion(**message))["content"]


def test_an_answer_is_a_message() -> None:
    assert written(completion(content="Hi.")) == {
        "id": "msg_s",
        "type": "message",
        "role": "assistant",
        "model": "m1",
        "content": [{"type": "text", "text": "Hi."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": ZERO,
    }


def test_an_id_of_anthropics_stays() -> None:
    assert written({**completion(content="Hi."), "id": "msg_9"})["id"] == "msg_9"


def test_a_tool_call_is_a_tool_use() -> None:
    assert content(content=None, tool_calls=[call('{"city":"Oslo"}', id="t1")]) == [
        {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Oslo"}}
    ]


def test_words_come_before_calls() -> None:
    kinds = [one["type"] for one in content(content="Let me see.", tool_calls=[call(), call()])]

    assert kinds == ["text", "tool_use", "tool_use"]


ARGUMENTS: list[tuple[str, Any, Json]] = [
    ("an object", '{"a": [1]}', {"a": [1]}),
    ("none", "", {}),
    ("blank", " \n", {}),
    ("no text", None, {}),
    ("cut off", '{"a": 1', {"_raw": '{"a": 1'}),
    ("no object", "[1]", {"_raw": "[1]"}),
    ("no JSON", "Oslo", {"_raw": "Oslo"}),
]


@pytest.mark.parametrize(
    ("arguments", "told"), [c[1:] for c in ARGUMENTS], ids=[c[0] for c in ARGUMENTS]
)
def test_arguments_are_an_object_in_any_case(arguments: object, told: Json) -> None:
    assert content(tool_calls=[call(arguments)])[0]["input"] == told


def test_ids_that_anthropic_would_refuse_are_replaced() -> None:
    one, other, none = content(tool_calls=[call(id="f:0"), call(id="f.0"), call()])

    assert one["id"].startswith("f_0_")
    assert one["id"] != other["id"]
    assert none["id"] == "toolu_s_2"


def test_a_tool_hears_its_own_name_even_if_it_had_to_be_shortened() -> None:
    name = "mcp__" + "a" * 100
    tools = [{**TOOL, "name": name}]
    function = chat(tools=tools)["tools"][0]["function"]["name"]
    told = {"id": "t1", "function": {"name": function, "arguments": ""}}

    message = written(completion(tool_calls=[told]), asked(tools=tools))

    assert message["content"][0]["name"] == name


STOPS: list[tuple[str, Json, str | None]] = [
    ("stop", completion("stop", content="Hi."), "end_turn"),
    ("length", completion("length", content="Hi."), "max_tokens"),
    ("length in a call", completion("length", tool_calls=[call("{")]), "max_tokens"),
    ("tool_calls", completion("tool_calls", tool_calls=[call()]), "tool_use"),
    ("stop after a call", completion("stop", tool_calls=[call()]), "tool_use"),
    ("tool_calls without any", completion("tool_calls", content="Hi."), "end_turn"),
    ("content_filter", completion("content_filter", content="Hi."), "refusal"),
    ("refusal", completion("stop", refusal="No."), "refusal"),
    ("an unknown word", completion("eos", content="Hi."), "end_turn"),
    ("none", completion(None, content="Hi."), None),
]


@pytest.mark.parametrize(("answer", "reason"), [c[1:] for c in STOPS], ids=[c[0] for c in STOPS])
def test_the_finish_is_the_stop_reason(answer: Json, reason: str | None) -> None:
    assert written(answer)["stop_reason"] == reason


def test_a_refusal_is_said() -> None:
    assert content(content=None, refusal="No.") == [{"type": "text", "text": "No."}]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_shown_to_who_asked_for_thinking(name: str) -> None:
    message = written(completion(content="Hi.", **{name: "Hm."}), THINKING)

    assert message["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": ""},
        {"type": "text", "text": "Hi."},
    ]


QUIET = [
    {"type": "disabled"},
    {"type": "between_tools"},
    {"type": "adaptive", "display": "omitted"},
    None,
]


@pytest.mark.parametrize("thinking", QUIET, ids=str)
def test_reasoning_is_hidden_from_all_others(thinking: object) -> None:
    message = written(completion(content="Hi.", reasoning="Hm."), asked(thinking=thinking))

    assert [block["type"] for block in message["content"]] == ["text"]


def test_cached_tokens_are_not_counted_as_input() -> None:
    assert written(completion(content="Hi.", usage=USAGE))["usage"] == COUNTED


def test_more_cached_tokens_than_there_are_leave_none() -> None:
    usage = {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 9}}

    assert written(completion(content="Hi.", usage=usage))["usage"]["input_tokens"] == 0


def test_an_answer_without_its_first_choice_is_none() -> None:
    answer = {"choices": [{"index": 1, "message": {"content": "Hi."}, "finish_reason": "stop"}]}

    with pytest.raises(AnswerFailed):
        written(answer)


def test_what_is_nested_too_deep_is_no_answer() -> None:
    deep = call('{"a":' + "[" * 1000 + "]" * 1000 + "}")

    with pytest.raises(AnswerFailed):
        written(completion(tool_calls=[deep]))
    with pytest.raises(AnswerFailed):
        streamed(completion(tool_calls=[deep]))


# The same as a stream


def test_a_whole_answer_may_be_streamed() -> None:
    answer = completion(
        content="Hi.",
        reasoning="Hm.",
        tool_calls=[call('{"city":"Oslo"}', id="t1"), call("Oslo", id="t2"), call(id="t3")],
        usage=USAGE,
    )

    assert heard(streamed(answer, THINKING)) == checked(written(answer, THINKING))


def test_an_answer_without_a_finish_is_no_stream() -> None:
    with pytest.raises(AnswerFailed):
        streamed(completion(None, content="Hi."))
