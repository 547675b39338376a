"""Where everything stands right now: `/status.json`, and the page that shows it to people."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from math import ceil
from typing import Any

from sidecar.clock import Clock
from sidecar.core.events import AttemptEnded, AttemptStarted, Event, FailedOver
from sidecar.core.outcome import Outcome
from sidecar.core.settings import Entry, Route, Settings
from sidecar.observe.standing import Aside, HoldView, Keys, Looks, Standing

RECENT_ANSWERS = 512  # per breaker: enough for a p95 that a handful of slow ones do not throw
RECENT_FAILOVERS = 50


class Traffic:
    """What lately went to the providers behind one breaker."""

    __slots__ = ("answers_s", "first_tokens_s", "in_flight")

    def __init__(self) -> None:
        self.in_flight = 0
        self.answers_s: deque[float] = deque(maxlen=RECENT_ANSWERS)
        self.first_tokens_s: deque[float] = deque(maxlen=RECENT_ANSWERS)

    def ended(self, event: AttemptEnded) -> None:
        """Note an attempt. Times are those of good answers: a quick refusal is no quick answer."""
        self.in_flight -= 1
        if event.outcome is Outcome.OK:
            self.answers_s.append(event.duration_s)
            if event.ttft_s is not None:
                self.first_tokens_s.append(event.ttft_s)


class Status:
    """Remembers what `/status.json` tells, within bounds.

    `handlers` are what remembers each kind of event. What `looks` has is asked at each look.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        looks: Looks,
        version: str,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._looks = looks
        self._version = version
        self._started_s = clock.monotonic()
        self._started_unix_s = clock.unix()
        entries = [entry for route in settings.routes for entry in route.chain]
        self._kinds = {provider.name: provider.kind for provider in settings.providers}
        self._traffic = {entry.breaker_name: Traffic() for entry in entries}
        self._traffic_of = {
            (entry.provider.name, entry.model_label): self._traffic[entry.breaker_name]
            for entry in entries
        }
        self._failovers: deque[dict[str, Any]] = deque(maxlen=RECENT_FAILOVERS)
        self.handlers: dict[type[Event], Callable[[Any], None]] = {
            AttemptStarted: self._attempt_started,
            AttemptEnded: self._attempt_ended,
            FailedOver: self._failed_over,
        }

    def as_json(self) -> dict[str, Any]:
        """The content of `/status.json`; its keys are stable. Moments are Unix seconds."""
        return {
            "version": self._version,
            "uptime_s": round(self._clock.monotonic() - self._started_s, 3),
            "store": self._store(),
            "providers": self._providers(),
            "routes": [shown_route(route) for route in self._settings.routes],
            "failovers": list(self._failovers),
        }

    def _store(self) -> dict[str, Any]:
        store = self._looks.store()
        age_s = store.view_age_s
        return {
            "kind": self._settings.store.partition(":")[0],
            "up": store.up,
            "degraded": store.degraded,
            "last_sync_s": None if age_s is None else round(age_s, 3),
            "pods": [
                {"pod": pod, "last_seen_s": round(seen_s, 3)}
                for pod, seen_s in sorted(store.pods.items())
            ],
        }

    def _providers(self) -> list[dict[str, Any]]:
        keys = self._looks.keys()
        return [self._provider(one, keys.get(one.provider)) for one in self._looks.breakers()]

    def _provider(self, breaker: Standing, keys: Keys | None) -> dict[str, Any]:
        traffic = self._traffic.get(breaker.name) or Traffic()
        return {
            "name": breaker.name,
            "kind": self._kinds.get(breaker.provider),
            "state": breaker.state,
            "since": breaker.since_unix_s or self._started_unix_s,
            "epoch": breaker.epoch,
            "cause": breaker.cause or None,
            "open_until": breaker.open_until_unix_s,
            "retry_in_s": breaker.retry_in_s,
            "consecutive_failures": breaker.consecutive_failures,
            "error_ratio": breaker.error_ratio,
            "p50_s": percentile(traffic.answers_s, 0.5),
            "p95_s": percentile(traffic.answers_s, 0.95),
            "ttft_p95_s": percentile(traffic.first_tokens_s, 0.95),
            "in_flight": traffic.in_flight,
            "held": shown_hold(breaker.held) if breaker.held else None,
            "parked": [shown_aside(one) for one in breaker.parked],
            "cooldown_s": [shown_aside(one) for one in breaker.cooldown_s],
            "keys": {"total": keys[0], "parked": keys[1]} if keys else None,
        }

    def _attempt_started(self, event: AttemptStarted) -> None:
        if traffic := self._traffic_of.get((event.provider, event.model)):
            traffic.in_flight += 1

    def _attempt_ended(self, event: AttemptEnded) -> None:
        if traffic := self._traffic_of.get((event.provider, event.model)):
            traffic.ended(event)

    def _failed_over(self, event: FailedOver) -> None:
        self._failovers.append(
            {
                "time": self._clock.unix(),
                "request_id": event.request_id,
                "route": event.route,
                "from": event.from_provider,
                "to": event.to_provider,
                "reason": event.reason,
            }
        )


def shown_route(route: Route) -> dict[str, Any]:
    """A route in the words of the configuration."""
    return {"models": list(route.models), "chain": [shown_entry(entry) for entry in route.chain]}


def shown_entry(entry: Entry) -> str:
    """`provider/model`, or the provider alone where the model asked for goes on unchanged."""
    name = entry.provider.name
    return name if entry.model is None else f"{name}/{entry.model}"


def shown_hold(hold: HoldView) -> dict[str, Any]:
    """Who pinned a breaker, how and why."""
    return {
        "mode": hold.mode,
        "until": hold.until_unix_s,
        "by": hold.by,
        "reason": hold.reason,
    }


def shown_aside(aside: Aside) -> dict[str, Any]:
    """What is passed over although its breaker lets calls through."""
    return {"model": aside.model, "reason": aside.reason, "retry_in_s": aside.seconds}


def percentile(values: Iterable[float], share: float) -> float | None:
    """The nearest rank, to a tenth of a millisecond; `None` of nothing."""
    ranked = sorted(values)
    return round(ranked[ceil(len(ranked) * share) - 1], 4) if ranked else None


@cache
def status_page() -> bytes:
    """The page at `/status`, as it is sent."""
    return (files("sidecar.observe") / "status.html").read_bytes()
