"""Chunks put together are what the provider would have answered at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.answer import AnswerFailed
from sidecar.core.events import Usage
from sidecar.core.outcome import Endpoint, Outcome
from sidecar.core.sse import Parser, encode
from sidecar.dialects.dialect import Answered, Json, Reading, loads
from sidecar.dialects.memory import Memory
from sidecar.dialects.openai import SILENT
from sidecar.dialects.openai_application import ChatApplication
from sidecar.dialects.openai_side import OpenAISide
from sidecar.dialects.openai_whole import as_stream
from sidecar.faults.answer import Answer
from tests.dialects.anthropic.wire import accumulated, comparable
from tests.dialects.any_completion import Told, told_completions, told_texts
from tests.dialects.assembled import ANSWERS, put_together, scripted, stream_of
from tests.dialects.targets import target
from tests.dialects.test_anything import STREAMS

HEAD: Json = {"id": "c1", "object": "chat.completion.chunk", "created": 7, "model": "m"}
USAGE: Json = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
ENDPOINTS = [(Endpoint.CHAT, "/chat/completions"), (Endpoint.COMPLETIONS, "/completions")]


def side(endpoint: Endpoint = Endpoint.CHAT, kind: str = "openai", **fields: Any) -> OpenAISide:
    return OpenAISide(endpoint, {"model": "m", "messages": []}, target(kind, **fields))


def delta(finish: str | None = None, *, index: int = 0, **said: Any) -> Json:
    return {**HEAD, "choices": [{"index": index, "delta": said, "finish_reason": finish}]}


def answered(*chunks: Json, choices: int = 1) -> Answered:
    return put_together(side(), stream_of(chunks), choices)


def choice_of(*chunks: Json) -> Json:
    (choice,) = answered(*chunks).answer["choices"]
    assert isinstance(choice, dict)
    return choice


def message_of(*deltas: Json) -> Json:
    message = choice_of(*[delta(**one) for one in deltas], delta("stop"))["message"]
    assert isinstance(message, dict)
    return message


def test_words_become_a_message() -> None:
    said = answered(
        delta(role="assistant", content=""),
        delta(content="Hi"),
        delta(content="!"),
        delta("stop"),
        {**HEAD, "choices": [], "usage": USAGE},
    )

    message = {"role": "assistant", "content": "Hi!", "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    whole = {**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}
    assert said.answer == whole
    assert orjson.loads(said.raw) == whole
    assert (said.usage, said.filtered, said.empty) == (Usage(5, 7), False, False)


def test_an_answer_that_nobody_counted_has_no_usage() -> None:
    assert "usage" not in answered({**delta(content="Hi"), "usage": None}, delta("stop")).answer


CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": ""}}
SPEECHLESS: list[tuple[str, Json]] = [
    ("a tool call", {"tool_calls": [{"index": 0, **CALL}]}),
    ("a function call", {"function_call": {"name": "f", "arguments": "{}"}}),
    ("a refusal", {"refusal": "No."}),
    ("sound", {"audio": {"id": "a", "data": "QQ=="}}),
]


@pytest.mark.parametrize("said", [row[1] for row in SPEECHLESS], ids=[row[0] for row in SPEECHLESS])
def test_empty_text_beside_something_else_is_none(said: Json) -> None:
    assert message_of({"content": ""}, said)["content"] is None


@pytest.mark.parametrize("said", [row[1] for row in SPEECHLESS], ids=[row[0] for row in SPEECHLESS])
def test_text_beside_something_else_stays(said: Json) -> None:
    assert message_of({"content": "Hi"}, said)["content"] == "Hi"


def test_empty_text_alone_stays() -> None:
    assert message_of({"content": ""}, {"reasoning_content": "Hm"})["content"] == ""


def test_an_empty_refusal_is_none() -> None:
    assert message_of({"content": "Hi", "refusal": ""})["refusal"] is None


def test_pieces_of_calls_find_their_calls() -> None:
    said = choice_of(
        delta(tool_calls=[{"index": 0, **CALL}]),
        delta(tool_calls=[{"index": 1, **CALL, "id": "t2"}]),
        delta(tool_calls=[{"index": 1, "function": {"arguments": '{"b"'}}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": '{"a":1}'}}]),
        delta("tool_calls", tool_calls=[{"index": 1, "function": {"arguments": ":2}"}}]),
    )

    one, other = said["message"]["tool_calls"]
    assert one == {**CALL, "function": {"name": "f", "arguments": '{"a":1}'}}
    assert other == {**CALL, "id": "t2", "function": {"name": "f", "arguments": '{"b":2}'}}
    assert said["finish_reason"] == "tool_calls"


def test_choices_are_in_order() -> None:
    said = answered(
        *(delta(content=text, index=index) for index, text in ((1, "b"), (0, "a"), (1, "!"))),
        *(delta("stop", index=index) for index in (1, 0)),
        choices=2,
    )

    told = [(one["index"], one["message"]["content"]) for one in said.answer["choices"]]
    assert told == [(0, "a"), (1, "b!")]


def test_the_head_of_the_first_chunk_may_be_empty() -> None:
    filters = {**HEAD, "id": "", "model": "", "choices": [], "prompt_filter_results": [1]}

    said = answered(filters, delta(content="Hi"), delta("stop")).answer

    assert (said["id"], said["model"], said["prompt_filter_results"]) == ("c1", "m", [1])


@pytest.mark.parametrize("value", [None, ""], ids=repr)
def test_what_was_said_once_stays_said(value: object) -> None:
    last = {**delta("stop"), "service_tier": value}

    said = answered({**delta(content="Hi"), "service_tier": "flex"}, last).answer

    assert said["service_tier"] == "flex"


def test_tokens_that_were_counted_stay_counted() -> None:
    assembler = side().assembler()

    for chunk in ({**HEAD, "choices": [], "usage": USAGE}, {**delta("stop"), "usage": None}):
        assembler.add(Reading(SILENT, (chunk,)))

    assert assembler.answered().usage == Usage(5, 7)


@pytest.mark.parametrize("name", ["obfuscation", "p"])
def test_what_pads_a_chunk_is_no_part_of_the_answer(name: str) -> None:
    assert name not in answered({**delta(content="Hi"), name: "xK3"}, delta("stop")).answer


def test_what_a_provider_said_so_far_is_not_said_again() -> None:
    chunk = delta(content="Hi")
    chunk["choices"][0]["message"] = {"role": "assistant", "content": "Hi so far"}

    assert choice_of(chunk, delta("stop"))["message"]["content"] == "Hi"


def test_filters_say_more_as_they_go() -> None:
    chunks = [delta(content="Hi"), delta(content="!"), delta("stop")]
    results: list[Json] = [{"hate": {"filtered": False}}, {"code": {"filtered": False}}, {}]
    for chunk, result in zip(chunks, results, strict=True):
        chunk["choices"][0]["content_filter_results"] = result

    assert choice_of(*chunks)["content_filter_results"] == {**results[0], **results[1]}


def test_an_answer_is_tidied_as_one_that_came_whole() -> None:
    call = {"index": 0, "function": {"name": "f"}}

    said = choice_of(
        delta(content=[{"type": "text", "text": "Hi"}], tool_calls=[call]), delta("stop")
    )

    (told,) = said["message"]["tool_calls"]
    assert told == {**CALL, "id": "call_s1_0", "function": {"name": "f", "arguments": "{}"}}
    assert (said["message"]["content"], said["finish_reason"]) == ("Hi", "tool_calls")


def test_a_call_that_was_cut_short_has_arguments() -> None:
    said = choice_of(delta(tool_calls=[{"index": 0, **CALL}]), delta("length"))

    assert said["message"]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_an_answer_that_policy_refused_is_filtered() -> None:
    assert answered(delta(content="Hi"), delta("content_filter")).filtered


def test_an_answer_that_says_nothing_is_empty() -> None:
    said = side()
    assembler, reader = said.assembler(), said.reader()
    free = {**USAGE, "completion_tokens": 0, "total_tokens": 5}

    for event in Parser(1000).feed(stream_of(({**delta("stop", content=""), "usage": free},))):
        assembler.add(reader.read(event))
    assembler.add(Reading(SILENT, reader.end()))

    assert assembler.answered().empty


def test_what_says_nothing_at_all_is_no_answer() -> None:
    with pytest.raises(AnswerFailed) as failed:
        side().assembler().answered()

    assert failed.value.outcome is Outcome.PROTOCOL


def test_what_is_nested_too_deep_is_no_answer() -> None:
    nested = b'{"choices":[{"index":0,"delta":{"content":"Hi","x":%b}}]}'
    stream = encode(nested % (b"[" * 990 + b"]" * 990)) + stream_of((delta("stop"),))

    with pytest.raises(AnswerFailed) as failed:
        put_together(side(), stream)

    assert failed.value.outcome is Outcome.PROTOCOL


def test_halves_of_letters_come_together() -> None:
    said = answered(delta(content="\ud83d"), delta(content="\ude00"), delta("stop"))

    assert loads(said.raw)["choices"][0]["message"]["content"] == "😀"


def test_a_long_answer_is_put_together() -> None:
    call: Json = {"tool_calls": [{"index": 0, "function": {"arguments": "1,"}}]}
    chunks = [delta(tool_calls=[{"index": 0, **CALL}])]
    for _ in range(10_000):
        chunks += [delta(content="a "), delta(**call)]

    message = choice_of(*chunks, delta("tool_calls"))["message"]

    assert message["content"] == "a " * 10_000
    assert message["tool_calls"][0]["function"]["arguments"] == "1," * 10_000


def test_thoughts_are_remembered_once() -> None:
    memory = Memory()
    call: Json = {"tool_calls": [{"index": 0, **CALL}]}
    chunks = [delta(reasoning_content="Hm"), delta(**call), delta("tool_calls")]

    put_together(side(kind="deepseek", memory=memory), stream_of(chunks))

    assert memory.recall("deepseek", "t1") == b"Hm"


@pytest.mark.parametrize(("endpoint", "path"), ENDPOINTS, ids=[str(row[0]) for row in ENDPOINTS])
@pytest.mark.parametrize("answer", [row[1] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_a_scripted_stream_is_the_scripted_answer(
    endpoint: Endpoint, path: str, answer: Answer
) -> None:
    body, stream = scripted(path, answer)
    application = ChatApplication(endpoint, wants_usage=False)

    said = put_together(side(endpoint), stream)

    assert orjson.loads(application.write_answer(said)) == orjson.loads(body)


def same(told: Answered, whole: Answered) -> bool:
    """Whether two answers mean the same. Their bytes may differ in the order of what they say."""
    assert told.answer == whole.answer
    assert loads(told.raw) == whole.answer
    return told._replace(raw=b"") == whole._replace(raw=b"")


@given(told_completions())
def test_a_stream_cut_anywhere_is_the_whole_answer(told: Told) -> None:
    whole = side().read_answer(told.body)

    assert same(put_together(side(), told.stream, told.choices), whole)


@given(told_completions())
def test_an_answer_made_a_stream_becomes_itself_again(told: Told) -> None:
    whole = side().read_answer(told.body)
    stream = stream_of(as_stream(loads(told.body), Endpoint.CHAT))

    assert same(put_together(side(), stream, told.choices), whole)


MAKERS: list[Callable[[Told], bytes]] = [
    lambda told: told.stream,
    lambda told: stream_of(as_stream(told.whole, Endpoint.COMPLETIONS)),
]


@pytest.mark.parametrize("stream_of_told", MAKERS, ids=["cut", "made"])
@given(told=told_texts())
def test_the_stream_of_a_completion_is_the_completion(
    stream_of_told: Callable[[Told], bytes], told: Told
) -> None:
    whole = side(Endpoint.COMPLETIONS).read_answer(told.body)

    assert same(put_together(side(Endpoint.COMPLETIONS), stream_of_told(told)), whole)


@given(told_completions(most=1))
def test_openais_client_hears_the_same(told: Told) -> None:
    for chunk in told.chunks:  # of these it makes something else
        for choice in chunk["choices"]:
            for name in ("annotations", "reasoning_details", "audio"):
                choice["delta"].pop(name, None)

    said = put_together(side(), told.stream)

    assert heard(accumulated(told.chunks)) == heard(comparable(said.answer))


def heard(said: Json) -> Json:
    return {name: said[name] for name in ("content", "refusal", "calls", "finish_reason", "usage")}


@given(STREAMS, st.sampled_from((Endpoint.CHAT, Endpoint.COMPLETIONS)))
def test_any_stream_of_json_is_an_answer_or_fails(chunks: list[object], endpoint: Endpoint) -> None:
    try:
        said = put_together(side(endpoint), stream_of(chunks))
    except AnswerFailed:
        return
    assert isinstance(loads(said.raw)["choices"], list)
