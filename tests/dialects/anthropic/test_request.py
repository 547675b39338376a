"""The fields of a chat request in Anthropic's words, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.dialects.dialect import Json, Untranslatable
from sidecar.dialects.presets import Preset
from tests.dialects.anthropic.requests import (
    DIRECT,
    NEWEST,
    OLD,
    SONNET_4_5,
    assistant,
    body,
    call,
    function,
    result,
    text,
    turn,
    user,
    written,
)

STRICTER = "2026-10-21"


def test_a_plain_request_says_model_length_messages_and_stream() -> None:
    fields = {"model": "gpt-5", "messages": [user("hi")], "stream": True}

    assert body(fields) == {
        "model": NEWEST,
        "max_tokens": 64_000,
        "messages": [turn("user", text("hi"))],
        "stream": True,
    }


def test_the_request_of_the_application_stays_as_it_is() -> None:
    fields: Json = {"messages": [user("hi"), assistant("x ", call("a:b"))], "stop": [" "]}
    before = repr(fields)

    body(fields, OLD)

    assert repr(fields) == before


# How long


@pytest.mark.parametrize(
    ("fields", "model", "granted", "max_tokens"),
    [
        ({}, NEWEST, None, 16_000),
        ({"stream": True}, NEWEST, None, 64_000),
        ({"stream": True}, "claude-3-5-sonnet-20241022", None, 8192),
        ({"max_tokens": 5}, NEWEST, None, 5),
        ({"max_completion_tokens": 7, "max_tokens": 5}, NEWEST, None, 7),
        ({"max_tokens": 10**9}, NEWEST, None, 128_000),
        ({"max_tokens": 9000}, NEWEST, 4096, 4096),
        ({"max_tokens": 0}, NEWEST, None, 16_000),
        ({"max_tokens": "many"}, NEWEST, None, 16_000),
    ],
)
def test_the_length_is_as_asked_and_never_more_than_is_granted(
    fields: Json, model: str, granted: int | None, max_tokens: int
) -> None:
    assert body(fields, model, max_tokens=granted)["max_tokens"] == max_tokens


# How random


@pytest.mark.parametrize(
    ("model", "version", "sampling"),
    [
        ("claude-3-5-sonnet-20241022", "", {"temperature": 1, "top_p": 0.9, "top_k": 5}),
        ("claude-opus-4-20250514", "2023-06-01", {"temperature": 1, "top_p": 0.9, "top_k": 5}),
        ("claude-opus-4-1", "2023-06-01", {"temperature": 1, "top_k": 5}),
        (SONNET_4_5, "vertex-2023-10-16", {"temperature": 1, "top_k": 5}),
        ("claude-sonnet-4-6", "2023-06-01", {"temperature": 1, "top_k": 5}),
        ("claude-sonnet-4-6", STRICTER, {}),
        ("claude-opus-4-7", "2023-06-01", {}),
        ("claude-sonnet-5-5", "2023-06-01", {}),
        ("claude", "2023-06-01", {}),
    ],
)
def test_sampling_goes_only_to_models_and_versions_that_take_it(
    model: str, version: str, sampling: Json
) -> None:
    fields = {"temperature": 1.5, "top_p": 0.9, "top_k": 5}

    request = written(fields, model, version=version)

    assert {name: request.body[name] for name in fields if name in request.body} == sampling
    assert set(request.dropped) == fields.keys() - sampling.keys()


def test_top_p_alone_goes_to_a_model_that_takes_one_of_the_two() -> None:
    assert body({"top_p": 0.5}, SONNET_4_5)["top_p"] == 0.5


def test_a_model_that_thinks_gets_no_temperature() -> None:
    fields = {"temperature": 0.5, "reasoning_effort": "low"}

    assert written(fields, SONNET_4_5).dropped == ("temperature",)


# The other options


def test_stop_sequences_that_are_blank_are_left_out() -> None:
    assert body({"stop": "END"})["stop_sequences"] == ["END"]
    assert body({"stop": ["a", "\n"]})["stop_sequences"] == ["a"]
    assert "stop_sequences" not in body({"stop": "\n"})
    assert written({"stop": ["a", "\n"]}).dropped == ("stop",)


def test_the_user_is_told_by_an_opaque_id_only() -> None:
    assert body({"user": "u-1"})["metadata"] == {"user_id": "u-1"}
    assert body({"user": "u-1", "safety_identifier": "s"})["metadata"] == {"user_id": "s"}
    assert "metadata" not in body({"user": "ann@example.com"})
    assert written({"user": "ann@example.com"}).dropped == ("user",)


@pytest.mark.parametrize(
    ("tier", "said"),
    [
        ("auto", {"service_tier": "auto"}),
        ("default", {"service_tier": "standard_only"}),
        ("priority", {"service_tier": "auto"}),
        ("fast", {"speed": "fast"}),
        ("flex", {}),
    ],
)
def test_the_service_tier_has_its_own_words(tier: str, said: Json) -> None:
    request = written({"service_tier": tier})

    assert {
        name: request.body[name] for name in ("service_tier", "speed") if name in request.body
    } == said
    assert request.dropped == (() if said else ("service_tier",))


def test_only_the_vendor_and_its_newest_models_are_asked_to_hurry() -> None:
    cloud = Preset(base_url=None, credential="aws")

    assert written({"service_tier": "fast"}, "claude-opus-5").dropped == ("service_tier",)
    assert written({"service_tier": "fast"}, preset=cloud).dropped == ("service_tier",)


def test_the_cache_may_be_marked_as_a_whole() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}

    assert body({"cache_control": mark})["cache_control"] == mark


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("logprobs", True),
        ("top_logprobs", 3),
        ("logit_bias", {"1": 2}),
        ("seed", 0),
        ("frequency_penalty", 0.5),
        ("presence_penalty", 0.5),
        ("prediction", {"type": "content", "content": "x"}),
        ("verbosity", "low"),
        ("store", True),
        ("metadata", {"a": "b"}),
        ("prompt_cache_key", "k"),
        ("web_search_options", {}),
        ("audio", {"voice": "ash"}),
        ("never_heard_of", 1),
    ],
)
def test_what_has_no_counterpart_is_dropped_and_told(field: str, value: Any) -> None:
    request = written({field: value})

    assert request.body == body({})
    assert request.dropped == (field,)


def test_what_asks_for_nothing_is_not_told_as_dropped() -> None:
    fields: Json = {
        "logprobs": False,
        "seed": None,
        "n": 1,
        "modalities": ["text"],
        "stream_options": {},
    }

    assert written(fields).dropped == ()


def test_fields_that_are_known_to_be_refused_are_left_out() -> None:
    request = written({"stop": "x", "user": "u"}, without=frozenset(("stop", "seed")))

    assert "stop_sequences" not in request.body
    assert request.dropped == ("stop",)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages"),
        ({"messages": [{"content": "hi"}]}, "messages"),
        ({"tools": {"a": 1}}, "tools"),
        ({"tools": [{"type": "custom", "custom": {"name": "sql"}}]}, "tools"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools"),
    ],
)
def test_what_cannot_be_asked_names_the_field_at_fault(fields: Json, param: str) -> None:
    with pytest.raises(Untranslatable) as refused:
        written(fields)

    assert refused.value.param == param


# How much to think

ADAPTIVE = {"type": "adaptive"}


@pytest.mark.parametrize(
    ("model", "effort", "said"),
    [
        (NEWEST, "minimal", {"thinking": ADAPTIVE, "output_config": {"effort": "low"}}),
        (NEWEST, "high", {"thinking": ADAPTIVE, "output_config": {"effort": "high"}}),
        (NEWEST, "max", {"thinking": ADAPTIVE, "output_config": {"effort": "max"}}),
        (NEWEST, "none", {"output_config": {"effort": "low"}}),
        ("claude-sonnet-5-5", "none", {"thinking": {"type": "between_tools"}}),
        ("claude-haiku-5-5", "none", {"thinking": {"type": "disabled"}}),
        ("claude-fable-5", "none", {"output_config": {"effort": "low"}}),
        ("claude-opus-4-8", "none", {}),
        ("claude-opus-4-7", "xhigh", {"thinking": ADAPTIVE, "output_config": {"effort": "xhigh"}}),
        ("claude-opus-4-6", "xhigh", {"thinking": ADAPTIVE, "output_config": {"effort": "high"}}),
        (
            "claude-opus-4-5",
            "max",
            {
                "thinking": {"type": "enabled", "budget_tokens": 8000},
                "output_config": {"effort": "high"},
            },
        ),
        (SONNET_4_5, "low", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        (SONNET_4_5, "none", {}),
    ],
)
def test_the_effort_is_put_as_the_model_understands_it(model: str, effort: str, said: Json) -> None:
    request = written({"reasoning_effort": effort}, model)

    assert {
        name: request.body[name] for name in ("thinking", "output_config") if name in request.body
    } == said
    assert request.dropped == ()


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("claude-3-5-haiku-20241022", {"reasoning_effort": "high"}),
        (SONNET_4_5, {"reasoning_effort": "high", "max_tokens": 2000}),
        (NEWEST, {"reasoning_effort": "enormous"}),
    ],
    ids=["cannot think", "no room for it", "unknown"],
)
def test_an_effort_that_cannot_be_made_is_dropped(model: str, fields: Json) -> None:
    request = written(fields, model)

    assert "thinking" not in request.body
    assert request.dropped == ("reasoning_effort",)


@pytest.mark.parametrize(
    ("model", "thinking", "said"),
    [
        (SONNET_4_5, {"type": "enabled", "budget_tokens": 2000}, True),
        (SONNET_4_5, {"type": "enabled", "budget_tokens": 16_000}, False),
        (SONNET_4_5, {"type": "enabled", "budget_tokens": 1000}, False),
        (SONNET_4_5, {"type": "adaptive"}, False),
        (NEWEST, {"type": "enabled", "budget_tokens": 2000}, False),
        (NEWEST, {"type": "disabled"}, False),
        (NEWEST, {"type": "adaptive", "display": "summarized"}, True),
        ("claude-haiku-5-5", {"type": "disabled"}, True),
        (NEWEST, "adaptive", False),
    ],
)
def test_anthropics_own_thinking_goes_on_where_the_model_takes_it(
    model: str, thinking: Any, said: bool
) -> None:
    request = written({"thinking": thinking}, model)

    assert request.body.get("thinking") == (thinking if said else None)
    assert request.dropped == (() if said else ("thinking",))


def test_thinking_that_is_off_goes_with_no_higher_effort_than_high() -> None:
    fields = {"thinking": {"type": "disabled"}, "reasoning_effort": "max"}

    assert body(fields, "claude-opus-5")["output_config"] == {"effort": "high"}


@pytest.mark.parametrize("model", [SONNET_4_5, "claude-opus-4-5"])
def test_without_its_signature_a_model_with_a_budget_does_not_think(model: str) -> None:
    fields = {
        "messages": [user("hi"), assistant(None, call("a")), result("a")],
        "reasoning_effort": "high",
    }

    request = written(fields, model)

    assert "thinking" not in request.body
    assert request.dropped == ("reasoning_effort",)


@pytest.mark.parametrize(
    "later",
    [
        [assistant("")],
        [assistant("Well")],
        [{"role": "system", "content": "Hm"}, assistant("Well")],
    ],
    ids=["nothing", "a word", "an instruction and a word"],
)
def test_nor_does_it_where_something_said_later_hides_the_calls(later: list[Json]) -> None:
    fields = {"messages": [user("hi"), assistant(None, call("a")), *later]}

    assert "thinking" not in body({**fields, "reasoning_effort": "high"}, SONNET_4_5)


# The form of the answer

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
CLEAN = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "additionalProperties": False,
}
BY_SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}


def test_a_schema_becomes_an_output_format() -> None:
    request = written({"response_format": BY_SCHEMA, "reasoning_effort": "low"})

    assert request.body["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": CLEAN},
    }
    assert request.answer_tool == ""
    assert request.dropped == ("response_format",)  # it is not held to the minimum


def test_a_model_without_output_formats_answers_through_a_tool() -> None:
    request = written({"response_format": BY_SCHEMA}, OLD)

    [tool] = request.body["tools"]
    assert tool["input_schema"] == SCHEMA
    assert request.body["tool_choice"] == {"type": "tool", "name": tool["name"]}
    assert request.answer_tool == tool["name"]
    assert request.dropped == ()


def test_beside_other_tools_the_answer_is_one_of_them() -> None:
    fields = {"response_format": BY_SCHEMA, "tools": [function("answer")]}

    request = written(fields, OLD)

    assert [tool["name"] for tool in request.body["tools"]] == ["answer", "answer_"]
    assert request.body["tool_choice"] == {"type": "any"}
    assert request.answer_tool == "answer_"


def test_an_answer_through_a_tool_comes_without_thinking_by_budget() -> None:
    request = written({"response_format": BY_SCHEMA, "reasoning_effort": "low"}, OLD)

    assert "thinking" not in request.body
    assert request.dropped == ("reasoning_effort",)


def test_any_json_is_asked_for_in_words() -> None:
    fields = {
        "messages": [{"role": "system", "content": "Be kind."}, user("hi")],
        "response_format": {"type": "json_object"},
    }

    request = written(fields)

    assert request.body["system"] == (
        "Be kind.\n\nAnswer with a single JSON object and nothing else: "
        "no Markdown, no words around it."
    )
    assert request.dropped == ()


def test_a_schema_that_no_format_can_hold_is_told_in_words_and_as_dropped() -> None:
    endless = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    asked = {"type": "json_schema", "json_schema": {"name": "n", "schema": endless}}

    request = written({"response_format": asked})

    assert '{"next":{"$ref":"#"}}' in request.body["system"]
    assert request.dropped == ("response_format",)


@pytest.mark.parametrize(
    ("node", "lost"),
    [
        ({"type": "integer", "minimum": 1}, True),
        ({"type": "array", "items": {"type": "string", "maxLength": 9}}, True),
        ({"type": "string", "format": "regex"}, True),
        (
            {"type": "string", "format": "uuid", "description": "Its name.", "examples": ["a"]},
            False,
        ),
    ],
)
def test_a_schema_that_loses_a_constraint_is_told_as_dropped(node: Json, lost: bool) -> None:
    schema = {"$schema": "x", "type": "object", "properties": {"a": node}}
    asked = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}

    request = written({"response_format": asked})

    assert request.body["output_config"]["format"]["type"] == "json_schema"
    assert request.dropped == (("response_format",) if lost else ())


def test_text_is_what_comes_anyway() -> None:
    assert written({"response_format": {"type": "text"}}) == written({}, preset=DIRECT)
