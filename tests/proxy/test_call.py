"""What an application asks for, read and checked."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.proxy.call import Rejected, asks_for_reasoning, no_such_model, read_fields

REASONING: list[tuple[dict[str, Any], bool]] = [
    ({}, False),
    ({"reasoning_effort": None}, False),
    ({"reasoning_effort": "none"}, False),
    ({"reasoning_effort": "minimal"}, False),
    ({"reasoning_effort": "low"}, True),
    ({"reasoning": {"effort": "high"}}, True),
    ({"reasoning": {"effort": "minimal"}}, False),
    ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, True),
    ({"thinking": {"type": "disabled"}}, False),
    ({"reasoning_effort": ["odd"]}, True),
]


@pytest.mark.parametrize(("fields", "thinks"), REASONING, ids=[str(row[0]) for row in REASONING])
def test_a_call_that_wants_thought(fields: dict[str, Any], thinks: bool) -> None:
    assert asks_for_reasoning(fields) is thinks


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"nonsense", None),
        (b"[]", None),
        (b"{}", "model"),
        (b'{"model":""}', "model"),
        (b'{"model":1}', "model"),
        (b'{"model":"m","stream":1}', "stream"),
    ],
)
def test_a_bad_body_is_rejected_with_the_field_at_fault(body: bytes, param: str | None) -> None:
    with pytest.raises(Rejected) as rejected:
        read_fields(body)

    assert rejected.value.refused.status == 400
    assert rejected.value.refused.param == param


def test_a_long_model_name_is_not_repeated_whole() -> None:
    assert len(no_such_model("m" * 5000).refused.message) < 200
