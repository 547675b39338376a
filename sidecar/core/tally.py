"""What one pod counts of one provider while its breaker is closed, and when that is too much.

A tally belongs to one epoch: a new one begins with every change of the breaker. Times are
monotonic seconds.
"""

from __future__ import annotations

from typing import NamedTuple

from sidecar.core.events import Cause
from sidecar.core.outcome import Verdict
from sidecar.core.policies import BreakerPolicy

SLICES = 10  # of the ratio's window: more forget smoother, at more bytes


class Slice(NamedTuple):
    """The calls that ended in one tenth of the ratio's window."""

    number: int
    calls: int = 0
    failures: int = 0
    slow: int = 0


class Tally(NamedTuple):
    """What was counted: when each of the last failures in a row came, and slices for the ratio.

    `attested_s` is when the provider itself last said that it failed.
    """

    streak: tuple[float, ...] = ()
    slices: tuple[Slice, ...] = ()
    attested_s: float = float("-inf")


class Accusation(NamedTuple):
    """Enough to open the breaker. Without `attested` the fault may be this pod's own network's.

    `since_s` is when the first of the last failures in a row came, if it was them that tipped it.
    """

    cause: Cause
    attested: bool
    since_s: float = float("-inf")


def count(
    tally: Tally, policy: BreakerPolicy, verdict: Verdict, now_s: float, *, attested: bool = False
) -> Tally:
    """Add one ended call. A void verdict changes nothing."""
    if verdict is Verdict.VOID:
        return tally
    failed = verdict is Verdict.FAILURE
    return Tally(
        (*tally.streak, now_s)[-policy.failure_threshold :] if failed else (),
        _sliced(tally.slices, _slice_number(policy, now_s), 1 if failed else 0),
        now_s if attested else tally.attested_s,
    )


def count_slow(tally: Tally, policy: BreakerPolicy, now_s: float) -> Tally:
    """Add one call that went well, but whose first token took too long."""
    slices = _sliced(tally.slices, _slice_number(policy, now_s), 0, 1)
    return Tally((), slices, tally.attested_s)


def accuse(tally: Tally, policy: BreakerPolicy, now_s: float) -> Accusation | None:
    """Whether it is too much: to be asked after each failure and each slow success."""
    since_s = tally.streak[0] if tally.streak else float("-inf")
    if failures_in_a_row(tally, policy, now_s) >= policy.failure_threshold:
        return Accusation(Cause.FAILURES, tally.attested_s >= since_s, since_s)
    _, calls, failures, slow = _sum(tally, policy, now_s)
    if calls < policy.min_requests:
        return None
    attested = tally.attested_s >= now_s - policy.ratio_window_s
    if failures >= policy.failure_ratio * calls:
        return Accusation(Cause.RATIO, attested, since_s)
    if slow and failures + slow >= policy.slow.ratio * calls:
        return Accusation(Cause.SLOW, attested)
    return None


def failures_in_a_row(tally: Tally, policy: BreakerPolicy, now_s: float) -> int:
    """The failures since the last success, none older than the window, as many as matter."""
    return sum(at >= now_s - policy.failure_window_s for at in tally.streak)


def error_ratio(tally: Tally, policy: BreakerPolicy, now_s: float) -> float:
    """Which part of the calls in the ratio's window failed; 0 without any. Slow is no error."""
    window = _sum(tally, policy, now_s)
    return window.failures / window.calls if window.calls else 0.0


def _slice_number(policy: BreakerPolicy, now_s: float) -> int:
    return int(now_s * SLICES / policy.ratio_window_s)


def _sliced(
    slices: tuple[Slice, ...], number: int, failures: int, slow: int = 0
) -> tuple[Slice, ...]:
    last = slices[-1] if slices else None
    if last and last.number == number:
        grown = Slice(number, last.calls + 1, last.failures + failures, last.slow + slow)
        return *slices[:-1], grown
    young = (old for old in slices if old.number > number - SLICES)
    return *young, Slice(number, 1, failures, slow)


def _sum(tally: Tally, policy: BreakerPolicy, now_s: float) -> Slice:
    """All that is in the window, as the slice of this moment."""
    number = _slice_number(policy, now_s)
    live = [part for part in tally.slices if part.number > number - SLICES]
    return Slice(
        number,
        sum(part.calls for part in live),
        sum(part.failures for part in live),
        sum(part.slow for part in live),
    )
