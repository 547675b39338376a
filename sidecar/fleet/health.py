"""Whether the store answers, since when it does not, and when to ask it again."""

from __future__ import annotations

DEGRADED_AFTER = 3  # failures in a row: one may be a hiccup, more are an outage
FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 2.0  # as often as one that answers is read: all pods agree soon after it is back


class Health:
    """The store as this pod meets it. Times are monotonic; `heard_s` is when it last answered."""

    def __init__(self, now_s: float) -> None:
        self.failures = 0
        self.heard_s: float | None = None
        self._degraded_s: float | None = None
        self._degraded_before_s = 0.0
        self._began_s = now_s

    @property
    def up(self) -> bool:
        """Whether its last word was an answer."""
        return self.heard_s is not None and not self.failures

    @property
    def degraded(self) -> bool:
        """Whether this pod decides alone."""
        return self._degraded_s is not None

    def failed(self, now_s: float) -> bool:
        """It did not answer; whether from now on this pod decides alone."""
        self.failures += 1
        if self.degraded or self.failures < DEGRADED_AFTER:
            return False
        self._degraded_s = now_s
        return True

    def answered(self, now_s: float) -> None:
        """It answered."""
        self.failures = 0
        self.heard_s = now_s

    def recovered(self, now_s: float) -> None:
        """All has been read again: the fleet decides."""
        self._degraded_before_s = self.degraded_for_s(now_s)
        self._degraded_s = None

    def degraded_for_s(self, now_s: float) -> float:
        """For how long this pod has decided alone, all outages together."""
        current_s = 0.0 if self._degraded_s is None else now_s - self._degraded_s
        return self._degraded_before_s + current_s

    def retry_s(self, chance: float, failures: int = 0) -> float:
        """How long to stay away after a failure, with full jitter; `chance` is in [0, 1).

        `failures` are those of one kind of question, while others may be answered.
        """
        doubled_s: float = FIRST_RETRY_S * 2 ** min(max(self.failures, failures), 10)
        return chance * min(LONGEST_RETRY_S, doubled_s)
