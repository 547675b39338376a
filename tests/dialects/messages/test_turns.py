"""The turns of a conversation, as a chat has them."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.dialects.dialect import Json, Untranslatable
from sidecar.dialects.messages.request import to_chat
from tests.dialects.messages.requests import (
    IMAGE,
    IMAGE_PART,
    asked,
    chat,
    result,
    said,
    text,
    turns,
    use,
)

HI: Json = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize("system", ["Be kind.", [text("Be kind.")]], ids=["string", "blocks"])
def test_the_system_prompt_comes_first(system: object) -> None:
    assert chat(system=system)["messages"] == [{"role": "system", "content": "Be kind."}, HI]


def test_blocks_of_a_system_prompt_are_paragraphs() -> None:
    assert chat(system=[text("One."), text("Two.")])["messages"][0]["content"] == "One.\n\nTwo."


@pytest.mark.parametrize("system", [None, "", []])
def test_an_empty_system_prompt_is_none(system: object) -> None:
    assert chat(system=system)["messages"] == [HI]


def test_a_system_turn_keeps_its_place() -> None:
    later = {"role": "system", "content": "Now in French."}

    assert turns(HI, later, HI) == [HI, later, HI]


def test_a_text_alone_is_a_string() -> None:
    assert turns(said("user", text("Hi"))) == [HI]


def test_text_and_images_are_parts_in_order() -> None:
    assert turns(said("user", text("Look:"), IMAGE, text("Well?"))) == [
        {"role": "user", "content": [text("Look:"), IMAGE_PART, text("Well?")]}
    ]


def test_an_image_may_be_linked() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}

    [turn] = turns(said("user", text("Look:"), image))

    assert turn["content"][1]["image_url"] == {"url": "https://example.com/a.png"}


def test_a_pdf_is_a_file() -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}

    [turn] = turns(said("user", {"type": "document", "source": source}))

    file = {"filename": "document.pdf", "file_data": "data:application/pdf;base64,AAAA"}
    assert turn["content"] == [{"type": "file", "file": file}]


SOURCES: list[tuple[str, Json]] = [
    ("text", {"type": "text", "media_type": "text/plain", "data": "It rains."}),
    ("a string", {"type": "content", "content": "It rains."}),
    ("blocks", {"type": "content", "content": [text("It rains.")]}),
]


@pytest.mark.parametrize("source", [case[1] for case in SOURCES], ids=[case[0] for case in SOURCES])
def test_a_document_of_text_is_text(source: Json) -> None:
    assert turns(said("user", {"type": "document", "source": source})) == [
        {"role": "user", "content": "It rains."}
    ]


def test_what_is_said_about_a_document_comes_before_it() -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "It rains."}
    document = {"type": "document", "source": source, "title": "Weather", "context": "Today's."}

    [turn] = turns(said("user", document))

    assert turn["content"] == [text("Weather"), text("Today's."), text("It rains.")]


def test_a_search_result_is_text_with_its_source() -> None:
    found = {
        "type": "search_result",
        "title": "Weather",
        "source": "https://example.com",
        "content": [text("It rains.")],
    }

    assert turns(said("user", found))[0]["content"] == "Weather\nhttps://example.com\nIt rains."


def test_turns_of_one_role_are_one() -> None:
    assert turns(HI, said("user", text("there"))) == [
        {"role": "user", "content": [text("Hi"), text("there")]}
    ]


# Tools


def test_a_call_of_a_tool_is_a_tool_call() -> None:
    [_, turn] = turns(HI, said("assistant", text("Let me see."), use(city="Oslo")))

    function = {"name": "weather", "arguments": '{"city":"Oslo"}'}
    assert turn == {
        "role": "assistant",
        "content": "Let me see.",
        "tool_calls": [{"id": "t1", "type": "function", "function": function}],
    }


def test_a_turn_of_calls_alone_has_no_content() -> None:
    assert turns(said("assistant", use()))[0]["content"] is None


def test_texts_of_the_assistant_are_one() -> None:
    assert turns(said("assistant", text("It "), text("rains."))) == [
        {"role": "assistant", "content": "It rains."}
    ]


def test_results_come_before_all_else_that_the_user_says() -> None:
    told = said("user", text("Here:"), result("rain", "t1"), result("sun", "t2"))

    _, *rest = turns(said("assistant", use("t1"), use("t2")), told)

    assert rest == [
        {"role": "tool", "tool_call_id": "t1", "content": "rain"},
        {"role": "tool", "tool_call_id": "t2", "content": "sun"},
        {"role": "user", "content": "Here:"},
    ]


def test_results_told_in_two_turns_stand_together() -> None:
    calls = said("assistant", use("t1"), use("t2"))

    told = turns(
        calls, said("user", result("rain", "t1"), text("!")), said("user", result("", "t2"))
    )

    assert [turn["role"] for turn in told] == ["assistant", "tool", "tool", "user"]


@pytest.mark.parametrize("silent", [said("system", text("")), said("assistant", text(""))])
def test_a_turn_without_words_keeps_no_turns_apart(silent: Json) -> None:
    told = turns(said("user", text("a")), silent, said("user", text("b")))

    assert told == turns(said("user", text("a"), text("b")))


RESULTS: list[tuple[str, Json, str]] = [
    ("nothing", result(None), ""),
    ("texts", result([text("rain"), text("sun")]), "rain\n\nsun"),
    ("an error", result("no such city", is_error=True), "Error: no such city"),
    ("a tool found", result([{"type": "tool_reference", "tool_name": "weather"}]), "weather"),
    ("no error", result("rain", is_error=False), "rain"),
]


@pytest.mark.parametrize(("told", "words"), [c[1:] for c in RESULTS], ids=[c[0] for c in RESULTS])
def test_the_words_of_a_result_are_the_tool_message(told: Json, words: str) -> None:
    assert turns(said("user", told)) == [{"role": "tool", "tool_call_id": "t1", "content": words}]


def test_an_image_in_a_result_follows_as_the_users() -> None:
    tool, user = turns(said("user", result([IMAGE]), text("Well?")))

    assert tool["content"] == "(see below)"
    assert user["content"] == [text("From the result of t1:"), IMAGE_PART, text("Well?")]


THOUGHTS: list[Json] = [
    {"type": "thinking", "thinking": "Hm.", "signature": "x"},
    {"type": "redacted_thinking", "data": "x"},
    {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
    {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
]


@pytest.mark.parametrize("block", THOUGHTS, ids=[block["type"] for block in THOUGHTS])
def test_what_only_anthropic_can_read_is_left_out(block: Json) -> None:
    assert turns(HI, said("assistant", block, text("Ho."))) == [
        HI,
        {"role": "assistant", "content": "Ho."},
    ]


def test_a_turn_of_nothing_but_thoughts_is_left_out() -> None:
    assert turns(HI, said("assistant", THOUGHTS[0])) == [HI]


def test_marks_for_the_cache_are_left_out() -> None:
    marked = {**text("Hi"), "cache_control": {"type": "ephemeral"}, "citations": None}

    assert turns(said("user", marked, marked))[0]["content"] == [text("Hi"), text("Hi")]


# What cannot be said

FILE = {"type": "file", "file_id": "f1"}
ODD: list[tuple[str, Any]] = [
    ("no list", "Hi"),
    ("an empty list", []),
    ("nothing said", [said("user")]),
    ("no object", ["Hi"]),
    ("no role", [{"content": "Hi"}]),
    ("an unknown role", [{"role": "tool", "content": "Hi"}]),
    ("a role that is no word", [{"role": [], "content": "Hi"}]),
    ("content that is a number", [{"role": "user", "content": 5}]),
    ("a block that is none", [{"role": "user", "content": ["Hi"]}]),
    ("a block without type", [said("user", {"text": "Hi"})]),
    ("a type that is no word", [said("user", {"type": {}})]),
    ("an unknown block", [said("user", {"type": "container_upload", "file_id": "f1"})]),
    ("an unknown block of the assistant", [said("assistant", {"type": "compaction"})]),
    ("text that is none", [said("user", {"type": "text", "text": 5})]),
    ("a call without name", [said("assistant", {"type": "tool_use", "id": "t1", "input": {}})]),
    ("a result for nobody", [said("user", {"type": "tool_result", "content": "x"})]),
    ("an image by a file's id", [said("user", {"type": "image", "source": FILE})]),
    ("a document by a file's id", [said("user", {"type": "document", "source": FILE})]),
    (
        "a linked document",
        [said("user", {"type": "document", "source": {"type": "url", "url": "https://x"}})],
    ),
    ("a block without source", [said("user", {"type": "image"})]),
    ("an image as an instruction", [said("system", IMAGE)]),
]


@pytest.mark.parametrize("messages", [case[1] for case in ODD], ids=[case[0] for case in ODD])
def test_turns_that_a_chat_cannot_have_are_refused(messages: object) -> None:
    with pytest.raises(Untranslatable) as refused:
        to_chat(asked(messages=messages))

    assert refused.value.param == "messages"


@pytest.mark.parametrize("block", [IMAGE, {"type": "text", "text": 5}], ids=["image", "number"])
def test_a_system_prompt_of_anything_but_text_is_refused_by_its_name(block: Json) -> None:
    with pytest.raises(Untranslatable) as refused:
        chat(system=[block])

    assert refused.value.param == "system"
