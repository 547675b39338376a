"""The last requests and the tries that each took: times and outcomes, never content."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from sidecar.core.events import AttemptEnded, RequestEnded, Skipped

KEPT = 200  # about 1 KB each
MAX_OPEN = 1000  # requests whose tries wait for the end; more in flight lose their first tries
LISTED = 20

Json = dict[str, Any]


class Try(NamedTuple):
    """A provider asked or passed over; `ended_s` is monotonic."""

    ended_s: float
    event: AttemptEnded | Skipped


class Request(NamedTuple):
    """A request that is over: when, in Unix and in monotonic seconds, and what it took."""

    ended_unix_s: float
    ended_s: float
    event: RequestEnded
    tries: tuple[Try, ...]


class Requests:
    """Remembers the last `KEPT` requests that had a route."""

    def __init__(self) -> None:
        self._open: dict[str, list[Try]] = {}
        self._over: deque[Request] = deque(maxlen=KEPT)

    def tried(self, event: AttemptEnded | Skipped, now_s: float) -> None:
        """Note a try of a request that is not over. `now_s` is monotonic."""
        tries = self._open.get(event.request_id)
        if tries is None:
            if len(self._open) >= MAX_OPEN:
                del self._open[next(iter(self._open))]
            tries = self._open[event.request_id] = []
        tries.append(Try(now_s, event))

    def ended(self, event: RequestEnded, unix_s: float, now_s: float) -> None:
        """Note the end of a request, in Unix and in monotonic seconds."""
        tries = self._open.pop(event.request_id, ())
        if event.route:
            self._over.append(Request(unix_s, now_s, event, tuple(tries)))

    def latest(self) -> list[Json]:
        """The last few, newest first, each on what would be one line."""
        newest = list(self._over)[-LISTED:]
        return [summary(one) for one in reversed(newest)]

    def find(self, request_id: str) -> Json | None:
        """All that is remembered of a request; of the newest, where a client gave an id twice."""
        found = (one for one in reversed(self._over) if one.event.request_id == request_id)
        one = next(found, None)
        return one and {**summary(one), **details(one)}


def summary(one: Request) -> Json:
    """What became of a request."""
    event = one.event
    return {
        "id": event.request_id,
        "time": round(one.ended_unix_s - event.duration_s, 3),
        "route": event.route,
        "outcome": event.outcome,
        "code": event.code,
        "provider": event.provider or None,
        "duration_s": round(event.duration_s, 4),
        "ttft_s": event.ttft_s and round(event.ttft_s, 4),
        "tries": len(one.tries),
    }


def details(one: Request) -> Json:
    """How it came to that. `lost_s` went by before the try that answered."""
    event = one.event
    began_s = one.ended_s - event.duration_s
    return {
        "endpoint": event.endpoint,
        "stream": event.stream,
        "model": event.model or None,
        "overhead_s": round(event.overhead_s, 4),
        "lost_s": round(event.lost_s, 4),
        "trace_id": event.trace_id or None,
        "tries": [shown_try(each, began_s) for each in one.tries],
    }


def shown_try(one: Try, began_s: float) -> Json:
    """A try, by when it started after the request `began_s`."""
    event, at_s = one.event, one.ended_s - began_s
    if isinstance(event, Skipped):
        shown = {"provider": event.provider, "outcome": "skipped", "reason": event.reason}
        return {**shown, "start_s": max(0.0, round(at_s, 4)), "duration_s": 0.0}
    return {
        "provider": event.provider,
        "model": event.model,
        "outcome": event.outcome,
        "status": event.status,
        "start_s": max(0.0, round(at_s - event.duration_s, 4)),
        "duration_s": round(event.duration_s, 4),
        "ttft_s": event.ttft_s and round(event.ttft_s, 4),
    }
