"""The clocks of an attempt: `limited` for what is awaited as a whole, `Watch` for a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome

LATE_S = 0.05  # a timer this late was kept from running: what was sent meanwhile is still unread
SAYING = {
    Outcome.TIMEOUT_FIRST_TOKEN: "the provider's first token took too long",
    Outcome.TIMEOUT_ANSWER: "the provider took too long to answer",
    Outcome.TIMEOUT_IDLE: "the provider fell silent",
    Outcome.TIMEOUT_TOTAL: "the time for the call is over",
}


class limited:  # noqa: N801  reads like the built-in context managers
    """Raise `AnswerFailed(late)` if the body of the `with` takes longer than `seconds`.

    Cancels the task for that, as `asyncio.timeout` does, but costs no coroutines, and lets what
    arrived while the process stood still be read first.
    """

    __slots__ = ("_cancelling", "_due_s", "_expired", "_late", "_loop", "_task", "_timer")

    def __init__(self, seconds: float, late: Outcome) -> None:
        self._loop = asyncio.get_running_loop()
        self._due_s = self._loop.time() + seconds
        self._late = late
        self._expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("limited: only a task can be interrupted")
        self._task = task
        self._cancelling = task.cancelling()
        self._timer = self._loop.call_at(self._due_s, self._look)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if not self._expired:
            return
        ours = self._task.uncancel() <= self._cancelling
        if ours and kind is asyncio.CancelledError:
            raise AnswerFailed(self._late, SAYING[self._late]) from None

    def _look(self) -> None:
        if self._loop.time() - self._due_s > LATE_S:
            self._timer = self._loop.call_later(LATE_S, self._expire)
        else:
            self._expire()

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()


class Watch:
    """Ends a stream that stays silent: calls `cut` once and remembers which clock ran out.

    One timer looks now and then, so that a chunk costs nothing. Silence is only what passes while
    a read waits, never the time of a slow reader. All times are those of the event loop.
    """

    def __init__(self, *, first_s: float, idle_s: float, end_s: float, late: Outcome) -> None:
        """`first_s` and `end_s` are deadlines, `idle_s` a span.

        `late` is what a first token that does not come in time is called.
        """
        self.fired: Outcome | None = None
        self._loop = asyncio.get_running_loop()
        self._first_s = first_s
        self._late = late
        self._idle_s = idle_s
        self._end_s = end_s
        self._progressed = False
        self._waiting_since_s: float | None = None
        self._cut: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, cut: Callable[[], None]) -> None:
        """Begin to watch; `cut` must end the read that is under way."""
        self._cut = cut
        self.stop()
        self._look()

    def stop(self) -> None:
        """The stream is over, or nobody reads it any more."""
        if self._timer:
            self._timer.cancel()

    def expire(self) -> None:
        """End the stream now, as when the time for the whole call is over."""
        self._fire(Outcome.TIMEOUT_TOTAL)

    def progress(self) -> None:
        """A token came: from now on only silence and the end of the chain's time count."""
        self._progressed = True
        self.stop()
        self._look()

    def waiting(self) -> None:
        """A read begins."""
        self._waiting_since_s = self._loop.time()

    def reading(self) -> None:
        """A read has ended."""
        self._waiting_since_s = None

    def _look(self, *, again: bool = False) -> None:
        now = self._loop.time()
        due_s, outcome = self._due(now)
        if now < due_s:
            self._timer = self._loop.call_at(due_s, self._look)
        elif now - due_s > LATE_S and not again:
            self._timer = self._loop.call_later(LATE_S, self._look_again)
        else:
            self._fire(outcome)

    def _look_again(self) -> None:
        self._look(again=True)

    def _fire(self, outcome: Outcome) -> None:
        self.stop()
        self.fired = outcome
        if self._cut:
            self._cut()

    def _due(self, now: float) -> tuple[float, Outcome]:
        if not self._progressed:
            return self._first_s, self._late
        since_s = now if self._waiting_since_s is None else self._waiting_since_s
        silent_s = since_s + self._idle_s
        if self._end_s < silent_s:
            return self._end_s, Outcome.TIMEOUT_TOTAL
        return silent_s, Outcome.TIMEOUT_IDLE
