"""Values of histograms point to the traces that they were observed in."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from sidecar.core.events import Event
from sidecar.core.outcome import RequestOutcome
from sidecar.core.settings import Settings, Tracing
from sidecar.core.trace import UNTRACED, TraceContext
from sidecar.observe.exemplars import Exemplars
from sidecar.observe.metrics import Build, Metrics
from sidecar.observe.series import Exemplar, Spreads
from tests.observe.scene import SETTINGS, TRACE, StillClock, attempt_ended, request_ended

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
NOW = StillClock().unix_s
SENT = Tracing(otlp="http://127.0.0.1:4318")
NOT_SAMPLED = TRACE._replace(is_sampled=False)


class Shown(NamedTuple):
    """An exemplar as it is scraped; `le` is the bound of its bucket."""

    metric: str
    le: str
    value: float
    trace_id: str
    unix_s: float


def told(*events: Event, settings: Settings = SETTINGS) -> Metrics:
    metrics = Metrics(settings, StillClock(), Build("0.1.0", "c0ffee"))
    for event in events:
        metrics.handlers[type(event)](event)
    return metrics


def shown(metrics: Metrics) -> list[Shown]:
    """What the library's own parser of OpenMetrics reads."""
    body, _ = metrics.render(OPENMETRICS)
    return [
        Shown(
            sample.name.removeprefix("llm_failover_").removesuffix("_bucket"),
            sample.labels["le"],
            sample.exemplar.value,
            sample.exemplar.labels["trace_id"],
            float(sample.exemplar.timestamp),
        )
        for family in parse_openmetrics(body.decode())  # type: ignore[no-untyped-call]  # the library has none
        for sample in family.samples
        if sample.exemplar
    ]


def test_a_request_leaves_its_trace_in_the_buckets_that_it_fell_into() -> None:
    ended = request_ended(duration_s=0.42, ttft_s=0.2, overhead_s=0.0004)

    assert shown(told(ended)) == [
        Shown("request_duration_seconds", "0.5", 0.42, TRACE.trace_id, NOW),
        Shown("request_time_to_first_token_seconds", "0.25", 0.2, TRACE.trace_id, NOW),
        Shown("overhead_seconds", "0.0005", 0.0004, TRACE.trace_id, NOW),
    ]


def test_a_failover_leaves_its_trace_beside_the_time_that_was_lost() -> None:
    ended = request_ended(outcome=RequestOutcome.FAILOVER_SUCCESS, lost_s=0.3)

    found = [one for one in shown(told(ended)) if one.metric == "failover_seconds"]

    assert found == [Shown("failover_seconds", "0.5", 0.3, TRACE.trace_id, NOW)]


def test_an_attempt_leaves_its_trace_too() -> None:
    assert {one.metric for one in shown(told(attempt_ended(trace=TRACE)))} == {
        "attempt_duration_seconds",
        "attempt_time_to_first_token_seconds",
    }


def test_the_last_of_a_bucket_is_shown() -> None:
    later = TRACE._replace(trace_id="f" * 32)
    events = (request_ended(ttft_s=None), request_ended(ttft_s=None, trace=later))

    assert {one.trace_id for one in shown(told(*events))} == {"f" * 32}


def test_text_has_no_exemplars() -> None:
    body, _ = told(request_ended()).render("text/plain")

    assert TRACE.trace_id.encode() not in body


def test_without_a_trace_there_is_no_exemplar() -> None:
    assert shown(told(request_ended(trace=UNTRACED))) == []


@pytest.mark.parametrize(
    ("tracing", "trace", "is_shown"),
    [
        (Tracing(), TRACE, True),
        (Tracing(), NOT_SAMPLED, True),
        (SENT, TRACE, True),
        (SENT, NOT_SAMPLED, False),
    ],
    ids=["logged", "logged, not recorded", "sent", "sent, not recorded"],
)
def test_a_trace_is_shown_that_leads_somewhere(
    tracing: Tracing, trace: TraceContext, *, is_shown: bool
) -> None:
    exemplar = Exemplars(tracing, StillClock().unix).of(trace)

    assert exemplar == (Exemplar(TRACE.trace_id, NOW) if is_shown else None)


def test_where_spans_are_sent_the_metrics_show_only_what_is() -> None:
    settings = replace(SETTINGS, tracing=SENT)

    metrics = told(request_ended(trace=NOT_SAMPLED), settings=settings)

    assert shown(metrics) == []
    assert re.search(rb'requests_total{.*outcome="success".*} 1\.0', metrics.render("")[0])


@given(st.lists(st.floats(min_value=0, max_value=1e6), max_size=30))
def test_whatever_is_observed_an_example_lies_within_its_bucket(values: list[float]) -> None:
    spreads = Spreads([()], (0.5, 10, 1000))
    for number, value in enumerate(values):
        spreads.observe((), value, Exemplar(f"{number:032x}", 0.0))

    examples = spreads.examples(())

    assert len(examples) <= len(spreads.bounds)
    assert (not examples) == (not values)
    for bucket, (value, exemplar) in examples.items():
        assert values[int(exemplar.trace_id, 16)] == value <= spreads.bounds[bucket]
        assert bucket == 0 or value > spreads.bounds[bucket - 1]
