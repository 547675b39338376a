"""Tools as functions, and the choice among them."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.dialects.dialect import Json, Untranslatable
from tests.dialects.messages.requests import CLOSED, SCHEMA, TOOL, chat, said, turns, use


def function(**fields: Any) -> Json:
    """What became of the tool, with these fields in addition."""
    [tool] = chat(tools=[{**TOOL, **fields}])["tools"]
    return dict(tool["function"])


def test_a_tool_is_a_function() -> None:
    assert chat(tools=[TOOL])["tools"] == [
        {
            "type": "function",
            "function": {"name": "weather", "description": "It tells.", "parameters": SCHEMA},
        }
    ]


def test_what_is_said_of_a_tool_to_anthropic_alone_is_left_out() -> None:
    assert function(type="custom", cache_control={}, input_examples=[{}]) == function()


NESTED = {**CLOSED, "properties": {"city": SCHEMA}}
STRICT: list[tuple[str, Json, bool]] = [
    ("closed", CLOSED, True),
    ("without members", {"type": "object", "additionalProperties": False}, False),
    ("open", {**CLOSED, "additionalProperties": True}, False),
    ("with a member that may be missing", {**CLOSED, "required": []}, False),
    ("open in its depth", NESTED, False),
    ("open in a list", {"anyOf": [CLOSED, SCHEMA]}, False),
]


@pytest.mark.parametrize(("schema", "strict"), [c[1:] for c in STRICT], ids=[c[0] for c in STRICT])
def test_a_strict_tool_stays_so_where_openai_takes_its_schema(schema: Json, strict: bool) -> None:
    assert function(strict=True, input_schema=schema)["strict"] is strict


def test_a_tool_that_is_not_strict_says_nothing_of_it() -> None:
    assert "strict" not in function(strict=False)


ITS_OWN: list[Json] = [
    {"type": "web_search_20250305", "name": "web_search"},
    {"type": "bash_20250124", "name": "bash"},
    {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"},
    {"type": "computer_20250124", "name": "computer", "display_width_px": 1},
    {"type": "mcp_toolset", "mcp_server_name": "x"},
    {"name": "weather"},
    {"name": 5, "input_schema": {}},
    {"type": [], "name": "weather", "input_schema": {}},
]


@pytest.mark.parametrize("tool", ITS_OWN, ids=[str(tool.get("type")) for tool in ITS_OWN])
def test_tools_that_only_anthropic_knows_are_refused(tool: Json) -> None:
    with pytest.raises(Untranslatable) as refused:
        chat(tools=[TOOL, tool])

    assert refused.value.param == "tools"


CHOICES: list[tuple[str, Json, Any]] = [
    ("auto", {"type": "auto"}, "auto"),
    ("any", {"type": "any"}, "required"),
    ("none", {"type": "none"}, "none"),
    (
        "one tool",
        {"type": "tool", "name": "weather"},
        {"type": "function", "function": {"name": "weather"}},
    ),
]


@pytest.mark.parametrize(("choice", "said"), [c[1:] for c in CHOICES], ids=[c[0] for c in CHOICES])
def test_a_choice_has_its_likeness(choice: Json, said: object) -> None:
    told = chat(tools=[TOOL], tool_choice=choice)

    assert (told["tool_choice"], "parallel_tool_calls" in told) == (said, False)


def test_one_tool_at_a_time_may_be_asked_for() -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}

    assert chat(tools=[TOOL], tool_choice=choice)["parallel_tool_calls"] is False


def test_without_tools_there_is_no_choice() -> None:
    assert chat(tools=[], tool_choice={"type": "auto"}) == chat()


@pytest.mark.parametrize(
    "choice", ["auto", {}, {"type": []}, {"type": "tool"}, {"type": "most", "name": "x"}]
)
def test_an_odd_choice_is_refused(choice: object) -> None:
    with pytest.raises(Untranslatable) as refused:
        chat(tools=[TOOL], tool_choice=choice)

    assert refused.value.param == "tool_choice"


LONG = "mcp__" + "a" * 100


def test_a_name_too_long_for_a_function_is_shortened_alike_everywhere() -> None:
    [told] = chat(tools=[{**TOOL, "name": LONG}])["tools"]
    choice = chat(tools=[TOOL], tool_choice={"type": "tool", "name": LONG})["tool_choice"]
    [turn] = turns(said("assistant", use(name=LONG)))

    name = told["function"]["name"]
    assert len(name) <= 64
    assert name == choice["function"]["name"] == turn["tool_calls"][0]["function"]["name"]


def test_names_that_begin_alike_stay_apart() -> None:
    tools = [{**TOOL, "name": LONG + end} for end in "ab"]

    names = {tool["function"]["name"] for tool in chat(tools=tools)["tools"]}

    assert len(names) == 2
