"""Counts events, and shows what they came to."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from sidecar.clock import Clock
from sidecar.core.events import (
    AttemptEnded,
    BreakerMoved,
    Event,
    FailedOver,
    Hedged,
    ProbeEnded,
    Propagated,
    RequestEnded,
    RequestStarted,
    Retried,
    Skipped,
    StoreAsked,
    StreamInterrupted,
)
from sidecar.core.settings import Settings
from sidecar.observe.metrics.families import Kept, written
from sidecar.observe.metrics.table import (
    Build,
    of_asides,
    of_attempts,
    of_breakers,
    of_extra_tries,
    of_failovers,
    of_limits,
    of_process,
    of_requests,
    of_store,
    of_tokens,
)
from sidecar.observe.metrics.text import Format
from sidecar.observe.series import Spreads
from sidecar.observe.standing import NOTHING_TO_SEE, Looks
from sidecar.observe.store import StoreTallies
from sidecar.observe.tallies import AsideTallies, AttemptTallies, BreakerTallies, RequestTallies

OPENMETRICS = "application/openmetrics-text"
LAG_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


class Metrics:
    """Counts events and shows them to Prometheus. Any number of these live side by side.

    `handlers` are what counts each kind of event, `requests` and `attempts` what was counted.
    What `looks` has is asked at each scrape, from whatever thread it runs in.
    """

    def __init__(
        self, settings: Settings, clock: Clock, build: Build, looks: Looks = NOTHING_TO_SEE
    ) -> None:
        self.requests = requests = RequestTallies(settings, clock.unix)
        self.attempts = attempts = AttemptTallies(settings, clock.unix)
        self._asides = AsideTallies(settings, looks.breakers, looks.keys)
        self._breakers = BreakerTallies(settings, clock.monotonic, looks.breakers)
        self._store = StoreTallies(settings.store.partition(":")[0], looks.store)
        self._lag_s = Spreads([()], LAG_S)
        self.handlers: dict[type[Event], Callable[[Any], None]] = {
            RequestStarted: requests.started,
            RequestEnded: requests.ended,
            FailedOver: requests.failed_over,
            AttemptEnded: attempts.ended,
            Retried: attempts.retried,
            Hedged: attempts.hedged,
            Skipped: attempts.skipped,
            StreamInterrupted: attempts.interrupted,
            BreakerMoved: self._breakers.moved,
            ProbeEnded: self._breakers.probed,
            StoreAsked: self._store.asked,
            Propagated: self._store.propagated,
        }
        rows = (
            *of_requests(requests),
            *of_failovers(requests),
            *of_attempts(attempts),
            *of_limits(attempts),
            *of_extra_tries(attempts),
            *of_tokens(attempts.spent),
            *of_asides(self._asides),
            *of_breakers(self._breakers),
            *of_store(self._store),
            *of_process(build, clock.unix(), self._lag_s),
        )
        self._kept = [Kept(row) for row in rows]
        self._writing = Lock()
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)

    def observe_loop_lag(self, seconds: float) -> None:
        """Note how late the event loop was."""
        self._lag_s.observe((), seconds)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The metrics and their content type: OpenMetrics where the Accept header asks for it.

        The first time takes some 2 µs a series, later only what has changed is written anew. A
        large configuration had better call it in a thread of its own; any number of them may.
        """
        self._breakers.look()
        self._asides.look()
        self._store.look()
        form = Format.OPENMETRICS if OPENMETRICS in accept else Format.TEXT
        # not the header itself: the library trusts its version to be a number, and echoes it
        encode, content_type = choose_encoder(OPENMETRICS if form is Format.OPENMETRICS else "")
        with self._writing:
            ours = written(self._kept, form)
        return ours + encode(self._process), content_type
