"""Tools, the choice among them, and their schemas, in Anthropic's words."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.dialects.anthropic.schema import strict_schema, tool_schema
from sidecar.dialects.anthropic.tools import safe_name
from sidecar.dialects.dialect import Json
from sidecar.dialects.legal import safe_id
from tests.dialects.anthropic.requests import (
    NEWEST,
    OLD,
    SONNET_4_5,
    assistant,
    body,
    call,
    function,
    result,
    user,
    written,
)

HAIKU = "claude-haiku-5-5"  # a model that may be made to call a tool
NO_INPUT = {"type": "object", "properties": {}}
TWO = {"tools": [function("a"), function("b")]}


def test_a_function_becomes_a_tool() -> None:
    schema = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
    fields = {"tools": [function("search", description="Looks.", parameters=schema)]}

    assert body(fields)["tools"] == [
        {"name": "search", "description": "Looks.", "input_schema": schema}
    ]


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object"}, {"type": "string"}, 7])
def test_the_input_of_a_tool_is_always_an_object(parameters: Any) -> None:
    fields = {"tools": [function("f", parameters=parameters)]}

    assert body(fields)["tools"] == [{"name": "f", "input_schema": NO_INPUT}]


def test_deprecated_functions_are_tools_too() -> None:
    fields = {"functions": [{"name": "f"}], "function_call": {"name": "f"}}

    request = body(fields, HAIKU)

    assert request["tools"] == [{"name": "f", "input_schema": NO_INPUT}]
    assert request["tool_choice"] == {"type": "tool", "name": "f"}


def test_a_strict_tool_takes_nothing_but_what_it_names() -> None:
    schema = {"type": "object", "properties": {"q": {"type": "string", "maxLength": 9}}}
    fields = {"tools": [function("f", parameters=schema, strict=True)]}

    assert body(fields)["tools"] == [
        {
            "name": "f",
            "input_schema": {
                "type": "object",
                "properties": {"q": {"type": "string"}},
                "additionalProperties": False,
                "required": ["q"],
            },
            "strict": True,
        }
    ]


def test_an_older_model_or_too_many_tools_are_not_strict() -> None:
    tools = [function(f"f{n}", strict=True) for n in range(21)]

    assert "strict" not in body({"tools": tools[:1]}, OLD)["tools"][0]
    assert not any("strict" in tool for tool in body({"tools": tools})["tools"])
    assert all(tool["strict"] for tool in body({"tools": tools[:20]})["tools"])


def test_a_tool_may_mark_the_cache() -> None:
    tool = {**function("f"), "cache_control": {"type": "ephemeral", "ttl": "9d"}}

    assert body({"tools": [tool]})["tools"][0]["cache_control"] == {"type": "ephemeral"}


def test_illegal_names_are_rewritten_and_remembered() -> None:
    long = "n" * 129

    request = written({"tools": [function("ns.f"), function("ok"), function(long)]})

    assert request.names == {safe_name("ns.f"): "ns.f", safe_name(long): long}
    assert [tool["name"] for tool in request.body["tools"]] == [
        safe_name("ns.f"),
        "ok",
        safe_name(long),
    ]


def test_a_tool_that_is_offered_twice_is_said_once() -> None:
    assert len(body({"tools": [function("f"), function("f")]})["tools"]) == 1


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": function("b")}, {"type": "tool", "name": "b"}),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
        (
            {"parallel_tool_calls": False, "tool_choice": "required"},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
    ],
)
def test_the_choice_has_its_own_words(fields: Json, choice: Json | None) -> None:
    request = written({**TWO, **fields}, HAIKU)

    assert request.body.get("tool_choice") == choice
    assert request.dropped == ()


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_only_allowed_tools_are_offered(mode: str) -> None:
    allowed = {"mode": mode, "tools": [function("b")]}
    fields = {**TWO, "tool_choice": {"type": "allowed_tools", "allowed_tools": allowed}}

    request = body(fields, HAIKU)

    assert [tool["name"] for tool in request["tools"]] == ["b"]
    assert request["tool_choice"] == {"type": {"auto": "auto", "required": "any"}[mode]}


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        (NEWEST, {"tool_choice": "required"}),
        (NEWEST, {"tool_choice": function("a")}),
        ("claude-sonnet-5-5", {"tool_choice": "required"}),
        ("claude-fable-5-1", {"tool_choice": "required"}),
        (SONNET_4_5, {"tool_choice": "required", "reasoning_effort": "low"}),
        ("claude-opus-4-6", {"tool_choice": "required", "reasoning_effort": "low"}),
        ("claude-opus-4-7", {"tool_choice": function("a"), "thinking": {"type": "adaptive"}}),
        (HAIKU, {"tool_choice": function("unknown")}),
        (HAIKU, {"tool_choice": {"type": "custom", "custom": {"name": "a"}}}),
    ],
)
def test_a_call_that_cannot_be_demanded_is_left_to_the_model(model: str, fields: Json) -> None:
    request = written({**TWO, **fields}, model)

    assert request.body["tool_choice"] == {"type": "auto"}
    assert request.dropped == ("tool_choice",)


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("claude-opus-4-7", {}),  # which does not think unasked
        ("claude-opus-4-8", {"reasoning_effort": "low"}),
        ("claude-opus-5", {}),
        ("claude-fable-5", {"reasoning_effort": "high"}),
        (HAIKU, {"thinking": {"type": "adaptive"}}),
    ],
)
def test_a_call_is_demanded_of_a_model_that_adapts_its_thinking(model: str, fields: Json) -> None:
    request = written({**TWO, "tool_choice": "required", **fields}, model)

    assert request.body["tool_choice"] == {"type": "any"}
    assert request.dropped == ()


def test_without_tools_there_is_no_choice() -> None:
    assert "tool_choice" not in body({"tool_choice": "none", "parallel_tool_calls": False})


def test_tools_of_the_past_are_there_but_not_to_be_called() -> None:
    fields = {"messages": [user("hi"), assistant(None, call("a", "f")), result("a")]}

    request = body(fields)

    assert request["tools"] == [{"name": "f", "input_schema": NO_INPUT}]
    assert request["tool_choice"] == {"type": "none"}


# Ids


def test_a_legal_id_stays_as_it_is() -> None:
    assert safe_id("toolu_01-A") == "toolu_01-A"


@pytest.mark.parametrize("call_id", ["a:b", "a.b", "", "é", "a\n", "\ud800"])
def test_an_illegal_id_becomes_a_legal_one(call_id: str) -> None:
    assert safe_id(call_id).replace("_", "").replace("-", "").isalnum()
    assert safe_id(call_id).isascii()


def test_ids_that_look_the_same_once_rewritten_stay_apart() -> None:
    assert safe_id("a:b") != safe_id("a.b") != "a_b"


# Schemas


def test_unsupported_keywords_are_left_out() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "minProperties": 1,
        "patternProperties": {},
        "properties": {
            "s": {"type": "string", "minLength": 1, "format": "email", "description": "d"},
            "o": {"type": "string", "format": "iban"},
            "n": {"type": ["number", "null"], "exclusiveMinimum": 0, "multipleOf": 2},
            "l": {"type": "array", "items": {"enum": ["a"]}, "uniqueItems": True, "maxItems": 2},
            "u": {"oneOf": [{"type": "null"}, {"type": "object"}]},
        },
        "required": ["s"],
    }

    assert strict_schema(schema) == {
        "type": "object",
        "properties": {
            "s": {"type": "string", "format": "email", "description": "d"},
            "o": {"type": "string"},
            "n": {"type": ["number", "null"]},
            "l": {"type": "array", "items": {"enum": ["a"]}},
            "u": {
                "anyOf": [
                    {"type": "null"},
                    {"type": "object", "properties": {}, "additionalProperties": False},
                ]
            },
        },
        "required": ["s"],
        "additionalProperties": False,
    }


def test_references_are_written_out() -> None:
    schema = {
        "$ref": "#/$defs/a~1b",
        "$defs": {
            "a/b": {"type": "array", "items": {"$ref": "#/$defs/c", "description": "d"}},
            "c": {"type": "string"},
        },
    }

    assert strict_schema(schema) == {
        "type": "array",
        "items": {"type": "string", "description": "d"},
    }


def many_times_over(depth: int) -> Json:
    """A schema of `depth` definitions, each of which stands twice for the next."""
    definitions = {str(n): {"anyOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(depth)}
    return {"$ref": "#/$defs/0", "$defs": {**definitions, str(depth): {"type": "null"}}}


def nested(depth: int) -> Json:
    return {"type": "array", "items": nested(depth - 1)} if depth else {"type": "null"}


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"next": {"$ref": "#"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}},
        {"$ref": "#/$defs/missing"},
        {"$ref": "https://example.com/schema"},
        many_times_over(30),
        nested(200),
        True,
    ],
    ids=["root", "recursive", "dangling", "elsewhere", "huge", "deep", "no object"],
)
def test_what_cannot_be_held_to_is_no_strict_schema(schema: object) -> None:
    assert strict_schema(schema) is None


def test_alternatives_at_the_root_of_a_tool_become_its_properties() -> None:
    one, other = {"a": {"type": "string"}}, {"b": {"type": "number"}}

    schema = tool_schema({"anyOf": [{"properties": one}, {"properties": other}]})

    assert schema == {"type": "object", "properties": {**one, **other}}
