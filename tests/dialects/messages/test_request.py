"""What a Messages request says beside its turns, as a chat request."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.dialects.dialect import Json, Untranslatable
from sidecar.dialects.messages.request import dropped_by, to_chat
from tests.dialects.messages.requests import CLOSED, SCHEMA, asked, chat


def test_a_short_request_is_a_short_chat_request() -> None:
    assert to_chat(asked()) == {
        "model": "m",
        "max_completion_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
    }


SAME: list[tuple[str, Any, Json]] = [
    ("temperature", 0, {"temperature": 0}),
    ("top_p", 0.5, {"top_p": 0.5}),
    ("stream", True, {"stream": True}),
    ("stop_sequences", ["a", "b"], {"stop": ["a", "b"]}),
    ("stop_sequences", list("abcde"), {"stop": list("abcde")}),
    ("stop_sequences", [], {}),
    ("service_tier", "standard_only", {"service_tier": "default"}),
    ("service_tier", "auto", {}),
    ("speed", "fast", {"service_tier": "fast"}),
    ("speed", "standard", {}),
    ("metadata", {"user_id": "u1"}, {"safety_identifier": "u1"}),
    ("metadata", {}, {}),
    ("metadata", {"user_id": 5}, {}),
    ("top_k", 5, {}),
    ("cache_control", {"type": "ephemeral"}, {}),
    ("context_management", {"edits": []}, {}),
    ("inference_geo", "global", {}),
    ("container", None, {}),
]


@pytest.mark.parametrize(("name", "value", "said"), SAME)
def test_a_field_has_its_likeness_or_none(name: str, value: object, said: Json) -> None:
    assert {**chat(**{name: value})} == {**chat(), **said}


def test_a_long_user_id_becomes_a_short_one_that_stays_the_same() -> None:
    long = {"user_id": "user_" + "f" * 150}

    told = chat(metadata=long)["safety_identifier"]

    assert len(told) <= 64
    assert told == chat(metadata=long)["safety_identifier"]
    assert told != chat(metadata={"user_id": "user_" + "f" * 151})["safety_identifier"]


EFFORTS: list[tuple[str, Json, str | None]] = [
    ("little thinking", {"thinking": {"type": "enabled", "budget_tokens": 4095}}, "low"),
    ("some thinking", {"thinking": {"type": "enabled", "budget_tokens": 4096}}, "medium"),
    ("nearly much thinking", {"thinking": {"type": "enabled", "budget_tokens": 16383}}, "medium"),
    ("much thinking", {"thinking": {"type": "enabled", "budget_tokens": 16384}}, "high"),
    ("as it sees fit", {"thinking": {"type": "adaptive"}}, "medium"),
    ("no thinking", {"thinking": {"type": "disabled"}}, None),
    ("effort alone", {"output_config": {"effort": "xhigh"}}, "xhigh"),
    (
        "effort with thinking as it sees fit",
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        "low",
    ),
    (
        "effort beats a budget",
        {
            "thinking": {"type": "enabled", "budget_tokens": 99_999},
            "output_config": {"effort": "low"},
        },
        "low",
    ),
    (
        "effort without thinking",
        {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
        None,
    ),
    ("an unknown effort", {"output_config": {"effort": "heroic"}}, None),
]


@pytest.mark.parametrize(
    ("fields", "effort"), [c[1:] for c in EFFORTS], ids=[c[0] for c in EFFORTS]
)
def test_effort_and_thinking_are_reasoning_effort(fields: Json, effort: str | None) -> None:
    assert chat(**fields).get("reasoning_effort") == effort


@pytest.mark.parametrize(
    ("schema", "strict"), [(CLOSED, True), (SCHEMA, False)], ids=["closed", "open"]
)
def test_a_schema_for_the_answer_is_strict_where_openai_would_take_it_so(
    schema: Json, strict: bool
) -> None:
    told = chat(output_config={"format": {"type": "json_schema", "schema": schema}})

    assert told["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": strict},
    }


def test_an_older_sdk_says_the_schema_elsewhere() -> None:
    wanted = {"type": "json_schema", "schema": CLOSED}

    assert chat(output_format=wanted) == chat(output_config={"format": wanted})


OWN: list[tuple[str, Any]] = [
    ("container", "c1"),
    ("mcp_servers", [{"type": "url", "url": "https://example.com", "name": "x"}]),
    ("inference_geo", "us"),
    ("output_config", {"format": {"type": "xml"}}),
    ("output_config", {"format": {"type": "json_schema", "schema": "x"}}),
]


@pytest.mark.parametrize(("name", "value"), OWN)
def test_what_only_anthropic_can_do_is_refused_by_its_name(name: str, value: object) -> None:
    with pytest.raises(Untranslatable) as refused:
        chat(**{name: value})

    assert refused.value.param == name


def test_what_is_nested_too_deep_is_refused() -> None:
    schema: Json = {}
    for _ in range(2000):
        schema = {"items": schema}

    with pytest.raises(Untranslatable):
        chat(output_config={"format": {"type": "json_schema", "schema": schema}})


def test_fields_without_a_likeness_are_told() -> None:
    fields = asked(top_k=5, temperature=1, cache_control=None, inference_geo="global", betas=["x"])

    assert dropped_by(fields) == ("top_k", "betas")
