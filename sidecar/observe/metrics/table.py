"""The names: every metric, what it says, its labels, and the numbers that it shows.

Dashboards and alerts hang on every name and label here; the numbers come from `tallies`.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass

from sidecar.observe.metrics.families import Counter, Gauge, Histogram, Info, Rows
from sidecar.observe.series import Numbers, Spreads
from sidecar.observe.spending import TokenTallies
from sidecar.observe.store import StoreTallies
from sidecar.observe.tallies import AsideTallies, AttemptTallies, BreakerTallies, RequestTallies

MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Build:
    """What is running: the program's version, and the hash of the configuration it was given."""

    version: str
    config_sha256: str


def of_requests(tallies: RequestTallies) -> Rows:
    """What the application saw."""
    return (
        Counter(
            "requests_total",
            "Requests by what the application saw; route is `other` where none was found.",
            "route endpoint outcome code",
            tallies.requests,
        ),
        Histogram(
            "request_duration_seconds",
            "From the request to the last byte of its answer.",
            "route",
            tallies.duration_s,
        ),
        Histogram(
            "request_time_to_first_token_seconds",
            "From the request to the first token of a streamed answer, failed attempts included.",
            "route",
            tallies.first_token_s,
        ),
        Histogram(
            "overhead_seconds",
            "Time of a request that was not spent waiting for a provider.",
            "route",
            tallies.overhead_s,
        ),
        Gauge("requests_in_flight", "Requests being answered.", "route", tallies.in_flight),
    )


def of_failovers(tallies: RequestTallies) -> Rows:
    """Where the first provider was not the one that answered."""
    return (
        Counter(
            "failovers_total",
            "Moves of a request to another provider, by the outcome that caused them.",
            "route from_provider to_provider reason",
            tallies.failovers,
        ),
        Histogram(
            "failover_seconds",
            "Time lost on attempts before the one that answered.",
            "route",
            tallies.lost_s,
        ),
        Counter(
            "chain_exhausted_total",
            "Requests that no provider of the chain answered.",
            "route",
            tallies.exhausted,
        ),
    )


def of_attempts(tallies: AttemptTallies) -> Rows:
    """What the providers did."""
    return (
        Counter(
            "attempts_total",
            "Calls to a provider, by what they came to.",
            "provider model outcome",
            tallies.attempts,
        ),
        Histogram(
            "attempt_duration_seconds",
            "From the call of a provider to the end of its answer.",
            "provider model",
            tallies.duration_s,
        ),
        Histogram(
            "attempt_time_to_first_token_seconds",
            "From the call of a provider to the first token of a streamed answer.",
            "provider model",
            tallies.first_token_s,
        ),
        Counter(
            "dropped_params_total",
            "Fields of requests that the provider was not sent, because it would refuse them.",
            "provider param",
            tallies.dropped,
        ),
        Counter(
            "skips_total",
            "Providers of a chain passed over without being asked.",
            "provider reason",
            tallies.skips,
        ),
        Counter(
            "stream_interruptions_total",
            "Streamed answers that broke off.",
            "provider stage",
            tallies.interruptions,
        ),
    )


def of_limits(tallies: AttemptTallies) -> Rows:
    """What the providers say of themselves."""
    return (
        Gauge(
            "provider_rate_limit_remaining",
            "What is left of a rate limit, as the provider last said it.",
            "provider type",
            tallies.remaining,
        ),
    )


def of_extra_tries(tallies: AttemptTallies) -> Rows:
    """What was asked beyond one try of one provider at a time; results `no_budget` were not."""
    return (
        Counter(
            "retries_total",
            "Further tries at the same provider, by what they came to.",
            "provider result",
            tallies.retries,
        ),
        Counter(
            "hedges_total",
            "Calls to a provider beside one that is slow to begin, by what they came to.",
            "provider result",
            tallies.hedges,
        ),
    )


def of_tokens(tallies: TokenTallies) -> Rows:
    """What is paid for."""
    return (
        Counter(
            "tokens_total",
            "Tokens as the provider counted them; input includes cached_input.",
            "provider model type",
            tallies.tokens,
        ),
        Counter(
            "usage_missing_total",
            "Good answers for which the provider sent no count of tokens.",
            "provider model",
            tallies.missing,
        ),
        Counter(
            "cost_usd_total",
            "What the tokens cost at the prices of the configuration.",
            "provider model",
            tallies.cost_usd,
        ),
        Counter(
            "unpriced_tokens_total",
            "Tokens for which the configuration has no price.",
            "provider model",
            tallies.unpriced,
        ),
    )


def of_asides(tallies: AsideTallies) -> Rows:
    """What somebody has to cure."""
    return (
        Gauge(
            "parked",
            "Models, or the whole provider, passed over now until somebody cures the reason.",
            "provider reason",
            tallies.parked,
        ),
        Gauge(
            "keys_parked",
            "Keys of the provider's pool that are passed over now.",
            "provider",
            tallies.keys_parked,
        ),
    )


def of_breakers(tallies: BreakerTallies) -> Rows:
    """Where the breakers stand."""
    return (
        Gauge(
            "breaker_state",
            "1 for the state that the breaker is in, 0 for the others.",
            "provider state",
            tallies.state,
        ),
        Counter(
            "breaker_transitions_total",
            "Moves of a breaker; summed over pods, origin self counts each one of the fleet once.",
            "provider from_state to_state cause origin",
            tallies.moves,
        ),
        Counter(
            "breaker_open_seconds_total",
            "Time that the breaker was open, until now.",
            "provider",
            tallies.open_s,
        ),
        Gauge(
            "breaker_open_until_timestamp_seconds",
            "Earliest half-open of an open breaker, 0 for any other.",
            "provider",
            tallies.until_unix_s,
        ),
        Gauge("breaker_epoch", "Rises at every move.", "provider", tallies.epoch),
        Counter(
            "probes_total",
            "Requests let through by a half-open breaker, by what they showed.",
            "provider verdict",
            tallies.probes,
        ),
    )


def of_store(tallies: StoreTallies) -> Rows:
    """The store that the pods share. One within the process has no more than these two."""
    standing = (
        Gauge("store_up", "1 while the store answers.", "store", tallies.up),
        Gauge("fleet_pods", "Pods that share the store.", "store", tallies.pods),
    )
    return standing if tallies.kind == MEMORY else (*standing, *of_store_elsewhere(tallies))


def of_store_elsewhere(tallies: StoreTallies) -> Rows:
    """How a store answers that has to be asked."""
    return (
        Gauge(
            "store_view_age_seconds",
            "Since all was last read from the store.",
            "store",
            tallies.view_age_s,
        ),
        Counter(
            "store_operations_total",
            "Operations of the store, by what they came to.",
            "store operation result",
            tallies.operations,
        ),
        Histogram(
            "store_operation_duration_seconds",
            "How long an operation of the store took.",
            "store operation result",
            tallies.operation_s,
        ),
        Counter(
            "store_degraded_seconds_total",
            "Time in which this pod decided alone, because the store did not answer.",
            "store",
            tallies.degraded_s,
        ),
        Histogram(
            "propagation_seconds",
            "From another pod's move of a breaker in the store to its use here.",
            "store",
            tallies.propagation_s,
        ),
    )


def of_process(build: Build, loaded_unix_s: float, lag_s: Spreads) -> Rows:
    """What this process is, and how it does."""
    return (
        Gauge(
            "config_last_reload_successful",
            "1 where the newest configuration is in force.",
            "",
            constant(1),
        ),
        Gauge(
            "config_last_reload_success_timestamp_seconds",
            "When the configuration in force was loaded.",
            "",
            constant(loaded_unix_s),
        ),
        Info("config_info", "The configuration in force.", {"sha256": build.config_sha256}),
        Info(
            "build_info",
            "The program.",
            {"version": build.version, "python": platform.python_version()},
        ),
        Histogram("event_loop_lag_seconds", "How late the event loop comes round.", "", lag_s),
    )


def constant(value: float, *labels: str) -> Numbers:
    """A number that stays."""
    numbers = Numbers([labels])
    numbers.set(labels, value)
    return numbers
