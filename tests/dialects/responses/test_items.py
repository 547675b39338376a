"""Input items as the messages of a chat."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.dialects.dialect import Json, Untranslatable
from sidecar.dialects.responses.items import to_messages
from tests.dialects.responses.sdk import chat

USER = {"role": "user", "content": "Hi"}


def messages(*items: Json) -> list[Json]:
    """What the items are in a chat, without the user's first words."""
    first, *others = list[Json](chat(input=[USER, *items])["messages"])
    assert first == USER
    return others


def output_text(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": []}


def said(*parts: Json) -> Json:
    """An assistant's message as the Responses API gives it out."""
    head = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
    return {**head, "content": list(parts)}


def called(call_id: str, name: str = "weather", arguments: str = "{}") -> Json:
    head = {"type": "function_call", "id": f"fc_{call_id}", "status": "completed"}
    return {**head, "call_id": call_id, "name": name, "arguments": arguments}


def answered(call_id: str, output: Any = "sunny") -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def chat_call(call_id: str, name: str = "weather", arguments: str = "{}") -> Json:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function}


@pytest.mark.parametrize("role", ["user", "system", "developer", "assistant"])
def test_a_string_stays_one(role: str) -> None:
    item = {"role": role, "content": "Ho"}

    assert messages(item) == [item]


def test_plain_text_of_the_assistant_is_a_string() -> None:
    message = {"role": "assistant", "content": "Hi\nthere"}

    assert messages(said(output_text("Hi"), output_text("there"))) == [message]


def test_a_single_text_of_the_user_is_a_string() -> None:
    item = {"role": "user", "content": [{"type": "input_text", "text": "Ho"}]}

    assert messages(item) == [{"role": "user", "content": "Ho"}]


PARTS: list[tuple[str, Json, Json]] = [
    (
        "image",
        {"type": "input_image", "image_url": "https://x/i.png", "detail": "low"},
        {"type": "image_url", "image_url": {"url": "https://x/i.png", "detail": "low"}},
    ),
    (
        "image without detail",
        {"type": "input_image", "image_url": "data:image/png;base64,AA", "file_id": None},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
    ),
    (
        "file",
        {"type": "input_file", "file_data": "data:application/pdf;base64,AA", "filename": "a.pdf"},
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,AA", "filename": "a.pdf"},
        },
    ),
    (
        "file by its address",
        {"type": "input_file", "file_url": "https://x/a.pdf"},
        {"type": "file", "file": {"file_data": "https://x/a.pdf"}},
    ),
    (
        "audio",
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
    ),
    (
        "text with a breakpoint",
        {"type": "input_text", "text": "Ho", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "text", "text": "Ho", "prompt_cache_breakpoint": {"mode": "explicit"}},
    ),
]


@pytest.mark.parametrize(
    ("part", "chat_part"), [row[1:] for row in PARTS], ids=[row[0] for row in PARTS]
)
def test_a_part_is_said_in_the_words_of_a_chat(part: Json, chat_part: Json) -> None:
    text = {"type": "input_text", "text": "Look:"}

    assert messages({"role": "user", "content": [text, part]}) == [
        {"role": "user", "content": [{"type": "text", "text": "Look:"}, chat_part]}
    ]


def test_a_refusal_stays_a_part() -> None:
    refusal = {"type": "refusal", "refusal": "No."}

    assert messages(said(refusal)) == [{"role": "assistant", "content": [refusal]}]


def test_adjacent_calls_are_one_message_with_what_was_said_before_them() -> None:
    items = (said(output_text("Let me see")), called("t1"), called("t2"))

    assert messages(*items, answered("t1"), answered("t2", "rainy")) == [
        {
            "role": "assistant",
            "content": "Let me see",
            "tool_calls": [chat_call("t1"), chat_call("t2")],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "sunny"},
        {"role": "tool", "tool_call_id": "t2", "content": "rainy"},
    ]


def test_what_was_said_after_a_call_goes_before_its_output() -> None:
    turn, _ = messages(called("t1"), said(output_text("Let me see")), answered("t1"))

    assert turn["content"] == "Let me see"
    assert turn["tool_calls"] == [chat_call("t1")]


def test_calls_after_an_output_are_another_message() -> None:
    turns = messages(called("t1"), answered("t1"), called("t2"), answered("t2"))

    assert [turn["role"] for turn in turns] == ["assistant", "tool", "assistant", "tool"]


def test_a_refusal_beside_text_makes_both_parts() -> None:
    refusal = {"type": "refusal", "refusal": "No."}

    assert messages(said(output_text("Well.")), said(refusal)) == [
        {"role": "assistant", "content": [{"type": "text", "text": "Well."}, refusal]}
    ]


def test_reasoning_is_left_out_and_parts_no_turn() -> None:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}

    assert messages(reasoning, called("t1"), reasoning, called("t2"), answered("t1")) == messages(
        called("t1"), called("t2"), answered("t1")
    )


def test_a_call_of_a_custom_tool_is_one_of_a_function() -> None:
    call = {"type": "custom_tool_call", "call_id": "t1", "name": "run", "input": 'ls "a"'}
    output = {"type": "custom_tool_call_output", "call_id": "t1", "output": "a"}

    assert messages(call, output) == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [chat_call("t1", "run", '{"input":"ls \\"a\\""}')],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "a"},
    ]


def test_an_output_of_texts_is_a_string() -> None:
    parts = [{"type": "input_text", "text": "sunny"}, {"type": "input_text", "text": "warm"}]

    assert messages(called("t1"), answered("t1", parts))[1]["content"] == "sunny\nwarm"


IMAGE = {"type": "input_image", "image_url": "https://x/i.png"}
SHOWN = {"type": "image_url", "image_url": {"url": "https://x/i.png"}}


def test_an_image_in_an_output_follows_when_all_outputs_are_there() -> None:
    turns = messages(called("t1"), called("t2"), answered("t1", [IMAGE]), answered("t2"), {**USER})

    assert [turn["role"] for turn in turns] == ["assistant", "tool", "tool", "user", "user"]
    assert turns[1]["content"] == "The output follows in the next message."
    assert turns[3]["content"] == [SHOWN]


def test_an_image_in_the_last_output_is_shown_too() -> None:
    assert messages(called("t1"), answered("t1", [IMAGE]))[-1]["content"] == [SHOWN]


ODD: list[tuple[str, Any, str]] = [
    ("text", "x", "input[0]"),
    ("no type", {"type": 5}, "input[0]"),
    ("no role", {"type": "message", "content": "x"}, "input[0].role"),
    ("role of a list", {"role": [], "content": "x"}, "input[0].role"),
    ("no content", {"role": "user"}, "input[0].content"),
    ("part of text", {"role": "user", "content": ["x"]}, "input[0].content[0]"),
    (
        "text of a number",
        {"role": "user", "content": [{"type": "input_text", "text": 5}]},
        "input[0].content[0].text",
    ),
    (
        "image of an object",
        {"role": "user", "content": [{"type": "input_image", "image_url": {"url": "x"}}]},
        "input[0].content[0].image_url",
    ),
    (
        "call without an id",
        {"type": "function_call", "name": "f", "arguments": ""},
        "input[0].call_id",
    ),
    ("arguments of an object", called("t1", arguments={}), "input[0].arguments"),  # type: ignore[arg-type]  # odd
    ("output of a number", answered("t1", 5), "input[0].output"),
]


@pytest.mark.parametrize(("item", "param"), [row[1:] for row in ODD], ids=[row[0] for row in ODD])
def test_what_is_malformed_is_refused_by_its_place(item: Any, param: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        to_messages([item])

    assert refused.value.param == param
