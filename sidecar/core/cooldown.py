"""How long an entry of a chain is passed over for what is no failure of its provider.

A rate limit or a cold model is a matter of moments; a bad key, a used-up quota or an unknown model
waits for the operator. Neither moves the breaker.
"""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.core.outcome import Outcome

COOLDOWN_S = (1.0, 600.0)  # the shortest and longest that a stated wait is believed
MAX_UNSTATED_S = 60.0
PARKING_S = (600.0, 86_400.0)

WHOLE_PROVIDER = ""  # the scope that no model's name can be

_OF_THE_CREDENTIAL = frozenset((Outcome.AUTH, Outcome.QUOTA_EXHAUSTED))


@dataclass(frozen=True, slots=True)
class Unstated:
    """How many answers in a row asked us to wait without saying how long, the last at `last_s`."""

    in_a_row: int = 0
    last_s: float = float("-inf")


def another(unstated: Unstated, asked_s: float, now_s: float) -> Unstated:
    """Count one more, to a call of `asked_s`.

    Calls that were under way together got one and the same answer: only one asked after the last
    answer says that the wait was too short.
    """
    fresh = asked_s >= unstated.last_s
    return Unstated(unstated.in_a_row + fresh, now_s if fresh else unstated.last_s)


def cooldown_s(wait_s: float | None, unstated: Unstated) -> float:
    """How long to pass over what is rate-limited or warming up."""
    if wait_s is None:
        return min(2.0 ** min(unstated.in_a_row, 10), MAX_UNSTATED_S)
    return believed_s(wait_s)


def believed_s(wait_s: float) -> float:
    """A stated wait, as far as we believe it."""
    return _clamp(wait_s, *COOLDOWN_S)


def parking_s(wait_s: float | None) -> float:
    """How long to set aside what an operator has to cure; `wait_s` is what the provider stated."""
    return _clamp(wait_s or 0.0, *PARKING_S)


def scope_of(outcome: Outcome, model: str) -> str:
    """What such an outcome keeps away: that model, or the whole provider."""
    return WHOLE_PROVIDER if outcome in _OF_THE_CREDENTIAL else model


def _clamp(value: float, least: float, most: float) -> float:
    return max(least, min(most, value))  # in this order NaN comes to `most`
