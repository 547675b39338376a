"""What a healthy provider says, before it goes on any wire."""

from __future__ import annotations

import base64
import struct
from typing import Any

import orjson
import pytest

from sidecar.faults.answer import FILE, VECTOR, Answer, Scene
from sidecar.faults.changes import end_with, leave_out, usage_at_the_finish
from sidecar.faults.healthy import body_of, speech_of
from sidecar.faults.speech import DONE, Speech
from sidecar.faults.wire import Call

TOOLS = [{"type": "function", "function": {"name": "lookup"}}]


def scene(
    path: str = "/chat/completions",
    answer: Answer | None = None,
    method: str = "POST",
    body: bytes = b"",
    **asked: Any,
) -> Scene:
    call = Call(method=method, path=f"/v1{path}", json=asked or None, body=body)
    return Scene(name="gemini", call=call, answer=answer or Answer())


def told(asked: Scene) -> Any:
    return orjson.loads(body_of(asked)[0])


def text_of(speech: Speech) -> str:
    events = [event for event in speech.events if isinstance(event, dict)]
    choices = [choice for event in events for choice in event["choices"]]
    return "".join(
        choice.get("text") or choice.get("delta", {}).get("content", "") for choice in choices
    )


def test_the_default_answer_says_who_speaks() -> None:
    assert told(scene())["choices"][0]["message"]["content"] == "Hello from gemini."


def test_the_streamed_words_are_the_same_as_the_whole_answer() -> None:
    asked = scene(answer=Answer(words=60), model="m")

    assert text_of(speech_of(asked)) == told(asked)["choices"][0]["message"]["content"]


def test_as_many_words_as_asked_for_are_said() -> None:
    assert len(scene(answer=Answer(words=60)).pieces) == 60


def test_the_model_asked_for_is_the_one_that_answers() -> None:
    assert told(scene(model="some/model"))["model"] == "some/model"


def test_a_tool_is_called_only_where_the_answer_wants_it() -> None:
    assert "tool_calls" not in told(scene(tools=TOOLS))["choices"][0]["message"]


def test_a_tool_call_streams_the_arguments_that_it_has_as_a_whole() -> None:
    asked = scene(answer=Answer(calls_tool=True), tools=TOOLS)
    deltas = [
        event["choices"][0]["delta"]
        for event in speech_of(asked).words
        if not isinstance(event, bytes)
    ]
    streamed = "".join(delta["tool_calls"][0]["function"]["arguments"] for delta in deltas)

    call = told(asked)["choices"][0]["message"]["tool_calls"][0]

    assert orjson.loads(streamed) == orjson.loads(call["function"]["arguments"])


def test_a_tool_call_finishes_as_one() -> None:
    asked = scene(answer=Answer(calls_tool=True), tools=TOOLS)

    assert told(asked)["choices"][0]["finish_reason"] == "tool_calls"


def test_usage_is_streamed_only_where_it_was_asked_for() -> None:
    assert not speech_of(scene()).usage


def test_usage_comes_in_an_event_without_choices() -> None:
    (event,) = speech_of(scene(stream_options={"include_usage": True})).usage

    assert isinstance(event, dict)
    assert (event["choices"], event["usage"]["completion_tokens"]) == ([], 3)


def test_other_events_carry_a_null_where_usage_was_asked_for() -> None:
    (event,) = speech_of(scene(stream_options={"include_usage": True})).finish

    assert isinstance(event, dict)
    assert event["usage"] is None


def test_a_text_completion_streams_texts() -> None:
    speech = speech_of(scene("/completions", prompt="p"))

    assert text_of(speech) == "Hello from gemini."


@pytest.mark.parametrize(("asked", "count"), [("a", 1), (["a", "b"], 2)], ids=["one", "two"])
def test_every_input_has_its_embedding(asked: Any, count: int) -> None:
    assert len(told(scene("/embeddings", input=asked))["data"]) == count


def test_embeddings_in_base64_are_the_same_numbers() -> None:
    (entry,) = told(scene("/embeddings", input="a", encoding_format="base64"))["data"]

    assert struct.unpack("<4f", base64.b64decode(entry["embedding"])) == VECTOR


def test_a_file_is_bytes() -> None:
    assert body_of(scene("/files/f1/content", method="GET")) == (FILE, "application/octet-stream")


def test_any_other_path_tells_what_came_in() -> None:
    echo = told(scene("/audio/speech?x=1", body=b"abc"))

    assert (echo["path"], echo["size"], echo["sha256"][:8]) == (
        "/v1/audio/speech?x=1",
        3,
        "ba7816bf",
    )


def test_a_speech_cut_short_has_no_end() -> None:
    speech = end_with(2)(speech_of(scene()))

    assert (text_of(speech), DONE in speech.events) == ("Hello from", False)


def test_a_part_left_out_leaves_the_others() -> None:
    speech = speech_of(scene())

    assert leave_out("done")(speech).events == speech.events[:-1]


def test_usage_at_the_finish_is_in_the_event_with_the_finish_reason() -> None:
    (finish,) = usage_at_the_finish(speech_of(scene())).finish

    assert isinstance(finish, dict)
    assert finish["usage"]["completion_tokens"] == 3


# Going on


def begun(content: Any) -> list[Any]:
    return [{"role": "user", "content": "Go."}, {"role": "assistant", "content": content}]


@pytest.mark.parametrize(
    "content",
    ["Hello from", "Hello from ", [{"type": "text", "text": "Hello from"}]],
    ids=["a text", "a text that ends in white space", "parts"],
)
def test_what_was_begun_is_gone_on_with(content: Any) -> None:
    asked = scene(answer=Answer(goes_on=True), messages=begun(content))

    assert told(asked)["choices"][0]["message"]["content"] == " gemini."


@pytest.mark.parametrize(
    "messages",
    [begun("Good morning"), begun(""), begun("Hello")[:1], begun(None)],
    ids=["something else", "nothing", "the user's turn", "no content"],
)
def test_there_is_nothing_to_go_on_with(messages: list[Any]) -> None:
    asked = scene(answer=Answer(goes_on=True), messages=messages)

    assert told(asked)["choices"][0]["message"]["content"] == "Hello from gemini."


def test_nobody_goes_on_unasked() -> None:
    assert told(scene(messages=begun("Hello")))["choices"][0]["message"]["content"] == (
        "Hello from gemini."
    )


def test_all_was_said_already() -> None:
    asked = scene(answer=Answer(goes_on=True), messages=begun("Hello from gemini."))

    assert asked.pieces == []
