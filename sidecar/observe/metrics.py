"""The metrics: the only place with their names, and the only one that knows Prometheus.

Dashboards and alerts hang on every name and label here; the numbers come from `tallies`.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from sidecar.clock import Clock
from sidecar.core.events import (
    AttemptEnded,
    BreakerMoved,
    Event,
    FailedOver,
    ProbeEnded,
    RequestEnded,
    RequestStarted,
    Skipped,
    StreamInterrupted,
)
from sidecar.core.settings import Settings
from sidecar.observe.series import Numbers, Spreads
from sidecar.observe.tallies import AttemptTallies, BreakerTallies, RequestTallies

PREFIX = "llm_failover_"
MEMORY = "memory"
OPENMETRICS = "application/openmetrics-text"
LAG_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily | InfoMetricFamily
Shown = Callable[[], Family]


@dataclass(frozen=True, slots=True)
class Build:
    """What is running: the program's version, and the hash of the configuration it was given."""

    version: str
    config_sha256: str


class Metrics:
    """Counts events and shows them to Prometheus. Any number of these live side by side."""

    def __init__(self, settings: Settings, clock: Clock, build: Build) -> None:
        requests, attempts = RequestTallies(settings), AttemptTallies(settings)
        self._breakers = BreakerTallies(settings, clock.monotonic)
        self._lag_s = Spreads([()], LAG_S)
        self._handlers: dict[type[Event], Callable[[Any], None]] = {
            RequestStarted: requests.started,
            RequestEnded: requests.ended,
            FailedOver: requests.failed_over,
            AttemptEnded: attempts.ended,
            Skipped: attempts.skipped,
            StreamInterrupted: attempts.interrupted,
            BreakerMoved: self._breakers.moved,
            ProbeEnded: self._breakers.probed,
        }
        self._registry = CollectorRegistry()
        self._registry.register(
            Catalogue(
                *of_requests(requests),
                *of_failovers(requests),
                *of_attempts(attempts),
                *of_tokens(attempts),
                *of_breakers(self._breakers),
                *of_store(settings.store),
                *of_process(build, clock.unix(), self._lag_s),
            )
        )
        ProcessCollector(registry=self._registry)

    def report(self, event: Event) -> None:
        """Count `event`."""
        if handler := self._handlers.get(type(event)):
            handler(event)

    def observe_loop_lag(self, seconds: float) -> None:
        """Note how late the event loop was."""
        self._lag_s.observe((), seconds)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The metrics and their content type: OpenMetrics where the Accept header asks for it.

        Takes some 10 µs a series, so a large configuration had better call it in a thread of its
        own; that is safe.
        """
        self._breakers.catch_up()
        # not the header itself: the library trusts its version to be a number, and echoes it
        encode, content_type = choose_encoder(OPENMETRICS if OPENMETRICS in accept else "")
        return encode(self._registry), content_type


class Catalogue(Collector):
    """A list of metrics, in the form that a registry collects."""

    def __init__(self, *families: Shown) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        """Every metric as it stands."""
        return (family() for family in self._families)


def of_requests(tallies: RequestTallies) -> Iterator[Shown]:
    """What the application saw."""
    yield counter(
        "requests_total",
        "Requests by what the application saw; route is `other` where none was found.",
        "route endpoint outcome code",
        tallies.requests,
    )
    yield histogram(
        "request_duration_seconds",
        "From the request to the last byte of its answer.",
        "route",
        tallies.duration_s,
    )
    yield histogram(
        "request_time_to_first_token_seconds",
        "From the request to the first token of a streamed answer, failed attempts included.",
        "route",
        tallies.first_token_s,
    )
    yield histogram(
        "overhead_seconds",
        "Time of a request that was not spent waiting for a provider.",
        "route",
        tallies.overhead_s,
    )
    yield gauge("requests_in_flight", "Requests being answered.", "route", tallies.in_flight)


def of_failovers(tallies: RequestTallies) -> Iterator[Shown]:
    """Where the first provider was not the one that answered."""
    yield counter(
        "failovers_total",
        "Moves of a request to another provider, by the outcome that caused them.",
        "route from_provider to_provider reason",
        tallies.failovers,
    )
    yield histogram(
        "failover_seconds",
        "Time lost on attempts before the one that answered.",
        "route",
        tallies.lost_s,
    )
    yield counter(
        "chain_exhausted_total",
        "Requests that no provider of the chain answered.",
        "route",
        tallies.exhausted,
    )


def of_attempts(tallies: AttemptTallies) -> Iterator[Shown]:
    """What the providers did."""
    yield counter(
        "attempts_total",
        "Calls to a provider, by what they came to.",
        "provider model outcome",
        tallies.attempts,
    )
    yield histogram(
        "attempt_duration_seconds",
        "From the call of a provider to the end of its answer.",
        "provider model",
        tallies.duration_s,
    )
    yield histogram(
        "attempt_time_to_first_token_seconds",
        "From the call of a provider to the first token of a streamed answer.",
        "provider model",
        tallies.first_token_s,
    )
    yield counter(
        "skips_total",
        "Providers of a chain passed over without being asked.",
        "provider reason",
        tallies.skips,
    )
    yield counter(
        "stream_interruptions_total",
        "Streamed answers that broke off.",
        "provider stage",
        tallies.interruptions,
    )


def of_tokens(tallies: AttemptTallies) -> Iterator[Shown]:
    """What is paid for."""
    yield counter(
        "tokens_total",
        "Tokens as the provider counted them; input includes cached_input.",
        "provider model type",
        tallies.tokens,
    )
    yield counter(
        "usage_missing_total",
        "Good answers for which the provider sent no count of tokens.",
        "provider model",
        tallies.usage_missing,
    )


def of_breakers(tallies: BreakerTallies) -> Iterator[Shown]:
    """Where the breakers stand."""
    yield gauge(
        "breaker_state",
        "1 for the state that the breaker is in, 0 for the others.",
        "provider state",
        tallies.state,
    )
    yield counter(
        "breaker_transitions_total",
        "Moves of a breaker; summed over pods, origin self counts each one of the fleet once.",
        "provider from_state to_state cause origin",
        tallies.moves,
    )
    yield counter(
        "breaker_open_seconds_total",
        "Time that the breaker was open, until now.",
        "provider",
        tallies.open_s,
    )
    yield gauge(
        "breaker_open_until_timestamp_seconds",
        "Earliest half-open of an open breaker, 0 for any other.",
        "provider",
        tallies.until_unix_s,
    )
    yield gauge("breaker_epoch", "Rises at every move.", "provider", tallies.epoch)
    yield counter(
        "probes_total",
        "Requests let through by a half-open breaker, by what they showed.",
        "provider verdict",
        tallies.probes,
    )


def of_store(store: str) -> Iterator[Shown]:
    """The store within the process is always up, and its fleet is this pod."""
    if store == MEMORY:
        yield gauge("store_up", "1 while the store answers.", "store", constant(1, store))
        yield gauge("fleet_pods", "Pods that share the store.", "store", constant(1, store))


def of_process(build: Build, loaded_unix_s: float, lag_s: Spreads) -> Iterator[Shown]:
    """What this process is, and how it does."""
    yield gauge(
        "config_last_reload_successful",
        "1 where the newest configuration is in force.",
        "",
        constant(1),
    )
    yield gauge(
        "config_last_reload_success_timestamp_seconds",
        "When the configuration in force was loaded.",
        "",
        constant(loaded_unix_s),
    )
    yield info("config", "The configuration in force.", sha256=build.config_sha256)
    yield info(
        "build",
        "The program.",
        version=build.version,
        python=platform.python_version(),
    )
    yield histogram("event_loop_lag_seconds", "How late the event loop comes round.", "", lag_s)


def counter(name: str, help_text: str, labels: str, numbers: Numbers) -> Shown:
    """A metric that only rises."""
    return lambda: filled(
        CounterMetricFamily(PREFIX + name, help_text, labels=labels.split()), numbers
    )


def gauge(name: str, help_text: str, labels: str, numbers: Numbers) -> Shown:
    """A metric that rises and falls."""
    return lambda: filled(
        GaugeMetricFamily(PREFIX + name, help_text, labels=labels.split()), numbers
    )


def filled(metric: CounterMetricFamily | GaugeMetricFamily, numbers: Numbers) -> Family:
    """`metric` with a series for each of `numbers`."""
    for values, number in numbers.rows():
        metric.add_metric(values, number)
    return metric


def histogram(name: str, help_text: str, labels: str, spreads: Spreads) -> Shown:
    """A metric of how values are spread."""
    bounds = [*(str(float(bound)) for bound in spreads.bounds[:-1]), "+Inf"]

    def family() -> Family:
        metric = HistogramMetricFamily(PREFIX + name, help_text, labels=labels.split())
        for values, counts, total in spreads.rows():
            metric.add_metric(values, list(zip(bounds, counts, strict=True)), total)
        return metric

    return family


def info(name: str, help_text: str, **facts: str) -> Shown:
    """A metric of facts that do not change; its name gets `_info`."""
    metric = InfoMetricFamily(PREFIX + name, help_text, value=facts)
    return lambda: metric


def constant(value: float, *labels: str) -> Numbers:
    """A number that stays."""
    numbers = Numbers([labels])
    numbers.set(labels, value)
    return numbers
