"""Whether the watch tells what reads and writes show: the proof that it still lives.

A watch of a quiet prefix is silent, and so is a dead one. What was read or written has to come by
it, too, soon after; if it does not, whatever the reason, the watch is not to be trusted.
"""

from __future__ import annotations

from sidecar.clock import Clock

PATIENCE_S = 1.0  # a push takes milliseconds


class Lag:
    """The latest revision of a record known here, against the latest that the watch told."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known = 0
        self._told = 0
        self._behind_since_s = 0.0

    def begin(self, revision: int) -> None:
        """A watch tells what comes after `revision`, maybe of a store that lost its data."""
        self._known = self._told = revision

    def saw(self, revision: int) -> None:
        """A record was read or written."""
        if revision > self._known:
            if self._known <= self._told:
                self._behind_since_s = self._clock.monotonic()
            self._known = revision

    def heard(self, revision: int) -> None:
        """The watch told of it."""
        self._told = max(self._told, revision)
        self._behind_since_s = self._clock.monotonic()

    def is_behind(self) -> bool:
        """Whether the watch should have told by now what it has not."""
        waited_s = self._clock.monotonic() - self._behind_since_s
        return self._known > self._told and waited_s >= PATIENCE_S
