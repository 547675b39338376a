"""How long an attempt may take to show something, and what it is called if it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sidecar.core.failover import Try
from sidecar.core.outcome import Outcome

FAIR_SHARE = 0.5  # of its own clock: a provider that had less was not slow, the chain was short

Limit = tuple[float, Outcome]  # seconds, and the outcome when they are over


class Clocks(NamedTuple):
    """The clocks of one `step`; `now` is monotonic."""

    step: Try
    now: Callable[[], float]

    def answer(self) -> Limit:
        """For a whole answer."""
        return self._limit(self.step.entry.timeouts.answer_s, Outcome.TIMEOUT_ANSWER)

    def first_token(self, *, reasoning: bool) -> Limit:
        """For the first token of a stream, later where the model is to think first."""
        own_s = self.step.entry.timeouts.until_first_token_s(reasoning)
        return self._limit(own_s, Outcome.TIMEOUT_FIRST_TOKEN)

    def _limit(self, own_s: float, late: Outcome) -> Limit:
        """The clock itself, or what the chain leaves of it."""
        left_s = self.step.until_s - self.now()
        if left_s >= own_s:
            return own_s, late
        fair = self.step.shared and left_s >= own_s * FAIR_SHARE
        return left_s, late if fair else Outcome.TIMEOUT_TOTAL
