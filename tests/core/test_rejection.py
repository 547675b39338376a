"""What a provider's refusal is read as."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sidecar.core.answer import AnswerFailed
from sidecar.core.complaint import Complaint
from sidecar.core.failover import Failure
from sidecar.core.outcome import Outcome
from sidecar.core.rejection import read_broken, read_failure
from sidecar.core.settings import ErrorMatch, ErrorRule
from sidecar.core.taxonomy import MESSAGE_CHARS

NOW = 1_700_000_000.0


def read(status: int, body: object = "", **headers: str) -> Failure:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_failure(status, named, body, NOW)


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
    failure = read(502, "<h1>Bad gateway</h1>")

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


@pytest.mark.parametrize(
    ("body", "message"),
    [("", "Model too busy"), ({"error": {}}, "Model too busy"), ({"error": "No."}, "No.")],
    ids=["no body", "an empty error", "a body that says more"],
)
def test_a_header_explains_what_the_body_does_not(body: object, message: str) -> None:
    assert read(503, body, x_error_message="<b>Model too busy</b>").message == message


def test_a_header_is_judged_like_a_body() -> None:
    assert read(503, x_error_message="Loading model").outcome is Outcome.WARMING


@pytest.mark.parametrize(
    ("code", "blameless"),
    [("tool_use_failed", True), ("network_error", False), ("context_length_exceeded", False)],
)
def test_a_model_that_failed_at_this_prompt_is_not_held_against_its_provider(
    code: str, *, blameless: bool
) -> None:
    assert read(400, error(code=code)).blameless is blameless


def rule(outcome: Outcome) -> tuple[ErrorRule, ...]:
    return (ErrorRule(match=ErrorMatch(status=402), outcome=outcome),)


def test_the_operator_has_the_last_word() -> None:
    headers = {"retry-after": "5"}

    failure = read_failure(402, headers, {}, NOW, rule(Outcome.QUOTA_EXHAUSTED))

    assert failure.outcome is Outcome.QUOTA_EXHAUSTED


def test_whom_the_operator_blames_is_to_blame() -> None:
    failure = read_failure(402, {}, error(code="tool_use_failed"), NOW, rule(Outcome.SERVER_ERROR))

    assert not failure.blameless


# Conformance cases


def test_a7_a_used_up_credit_is_no_rate_limit() -> None:
    body = error(code="credit_balance_exhausted", type="insufficient_quota", message="No credit.")

    assert read(429, body).outcome is Outcome.QUOTA_EXHAUSTED


def test_a8_a_short_wait_is_told() -> None:
    assert read(429, error(message="Slow."), retry_after="0.2").wait_s == 0.2


def test_a9_googles_wait_is_in_the_body() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}

    failure = read(429, [error(code=429, status="RESOURCE_EXHAUSTED", details=[info])])

    assert (failure.outcome, failure.wait_s) == (Outcome.RATE_LIMIT, 34.4)


def test_a18_a_cold_model_says_when_it_is_warm() -> None:
    failure = read(503, {"error": "Model x is currently loading", "estimated_time": 20.0})

    assert (failure.outcome, failure.wait_s) == (Outcome.WARMING, 20.0)


def test_a21_a_prompt_against_the_rules_keeps_its_code() -> None:
    failure = read(400, error(code="content_filter", param="prompt", message="Filtered."))

    assert (failure.outcome, failure.code) == (Outcome.CONTENT_FILTER, "content_filter")


# What only looked like an answer

SAID = Complaint(message="no more", words=("E1", "x"), param="n", text="no more budget")


def used_up(**match: Any) -> ErrorRule:
    return ErrorRule(match=ErrorMatch(**match), outcome=Outcome.QUOTA_EXHAUSTED)


def broken(complaint: Complaint | None, *rules: ErrorRule, blameless: bool = False) -> Failure:
    failed = AnswerFailed(Outcome.STREAM_ERROR, "m", blameless=blameless, complaint=complaint)
    return read_broken(200, failed, rules)


def test_an_error_within_an_answer_says_all_that_the_provider_said() -> None:
    assert broken(SAID) == Failure(
        outcome=Outcome.STREAM_ERROR, status=200, message="no more", code="E1", param="n"
    )


def test_an_error_within_an_answer_says_when_to_come_back() -> None:
    assert broken(replace(SAID, wait_s=20.0)).wait_s == 20.0


@pytest.mark.parametrize(
    "match", [{"code": "E1"}, {"text": "BUDGET"}, {"status": 200, "type": "x"}]
)
def test_an_error_within_an_answer_is_what_the_operator_says(match: dict[str, Any]) -> None:
    assert broken(SAID, used_up(**match)).outcome is Outcome.QUOTA_EXHAUSTED


def test_what_the_provider_said_nothing_about_is_no_rules_business() -> None:
    assert broken(None, used_up(status=200)).outcome is Outcome.STREAM_ERROR


@pytest.mark.parametrize(("code", "blameless"), [("other", True), ("E1", False)])
def test_what_the_operator_gives_another_name_is_not_forgiven(code: str, blameless: bool) -> None:
    assert broken(SAID, used_up(code=code), blameless=True).blameless is blameless
