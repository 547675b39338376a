"""Whole answers that clients choke on, mended."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given

from sidecar.dialects.tidy_whole import tidy_whole
from tests.dialects.test_anything import CHUNKS, as_json

Json = dict[str, Any]
CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


def answer(choice: object, **fields: Any) -> Json:
    return {"object": "chat.completion", "choices": [choice], "usage": USAGE, **fields}


def saying(message: object, finish: object = "stop", **fields: Any) -> Json:
    return {"index": 0, "message": message, "finish_reason": finish, **fields}


def tidied(given: Json) -> Json:
    tidy_whole(given, "s1")
    return given


def choice_of(choice: object) -> Json:
    choices: list[Json] = tidied(answer(choice))["choices"]
    return choices[0]


def calls_of(*calls: object) -> list[Json]:
    message = choice_of(saying({"role": "assistant", "tool_calls": [*calls]}))["message"]
    found: list[Json] = message["tool_calls"]
    return found


CLEAN: list[tuple[str, Json]] = [
    ("text", answer(saying({"role": "assistant", "content": "Hi", "tool_calls": None}))),
    ("calls", answer(saying({"role": "assistant", "tool_calls": [CALL]}, "tool_calls"))),
    ("cut short", answer(saying({"role": "assistant", "tool_calls": [CALL]}, "length"))),
    ("unfinished", answer(saying({"role": "assistant", "content": "Hi"}, None))),
    ("nothing at all", answer({"index": 0})),
    ("unknown fields", answer(saying({"role": "assistant", "extra_content": {}, "x": [1]}))),
    ("no usage", {"object": "chat.completion", "choices": []}),
]


@pytest.mark.parametrize("given", [row[1] for row in CLEAN], ids=[row[0] for row in CLEAN])
def test_a_clean_answer_is_left_alone(given: Json) -> None:
    before = orjson.dumps(given)

    assert (tidy_whole(given, "s1"), orjson.dumps(given)) == (False, before)


@pytest.mark.parametrize("name", [None, "", "chat.completions"], ids=repr)
def test_an_answer_is_called_by_its_name(name: object) -> None:
    assert tidied({"object": name})["object"] == "chat.completion"


@pytest.mark.parametrize("role", [None, ""], ids=repr)
def test_a_missing_role_is_the_assistants(role: object) -> None:
    assert choice_of(saying({"role": role}))["message"]["role"] == "assistant"


def test_content_in_parts_becomes_text_and_reasoning() -> None:
    parts = [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}]

    message = choice_of(saying({"role": "assistant", "content": parts}))["message"]

    assert (message["content"], message["reasoning_content"]) == ("Hi", "Hm")


@pytest.mark.parametrize("name", [None, "", 7], ids=repr)
def test_a_call_without_an_id_gets_one(name: object) -> None:
    assert calls_of(CALL | {"id": name})[0]["id"] == "call_s1_0"


def test_two_calls_never_share_an_id() -> None:
    assert [one["id"] for one in calls_of({**CALL}, {**CALL})] == ["t1", "call_s1_1"]


def test_a_call_without_a_type_calls_a_function() -> None:
    assert calls_of(CALL | {"type": None})[0]["type"] == "function"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [({"a": 1}, '{"a":1}'), ({}, "{}"), ([], "[]"), (None, "{}"), ("", "{}"), ('{"a"', '{"a"')],
    ids=repr,
)
def test_arguments_are_json_as_text(arguments: object, text: str) -> None:
    function = {"name": "f", "arguments": arguments}

    assert calls_of(CALL | {"function": function})[0]["function"]["arguments"] == text


def test_what_is_no_call_is_taken_out() -> None:
    assert [one["id"] for one in calls_of(None, {**CALL}, "x")] == ["t1"]


def test_calls_that_are_no_list_are_none() -> None:
    message = {"role": "assistant", "tool_calls": {"id": "t1"}}

    assert choice_of(saying(message))["message"]["tool_calls"] is None


def test_an_answer_that_called_a_tool_finishes_so() -> None:
    message = {"role": "assistant", "tool_calls": [{**CALL}]}

    assert choice_of(saying(message, "stop"))["finish_reason"] == "tool_calls"


def test_a_missing_index_is_the_place() -> None:
    given: Json = {"choices": [{}, None, {"index": "1"}]}

    assert tidied(given)["choices"] == [{"index": 0}, {"index": 1}]


@pytest.mark.parametrize("message", [None, "x", []], ids=repr)
def test_a_choice_that_ended_without_a_word_has_an_empty_message(message: object) -> None:
    choice = choice_of(saying(message, "content_filter"))

    assert choice["message"] == {"role": "assistant", "content": None}


def test_token_counts_are_made_to_add_up() -> None:
    given = answer(saying(None), usage={"prompt_tokens": 12, "total_tokens": 109})

    assert tidied(given)["usage"]["completion_tokens"] == 97


def test_arguments_that_nobody_can_write_stay() -> None:
    deep = orjson.loads(b"[" * 1000 + b"]" * 1000)

    found = calls_of({"function": {"arguments": deep}})[0]["function"]["arguments"]

    assert found is deep


@given(CHUNKS.filter(lambda answer: isinstance(answer, dict)))
def test_any_answer_is_tidied_in_one_go(given: Json) -> None:
    tidy_whole(given, "s1")
    before = as_json(given)

    assert (tidy_whole(given, "s2"), as_json(given)) == (False, before)
