"""Anthropic's whole messages as chat completions."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai.types.chat import ChatCompletion

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome
from sidecar.dialects.anthropic.answer import FINISHES, parse_message, read_message
from sidecar.dialects.dialect import Json
from sidecar.dialects.memory import ENTRY_BYTES, Memory
from tests.dialects.anthropic.wire import (
    HI,
    LOOK_UP,
    MESSAGE,
    REDACTED,
    SEARCH,
    THOUGHT,
    deep,
    message,
    target,
)


def read(said: Json, answer_tool: str = "", **names: str) -> Json:
    return read_message(said, names, answer_tool, target())


def told(*blocks: Json, **fields: Any) -> Json:
    """The message of the completion that these blocks make."""
    answer: Json = read(message(*blocks, **fields))["choices"][0]["message"]
    return answer


def call(arguments: str, call_id: str = "toolu_1", name: str = "look_up") -> Json:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


def finish(*blocks: Json, reason: str) -> object:
    return read(message(*blocks, stop_reason=reason))["choices"][0]["finish_reason"]


def usage(**counts: Any) -> Any:
    return read(message(HI, usage=counts)).get("usage")


def test_a_message_is_a_whole_chat_completion() -> None:
    assert read(message(HI)) == {
        "id": "msg_1",
        "object": "chat.completion",
        "created": 7,
        "model": "claude-haiku-5-5",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "refusal": None},
                "finish_reason": "stop",
                "logprobs": None,
            }
        ],
        "usage": {
            "prompt_tokens": 43,
            "completion_tokens": 7,
            "total_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        },
    }


def test_the_openai_client_takes_every_member() -> None:
    said = message(THOUGHT, HI, LOOK_UP, stop_reason="tool_use")

    assert ChatCompletion.model_validate(read(said), strict=True).choices[0].message.tool_calls


def test_without_id_and_model_the_call_lends_its_own() -> None:
    answer = read(message(HI, id=None, model=5))

    assert (answer["id"], answer["model"]) == ("chatcmpl-s", "claude-haiku-5-5")


def test_texts_are_one_content() -> None:
    assert told(HI, {"type": "text", "text": " there", "citations": [{}]})["content"] == "Hi there"


def test_tool_calls_alone_have_no_content() -> None:
    assert told(LOOK_UP)["content"] is None


def test_a_tool_use_is_a_tool_call() -> None:
    assert told(LOOK_UP)["tool_calls"] == [call('{"q":"cats"}')]


def test_parallel_tools_keep_their_order() -> None:
    second = {**LOOK_UP, "id": "toolu_2", "input": {"q": "dogs"}}

    assert told(LOOK_UP, HI, second)["tool_calls"] == [
        call('{"q":"cats"}'),
        call('{"q":"dogs"}', "toolu_2"),
    ]


def test_a_tool_without_input_is_called_with_an_empty_object() -> None:
    assert told({**LOOK_UP, "input": {}})["tool_calls"] == [call("{}")]


def test_a_tool_gets_its_own_name_back() -> None:
    answer = read(message(LOOK_UP), look_up="look.up")

    assert answer["choices"][0]["message"]["tool_calls"] == [call('{"q":"cats"}', name="look.up")]


def test_a_call_without_id_gets_one() -> None:
    assert told({**LOOK_UP, "id": ""})["tool_calls"][0]["id"] == "call_s_0"


def test_thinking_is_reasoning() -> None:
    assert told(THOUGHT, HI)["reasoning_content"] == "Hm."


@pytest.mark.parametrize(
    "block",
    [
        REDACTED,
        SEARCH,
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}},
        {"type": "container_upload", "file_id": "f"},
        {"type": "news", "text": "unheard of"},
        {"type": ["list"]},
        {},
        "text",
        None,
    ],
    ids=str,
)
def test_a_block_says_nothing(block: Any) -> None:
    assert told(block, HI) == {"role": "assistant", "content": "Hi", "refusal": None}


@pytest.mark.parametrize(
    ("reason", "finished"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("compaction", "stop"),
        ("unheard_of", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
    ],
)
def test_a_stop_reason_is_a_finish_reason(reason: str, finished: str) -> None:
    assert finish(HI, reason=reason) == finished


def test_every_finish_reason_is_one_of_openai() -> None:
    assert set(FINISHES.values()) <= {"stop", "length", "tool_calls", "content_filter"}


def test_tool_use_finishes_with_tool_calls() -> None:
    assert finish(LOOK_UP, reason="tool_use") == "tool_calls"


def test_a_call_is_not_hidden_by_another_stop_reason() -> None:
    assert finish(LOOK_UP, reason="end_turn") == "tool_calls"


def test_tool_use_without_a_call_does_not_promise_one() -> None:
    assert finish(HI, reason="tool_use") == "stop"


def test_a_cut_off_call_is_cut_off() -> None:
    assert finish(LOOK_UP, reason="max_tokens") == "length"


def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "No."}

    assert told(stop_reason="refusal", stop_details=details)["refusal"] == "No."


@pytest.mark.parametrize("details", [None, {}, {"explanation": None}, [], {"explanation": 5}])
def test_a_refusal_may_say_nothing(details: object) -> None:
    assert told(stop_reason="refusal", stop_details=details)["refusal"] is None


def test_only_a_refusal_refuses() -> None:
    assert told(HI, stop_details={"explanation": "No."})["refusal"] is None


def test_the_answer_tool_is_the_answer() -> None:
    choice = read(message(LOOK_UP, stop_reason="tool_use"), "look_up")["choices"][0]

    assert choice["message"] == {"role": "assistant", "content": '{"q":"cats"}', "refusal": None}
    assert choice["finish_reason"] == "stop"


def test_beside_the_answer_tool_others_are_called() -> None:
    other = {**LOOK_UP, "name": "other"}
    choice = read(message(LOOK_UP, other, stop_reason="tool_use"), "look_up")["choices"][0]

    assert choice["message"]["content"] == '{"q":"cats"}'
    assert choice["message"]["tool_calls"] == [call('{"q":"cats"}', name="other")]
    assert choice["finish_reason"] == "tool_calls"


def test_cached_input_is_input() -> None:
    counted = usage(
        input_tokens=1,
        output_tokens=8,
        cache_creation_input_tokens=2,
        cache_read_input_tokens=4,
    )

    assert counted == {
        "prompt_tokens": 7,
        "completion_tokens": 8,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    }


def test_thinking_is_a_part_of_the_output() -> None:
    counted = usage(input_tokens=1, output_tokens=8, output_tokens_details={"thinking_tokens": 5})

    assert counted["completion_tokens"] == 8
    assert counted["completion_tokens_details"] == {"reasoning_tokens": 5}


def test_iterations_are_summed() -> None:
    run = {"type": "message", "input_tokens": 10, "output_tokens": 3, "cache_read_input_tokens": 4}
    compaction = {"type": "compaction", "input_tokens": 100, "output_tokens": 20}
    counted = usage(input_tokens=10, output_tokens=3, iterations=[compaction, run])

    assert (counted["prompt_tokens"], counted["completion_tokens"]) == (114, 23)
    assert counted["prompt_tokens_details"]["cached_tokens"] == 4


@pytest.mark.parametrize("iterations", [None, [], "many", [None]], ids=str)
def test_without_iterations_the_totals_count(iterations: object) -> None:
    assert usage(input_tokens=1, output_tokens=2, iterations=iterations)["total_tokens"] == 3


@pytest.mark.parametrize(
    "counts",
    [{}, {"input_tokens": -1}, {"input_tokens": "5"}, {"output_tokens": 5}, {"input_tokens": True}],
    ids=str,
)
def test_no_count_to_trust_is_none(counts: Json) -> None:
    assert usage(**counts) is None


def test_a_message_without_usage_has_none() -> None:
    assert "usage" not in read(message(HI, usage=None))


def kept(*blocks: Json, answer_tool: str = "") -> Any:
    """What is remembered of an answer for its first call."""
    memory = Memory()
    read_message(message(*blocks), {}, answer_tool, target(memory))
    value = memory.recall("anthropic", "toolu_1")
    return value and orjson.loads(value)


def test_signed_thoughts_are_kept_for_the_first_call() -> None:
    assert kept(THOUGHT, REDACTED, LOOK_UP, {**LOOK_UP, "id": "toolu_2"}) == [THOUGHT, REDACTED]


@pytest.mark.parametrize(
    "blocks",
    [
        (THOUGHT, HI),
        (LOOK_UP,),
        ({**THOUGHT, "signature": ""}, LOOK_UP),
        ({"type": "redacted_thinking"}, LOOK_UP),
        ({**THOUGHT, "thinking": "x" * ENTRY_BYTES}, LOOK_UP),
    ],
    ids=["no call", "no thought", "unsigned", "nothing redacted", "too long"],
)
def test_no_thoughts_are_kept(blocks: tuple[Json, ...]) -> None:
    assert kept(*blocks) is None


def test_the_answer_tool_is_no_call_that_thoughts_are_kept_for() -> None:
    assert kept(THOUGHT, LOOK_UP, answer_tool="look_up") is None


def failure(body: bytes) -> AnswerFailed:
    with pytest.raises(AnswerFailed) as failed:
        parse_message(body)
    return failed.value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b"5",
        orjson.dumps({**MESSAGE, "content": "Hi"}),
        orjson.dumps({**MESSAGE, "content": None}),
        orjson.dumps({**MESSAGE, "stop_reason": None}),
    ],
    ids=[
        *("nothing", "HTML", "list", "empty", "number", "text for content", "no content"),
        "not finished",
    ],
)
def test_what_is_no_message_is_not_read(body: bytes) -> None:
    assert failure(body).outcome is Outcome.PROTOCOL


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("overloaded_error", Outcome.OVERLOADED),
        ("rate_limit_error", Outcome.RATE_LIMIT),
        ("api_error", Outcome.SERVER_ERROR),
    ],
)
def test_an_error_with_200_is_what_it_says(kind: str, outcome: Outcome) -> None:
    failed = failure(orjson.dumps({"type": "error", "error": {"type": kind, "message": "No."}}))

    assert (failed.outcome, failed.message) == (outcome, "No.")


def test_an_input_nested_too_deep_is_no_answer() -> None:
    with pytest.raises(AnswerFailed):
        read(message({**LOOK_UP, "input": deep()}))
