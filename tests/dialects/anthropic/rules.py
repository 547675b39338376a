"""What Anthropic's API insists on in a request, as far as its types and documents tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pydantic
from anthropic.types.message_create_params import MessageCreateParams

from sidecar.dialects.anthropic.models import model_of
from sidecar.dialects.dialect import Json

TYPES: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(
    MessageCreateParams, config=pydantic.ConfigDict(extra="forbid")
)
LEGAL = re.compile(r"[a-zA-Z0-9_-]+")
SAMPLING = frozenset(("temperature", "top_p", "top_k"))  # the newest types have them no more
SIGNED = frozenset(("thinking", "redacted_thinking"))


def assert_accepted(body: Json) -> None:
    """It has the shape of Anthropic's types, through and through, and says nothing blank."""
    typed = {name: value for name, value in body.items() if name not in SAMPLING}
    read_through(TYPES.validate_python(typed))
    for turn in body["messages"]:
        assert turn["content"]
        for block in turn["content"]:
            assert block["type"] != "text" or block["text"].strip()
    assert body.get("system") != ""
    assert all(one.strip() for one in body.get("stop_sequences", []))


def read_through(validated: object) -> None:
    """Lists are checked only as they are read."""
    if isinstance(validated, dict):
        validated = validated.values()
    if isinstance(validated, Iterable) and not isinstance(validated, str):
        for one in validated:
            read_through(one)


def assert_turns_are_in_order(turns: list[Json]) -> None:
    """The user begins, sides change, and each call is answered at once, in one turn."""
    assert turns[0]["role"] == "user"
    for place, turn in enumerate(turns):
        following = turns[place + 1] if place + 1 < len(turns) else None
        calls = ids(turn, "tool_use", "id")
        assert following is None or following["role"] != turn["role"]
        assert all(map(LEGAL.fullmatch, calls))
        if turn["role"] == "system":
            assert turns[place - 1]["role"] == "user"
            assert following is None or following["role"] == "assistant"
        if turn["role"] == "assistant" and calls:
            assert following is not None
            assert sorted(ids(following, "tool_result", "tool_use_id")) == sorted(calls)
            assert results_come_first(following)
    called = [one for turn in turns for one in ids(turn, "tool_use", "id")]
    returned = [one for turn in turns for one in ids(turn, "tool_result", "tool_use_id")]
    assert sorted(called) == sorted(returned)
    assert len(set(called)) == len(called)


def ids(turn: Json, kind: str, name: str) -> list[str]:
    return [block[name] for block in turn["content"] if block["type"] == kind]


def results_come_first(turn: Json) -> bool:
    kinds = [block["type"] == "tool_result" for block in turn["content"]]
    return kinds == sorted(kinds, reverse=True)


def assert_suits(body: Json, version: str) -> None:
    """The model, in this version of the API, takes everything that it is asked for."""
    model = model_of(body["model"])
    thinking = body.get("thinking", {}).get("type")
    thinks = thinking not in (None, "disabled") or (thinking is None and model.thinks_unasked)
    sampling = SAMPLING & body.keys()
    roles = [turn["role"] for turn in body["messages"]]
    assert 1 <= body["max_tokens"] <= model.max_tokens
    assert thinking is None or thinking in model.thinking
    assert thinking != "enabled" or 1024 <= body["thinking"]["budget_tokens"] < body["max_tokens"]
    assert thinking != "enabled" or calls_follow_thoughts(body["messages"])
    assert not sampling or (model.samples and not thinks and version != "2026-10-21")
    assert model.samples_both or not sampling >= {"temperature", "top_p"}
    assert 0 <= body.get("temperature", 0) <= 1
    assert model.system_turns or "system" not in roles
    assert roles[-1] != "assistant" or (model.prefill and not thinks)
    assert roles[-1] != "assistant" or ends_cleanly(body["messages"][-1])
    assert SIGNED.isdisjoint(kinds(body)) or thinks
    assert_tools_suit(body)
    assert_effort_suits(body)


def calls_follow_thoughts(turns: list[Json]) -> bool:
    """Whether the latest answer, where it calls tools, begins with its thinking."""
    latest = next((turn for turn in reversed(turns) if turn["role"] == "assistant"), None)
    if latest is None or not ids(latest, "tool_use", "id"):
        return True
    return latest["content"][0]["type"] in SIGNED


def ends_cleanly(turn: Json) -> bool:
    text: str = turn["content"][-1]["text"]
    return text == text.rstrip()


def kinds(body: Json) -> set[str]:
    return {block["type"] for turn in body["messages"] for block in turn["content"]}


def assert_tools_suit(body: Json) -> None:
    model, choice = model_of(body["model"]), body.get("tool_choice", {})
    offered = [tool["name"] for tool in body.get("tools", [])]
    thinking = body.get("thinking", {}).get("type")
    budget, adapts = thinking == "enabled", thinking == "adaptive"
    may_force = model.forces_tools and not budget and (model.forces_thinking or not adapts)
    assert len(set(offered)) == len(offered)
    assert all(LEGAL.fullmatch(tool) and len(tool) <= 128 for tool in offered)
    assert all(tool["input_schema"]["type"] == "object" for tool in body.get("tools", []))
    assert not choice or offered
    assert choice.get("type") not in {"any", "tool"} or may_force
    assert choice.get("name", "") in {"", *offered}
    assert choice.get("type") != "none" or "disable_parallel_tool_use" not in choice
    assert "tool_use" not in kinds(body) or offered


def assert_effort_suits(body: Json) -> None:
    model, config = model_of(body["model"]), body.get("output_config", {})
    assert config.get("effort", "low") in {"low", *model.levels}
    assert "effort" not in config or model.levels
    assert "format" not in config or model.formats
    if body.get("thinking", {}).get("type") in {"disabled", "between_tools"}:
        assert config.get("effort") not in {"xhigh", "max"}
