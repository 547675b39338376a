"""The clocks of a streamed answer: one timer that looks now and then, and costs a chunk nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sidecar.core.outcome import Outcome


class Watch:
    """Ends a stream that stays silent: calls `cut` once and remembers which clock ran out.

    Only the time spent waiting for the provider counts, never that of a slow reader. All times
    are those of the event loop.
    """

    def __init__(self, *, first_s: float, idle_s: float, end_s: float, shared: bool) -> None:
        """`first_s` and `end_s` are deadlines, `idle_s` a span.

        `shared`: the first deadline is the chain's doing, not the provider's own clock.
        """
        self.fired: Outcome | None = None
        self._loop = asyncio.get_running_loop()
        self._first_s = first_s
        self._first_outcome = Outcome.TIMEOUT_TOTAL if shared else Outcome.TIMEOUT_FIRST_TOKEN
        self._idle_s = idle_s
        self._end_s = end_s
        self._progressed = False
        self._waiting_since_s: float | None = None
        self._cut: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, cut: Callable[[], None]) -> None:
        """Begin to watch; `cut` must end the read that is under way."""
        self._cut = cut
        self._look()

    def stop(self) -> None:
        """The stream is over, or nobody reads it any more."""
        if self._timer:
            self._timer.cancel()

    def progress(self) -> None:
        """A token came: from now on only silence and the end of the chain's time count."""
        self._progressed = True

    def waiting(self) -> None:
        """A read begins."""
        self._waiting_since_s = self._loop.time()

    def reading(self) -> None:
        """A read has ended."""
        self._waiting_since_s = None

    def _look(self) -> None:
        now = self._loop.time()
        due_s, outcome = self._due(now)
        if now < due_s:
            self._timer = self._loop.call_at(due_s, self._look)
            return
        self.fired = outcome
        if self._cut:
            self._cut()

    def _due(self, now: float) -> tuple[float, Outcome]:
        if not self._progressed:
            return self._first_s, self._first_outcome
        since_s = now if self._waiting_since_s is None else self._waiting_since_s
        silent_s = since_s + self._idle_s
        if self._end_s < silent_s:
            return self._end_s, Outcome.TIMEOUT_TOTAL
        return silent_s, Outcome.TIMEOUT_IDLE
