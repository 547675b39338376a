"""Where everything stands right now, and what led to it: `/status.json`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from sidecar.clock import Clock
from sidecar.core.events import (
    AttemptEnded,
    AttemptStarted,
    BreakerMoved,
    Event,
    FailedOver,
    RequestEnded,
    Skipped,
    State,
)
from sidecar.core.settings import Entry, Settings
from sidecar.observe.requests import Requests
from sidecar.observe.seats import Seat, seated
from sidecar.observe.sentence import Chain, sentence
from sidecar.observe.standing import Aside, HoldView, Keys, Looks, Standing
from sidecar.observe.traffic import Traffic, percentile

RECENT_FAILOVERS = 50
FAILING_SHOWN = 5  # kinds of failures

Json = dict[str, Any]


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
        pod: str = "",
    ) -> None:
        self._routes = settings.routes
        self._store_kind = settings.store.partition(":")[0]
        self._clock = clock
        self._looks = looks
        self._version = version
        self._pod = pod
        self._started_s = clock.monotonic()
        self._started_unix_s = clock.unix()
        entries = [entry for route in settings.routes for entry in route.chain]
        self._kinds = {provider.name: provider.kind for provider in settings.providers}
        self._traffic = {entry.breaker_name: Traffic() for entry in entries}
        self._traffic_of = {
            (entry.provider.name, entry.model_label): self._traffic[entry.breaker_name]
            for entry in entries
        }
        self._away_since: dict[str, float] = {}  # of breakers that are not closed, in Unix seconds
        self._failovers: deque[Json] = deque(maxlen=RECENT_FAILOVERS)
        self._requests = Requests()
        self.handlers: dict[type[Event], Callable[[Any], None]] = {
            AttemptStarted: self._attempt_started,
            AttemptEnded: self._attempt_ended,
            FailedOver: self._failed_over,
            Skipped: self._skipped,
            RequestEnded: self._request_ended,
            BreakerMoved: self._breaker_moved,
        }

    def as_json(self) -> Json:
        """The content of `/status.json`; its keys are stable. Moments are Unix seconds."""
        now, providers = self._clock.unix(), self._providers()
        chains = self._chains(providers, now)
        return {
            "version": self._version,
            "pod": self._pod,
            "time": round(now, 3),
            "uptime_s": round(self._up_s(), 3),
            "sentence": sentence(chains, now),
            "config": self._config(),
            "store": self._store(),
            "providers": providers,
            "routes": [shown_chain(chain) for chain in chains],
            "failovers": list(self._failovers),
            "requests": self._requests.latest(),
        }

    def request(self, request_id: str) -> Json | None:
        """What is remembered of one request and its tries; `None` where that is nothing."""
        return self._requests.find(request_id)

    def _up_s(self) -> float:
        return self._clock.monotonic() - self._started_s

    def _chains(self, providers: list[Json], now: float) -> list[Chain]:
        by_name = {provider["name"]: provider for provider in providers}
        chains = [(route.models, list(map(shown_entry, route.chain))) for route in self._routes]
        return [Chain(models, seated(entries, by_name, now)) for models, entries in chains]

    def _config(self) -> Json:
        config = self._looks.config()
        return {
            "sha256": config.sha256,
            "loaded": config.loaded_unix_s or self._started_unix_s,
            "warnings": list(config.warnings),
            "problems": list(config.problems),
        }

    def _store(self) -> Json:
        store = self._looks.store()
        age_s = store.view_age_s
        return {
            "kind": self._store_kind,
            "up": store.up,
            "degraded": store.degraded,
            "last_sync_s": None if age_s is None else round(age_s, 3),
            "pods": [
                {"pod": pod, "last_seen_s": round(seen_s, 3)}
                for pod, seen_s in sorted(store.pods.items())
            ],
        }

    def _providers(self) -> list[Json]:
        keys = self._looks.keys()
        return [self._provider(one, keys.get(one.provider)) for one in self._looks.breakers()]

    def _provider(self, breaker: Standing, keys: Keys | None) -> Json:
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
            "away_since": self._away_since_of(breaker),
            **shown_traffic(traffic, self._clock.unix(), self._up_s()),
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
            traffic.ended(event, self._clock.unix())
        self._requests.tried(event, self._clock.monotonic())

    def _skipped(self, event: Skipped) -> None:
        self._requests.tried(event, self._clock.monotonic())

    def _request_ended(self, event: RequestEnded) -> None:
        self._requests.ended(event, self._clock.unix(), self._clock.monotonic())

    def _breaker_moved(self, event: BreakerMoved) -> None:
        if event.to_state is State.CLOSED:
            self._away_since.pop(event.breaker, None)
        else:
            self._away_since.setdefault(event.breaker, self._clock.unix())

    def _away_since_of(self, breaker: Standing) -> float | None:
        """Since when it has not been closed; a pod that came later knows its last move only."""
        if breaker.state == State.CLOSED:
            return None
        return self._away_since.get(breaker.name) or breaker.since_unix_s or None

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


def shown_chain(chain: Chain) -> Json:
    """A route in the words of the configuration, and where each of its places stands."""
    return {
        "models": list(chain.models),
        "chain": [one.entry for one in chain.seats],
        "seats": [shown_seat(one) for one in chain.seats],
    }


def shown_seat(seat: Seat) -> Json:
    """One place of a chain."""
    shown = seat._asdict()
    del shown["since"]  # the provider says more
    return shown


def shown_entry(entry: Entry) -> str:
    """`provider/model`, or the provider alone where the model asked for goes on unchanged."""
    name = entry.provider.name
    return name if entry.model is None else f"{name}/{entry.model}"


def shown_traffic(traffic: Traffic, unix_s: float, up_s: float) -> Json:
    """What lately went to a provider, in a process that has been up for `up_s`."""
    failing = traffic.failing.most_common(FAILING_SHOWN)
    return {
        "p50_s": percentile(traffic.answers_s, 0.5),
        "p95_s": percentile(traffic.answers_s, 0.95),
        "ttft_p50_s": percentile(traffic.first_tokens_s, 0.5),
        "ttft_p95_s": percentile(traffic.first_tokens_s, 0.95),
        "in_flight": traffic.in_flight,
        "attempts_per_s": traffic.attempts_per_s(unix_s, up_s),
        "failing": [{"what": what, "count": count} for what, count in failing],
        "history": [list(one) for one in traffic.history(unix_s)],
    }


def shown_hold(hold: HoldView) -> Json:
    """Who pinned a breaker, how and why."""
    return {
        "mode": hold.mode,
        "until": hold.until_unix_s,
        "by": hold.by,
        "reason": hold.reason,
    }


def shown_aside(aside: Aside) -> Json:
    """What is passed over although its breaker lets calls through."""
    return {"model": aside.model, "reason": aside.reason, "retry_in_s": aside.seconds}
