"""What the application hears when no provider answered: the most useful truth there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from sidecar.core.failover import Failure, GiveUp, Step
from sidecar.core.outcome import CALLERS_FAULT, COOLING, Outcome, SkipReason

OPEN_REASONS = frozenset((SkipReason.OPEN, SkipReason.HALF_OPEN, SkipReason.HELD))
CALLERS_STATUS = {
    Outcome.CONTENT_FILTER: 400,
    Outcome.CONTEXT_LENGTH: 400,
    Outcome.TOO_LARGE: 413,
}
OPERATORS_STATUS = (401, 403)  # the application would take its own key for the bad one
UNAVAILABLE = "service_unavailable_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An error answer in the making. `retry_after_s` is whole seconds, at least 1, or `None`."""

    status: int
    type: str
    code: str | None
    message: str
    param: str | None = None
    retry_after_s: int | None = None


def refuse(steps: Sequence[Step], end: GiveUp) -> Refused:
    """Choose the answer for a walk that ended without one."""
    if end.leaving:
        return shutting_down(steps)
    if end.failure:
        return callers_fault(end.failure)
    if end.deadline:
        return deadline_exceeded(steps)
    return nobody_answered(steps)


def nobody_answered(steps: Sequence[Step]) -> Refused:
    """The answer where everybody was asked or passed over."""
    failures, reasons = failures_of(steps), reasons_of(steps)
    outcomes = {failure.outcome for failure in failures}
    if outcomes <= COOLING and reasons <= {SkipReason.COOLDOWN}:
        return cooling(steps)
    if not failures:
        return all_open(steps) if OPEN_REASONS & reasons else exhausted(steps)
    return callers_fault(failures[0]) if outcomes <= CALLERS_FAULT else exhausted(steps)


def failures_of(steps: Sequence[Step]) -> list[Failure]:
    return [step.failure for step in steps if step.failure]


def reasons_of(steps: Sequence[Step]) -> set[SkipReason]:
    return {step.refusal.reason for step in steps if step.refusal}


def deadline_exceeded(steps: Sequence[Step]) -> Refused:
    return Refused(
        status=504,
        type="timeout_error",
        code="deadline_exceeded",
        message=f"The deadline passed before a provider answered. {told(steps)}",
    )


def shutting_down(steps: Sequence[Step]) -> Refused:
    return Refused(
        status=503,
        type=UNAVAILABLE,
        code="shutting_down",
        message=f"The sidecar was shut down before a provider answered. {told(steps)}",
    )


def callers_fault(failure: Failure) -> Refused:
    """The provider's own words: the next one would have said the same."""
    filtered = failure.outcome is Outcome.CONTENT_FILTER  # by as many codes as providers
    return Refused(
        status=CALLERS_STATUS.get(failure.outcome) or callers_status(failure.status),
        type="invalid_request_error",
        code=failure.outcome if filtered else failure.code or failure.outcome,
        message=failure.message or "The provider rejected the request.",
        param=failure.param,
    )


def callers_status(status: int) -> int:
    told = 400 <= status < 500 and status not in OPERATORS_STATUS
    return status if told else 400


def cooling(steps: Sequence[Step]) -> Refused:
    return Refused(
        status=429,
        type="rate_limit_error",
        code="rate_limit_exceeded",
        message=f"Every provider is rate limited. {told(steps)}",
        retry_after_s=soonest_s(steps),
    )


def all_open(steps: Sequence[Step]) -> Refused:
    open_steps = [step for step in steps if step.refusal and step.refusal.reason in OPEN_REASONS]
    return Refused(
        status=503,
        type=UNAVAILABLE,
        code="all_providers_open",
        message=f"Every provider's circuit breaker is open. {told(steps)}",
        retry_after_s=soonest_s(open_steps),
    )


def exhausted(steps: Sequence[Step]) -> Refused:
    return Refused(
        status=503,
        type=UNAVAILABLE,
        code="all_providers_failed",
        message=f"Every provider failed. {told(steps)}",
    )


def told(steps: Sequence[Step]) -> str:
    """One sentence of what became of each provider, in closed vocabulary only."""
    words = [f"{step.entry.provider.name}: {became(step)}" for step in steps]
    return f"Tried in order: {', '.join(words)}." if words else "Nobody was asked."


def became(step: Step) -> str:
    if step.failure:
        return step.failure.outcome
    return f"skipped ({step.refusal.reason})" if step.refusal else ""


def soonest_s(steps: Sequence[Step]) -> int:
    """Whole seconds, at least 1, until the first of `steps` may answer again."""
    waits = [wait for step in steps if (wait := wait_s(step)) is not None]
    return max(1, ceil(min(waits, default=1.0)))


def wait_s(step: Step) -> float | None:
    source = step.failure.wait_s if step.failure else None
    return step.refusal.retry_in_s if step.refusal else source
