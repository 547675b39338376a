"""Whether a subscription tells what looks and writes show: the proof that it still hears.

A quiet channel is silent, and so is one at a server that writes do not reach any more, which
answers `PING` all the same. What moved between two looks has to be told, too, soon after.
"""

from __future__ import annotations

from sidecar.clock import Clock
from sidecar.core.record import Record

PATIENCE_S = 1.0  # a push takes milliseconds
MOST = 10_000  # breakers that are kept in mind

Version = tuple[int, int]


class Lag:
    """Of each breaker, the latest version that was told, and one that should have been."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_s = clock.monotonic()
        self._told: dict[str, Version] = {}
        self._missing: dict[str, Version] = {}
        self._behind_since_s = 0.0

    def begin(self) -> None:
        """A subscription tells what is written from now on."""
        self._began_s = self._clock.monotonic()
        self._told.clear()
        self._missing.clear()

    def saw(self, record: Record, asked_s: float) -> None:
        """It was read or written by what was asked at `asked_s`, of the monotonic clock.

        The first time since the subscription began shows what may have been there before it.
        """
        if asked_s < self._began_s:
            return
        told = self._told.get(record.name)
        if told is None:
            self._tell(record)
        elif record.version > max(told, self._missing.get(record.name, told)):
            if not self._missing:
                self._behind_since_s = self._clock.monotonic()
            self._missing[record.name] = record.version

    def heard(self, record: Record) -> None:
        """The subscription told of it."""
        self._tell(record)
        self._behind_since_s = self._clock.monotonic()
        if self._missing.get(record.name, record.version) <= record.version:
            self._missing.pop(record.name, None)

    def is_behind(self) -> bool:
        """Whether the subscription should have told by now what it has not."""
        waited_s = self._clock.monotonic() - self._behind_since_s
        return bool(self._missing) and waited_s >= PATIENCE_S

    def _tell(self, record: Record) -> None:
        told = self._told.get(record.name, record.version)
        if record.name in self._told or len(self._told) < MOST:
            self._told[record.name] = max(told, record.version)
