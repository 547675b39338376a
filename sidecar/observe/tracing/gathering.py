"""Gathers what is told of each request until it has ended, at hardly any cost to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from sidecar.clock import Clock
from sidecar.core.events import AttemptEnded, Event, FailedOver, RequestEnded, Skipped


class Told(NamedTuple):
    """An attempt, and when it began; or what happened at a moment. Times are Unix seconds."""

    unix_s: float
    event: AttemptEnded | FailedOver | Skipped


class Walk(NamedTuple):
    """A request that has ended, and all that was told of it."""

    ended_unix_s: float
    request: RequestEnded
    told: Sequence[Told]


class Sending(Protocol):
    """Who takes walks to where they become spans, without ever making anybody wait."""

    def open(self) -> None: ...
    def put(self, walk: Walk) -> None: ...
    def close(self) -> None: ...


class Tracing:
    """Turns events into walks. `handlers` are what gathers each kind of event.

    What is not recorded (the caller's trace says so, or chance) is not kept.
    """

    def __init__(self, sending: Sending, clock: Clock) -> None:
        self._sending = sending
        self._clock = clock
        self._told: dict[str, list[Told]] = {}  # by the span of a request that has not ended
        self.handlers: dict[type[Event], Callable[[Any], None]] = {
            AttemptEnded: self._attempt_ended,
            FailedOver: self._happened,
            Skipped: self._happened,
            RequestEnded: self._request_ended,
        }

    def open(self) -> None:
        """From now on what has ended is sent."""
        self._sending.open()

    async def close(self) -> None:
        """Send what is left, in a second at most."""
        await asyncio.to_thread(self._sending.close)

    def _attempt_ended(self, event: AttemptEnded) -> None:
        ago_s = self._clock.monotonic() - event.began_s
        self._note(event, self._clock.unix() - ago_s)

    def _happened(self, event: FailedOver | Skipped) -> None:
        self._note(event, self._clock.unix())

    def _note(self, event: AttemptEnded | FailedOver | Skipped, unix_s: float) -> None:
        if event.trace.is_sampled:
            self._told.setdefault(event.trace.span_id, []).append(Told(unix_s, event))

    def _request_ended(self, event: RequestEnded) -> None:
        if event.trace.is_sampled:
            told = self._told.pop(event.trace.span_id, ())
            self._sending.put(Walk(self._clock.unix(), event, told))
