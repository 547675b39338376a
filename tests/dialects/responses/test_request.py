"""Responses requests as chat requests."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.dialects.dialect import Json, Untranslatable
from sidecar.dialects.responses.request import custom_tools, dropped_by, to_chat
from tests.dialects.responses.sdk import chat


def refused(**fields: Any) -> str | None:
    """Which field a refusal names."""
    with pytest.raises(Untranslatable) as failed:
        to_chat({"model": "smart", "input": "Hi", **fields})
    return failed.value.param


def test_a_string_is_what_the_user_says() -> None:
    assert chat() == {"model": "smart", "messages": [{"role": "user", "content": "Hi"}]}


def test_instructions_come_first() -> None:
    assert chat(instructions="Be brief.")["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]


SAME: list[tuple[str, object]] = [
    ("stream", True),
    ("temperature", 0.5),
    ("top_p", 0.5),
    ("metadata", {"a": "b"}),
    ("user", "u1"),
    ("service_tier", "flex"),
    ("safety_identifier", "s1"),
    ("prompt_cache_key", "k"),
    ("moderation", {"model": "omni-moderation-latest"}),
    ("top_k", 5),
]


@pytest.mark.parametrize(("name", "value"), SAME, ids=[row[0] for row in SAME])
def test_what_means_the_same_goes_on(name: str, value: object) -> None:
    assert chat(**{name: value})[name] == value


OTHERS: list[tuple[str, Json, Json]] = [
    ("longest answer", {"max_output_tokens": 9}, {"max_completion_tokens": 9}),
    ("effort", {"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
    ("no effort", {"reasoning": {"summary": "auto"}}, {}),
    ("verbosity", {"text": {"verbosity": "low"}}, {"verbosity": "low"}),
    ("plain text", {"text": {"format": {"type": "text"}}}, {}),
    (
        "any JSON",
        {"text": {"format": {"type": "json_object"}}},
        {"response_format": {"type": "json_object"}},
    ),
    (
        "a schema",
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": True}}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {}, "strict": True},
            }
        },
    ),
    ("most likely tokens", {"top_logprobs": 3}, {"top_logprobs": 3, "logprobs": True}),
    ("how likely", {"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
    ("choice without tools", {"tool_choice": "auto", "parallel_tool_calls": True}, {}),
    ("null", {"temperature": None, "tools": None, "text": None, "reasoning": None}, {}),
    ("kept", {"store": True, "truncation": "auto", "stream_options": {}}, {}),
    ("a chat's own", {"n": 2, "messages": [], "functions": [], "modalities": ["audio"]}, {}),
]


@pytest.mark.parametrize(
    ("fields", "said"), [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS]
)
def test_the_rest_is_said_in_other_words(fields: Json, said: Json) -> None:
    assert chat(**fields) == {**chat(), **said}


WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}}


def test_a_function_is_nested() -> None:
    tool = {**WEATHER, "strict": True, "description": None, "defer_loading": False}

    function = {"name": "weather", "parameters": {"type": "object"}, "strict": True}
    assert chat(tools=[tool])["tools"] == [{"type": "function", "function": function}]


def test_a_custom_tool_is_a_function_of_one_string() -> None:
    (tool,) = chat(tools=[{"type": "custom", "name": "run"}])["tools"]

    assert tool["function"]["name"] == "run"
    assert tool["function"]["parameters"]["properties"] == {"input": {"type": "string"}}


def test_a_grammar_is_asked_for_in_words() -> None:
    grammar = {"type": "grammar", "syntax": "regex", "definition": "[a-z]+"}
    tool = {"type": "custom", "name": "run", "description": "Runs.", "format": grammar}

    (said,) = chat(tools=[tool])["tools"]

    assert said["function"]["description"].startswith("Runs.\n\n")
    assert said["function"]["description"].endswith("regex grammar:\n[a-z]+")


def test_custom_tools_are_known_by_name() -> None:
    tools = [WEATHER, {"type": "custom", "name": "run"}, {"type": "custom", "name": 5}, None]

    assert custom_tools({"tools": tools}) == {"run"}


NAMED = {"type": "function", "function": {"name": "weather"}}
CHOICES: list[tuple[str, object, object]] = [
    ("none", "none", "none"),
    ("required", "required", "required"),
    ("function", {"type": "function", "name": "weather"}, NAMED),
    ("custom", {"type": "custom", "name": "weather"}, NAMED),
    (
        "allowed",
        {
            "type": "allowed_tools",
            "mode": "auto",
            "tools": [{"type": "function", "name": "weather"}],
        },
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}},
    ),
]


@pytest.mark.parametrize(
    ("choice", "said"), [row[1:] for row in CHOICES], ids=[row[0] for row in CHOICES]
)
def test_a_choice_of_tools_is_nested(choice: object, said: object) -> None:
    assert chat(tools=[WEATHER], tool_choice=choice)["tool_choice"] == said


def test_calls_may_be_forbidden_to_come_together() -> None:
    assert chat(tools=[WEATHER], parallel_tool_calls=False)["parallel_tool_calls"] is False


ODD: list[tuple[str, Json, str]] = [
    ("input of a number", {"input": 5}, "input"),
    ("no input", {"input": None}, "input"),
    ("nothing in it", {"input": []}, "input"),
    ("reasoning alone", {"input": [{"type": "reasoning"}]}, "input"),
    ("instructions of a list", {"instructions": ["x"]}, "instructions"),
    ("tools of an object", {"tools": {"a": 1}}, "tools"),
    ("a tool of text", {"tools": ["x"]}, "tools[0].type"),
    ("a tool without a name", {"tools": [{"type": "function"}]}, "tools[0].name"),
    ("a word as a choice", {"tools": [WEATHER], "tool_choice": "any"}, "tool_choice"),
    ("a choice without a name", {"tools": [WEATHER], "tool_choice": {}}, "tool_choice.name"),
    ("text of text", {"text": "json"}, "text"),
    ("a format of text", {"text": {"format": "json"}}, "text.format"),
    ("an unknown format", {"text": {"format": {"type": "xml"}}}, "text.format.type"),
    ("reasoning of text", {"reasoning": "high"}, "reasoning"),
    ("include of text", {"include": "everything"}, "include"),
]


@pytest.mark.parametrize(("fields", "param"), [row[1:] for row in ODD], ids=[row[0] for row in ODD])
def test_what_is_malformed_is_refused_by_name(fields: Json, param: str) -> None:
    assert refused(**fields) == param


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("store", True),
        ("truncation", "auto"),
        ("stream_options", {"include_obfuscation": True}),
        ("include", ["reasoning.encrypted_content"]),
        ("n", 2),
    ],
)
def test_a_wish_that_goes_unheard_is_told_as_dropped(name: str, value: object) -> None:
    assert dropped_by({"model": "smart", "input": "Hi", name: value}) == (name,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("store", False),
        ("store", None),
        ("truncation", "disabled"),
        ("stream_options", {"include_obfuscation": False}),
        ("include", ["message.output_text.logprobs"]),
        ("include", "odd"),
        ("n", 1),
        ("modalities", ["text"]),
    ],
)
def test_what_asks_for_nothing_is_not_told_as_dropped(name: str, value: object) -> None:
    assert dropped_by({"model": "smart", "input": "Hi", name: value}) == ()
