"""What the application hears when nobody answered."""

from __future__ import annotations

import pytest

from sidecar.core.failover import Failure, GiveUp, Step
from sidecar.core.outcome import CALLERS_FAULT, Outcome, SkipReason
from sidecar.core.permit import Refusal
from sidecar.core.refusal import Refused, refuse
from tests.core.chains import entry


def failed(
    outcome: Outcome, status: int = 0, message: str = "", wait_s: float | None = None
) -> Step:
    failure = Failure(outcome=outcome, status=status, message=message, wait_s=wait_s)
    return Step(entry=entry("p"), failure=failure, seconds=0.1)


def skipped(reason: SkipReason, retry_in_s: float | None = None) -> Step:
    return Step(entry=entry("p"), refusal=Refusal(reason, retry_in_s))


def heard(*steps: Step, deadline: bool = False) -> Refused:
    return refuse(steps, GiveUp(deadline=deadline))


OPEN, HALF_OPEN, HELD = SkipReason.OPEN, SkipReason.HALF_OPEN, SkipReason.HELD
COOLDOWN = SkipReason.COOLDOWN


@pytest.mark.parametrize(
    ("steps", "status", "code"),
    [
        ([skipped(OPEN, 9.0)], 503, "all_providers_open"),
        ([skipped(OPEN, 9.0), skipped(COOLDOWN, 2.0)], 503, "all_providers_open"),
        ([skipped(HALF_OPEN), skipped(HELD)], 503, "all_providers_open"),
        ([skipped(COOLDOWN, 2.0), skipped(COOLDOWN, 3.0)], 429, "rate_limit_exceeded"),
        ([failed(Outcome.RATE_LIMIT, 429), skipped(COOLDOWN, 3.0)], 429, "rate_limit_exceeded"),
        ([failed(Outcome.SERVER_ERROR, 500), skipped(OPEN, 9.0)], 503, "all_providers_failed"),
        ([failed(Outcome.SERVER_ERROR, 500)], 503, "all_providers_failed"),
        ([failed(Outcome.AUTH, 401), failed(Outcome.FORBIDDEN, 403)], 503, "all_providers_failed"),
        ([failed(Outcome.RATE_LIMIT, 429), failed(Outcome.CONNECT)], 503, "all_providers_failed"),
        ([failed(Outcome.BAD_REQUEST, 400), failed(Outcome.CONNECT)], 503, "all_providers_failed"),
        ([failed(Outcome.BAD_REQUEST, 400), failed(Outcome.BAD_REQUEST, 422)], 400, "bad_request"),
        ([failed(Outcome.BAD_REQUEST, 400), skipped(OPEN, 9.0)], 400, "bad_request"),
        ([failed(Outcome.CONTENT_FILTER, 200)], 400, "content_filter"),
        ([failed(Outcome.TOO_LARGE, 413)], 413, "too_large"),
    ],
    ids=[
        "open",
        "open and cooling",
        "half-open and held",
        "cooling",
        "rate limited and cooling",
        "failed and open",
        "failed",
        "the operator's fault is not the application's",
        "rate limited and unreachable",
        "caller's fault once, unreachable once",
        "caller's fault everywhere: the first",
        "caller's fault, the others open",
        "refused inside a 200",
        "too large",
    ],
)
def test_the_most_useful_truth_is_told(steps: list[Step], status: int, code: str) -> None:
    refused = heard(*steps)

    assert (refused.status, refused.code) == (status, code)


def test_a_passed_deadline_goes_before_everything_else() -> None:
    assert heard(failed(Outcome.BAD_REQUEST, 400), deadline=True).status == 504


def test_all_open_says_when_the_earliest_half_opens() -> None:
    refused = heard(skipped(OPEN, 41.2), skipped(OPEN, 7.3), skipped(COOLDOWN, 2.0))

    assert refused.retry_after_s == 8


def test_cooling_says_the_smallest_reset() -> None:
    refused = heard(failed(Outcome.RATE_LIMIT, 429, wait_s=34.4), skipped(COOLDOWN, 12.0))

    assert refused.retry_after_s == 12


def test_the_wait_is_at_least_a_second() -> None:
    assert heard(skipped(OPEN, 0.0)).retry_after_s == 1


def test_the_first_providers_words_are_the_callers() -> None:
    refused = heard(
        failed(Outcome.BAD_REQUEST, 400, "messages: too few"),
        failed(Outcome.BAD_REQUEST, 400, "something else"),
    )

    assert refused.message == "messages: too few"


def test_a_providers_words_stay_out_of_the_sidecars_own_errors() -> None:
    refused = heard(failed(Outcome.SERVER_ERROR, 500, "<html>secret</html>"))

    assert "secret" not in refused.message
    assert refused.message == "Every provider failed. Tried in order: p: server_error."


def test_a_refusal_by_content_policy_is_told_whatever_came_before() -> None:
    refusal = Failure(outcome=Outcome.CONTENT_FILTER, status=403, message="No.", code="403")
    steps = [failed(Outcome.SERVER_ERROR, 500), Step(entry=entry("q"), failure=refusal)]

    refused = refuse(steps, GiveUp(failure=refusal))

    assert (refused.status, refused.code, refused.message) == (400, "content_filter", "No.")


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("outcome", sorted(CALLERS_FAULT))
def test_a_callers_fault_is_never_a_matter_of_keys(outcome: Outcome, status: int) -> None:
    assert heard(failed(outcome, status)).status in {400, 413}
