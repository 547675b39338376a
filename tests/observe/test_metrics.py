"""The metrics are those of the contract, and count what the events tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from sidecar.core.events import (
    AttemptStarted,
    Cause,
    Event,
    ExtraResult,
    Hedged,
    Origin,
    ProbeEnded,
    ProbeVerdict,
    Propagated,
    RequestStarted,
    Retried,
    Skipped,
    Stage,
    State,
    StoreAsked,
    StoreOperation,
    StoreResult,
    StreamInterrupted,
    Usage,
)
from sidecar.core.outcome import Endpoint, Outcome, RequestOutcome, SkipReason
from sidecar.core.rate_limit import RateLimited
from sidecar.core.settings import Entry, Price, Route, Secret, Settings
from sidecar.observe.fanout import fan_out
from sidecar.observe.metrics import Build, Metrics
from sidecar.observe.standing import Keys, Looks, Within
from tests.observe.scene import (
    GEMINI,
    ROUTE,
    SETTINGS,
    USAGE,
    StillClock,
    attempt_ended,
    breaker_moved,
    failed_over,
    provider,
    request_ended,
)
from tests.observe.test_status import Aside, Breaker

CONTRACT = {
    "requests_total": "route endpoint outcome code",
    "request_duration_seconds": "route",
    "request_time_to_first_token_seconds": "route",
    "overhead_seconds": "route",
    "requests_in_flight": "route",
    "failovers_total": "route from_provider to_provider reason",
    "failover_seconds": "route",
    "chain_exhausted_total": "route",
    "stream_interruptions_total": "provider stage",
    "attempts_total": "provider model outcome",
    "attempt_duration_seconds": "provider model",
    "attempt_time_to_first_token_seconds": "provider model",
    "retries_total": "provider result",
    "hedges_total": "provider result",
    "tokens_total": "provider model type",
    "usage_missing_total": "provider model",
    "cost_usd_total": "provider model",
    "unpriced_tokens_total": "provider model",
    "dropped_params_total": "provider param",
    "parked": "provider reason",
    "keys_parked": "provider",
    "provider_rate_limit_remaining": "provider type",
    "skips_total": "provider reason",
    "breaker_state": "provider state",
    "breaker_transitions_total": "provider from_state to_state cause origin",
    "breaker_open_seconds_total": "provider",
    "breaker_open_until_timestamp_seconds": "provider",
    "breaker_epoch": "provider",
    "probes_total": "provider verdict",
    "store_up": "store",
    "fleet_pods": "store",
    "config_last_reload_successful": "",
    "config_last_reload_success_timestamp_seconds": "",
    "config_info": "sha256",
    "build_info": "version python",
    "event_loop_lag_seconds": "",
}
OPENMETRICS = "application/openmetrics-text; version=1.0.0, text/plain; q=0.5"


BUILD = Build(version="0.1.0", config_sha256="c0ffee")
RETRIED = {ExtraResult.RECOVERED, ExtraResult.FAILED, ExtraResult.NO_BUDGET}
HEDGED = {ExtraResult.WON, ExtraResult.LOST, ExtraResult.NO_BUDGET}
POOL = tuple(Secret(text) for text in ("key-one", "key-two", "key-three"))
PRICE = Price(input=2.0, cached_input=0.5, output=10.0)


def metrics(settings: Settings = SETTINGS, clock: StillClock | None = None) -> Metrics:
    return Metrics(settings, clock or StillClock(), BUILD)


def with_pool() -> Settings:
    """The same, where gemini has three keys."""
    gemini = replace(GEMINI, api_keys=POOL)
    chain = (Entry(provider=gemini, model="gemini-3-flash"), Entry(provider=provider("single")))
    return Settings(
        providers=(gemini, provider("single")), routes=(Route(models=("*",), chain=chain),)
    )


def looking_at(*breakers: Breaker) -> Metrics:
    return Metrics(SETTINGS, StillClock(), BUILD, Looks(breakers=lambda: breakers))


def families(of: Metrics) -> list[Metric]:
    body, _ = of.render("")
    return list(parse_text(body.decode()))


def told(*events: Event, of: Metrics | None = None) -> Metrics:
    of = of or metrics()
    for event in events:
        fan_out(of.handlers)(event)
    return of


def value(of: Metrics, name: str, **labels: str) -> float | None:
    """The one sample with that name and those labels, `None` where there is none."""
    found = [
        sample.value
        for family in families(of)
        for sample in family.samples
        if sample.name == f"llm_failover_{name}" and sample.labels == labels
    ]
    return found[0] if found else None


def series(of: Metrics) -> set[tuple[str, ...]]:
    return {
        (sample.name, *sorted(f"{name}={word}" for name, word in sample.labels.items()))
        for family in families(of)
        for sample in family.samples
        if not sample.name.startswith("process_")
    }


def labels_of(family: Metric) -> set[str]:
    return {name for sample in family.samples for name in sample.labels} - {"le"}


def full_name(family: Metric) -> str:
    name = family.name.removeprefix("llm_failover_")
    return f"{name}_total" if family.type == "counter" else name


def test_names_and_labels_are_those_of_the_contract() -> None:
    limited = attempt_ended(remaining=((RateLimited.TOKENS, 5.0),))
    shown = {
        full_name(family): labels_of(family)
        for family in families(told(limited, of=metrics(with_pool())))
        if not family.name.startswith("process_")
    }

    assert shown == {name: set(labels.split()) for name, labels in CONTRACT.items()}


def test_every_metric_says_what_it_is() -> None:
    assert all(family.documentation for family in families(metrics()))


def test_memory_and_cpu_of_the_process_are_shown() -> None:
    names = {family.name for family in families(metrics())}

    assert {"process_resident_memory_bytes", "process_cpu_seconds"} <= names


def test_openmetrics_comes_where_it_is_asked_for() -> None:
    body, content_type = metrics().render(OPENMETRICS)

    names = {family.name for family in parse_openmetrics(body.decode())}  # type: ignore[no-untyped-call]  # the library has none
    assert content_type.startswith("application/openmetrics-text")
    assert "llm_failover_requests" in names


@pytest.mark.parametrize(
    "accept",
    ["", "*/*", "text/plain; version=1.0.0", "text/html"],
    ids=["nothing said", "anything", "newer text", "a browser"],
)
def test_plain_text_comes_where_openmetrics_is_not_asked_for(accept: str) -> None:
    assert metrics().render(accept)[1] == "text/plain; version=0.0.4; charset=utf-8"


def test_a_strange_version_in_the_accept_header_is_not_believed() -> None:
    _, content_type = metrics().render("application/openmetrics-text; version=x.y")

    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"


@pytest.mark.parametrize("accept", ["", OPENMETRICS], ids=["text", "openmetrics"])
def test_no_created_series_are_shown(accept: str) -> None:
    assert b"_created" not in told(request_ended()).render(accept)[0]


def test_two_instances_count_apart() -> None:
    one, another = metrics(), metrics()

    told(request_ended(), of=one)

    labels = {"route": ROUTE, "endpoint": "chat", "outcome": "success", "code": "200"}
    assert value(another, "requests_total", **labels) == 0


def test_what_happens_on_the_way_of_requests_makes_no_new_series() -> None:
    before = metrics()
    ordinary: list[Event] = [
        RequestStarted(route=ROUTE),
        AttemptStarted(request_id="r", provider="gemini", model="gemini-3-flash"),
        *(attempt_ended(outcome=outcome) for outcome in Outcome),
        *(Skipped(request_id="r", route=ROUTE, provider="local", reason=one) for one in SkipReason),
        *(Retried(provider="gemini", result=result) for result in RETRIED),
        *(Hedged(provider="local", result=result) for result in HEDGED),
        failed_over(),
        failed_over(from_provider="huggingface", to_provider="local", reason=Outcome.CONNECT),
        StreamInterrupted(provider="gemini", stage=Stage.AFTER_CONTENT),
        request_ended(),
        request_ended(outcome=RequestOutcome.EXHAUSTED, code=503, usage=None),
        request_ended(outcome=RequestOutcome.CANCELLED, code=499),
        request_ended(route="", outcome=RequestOutcome.CLIENT_ERROR, code=404),
        request_ended(route="", endpoint=Endpoint.MODELS),
        request_ended(route="*", endpoint=Endpoint.PASSTHROUGH),
        *(breaker_moved(State.OPEN, cause) for cause in (Cause.FAILURES, Cause.SLOW)),
        ProbeEnded(breaker="gemini", verdict=ProbeVerdict.SUCCESS),
    ]
    known = series(before)

    assert series(told(*ordinary, of=before)) == known


def test_words_that_the_configuration_does_not_know_become_other() -> None:
    strange = [
        event
        for number in range(50)
        for event in (
            request_ended(route=f"route-{number}", code=600 + number),
            attempt_ended(provider=f"provider-{number}", model=f"model-{number}", usage=USAGE),
            attempt_ended(dropped=(f"param-{number}",), provider=f"provider-{number}"),
            failed_over(route=f"route-{number}", from_provider=f"provider-{number}"),
            Skipped(
                request_id="r", route="r", provider=f"provider-{number}", reason=SkipReason.OPEN
            ),
            Retried(provider=f"provider-{number}", result=ExtraResult.FAILED),
            Hedged(provider=f"provider-{number}", result=ExtraResult.LOST),
            StreamInterrupted(provider=f"provider-{number}", stage=Stage.AFTER_CONTENT),
            breaker_moved(State.OPEN, Cause.FAILURES, breaker=f"breaker-{number}"),
            ProbeEnded(breaker=f"breaker-{number}", verdict=ProbeVerdict.LOST),
        )
    ]
    before = series(metrics())

    new = series(told(*strange)) - before

    assert new
    assert all(any("=other" in label for label in labels) for labels in new)


def test_fifty_times_the_strange_words_make_no_more_series() -> None:
    def after(count: int) -> int:
        events = (attempt_ended(model=f"model-{number}") for number in range(count))
        return len(series(told(*events)))

    assert after(50) == after(1)


# Requests


def test_a_request_is_counted_by_what_the_application_saw() -> None:
    of = told(request_ended(), request_ended())

    labels = {"route": ROUTE, "endpoint": "chat", "outcome": "success", "code": "200"}
    assert value(of, "requests_total", **labels) == 2


def test_a_request_without_a_route_is_counted_under_other() -> None:
    of = told(request_ended(route="", outcome=RequestOutcome.CLIENT_ERROR, code=404))

    labels = {"route": "other", "endpoint": "chat", "outcome": "client_error", "code": "404"}
    assert value(of, "requests_total", **labels) == 1


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("request_duration_seconds", 0.42),
        ("request_time_to_first_token_seconds", 0.2),
        ("overhead_seconds", 0.0004),
    ],
)
def test_the_times_of_a_request_are_spread(name: str, total: float) -> None:
    assert value(told(request_ended()), f"{name}_sum", route=ROUTE) == total


def test_a_request_without_a_first_token_has_none_in_the_spread() -> None:
    of = told(request_ended(ttft_s=None))

    assert value(of, "request_time_to_first_token_seconds_count", route=ROUTE) == 0


def test_a_started_request_is_in_flight() -> None:
    of = told(RequestStarted(route=ROUTE), RequestStarted(route=ROUTE), request_ended())

    assert value(of, "requests_in_flight", route=ROUTE) == 1


def test_a_request_without_a_route_leaves_those_in_flight_alone() -> None:
    before = series(metrics())
    of = told(request_ended(route=""))

    assert series(of) == before | {
        (
            "llm_failover_requests_total",
            "code=200",
            "endpoint=chat",
            "outcome=success",
            "route=other",
        )
    }


def test_time_lost_is_known_only_of_requests_that_another_provider_saved() -> None:
    saved = request_ended(outcome=RequestOutcome.FAILOVER_SUCCESS, lost_s=0.3)
    of = told(request_ended(), saved, request_ended(outcome=RequestOutcome.EXHAUSTED, lost_s=9))

    assert value(of, "failover_seconds_sum", route=ROUTE) == 0.3
    assert value(of, "failover_seconds_count", route=ROUTE) == 1


def test_an_exhausted_chain_is_counted() -> None:
    of = told(request_ended(), request_ended(outcome=RequestOutcome.EXHAUSTED, code=503))

    assert value(of, "chain_exhausted_total", route=ROUTE) == 1


def test_a_failover_is_counted_on_its_edge_with_its_reason() -> None:
    labels = {"route": ROUTE, "from_provider": "gemini", "to_provider": "huggingface"}

    assert value(told(failed_over()), "failovers_total", **labels, reason="server_error") == 1


def test_a_failover_over_the_next_provider_is_counted_too() -> None:
    of = told(failed_over(to_provider="local"))

    labels = {"route": ROUTE, "from_provider": "gemini", "to_provider": "local"}
    assert value(of, "failovers_total", **labels, reason="server_error") == 1


# Attempts


def test_an_attempt_is_counted_by_its_outcome() -> None:
    of = told(attempt_ended(outcome=Outcome.TIMEOUT_FIRST_TOKEN))

    labels = {"provider": "gemini", "model": "gemini-3-flash", "outcome": "timeout_first_token"}
    assert value(of, "attempts_total", **labels) == 1


@pytest.mark.parametrize("kind", ["attempt_duration", "attempt_time_to_first_token"])
def test_the_times_of_an_attempt_are_spread(kind: str) -> None:
    of = told(attempt_ended(duration_s=0.25, ttft_s=0.25))

    labels = {"provider": "gemini", "model": "gemini-3-flash"}
    assert value(of, f"{kind}_seconds_sum", **labels) == 0.25


@pytest.mark.parametrize(
    ("kind", "count"), [("input", 12), ("output", 34), ("cached_input", 5)], ids=str
)
def test_tokens_are_counted_by_type(kind: str, count: int) -> None:
    of = told(attempt_ended(usage=USAGE))

    labels = {"provider": "gemini", "model": "gemini-3-flash"}
    assert value(of, "tokens_total", **labels, type=kind) == count


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({}, 1),
        ({"counts_tokens": False}, 0),
        ({"outcome": Outcome.SERVER_ERROR}, 0),
        ({"usage": Usage(input=0, output=0)}, 0),
    ],
    ids=["a good answer", "no such answer", "a bad answer", "none used"],
)
def test_usage_is_missed_only_in_good_answers_that_have_it(
    changes: dict[str, object], missing: int
) -> None:
    of = told(attempt_ended(**changes))

    labels = {"provider": "gemini", "model": "gemini-3-flash"}
    assert value(of, "usage_missing_total", **labels) == missing


def test_each_field_that_a_provider_did_not_hear_is_counted() -> None:
    of = told(attempt_ended(dropped=("seed", "store")), attempt_ended(dropped=("seed",)))

    labels = {"provider": "gemini"}
    assert value(of, "dropped_params_total", **labels, param="seed") == 2
    assert value(of, "dropped_params_total", **labels, param="store") == 1


@pytest.mark.parametrize("name", ["my_own_field", "", "sk-live-1234"])
def test_a_field_that_no_api_has_is_counted_as_other(name: str) -> None:
    of = told(attempt_ended(dropped=(name,)))

    assert value(of, "dropped_params_total", provider="gemini", param="other") == 1


def spent(usage: Usage, price: Price = PRICE) -> tuple[float | None, float | None]:
    """What was paid, and how many tokens have no price."""
    of = metrics(replace(SETTINGS, prices=(("gemini/gemini-3-flash", price),)))
    told(attempt_ended(usage=usage), of=of)
    labels = {"provider": "gemini", "model": "gemini-3-flash"}
    return value(of, "cost_usd_total", **labels), value(of, "unpriced_tokens_total", **labels)


MILLION = 1_000_000
USES: list[tuple[str, Usage, float]] = [
    ("input", Usage(input=MILLION, output=0), 2.0),
    ("output", Usage(input=0, output=MILLION), 10.0),
    ("half of the input cached", Usage(input=MILLION, output=0, cached_input=MILLION // 2), 1.25),
    ("more cached than there is", Usage(input=MILLION, output=0, cached_input=9 * MILLION), 0.5),
    ("nothing", Usage(input=0, output=0), 0.0),
]


@pytest.mark.parametrize(("usage", "usd"), [row[1:] for row in USES], ids=[r[0] for r in USES])
def test_tokens_cost_what_the_configuration_says(usage: Usage, usd: float) -> None:
    assert spent(usage) == (usd, 0)


def test_what_is_cached_costs_as_input_where_nothing_else_is_said() -> None:
    usage = Usage(input=MILLION, output=0, cached_input=MILLION)

    assert spent(usage, Price(input=2.0, output=10.0)) == (2.0, 0)


@pytest.mark.parametrize(
    ("provider", "model"), [("gemini", "gemini-3-flash"), ("local", "*")], ids=["one", "any"]
)
def test_tokens_without_a_price_are_counted_apart(provider: str, model: str) -> None:
    priced = replace(SETTINGS, prices=(("gemini/another", PRICE), ("local/another", PRICE)))
    of = told(attempt_ended(provider=provider, model=model, usage=USAGE), of=metrics(priced))

    labels = {"provider": provider, "model": model}
    assert value(of, "unpriced_tokens_total", **labels) == USAGE.input + USAGE.output
    assert value(of, "cost_usd_total", **labels) == 0


def test_whatever_model_the_application_names_may_have_one_price() -> None:
    priced = replace(SETTINGS, prices=(("local/*", Price(input=2.0, output=10.0)),))
    usage = Usage(input=MILLION, output=0)
    of = told(attempt_ended(provider="local", model="*", usage=usage), of=metrics(priced))

    assert value(of, "cost_usd_total", provider="local", model="*") == 2.0


# What is set aside


def test_what_is_parked_is_counted_by_its_reason() -> None:
    asides = (Aside(model="a"), Aside(model="b"), Aside(model="", reason="auth"))
    of = looking_at(Breaker(parked=asides))

    assert value(of, "parked", provider="gemini", reason="model_missing") == 2
    assert value(of, "parked", provider="gemini", reason="auth") == 1


def test_a_provider_that_is_parked_behind_several_breakers_counts_once() -> None:
    parked = (Aside(model="", reason="auth"),)
    of = looking_at(
        Breaker(name="local/a", provider="local", parked=parked),
        Breaker(name="local/b", provider="local", parked=parked),
    )

    assert value(of, "parked", provider="local", reason="auth") == 1


def test_what_is_parked_no_more_is_gone_at_the_next_look() -> None:
    shown = [Breaker(parked=(Aside(),))]
    of = Metrics(SETTINGS, StillClock(), BUILD, Looks(breakers=lambda: shown))
    before = value(of, "parked", provider="gemini", reason="model_missing")
    shown[:] = [Breaker()]

    after = value(of, "parked", provider="gemini", reason="model_missing")
    assert (before, after) == (1, 0)


def test_the_keys_of_a_pool_that_are_passed_over_are_counted() -> None:
    pools = {"gemini": Keys(total=3, parked=2)}
    of = Metrics(with_pool(), StillClock(), BUILD, Looks(keys=lambda: pools))

    assert value(of, "keys_parked", provider="gemini") == 2


def test_a_provider_with_one_key_has_no_pool() -> None:
    assert value(metrics(with_pool()), "keys_parked", provider="single") is None


def test_a_skip_is_counted_by_its_reason() -> None:
    of = told(Skipped(request_id="r", route=ROUTE, provider="gemini", reason=SkipReason.OPEN))

    assert value(of, "skips_total", provider="gemini", reason="open") == 1


@pytest.mark.parametrize("result", sorted(RETRIED))
def test_another_try_is_counted_by_its_result(result: ExtraResult) -> None:
    of = told(Retried(provider="gemini", result=result))

    assert value(of, "retries_total", provider="gemini", result=result) == 1


@pytest.mark.parametrize("result", sorted(HEDGED))
def test_a_hedge_is_counted_by_its_result(result: ExtraResult) -> None:
    of = told(Hedged(provider="huggingface", result=result))

    assert value(of, "hedges_total", provider="huggingface", result=result) == 1


@pytest.mark.parametrize(("name", "results"), [("retries", RETRIED), ("hedges", HEDGED)])
def test_extra_tries_have_exactly_these_results_from_the_start(
    name: str, results: set[ExtraResult]
) -> None:
    shown = {
        (sample.labels["provider"], sample.labels["result"])
        for family in families(metrics())
        for sample in family.samples
        if sample.name == f"llm_failover_{name}_total"
    }

    providers = ("gemini", "huggingface", "local")
    assert shown == {(provider, result) for provider in providers for result in results}


def test_a_broken_stream_is_counted_by_its_stage() -> None:
    of = told(StreamInterrupted(provider="gemini", stage=Stage.AFTER_CONTENT))

    assert value(of, "stream_interruptions_total", provider="gemini", stage="after_content") == 1


# Breakers


def states(of: Metrics) -> dict[str, float | None]:
    return {
        state: value(of, "breaker_state", provider="gemini", state=state)
        for state in ("closed", "open", "half_open")
    }


def test_a_breaker_begins_closed() -> None:
    assert states(metrics()) == {"closed": 1, "open": 0, "half_open": 0}


def test_a_breaker_is_in_the_state_that_it_moved_to() -> None:
    of = told(breaker_moved(State.OPEN, Cause.FAILURES))

    assert states(of) == {"closed": 0, "open": 1, "half_open": 0}


def test_a_move_is_counted_with_its_cause_and_origin() -> None:
    of = told(breaker_moved(State.OPEN, Cause.FAILURES, origin=Origin.FLEET))

    labels = {"from_state": "closed", "to_state": "open", "cause": "failures", "origin": "fleet"}
    assert value(of, "breaker_transitions_total", provider="gemini", **labels) == 1


def test_a_breaker_of_a_model_goes_by_its_own_name() -> None:
    of = told(breaker_moved(State.OPEN, Cause.FAILURES, breaker="local/*"))

    assert value(of, "breaker_state", provider="local/*", state="open") == 1


def test_what_is_left_of_a_rate_limit_is_what_was_said_last() -> None:
    said = [attempt_ended(remaining=((RateLimited.TOKENS, left),)) for left in (90.0, 60.0)]
    of = told(*said, attempt_ended())

    assert value(of, "provider_rate_limit_remaining", provider="gemini", type="tokens") == 60


def test_nothing_is_said_of_a_rate_limit_that_nobody_stated() -> None:
    assert "provider_rate_limit_remaining{" not in told(attempt_ended()).render("")[0].decode()


def test_the_epoch_is_that_of_the_last_move() -> None:
    of = told(breaker_moved(State.OPEN, Cause.FAILURES, epoch=41))

    assert value(of, "breaker_epoch", provider="gemini") == 41


def test_the_epoch_rises_without_a_move_as_well() -> None:
    shown = [Breaker(epoch=41)]
    of = Metrics(SETTINGS, StillClock(), BUILD, Looks(breakers=lambda: shown))

    assert value(of, "breaker_epoch", provider="gemini") == 41
    shown[:] = [Breaker(epoch=42)]
    assert value(of, "breaker_epoch", provider="gemini") == 42


def test_the_earliest_half_open_is_shown_while_open() -> None:
    of = told(breaker_moved(State.OPEN, Cause.FAILURES, until_unix_s=1_760_000_060.0))

    assert value(of, "breaker_open_until_timestamp_seconds", provider="gemini") == 1_760_000_060


def test_a_breaker_that_is_not_open_has_no_earliest_half_open() -> None:
    of = told(
        breaker_moved(State.OPEN, Cause.FAILURES, until_unix_s=1_760_000_060.0),
        breaker_moved(State.HALF_OPEN, Cause.OPEN_TIMEOUT, until_unix_s=1_760_000_090.0),
    )

    assert value(of, "breaker_open_until_timestamp_seconds", provider="gemini") == 0


def test_open_time_grows_while_the_breaker_is_open() -> None:
    clock = StillClock()
    of = told(breaker_moved(State.OPEN, Cause.FAILURES), of=metrics(clock=clock))

    clock.pass_s(7)
    first = value(of, "breaker_open_seconds_total", provider="gemini")
    clock.pass_s(3)

    assert (first, value(of, "breaker_open_seconds_total", provider="gemini")) == (7, 10)


def test_open_time_stands_still_once_the_breaker_is_half_open() -> None:
    clock = StillClock()
    of = told(breaker_moved(State.OPEN, Cause.FAILURES), of=metrics(clock=clock))
    clock.pass_s(7)
    fan_out(of.handlers)(breaker_moved(State.HALF_OPEN, Cause.OPEN_TIMEOUT, from_state=State.OPEN))

    clock.pass_s(3)

    assert value(of, "breaker_open_seconds_total", provider="gemini") == 7


def test_an_opening_that_is_prolonged_counts_once() -> None:
    clock = StillClock()
    of = told(breaker_moved(State.OPEN, Cause.FAILURES), of=metrics(clock=clock))
    clock.pass_s(7)
    fan_out(of.handlers)(breaker_moved(State.OPEN, Cause.HOLD, from_state=State.OPEN))

    clock.pass_s(3)

    assert value(of, "breaker_open_seconds_total", provider="gemini") == 10


def test_a_probe_is_counted_by_its_verdict() -> None:
    of = told(ProbeEnded(breaker="gemini", verdict=ProbeVerdict.LOST))

    assert value(of, "probes_total", provider="gemini", verdict="lost") == 1


# The process


# The store


def of_shared(standing: Within) -> Metrics:
    shared = replace(SETTINGS, store="redis://user:secret@127.0.0.1")
    return Metrics(shared, StillClock(), BUILD, Looks(store=lambda: standing))


def test_a_store_within_the_process_is_up_and_this_pod_is_its_fleet() -> None:
    of = metrics()

    assert value(of, "store_up", store="memory") == 1
    assert value(of, "fleet_pods", store="memory") == 1


def test_a_shared_store_is_looked_at_with_each_scrape() -> None:
    of = of_shared(
        Within(up=False, degraded=True, degraded_s=12.5, view_age_s=3.0, pods={"a": 0.1, "b": 1.0})
    )

    assert value(of, "store_up", store="redis") == 0
    assert value(of, "fleet_pods", store="redis") == 2
    assert value(of, "store_view_age_seconds", store="redis") == 3.0
    assert value(of, "store_degraded_seconds_total", store="redis") == 12.5


def test_operations_of_the_store_are_counted_and_timed() -> None:
    of = of_shared(Within())
    asked = StoreAsked(operation=StoreOperation.CAS, result=StoreResult.REFUSED, duration_s=0.002)
    fan_out(of.handlers)(asked)

    labels = {"store": "redis", "operation": "cas", "result": "refused"}
    assert value(of, "store_operations_total", **labels) == 1
    assert value(of, "store_operation_duration_seconds_sum", **labels) == 0.002
    assert value(of, "store_operations_total", **{**labels, "result": "timeout"}) == 0


def test_the_way_of_a_move_to_this_pod_is_timed() -> None:
    of = of_shared(Within())
    fan_out(of.handlers)(Propagated(breaker="gemini", seconds=0.004))

    assert value(of, "propagation_seconds_count", store="redis") == 1
    assert value(of, "propagation_seconds_sum", store="redis") == 0.004


def test_the_configuration_is_known_by_its_hash() -> None:
    assert value(metrics(), "config_info", sha256="c0ffee") == 1


def test_the_time_of_loading_is_that_of_the_start() -> None:
    loaded = value(metrics(), "config_last_reload_success_timestamp_seconds")

    assert loaded == StillClock().unix_s


def test_the_lag_of_the_loop_is_spread() -> None:
    of = metrics()

    of.observe_loop_lag(0.003)

    assert value(of, "event_loop_lag_seconds_bucket", le="0.005") == 1
    assert value(of, "event_loop_lag_seconds_bucket", le="0.0025") == 0


# How many


def chains(providers: int, routes: int, length: int) -> Settings:
    """`routes` chains of `length` that take turns with the providers, each with its own models."""
    known = tuple(provider(f"provider-{number}") for number in range(providers))
    return Settings(
        providers=known,
        routes=tuple(
            Route(
                models=(f"model-{route}*",),
                chain=tuple(
                    Entry(provider=known[(route * length + place) % providers], model=f"m-{route}")
                    for place in range(length)
                ),
            )
            for route in range(routes)
        ),
    )


@pytest.mark.parametrize(
    ("settings", "most"),
    [(chains(3, 1, 3), 600), (chains(20, 5, 4), 3500)],
    ids=["a small configuration", "a large one"],
)
def test_a_scrape_stays_small(settings: Settings, most: int) -> None:
    assert len(series(metrics(settings))) <= most


def test_a_chain_of_one_has_nowhere_to_fail_over_to() -> None:
    alone = Settings(
        providers=(GEMINI,), routes=(Route(models=("*",), chain=(Entry(provider=GEMINI),)),)
    )

    assert names_with("failovers_total", families(metrics(alone))) == set()


def names_with(name: str, found: Iterable[Metric]) -> set[str]:
    return {
        sample.name
        for family in found
        for sample in family.samples
        if sample.name == f"llm_failover_{name}"
    }
