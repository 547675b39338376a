"""Every chat request becomes one that Anthropic's own types and rules accept, or is refused."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.dialects.anthropic.blocks import FAMILY
from sidecar.dialects.anthropic.models import MODELS
from sidecar.dialects.anthropic.request import safe_id, write_request
from sidecar.dialects.dialect import Json, Untranslatable, dumps
from sidecar.dialects.memory import Memory
from tests.dialects.anthropic.requests import target
from tests.dialects.anthropic.rules import (
    LEGAL,
    assert_accepted,
    assert_suits,
    assert_turns_are_in_order,
)

NAMES_OF_MODELS = (
    *(f"claude-{family or 'opus'}-{major}-{minor}" for family, (major, minor), _ in MODELS),
    *("claude-3-haiku-20240307", "some-claude", "claude-mythos-preview"),
)

TEXTS = st.sampled_from(("hi", "", "  ", "two words ", "\n", "ünïcode 🎈"))
IDS = st.sampled_from(("call_1", "call:2", "a.b", "", "call_0", "tool/3", "call_1#1"))
TOOLS = st.sampled_from(("search", "ns.search", "ns/search", "é", "x" * 200, "answer"))
CACHE: st.SearchStrategy[Json] = st.just(
    {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
) | st.just({})
LINKS = st.sampled_from(
    (
        "https://example.com/a.png",
        "data:image/png;base64,iVBORw0KGgo=",
        "data:image/jpg;base64,YQ==",
    )
)
FILES = st.sampled_from(
    (
        {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"},
        {"file_data": "data:text/plain;base64,aGk="},
        {"file_data": "JVBERi0="},
    )
)
TEXT_PARTS = st.builds(lambda text, mark: {"type": "text", "text": text, **mark}, TEXTS, CACHE)
PARTS = (
    TEXT_PARTS
    | st.builds(lambda url: {"type": "image_url", "image_url": {"url": url}}, LINKS)
    | st.builds(lambda file: {"type": "file", "file": file}, FILES)
)
SAID = st.none() | TEXTS | st.lists(TEXT_PARTS, max_size=3)
SHOWN = TEXTS | st.lists(PARTS, max_size=3)
ARGUMENTS = st.sampled_from(("{}", "", '{"a": [1]}', "not json", "[1]", '"text"')) | st.none()
CALLS = st.builds(
    lambda call_id, name, arguments: {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    },
    IDS,
    TOOLS,
    ARGUMENTS,
)
MESSAGES = st.one_of(
    st.builds(
        lambda role, said: {"role": role, "content": said},
        st.sampled_from(("system", "developer")),
        SAID,
    ),
    st.builds(lambda said: {"role": "user", "content": said, "name": "Ann"}, SHOWN),
    st.builds(lambda said: {"role": "assistant", "content": said, "reasoning_content": "…"}, SAID),
    st.builds(
        lambda said, calls: {"role": "assistant", "content": said, "tool_calls": calls},
        SAID,
        st.lists(CALLS, max_size=3),
    ),
    st.builds(
        lambda call_id, said: {"role": "tool", "tool_call_id": call_id, "content": said}, IDS, SHOWN
    ),
    st.builds(lambda name, said: {"role": "function", "name": name, "content": said}, TOOLS, TEXTS),
    st.builds(
        lambda name, arguments: {
            "role": "assistant",
            "content": None,
            "function_call": {"name": name, "arguments": arguments},
        },
        TOOLS,
        ARGUMENTS,
    ),
)
SCHEMAS = st.recursive(
    st.sampled_from(
        (
            {"type": "string", "minLength": 1, "format": "email"},
            {"type": ["integer", "null"], "minimum": 0},
            {"enum": ["a", "b"]},
            {"$ref": "#/$defs/thing"},
            {"$ref": "#"},
            {},
        )
    ),
    lambda inner: (
        st.builds(
            lambda properties, more: {"type": "object", "properties": properties, **more},
            st.dictionaries(st.sampled_from(("a", "b", "$ref")), inner, max_size=2),
            st.sampled_from(({}, {"required": ["a"]}, {"$defs": {"thing": {"type": "number"}}})),
        )
        | st.builds(lambda items: {"type": "array", "items": items, "maxItems": 3}, inner)
        | st.builds(lambda branches: {"oneOf": branches}, st.lists(inner, max_size=2))
    ),
    max_leaves=5,
)
FUNCTIONS = st.builds(
    lambda name, schema, strict, mark: {
        "type": "function",
        "function": {"name": name, "description": "d", "parameters": schema, "strict": strict},
        **mark,
    },
    TOOLS,
    SCHEMAS,
    st.none() | st.booleans(),
    CACHE,
)
CHOICES = st.one_of(
    st.sampled_from(("none", "auto", "required")),
    st.builds(lambda name: {"type": "function", "function": {"name": name}}, TOOLS),
    st.builds(
        lambda mode, names: {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": mode,
                "tools": [{"type": "function", "function": {"name": name}} for name in names],
            },
        },
        st.sampled_from(("auto", "required")),
        st.lists(TOOLS, max_size=2),
    ),
)
FORMATS = st.one_of(
    st.sampled_from(({"type": "text"}, {"type": "json_object"})),
    st.builds(
        lambda schema: {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
        SCHEMAS,
    ),
)
EFFORTS = st.sampled_from(("none", "minimal", "low", "medium", "high", "xhigh", "max"))
THINKING = st.sampled_from(
    (
        {"type": "adaptive", "display": "summarized"},
        {"type": "enabled", "budget_tokens": 2000},
        {"type": "disabled"},
        {"type": "between_tools"},
    )
)
OPTIONS = {
    "tools": st.lists(FUNCTIONS, max_size=3),
    "tool_choice": CHOICES,
    "parallel_tool_calls": st.booleans(),
    "response_format": FORMATS,
    "reasoning_effort": EFFORTS,
    "thinking": THINKING,
    "max_completion_tokens": st.sampled_from((1, 1024, 3000, 1_000_000)),
    "max_tokens": st.integers(1, 9000),
    "temperature": st.floats(0, 2),
    "top_p": st.floats(0, 1),
    "top_k": st.integers(0, 9),
    "stop": TEXTS | st.lists(TEXTS, max_size=4),
    "stream": st.booleans(),
    "user": st.sampled_from(("u-1", "ann@example.com")),
    "safety_identifier": st.sampled_from(("s-1", "")),
    "service_tier": st.sampled_from(("auto", "default", "flex", "scale", "priority", "fast")),
    "n": st.just(1),
    "seed": st.integers(),
    "logprobs": st.booleans(),
    "verbosity": st.just("low"),
    "store": st.booleans(),
    "metadata": st.just({"a": "b"}),
    "cache_control": st.just({"type": "ephemeral"}),
    "web_search_options": st.just({}),
}
REQUESTS: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {"messages": st.lists(MESSAGES, min_size=1, max_size=8)}, optional=OPTIONS
)
SIGNED = {"type": "thinking", "thinking": "…", "signature": "s"}


def remembering() -> Memory:
    memory = Memory()
    for call_id in ("call_1", "a.b"):
        memory.keep(FAMILY, call_id, orjson.dumps([SIGNED, {"type": "odd"}]))
    return memory


@settings(max_examples=150)
@given(
    fields=REQUESTS,
    model=st.sampled_from(NAMES_OF_MODELS),
    version=st.sampled_from(("", "2023-06-01", "2026-10-21", "vertex-2023-10-16")),
    memory=st.builds(remembering) | st.builds(Memory),
)
def test_any_request_becomes_one_that_anthropic_accepts(
    fields: Json, model: str, version: str, memory: Memory
) -> None:
    before = dumps(fields)

    written = write_request(fields, target(model, version=version, memory=memory))

    assert dumps(fields) == before
    assert_accepted(written.body)
    assert_turns_are_in_order(written.body["messages"])
    assert_suits(written.body, version)
    assert written.names.keys() <= {tool["name"] for tool in written.body.get("tools", [])}
    assert not written.answer_tool or written.body["tool_choice"]["type"] in {"any", "tool"}
    assert len(set(written.dropped)) == len(written.dropped)
    assert set(written.dropped) <= set(fields)


KEYS = st.sampled_from(
    (
        *OPTIONS,
        *("messages", "role", "content", "type", "text", "image_url", "url", "file", "file_data"),
        *("tool_calls", "function", "name", "arguments", "id", "tool_call_id", "custom", "input"),
        *(
            "json_schema",
            "schema",
            "$ref",
            "properties",
            "items",
            "anyOf",
            "required",
            "parameters",
        ),
        *("functions", "function_call", "allowed_tools", "mode", "budget_tokens", "refusal"),
        *("modalities", "prompt_cache_breakpoint", "ttl", "strict", "is_error", "format"),
    )
)
WORDS = st.sampled_from(
    (
        *("user", "assistant", "tool", "function", "system", "text", "image_url", "file", "#"),
        *("json_schema", "object", "required", "none", "data:", "https://a", "adaptive", "\ud800"),
        *("enabled", "ephemeral", "low", "input_audio", "data:text/plain;base64,é"),
    )
)
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
HALF_ODD = st.fixed_dictionaries(
    {"messages": ODD | st.lists(st.dictionaries(KEYS, ODD, max_size=4) | MESSAGES, max_size=4)},
    optional={name: ODD | option for name, option in OPTIONS.items()},
)


@settings(max_examples=150)
@given(
    fields=st.dictionaries(KEYS, ODD, max_size=6) | HALF_ODD,
    model=st.sampled_from(NAMES_OF_MODELS),
)
def test_any_json_is_translated_or_refused(fields: Json, model: str) -> None:
    try:
        body = write_request(fields, target(model)).body
    except Untranslatable as refused:
        body = {"refused": refused.message}
    assert len(dumps(body)) > len("{}")


@given(st.text(), st.text())
def test_ids_are_legal_and_stay_distinct(one: str, other: str) -> None:
    assert LEGAL.fullmatch(safe_id(one))
    assert safe_id(one) == safe_id(one)
    assert (safe_id(one) == safe_id(other)) == (one == other)
