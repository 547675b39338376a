"""What a provider's refusal is read as."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.failover import Failure
from sidecar.core.outcome import Outcome
from sidecar.core.rejection import read_failure
from sidecar.core.taxonomy import MESSAGE_CHARS

NOW = 1_700_000_000.0


def read(status: int, body: object = None, text: str = "", **headers: str) -> Failure:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_failure(status, named, body, text, NOW)


def error(**fields: Any) -> dict[str, Any]:
    return {"error": fields}


def test_it_says_all_that_the_provider_said() -> None:
    body = error(message="Slow down.", code="rate_limit_exceeded", param="n")

    assert read(429, body, retry_after="7") == Failure(
        outcome=Outcome.RATE_LIMIT,
        status=429,
        message="Slow down.",
        code="rate_limit_exceeded",
        param="n",
        wait_s=7.0,
    )


def test_text_is_read_where_there_is_no_json() -> None:
    failure = read(502, text="<h1>Bad gateway</h1>")

    assert (failure.outcome, failure.message) == (Outcome.SERVER_ERROR, "Bad gateway")


def test_nothing_that_a_provider_says_is_long() -> None:
    failure = read(400, error(message="m" * 9_999, code="c" * 9_999, param="p" * 9_999))

    lengths = [len(text or "") for text in (failure.message, failure.code, failure.param)]
    assert lengths == [MESSAGE_CHARS, 64, 64]


@pytest.mark.parametrize(
    ("status", "headers", "outcome"),
    [
        (402, {"retry_after": "5"}, Outcome.RATE_LIMIT),
        (402, {}, Outcome.QUOTA_EXHAUSTED),
        (429, {"retry_after": "5"}, Outcome.QUOTA_EXHAUSTED),
    ],
    ids=["a moment", "until somebody pays", "billing says its wait"],
)
def test_a_budget_taken_by_calls_in_flight_is_a_matter_of_moments(
    status: int, headers: dict[str, str], outcome: Outcome
) -> None:
    body = error(message="?", code="insufficient_quota")

    assert read(status, body, **headers).outcome is outcome
