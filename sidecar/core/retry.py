"""Whether a provider is worth another try in the same call, after how long, and who may have one.

Only what a moment can cure is tried again: a wait that the provider stated and that is short, one
stumble of a server, a pooled connection that was closed just when it was used. All else is for the
next provider of the chain.
"""

from __future__ import annotations

from sidecar.core.failover import Failure
from sidecar.core.outcome import Outcome
from sidecar.core.policies import RetryBudget, RetryPolicy

STUMBLE_S = (0.05, 0.15)  # long enough for another worker to take over, too short to be noticed
RECONNECT_S = (0.0, 0.02)  # a whole pool may have gone stale at once
JITTER_SHARE = 0.05  # of a stated wait; only ever later: earlier would be refused again
JITTER_S = 0.1

BUSY = frozenset(
    (outcome, status)
    for outcome in (Outcome.RATE_LIMIT, Outcome.WARMING, Outcome.OVERLOADED)
    for status in (429, 503)
)
# What passes by itself, within which time.
ON_ANY_CONNECTION_S = {(Outcome.SERVER_ERROR, status): STUMBLE_S for status in (409, 500, 502)}
MOMENTS_S = {**ON_ANY_CONNECTION_S, (Outcome.TRANSPORT, 0): RECONNECT_S}

A_HAIR = 1e-9  # ten tenths are a little less than one


class Bucket:
    """The extra tries and hedges that are left: first tries fill it, extra ones drain it."""

    __slots__ = ("_budget", "_most", "_tokens")

    def __init__(self, budget: RetryBudget) -> None:
        self._budget = budget
        self._most = float(max(budget.floor, 1))
        self._tokens = float(budget.floor)

    def first_try(self) -> None:
        """A call was made that is no extra one."""
        self._tokens = min(self._tokens + self._budget.ratio, self._most)

    @property
    def is_empty(self) -> bool:
        """Whether there is not as much as one extra try costs."""
        return self._tokens < 1 - A_HAIR

    def spend(self) -> bool:
        """Take what one extra try costs; false where there is not so much."""
        if self.is_empty:
            return False
        self._tokens = max(self._tokens - 1, 0.0)
        return True

    def give_back(self) -> None:
        """What was taken was not needed."""
        self._tokens = min(self._tokens + 1, self._most)


def wait_before_retry(
    failure: Failure, tries: int, policy: RetryPolicy, *, pooled: bool, chance: float
) -> float | None:
    """Seconds until the same provider is tried again, `None` where another try cures nothing.

    `tries` is how many extra ones it had in this call. `pooled`: the connection had served another
    call before. `chance` is random in [0, 1). A failure that is worth asking `again` with another
    key or without a field is not one that waiting cures.
    """
    if failure.again or tries >= policy.attempts:
        return None
    what = (failure.outcome, failure.status)
    if what in BUSY:
        return _stated_s(failure, policy, chance)
    if tries or what not in (MOMENTS_S if pooled else ON_ANY_CONNECTION_S):
        return None
    if failure.wait_s is not None:
        return _stated_s(failure, policy, chance)
    least_s, most_s = MOMENTS_S[what]
    return least_s + chance * (most_s - least_s)


def _stated_s(failure: Failure, policy: RetryPolicy, chance: float) -> float | None:
    wait_s = failure.wait_s
    if wait_s is None or failure.guessed or wait_s > policy.max_wait_s:
        return None
    return wait_s + chance * min(JITTER_SHARE * wait_s, JITTER_S)
