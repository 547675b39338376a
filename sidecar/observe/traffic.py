"""What lately went to the providers behind one breaker: latencies, errors, and a short history."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from math import ceil
from typing import NamedTuple

from sidecar.core.events import AttemptEnded
from sidecar.core.outcome import COOLING, FAILURES, PARKING, Outcome

RECENT_ANSWERS = 512  # per breaker: enough for a p95 that a handful of slow ones do not throw
SLICE_S = 10
SLICES = 90  # a quarter of an hour, at about 15 KB a breaker where something goes on in all of it
RATE_S = 60.0
MAX_FIRST_TOKENS = 256  # of one slice

ERRORS = FAILURES | COOLING | PARKING  # what was the provider's doing, or the operator's


class Slice(NamedTuple):
    """`SLICE_S` seconds of attempts, by when they ended; the first token's times in seconds."""

    began_unix_s: int
    attempts: int
    errors: int
    ttft_p50_s: float | None
    ttft_p95_s: float | None


class Traffic:
    """Remembers attempts, within bounds. Moments are Unix seconds and never told out of order."""

    __slots__ = (
        *("_attempts", "_began_s", "_errors", "_first_tokens_s", "_slices"),
        *("answers_s", "failing", "first_tokens_s", "in_flight"),
    )

    def __init__(self) -> None:
        self.in_flight = 0
        self.answers_s: deque[float] = deque(maxlen=RECENT_ANSWERS)
        self.first_tokens_s: deque[float] = deque(maxlen=RECENT_ANSWERS)
        self.failing: Counter[str] = Counter()  # since the last good answer
        self._slices: deque[Slice] = deque(maxlen=SLICES)
        self._begin(0)

    def ended(self, event: AttemptEnded, unix_s: float) -> None:
        """Note an attempt. Times are those of good answers: a quick refusal is no quick answer."""
        self.in_flight -= 1
        if unix_s >= self._began_s + SLICE_S:
            self._turn(unix_s)
        self._attempts += 1
        if event.outcome is Outcome.OK:
            self._answered(event)
        elif event.outcome in ERRORS:
            self._errors += 1
            self.failing[what_failed(event)] += 1

    def _answered(self, event: AttemptEnded) -> None:
        self.failing.clear()
        self.answers_s.append(event.duration_s)
        if event.ttft_s is not None:
            self.first_tokens_s.append(event.ttft_s)
            self._first_tokens_s.append(event.ttft_s)

    def history(self, unix_s: float) -> list[Slice]:
        """What went on in each slice, the running one included; idle ones are left out."""
        oldest_s = unix_s - SLICES * SLICE_S
        running = [self._running()] if self._attempts else []
        return [one for one in (*self._slices, *running) if one.began_unix_s > oldest_s]

    def attempts_per_s(self, unix_s: float, up_s: float) -> float:
        """The rate of the last minute, or of the `up_s` seconds that there were yet."""
        began_s = int(unix_s - RATE_S) // SLICE_S * SLICE_S + SLICE_S
        slices = (one for one in self.history(unix_s) if one.began_unix_s >= began_s)
        span_s = max(1.0, min(up_s, unix_s - began_s))
        return round(sum(one.attempts for one in slices) / span_s, 3)

    def _begin(self, began_s: int) -> None:
        self._began_s = began_s
        self._attempts = 0
        self._errors = 0
        self._first_tokens_s: deque[float] = deque(maxlen=MAX_FIRST_TOKENS)

    def _turn(self, unix_s: float) -> None:
        if self._attempts:
            self._slices.append(self._running())
        self._begin(int(unix_s) // SLICE_S * SLICE_S)

    def _running(self) -> Slice:
        first_s = self._first_tokens_s
        p50_s, p95_s = percentile(first_s, 0.5), percentile(first_s, 0.95)
        return Slice(self._began_s, self._attempts, self._errors, p50_s, p95_s)


def what_failed(event: AttemptEnded) -> str:
    """The status that a provider refused with, or the word for how else it failed."""
    return str(event.status) if event.status >= 400 else event.outcome.value


def percentile(values: Iterable[float], share: float) -> float | None:
    """The nearest rank, to a tenth of a millisecond; `None` of nothing."""
    ranked = sorted(values)
    return round(ranked[ceil(len(ranked) * share) - 1], 4) if ranked else None
