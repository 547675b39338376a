"""Reads a provider's refusal: what an error means, and when to come back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sidecar.core.answer import AnswerFailed
from sidecar.core.complaint import MESSAGE_CHARS, Complaint, read_complaint, tidy
from sidecar.core.failover import Failure
from sidecar.core.outcome import Outcome
from sidecar.core.retry_after import retry_after_s
from sidecar.core.settings import ErrorRule
from sidecar.core.taxonomy import is_blameless, judge_by_rules, judge_error

WORD_CHARS = 64  # of a code or a parameter's name; longer ones name nothing
MESSAGE_HEADER = "x-error-message"  # Hugging Face


def read_failure(
    status: int,
    headers: Mapping[str, str],
    body: object,
    now_unix: float,
    rules: Sequence[ErrorRule] = (),
) -> Failure:
    """What a provider refused with, everything in it bounded.

    `headers` are asked for lower-case names. `body` is the parsed JSON, or the text that was none.
    `rules` are what the operator says of this provider's errors.
    """
    complaint = read_complaint(body)
    if not complaint.text:
        complaint = with_text(complaint, headers.get(MESSAGE_HEADER, ""))
    wait_s = retry_after_s(headers, body, now_unix)
    outcome = judge_by_rules(status, complaint, rules) or judge_wait(
        status, judge_error(status, complaint, Outcome.PROTOCOL), wait_s
    )
    blameless = outcome is Outcome.GENERATION_FAILED and is_blameless(complaint)
    failure = Failure(outcome=outcome, status=status, wait_s=wait_s, blameless=blameless)
    return in_words_of(complaint, failure)


def read_broken(status: int, failed: AnswerFailed, rules: Sequence[ErrorRule] = ()) -> Failure:
    """What an answer came to that was none, or broke off, although its `status` was good."""
    complaint = failed.complaint
    ruled = judge_by_rules(status, complaint, rules) if complaint else None
    failure = Failure(
        outcome=ruled or failed.outcome,
        status=status,
        message=failed.message,
        blameless=failed.blameless and ruled is None,
        wait_s=complaint.wait_s if complaint else None,  # a 200's headers may say it at any time
    )
    return in_words_of(complaint, failure) if complaint else failure


def in_words_of(complaint: Complaint, failure: Failure) -> Failure:
    """`failure` as the provider explains it."""
    return replace(
        failure,
        message=complaint.message,
        code=complaint.code and complaint.code[:WORD_CHARS],
        param=complaint.param and complaint.param[:WORD_CHARS],
    )


def with_text(complaint: Complaint, text: str) -> Complaint:
    """`complaint`, explained by what came beside its body."""
    told = tidy(text)
    return replace(complaint, text=told, message=told[:MESSAGE_CHARS])


def judge_wait(status: int, outcome: Outcome, wait_s: float | None) -> Outcome:
    """What becomes of `outcome` for the wait that goes with it."""
    if status == 402 and outcome is Outcome.QUOTA_EXHAUSTED and wait_s is not None:
        return Outcome.RATE_LIMIT  # OpenRouter: the budget is taken by calls in flight
    return outcome
