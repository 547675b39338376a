"""Reads a provider's refusal: what an answer with an error status means, and when to come back."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.core.failover import Failure
from sidecar.core.outcome import Outcome
from sidecar.core.retry_after import retry_after_s
from sidecar.core.taxonomy import judge_error, read_complaint

WORD_CHARS = 64  # of a code or a parameter's name; longer ones name nothing


def read_failure(
    status: int, headers: Mapping[str, str], body: object, text: str, now_unix: float
) -> Failure:
    """What a provider refused with, everything in it bounded.

    `headers` are asked for lower-case names. `body` is the parsed JSON, or `None` where it was
    none; then `text` is what came instead.
    """
    complaint = read_complaint(body, text)
    outcome = judge_error(status, complaint, Outcome.PROTOCOL)
    wait_s = retry_after_s(headers, body, now_unix)
    if status == 402 and outcome is Outcome.QUOTA_EXHAUSTED and wait_s is not None:
        outcome = Outcome.RATE_LIMIT  # OpenRouter: the budget is taken by calls in flight
    return Failure(
        outcome=outcome,
        status=status,
        message=complaint.message,
        code=complaint.code and complaint.code[:WORD_CHARS],
        param=complaint.param and complaint.param[:WORD_CHARS],
        wait_s=wait_s,
    )
