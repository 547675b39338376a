"""What every provider gave and cost over the life of the process, and what to set: `/report.json`.

All of it is read from the tallies behind the metrics; nothing is kept for it alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.clock import Clock
from sidecar.core.settings import Settings
from sidecar.observe.advice import suggest, unsaid
from sidecar.observe.life import Failover, Life, Seen, failover_of, full_of, routed, seen_of
from sidecar.observe.metrics import Metrics
from sidecar.observe.standing import NOTHING_TO_SEE, Looks

Json = dict[str, Any]

SERVED = ("success", "failover_success")
OWN_DOING = ("client_error", "cancelled")


class LifeReport:
    """Reads what `metrics` counted, and what `looks` has, at each look."""

    def __init__(
        self, settings: Settings, clock: Clock, metrics: Metrics, looks: Looks = NOTHING_TO_SEE
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._looks = looks
        self._started_s = clock.monotonic()

    def life(self) -> Life:
        """What was seen so far."""
        requests, attempts = self._metrics.requests, self._metrics.attempts
        return Life(
            up_s=self._clock.monotonic() - self._started_s,
            models=seen_of(attempts, self._settings),
            requests=routed(requests.requests),
            failover=failover_of(requests, self._settings),
            full=full_of(attempts.skips),
            parked={
                breaker.provider: aside.reason
                for breaker in self._looks.breakers()
                for aside in breaker.parked
            },
            keys=self._looks.keys(),
        )

    def as_json(self) -> Json:
        """The content of `/report.json`; its keys are stable."""
        life = self.life()
        return {
            "time": round(self._clock.unix(), 3),
            "uptime_s": round(life.up_s, 3),
            "requests": shown_requests(life.requests),
            "failover": shown_failover(life.failover),
            "providers": [shown_seen(one) for one in life.models],
            "suggestions": [one._asdict() for one in suggest(self._settings, life)],
            "unsaid": unsaid(life),
        }


def shown_requests(requests: Mapping[str, int]) -> Json:
    """What the application saw; `served_ratio` is of all but its own doing."""
    served = sum(requests[one] for one in SERVED)
    counted = sum(count for one, count in requests.items() if one not in OWN_DOING)
    return {
        "total": sum(requests.values()),
        "served": served,
        "served_ratio": served / counted if counted else None,
        "saved": requests["failover_success"],
        "exhausted": requests["exhausted"],
        "interrupted": requests["interrupted"],
    }


def shown_failover(failover: Failover) -> Json:
    """What it cost."""
    extra = failover.extra_usd
    return {**failover._asdict(), "extra_usd": None if extra is None else round(extra, 6)}


def shown_seen(seen: Seen) -> Json:
    """A provider with a model. What is not known is null."""
    _, p50_s, p95_s, p99_s = seen.first_tokens
    return {
        "name": seen.name,
        "attempts": seen.attempts,
        "availability": seen.availability,
        "failures": seen.failures,
        "cooldowns": seen.cooldowns,
        "refusals": seen.refusals,
        "first_tokens": seen.first_tokens.total,
        "ttft_p50_s": p50_s,
        "ttft_p95_s": p95_s,
        "ttft_p99_s": p99_s,
        "tokens": seen.usage._asdict(),
        "usd": seen.usd and round(seen.usd, 6),
        "usd_per_1000": seen.usd_per_1000 and round(seen.usd_per_1000, 6),
    }
