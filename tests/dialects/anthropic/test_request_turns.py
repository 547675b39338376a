"""Messages of a chat as the turns that Anthropic's API accepts."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sidecar.dialects.anthropic.blocks import FAMILY
from sidecar.dialects.anthropic.tools import safe_name
from sidecar.dialects.dialect import Json, Untranslatable
from sidecar.dialects.legal import safe_id
from sidecar.dialects.memory import Memory
from sidecar.dialects.presets import Preset
from tests.dialects.anthropic.requests import (
    NEWEST,
    OLD,
    SONNET_4_5,
    assistant,
    body,
    call,
    result,
    returned,
    said,
    system,
    text,
    turn,
    used,
    user,
    written,
)

OPUS_5 = "claude-opus-5"
HI = user("hi")
HEARD_HI = turn("user", text("hi"))
MARK = {"cache_control": {"type": "ephemeral"}}
MISSING = {**returned("a", "There is no result: the call was not carried out."), "is_error": True}

# Instructions


def test_leading_instructions_are_joined_in_order() -> None:
    developer = {"role": "developer", "content": "Be brief."}

    request = body({"messages": [system("Be kind."), developer, HI]})

    assert request["system"] == "Be kind.\n\nBe brief."
    assert request["messages"] == [HEARD_HI]


def test_instructions_that_mark_the_cache_stay_blocks() -> None:
    parts = [{**text("Be kind."), **MARK}, text("Be brief.")]

    assert body({"messages": [system(parts), HI]})["system"] == parts


def test_later_instructions_stay_where_they_are_if_the_model_takes_them() -> None:
    assert said(HI, system("Be brief."), model=OPUS_5) == [
        HEARD_HI,
        turn("system", text("Be brief.")),
    ]
    assert said(HI, system("A"), system("B"), assistant("x"), HI, model=OPUS_5) == [
        HEARD_HI,
        turn("system", text("A"), text("B")),
        turn("assistant", text("x")),
        HEARD_HI,
    ]


@pytest.mark.parametrize("model", [SONNET_4_5, "claude-sonnet-5"])
def test_other_models_hear_them_from_the_user_with_a_mark(model: str) -> None:
    assert said(HI, system("Be brief."), model=model) == [
        turn("user", text("hi"), text("<system>\nBe brief.\n</system>"))
    ]


def test_clouds_do_not_take_them_either() -> None:
    cloud = Preset(base_url=None, credential="google")

    assert said(HI, system("A"), model=OPUS_5, preset=cloud) == [
        turn("user", text("hi"), text("<system>\nA\n</system>"))
    ]


def test_instructions_before_a_user_speaks_are_part_of_that_turn() -> None:
    assert said(HI, assistant("x"), system("A"), HI, model=OPUS_5) == [
        HEARD_HI,
        turn("assistant", text("x")),
        turn("user", text("<system>\nA\n</system>"), text("hi")),
    ]


def test_nothing_but_instructions_is_said_by_the_user() -> None:
    request = body({"messages": [system("Write a poem.")]})

    assert request["messages"] == [turn("user", text("Write a poem."))]
    assert "system" not in request


# Sides


def test_neighbours_of_one_side_are_one_turn() -> None:
    assert said(user("a"), user("b"), assistant("c"), assistant("d"), HI) == [
        turn("user", text("a"), text("b")),
        turn("assistant", text("c"), text("d")),
        HEARD_HI,
    ]


def test_the_user_begins() -> None:
    assert said(assistant("Welcome!"), HI) == [
        turn("user", text("(an empty message)")),
        turn("assistant", text("Welcome!")),
        HEARD_HI,
    ]


def test_blank_text_is_left_out() -> None:
    assert said(user([text(""), text("a"), text(" \n")])) == [turn("user", text("a"))]
    assert said(HI, assistant(""), HI) == [turn("user", text("hi"), text("hi"))]
    assert said(user("")) == [turn("user", text("(an empty message)"))]


def test_names_and_the_reasoning_of_others_are_left_out() -> None:
    message = {"role": "assistant", "content": "x", "reasoning_content": "…", "name": "Bob"}

    assert said({**HI, "name": "Ann"}, message, HI) == [
        HEARD_HI,
        turn("assistant", text("x")),
        HEARD_HI,
    ]


def test_refusals_are_what_the_assistant_said() -> None:
    refused = turn("assistant", text("No."))

    assert said(HI, {"role": "assistant", "content": None, "refusal": "No."}, HI)[1] == refused
    assert said(HI, assistant([{"type": "refusal", "refusal": "No."}]), HI)[1] == refused


# An answer that was begun


def test_an_answer_that_was_begun_goes_to_a_model_that_goes_on_with_it() -> None:
    assert said(HI, assistant("The answer is \n"), model=SONNET_4_5) == [
        HEARD_HI,
        turn("assistant", text("The answer is")),
    ]


BEGUN = "Your answer has been begun. Go on exactly where it ends, and repeat nothing of it:\nIt is"


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("claude-opus-4-6", {}),
        (NEWEST, {}),
        (SONNET_4_5, {"reasoning_effort": "low"}),
        (SONNET_4_5, {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}),
    ],
    ids=["4.6", "newest", "thinks", "has a format"],
)
def test_other_models_are_asked_to_go_on(model: str, fields: Json) -> None:
    request = body({"messages": [HI, assistant("It is ")], **fields}, model)

    assert request["messages"] == [turn("user", text("hi"), text(BEGUN))]


# Calls and results


def test_calls_and_results_are_paired() -> None:
    calls = assistant("Let me look.", call("a", "f", '{"x": 1}'), call("b", "g"))

    assert said(HI, calls, result("b", "two"), result("a", "one"), user("And?")) == [
        HEARD_HI,
        turn("assistant", text("Let me look."), used("a", "f", {"x": 1}), used("b", "g")),
        turn("user", returned("b", "two"), returned("a", "one"), text("And?")),
    ]


def test_the_deprecated_single_call_is_one_too() -> None:
    one = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}}
    done = {"role": "function", "name": "f", "content": "ok"}

    assert said(HI, one, done) == [
        HEARD_HI,
        turn("assistant", used(safe_id(""), "f")),
        turn("user", returned(safe_id(""), "ok")),
    ]


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ('{"a": [1]}', {"a": [1]}),
        ("", {}),
        (None, {}),
        ({"a": 1}, {"a": 1}),
        ('{"a": ', {"_raw": '{"a": '}),
        ("[1]", {"_raw": "[1]"}),
    ],
)
def test_arguments_are_always_an_object(arguments: Any, given: Json) -> None:
    turns = said(HI, assistant(None, call("a", "f", arguments)), result("a"))

    assert turns[1] == turn("assistant", used("a", "f", given))


def test_the_call_of_a_custom_tool_is_kept_in_its_history() -> None:
    custom = {"id": "a", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}

    turns = said(HI, assistant(None, custom), result("a"))

    assert turns[1] == turn("assistant", used("a", "sql", {"input": "select 1"}))


def test_illegal_ids_and_names_change_alike_everywhere() -> None:
    turns = said(HI, assistant(None, call("call:1", "ns.f")), result("call:1"))

    assert turns[1:] == [
        turn("assistant", used(safe_id("call:1"), safe_name("ns.f"))),
        turn("user", returned(safe_id("call:1"))),
    ]


def test_ids_that_a_provider_repeats_become_unique() -> None:
    again = (assistant(None, call("call_0")), result("call_0"))

    turns = said(HI, *again, *again)

    first, second = (turns[place]["content"][0]["id"] for place in (1, 3))
    assert first == "call_0" != second
    assert turns[4] == turn("user", returned(second))


def test_a_missing_result_is_told_to_be_missing() -> None:
    assert said(HI, assistant(None, call("a")), user("And?"))[2] == turn(
        "user", MISSING, text("And?")
    )
    assert said(HI, assistant(None, call("a")))[2] == turn("user", MISSING)


def test_results_come_before_what_was_said_meanwhile() -> None:
    assert said(HI, assistant(None, call("a")), user("Hurry!"), result("a"))[2] == turn(
        "user", returned("a"), text("Hurry!")
    )
    assert said(HI, assistant(None, call("a")), system("A"), result("a"), model=OPUS_5)[2:] == [
        turn("user", returned("a")),
        turn("system", text("A")),
    ]


def test_calls_of_two_messages_are_answered_together() -> None:
    calls = (assistant(None, call("a")), assistant("And", call("b")))

    assert said(HI, *calls, result("a"), result("b"))[1:] == [
        turn("assistant", used("a"), text("And"), used("b")),
        turn("user", returned("a"), returned("b")),
    ]


@pytest.mark.parametrize(
    "before",
    [(), (assistant("x"),), (assistant(None, call("a")), result("a"))],
    ids=["no call", "no call of this turn", "answered already"],
)
def test_a_result_without_its_call_is_said_by_the_user(before: tuple[Json, ...]) -> None:
    last = said(HI, *before, result("a", "late"))[-1]["content"]

    assert last[-2:] == [text("The result of a tool call:"), text("late")]


def test_a_result_may_be_an_error_empty_or_many_parts() -> None:
    parts = [text("see"), {"type": "image_url", "image_url": {"url": "https://a.org/b.png"}}]
    image = {"type": "image", "source": {"type": "url", "url": "https://a.org/b.png"}}
    calls = assistant(None, call("a"), call("b"), call("c"))
    failed = {**result("c", "no"), "is_error": True, **MARK}

    assert said(HI, calls, result("a", ""), result("b", parts), failed)[2] == turn(
        "user",
        {"type": "tool_result", "tool_use_id": "a"},
        returned("b", [text("see"), image]),
        {**returned("c", "no"), "is_error": True, **MARK},
    )


# Signed thinking

SIGNED = [
    {"type": "thinking", "thinking": "Hm.", "signature": "s"},
    {"type": "redacted_thinking", "data": "d"},
]


def remembering(*call_ids: str, value: bytes = orjson.dumps(SIGNED)) -> Memory:
    memory = Memory()
    for call_id in call_ids:
        memory.keep(FAMILY, call_id, value)
    return memory


@pytest.mark.parametrize("model", [SONNET_4_5, OPUS_5, NEWEST])
def test_signed_thinking_goes_back_before_its_calls(model: str) -> None:
    fields = {
        "messages": [HI, assistant("Wait.", call("a"), call("b")), result("a"), result("b")],
        "reasoning_effort": "low",
    }

    request = written(fields, model, memory=remembering("a"))

    assert request.body["messages"][1] == turn(
        "assistant", *SIGNED, text("Wait."), used("a"), used("b")
    )
    assert request.body["thinking"]["type"] in {"enabled", "adaptive"}
    assert request.dropped == ()


def test_a_model_that_does_not_think_gets_none_back() -> None:
    turns = said(HI, assistant(None, call("a")), result("a"), model=OLD, memory=remembering("a"))

    assert turns[1] == turn("assistant", used("a"))


def test_bound_thinking_of_earlier_questions_stays_out() -> None:
    again = [
        HI,
        assistant(None, call("a")),
        result("a"),
        HI,
        assistant(None, call("b")),
        result("b"),
    ]
    memory = remembering("a", "b")

    bound = said(*again, model=NEWEST, memory=memory)
    unbound = said(*again, model=OPUS_5, memory=memory)

    assert [len(bound[place]["content"]) for place in (1, 3)] == [1, 3]
    assert [len(unbound[place]["content"]) for place in (1, 3)] == [3, 3]


@pytest.mark.parametrize(
    "value", [b"", b"{", b"7", b'["x"]', b'[{"type": "thinking"}]', b'[{"type": []}]']
)
def test_what_is_no_signed_thinking_stays_out(value: bytes) -> None:
    turns = said(HI, assistant(None, call("a")), result("a"), memory=remembering("a", value=value))

    assert turns[1] == turn("assistant", used("a"))


# Parts


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {
                "type": "image_url",
                "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"},
            },
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "AA=="},
            },
        ),
        (
            {"type": "image_url", "image_url": "data:image/jpg;base64,AA=="},
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/jpeg", "data": "AA=="},
            },
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://a.org/b.png"}, **MARK},
            {"type": "image", "source": {"type": "url", "url": "https://a.org/b.png"}, **MARK},
        ),
        (
            {
                "type": "file",
                "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"},
            },
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="},
                "title": "a.pdf",
            },
        ),
        (
            {"type": "file", "file": {"file_data": "AA=="}},
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="},
            },
        ),
        (
            {"type": "file", "file": {"file_url": "https://a.org/b.pdf"}},
            {"type": "document", "source": {"type": "url", "url": "https://a.org/b.pdf"}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:text/csv;base64,YSxi"}},
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "a,b"},
            },
        ),
        (
            {
                **text("hi"),
                "prompt_cache_breakpoint": {},
                "cache_control": {"type": "ephemeral", "ttl": "5m"},
            },
            {**text("hi"), "cache_control": {"type": "ephemeral", "ttl": "5m"}},
        ),
        ({**text("hi"), "prompt_cache_breakpoint": {"mode": "explicit"}}, {**text("hi"), **MARK}),
    ],
    ids=["png", "jpg", "link", "pdf", "bare pdf", "pdf link", "csv", "cached", "breakpoint"],
)
def test_a_part_becomes_a_block(part: Json, block: Json) -> None:
    assert said(user([part])) == [turn("user", block)]


@pytest.mark.parametrize(
    "message",
    [
        user([{"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}]),
        user([{"type": "image_url", "image_url": {"url": "http://a.org/b.png"}}]),
        user([{"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AA=="}}]),
        user([{"type": "image_url", "image_url": {"url": "data:image/png,raw"}}]),
        user([{"type": "image_url"}]),
        user([{"type": "file", "file": {"file_id": "file-1"}}]),
        user([{"type": "file", "file": {"file_data": "data:application/zip;base64,AA=="}}]),
        user([{"type": "file", "file": {"file_data": "data:text/plain;base64,é"}}]),
        user([{"type": "file"}]),
        user([{"type": "video_url"}]),
        user([{"type": ["text"]}]),
        user(["hi"]),
        user([{"type": "text"}]),
        user(7),
        system([{"type": "image_url", "image_url": {"url": "https://a.org/b.png"}}]),
        assistant([{"type": "file", "file": {"file_data": "AA=="}}]),
        {"role": ["user"], "content": "hi"},
        {"role": "critic", "content": "hi"},
    ],
)
def test_what_claude_cannot_be_shown_names_the_messages(message: Json) -> None:
    with pytest.raises(Untranslatable) as refused:
        said(HI, message)

    assert refused.value.param == "messages"
    assert "a.org" not in refused.value.message
