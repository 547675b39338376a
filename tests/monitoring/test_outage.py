"""What Prometheus saw of the outage: every expression that is shipped has its part in it."""

from __future__ import annotations

import re

import pytest

from tests.monitoring.outage import OVERHEAD, Told
from tests.monitoring.prometheus import Series, promtool
from tests.monitoring.shipped import (
    ALERTS,
    DASHBOARDS,
    RECORDS,
    RUNBOOKS,
    Ask,
    asks,
    marks,
    variables,
)

CHOSEN = {"$__rate_interval": "2s", "$__range": "60s"}
ALL, BUSY = ".+", "pod-a|pod-b"
# What really has nothing to show, and why.
EMPTY = {"Configurations loaded": "a sidecar of this version loads its configuration once"}
UNSEEN = {"llm_failover_config_last_reload_successful == 0": "likewise"}
EXPRESSION = re.compile(r"`([^`]*(?:llm_failover|process)_\w+[{)\[ ][^`]*)`")
ADVICE = [
    pytest.param(expr, id=f"{page.stem} {place}")
    for page in sorted(RUNBOOKS.glob("*.md"))
    for place, expr in enumerate(EXPRESSION.findall(page.read_text()))
]
FIRE = {
    *("LLMFailoverErrorBudgetBurnFast", "LLMFailoverErrorBudgetBurnSlow"),
    *("LLMFailoverAllBreakersOpen", "LLMFailoverProviderDown", "LLMFailoverOnBackup"),
    *("LLMFailoverProviderParked", "LLMFailoverStoreDegraded", "LLMFailoverPodAccusesAlone"),
}
CLOSED, HALF_OPEN, OPEN = 0.0, 1.0, 2.0


def chosen(expr: str, pods: str = ALL) -> str:
    """The expression where the reader has chosen these pods, and all of everything else."""
    for variable, value in {**CHOSEN, "$pod": pods}.items():
        expr = expr.replace(variable, value)
    return re.sub(r"\$\w+", ALL, expr)


def shown(told: Told, dashboard: str, title: str, pods: str = ALL) -> list[Series]:
    """All curves of a panel."""
    found = [one for one in asks() if (one.dashboard, one.panel) == (dashboard, title)]
    return [series for one in found for series in told.course(chosen(one.expr, pods))]


def shown_of(told: Told, dashboard: str, title: str, **labels: str) -> list[float]:
    """The one curve with these labels for the busy pods, without what only repeats."""
    curves = shown(told, dashboard, title, BUSY)
    (found,) = [series for series in curves if labels.items() <= series.labels.items()]
    return found.course


@pytest.mark.parametrize("ask", [*asks(), *marks()], ids=str)
def test_an_expression_shows_something(told: Told, ask: Ask) -> None:
    assert bool(told.course(chosen(ask.expr))) == (ask.panel not in EMPTY)


@pytest.mark.parametrize("expr", ADVICE)
def test_what_a_runbook_advises_to_ask_shows_something(told: Told, expr: str) -> None:
    expr = expr.replace('pod="POD"', 'pod="pod-a"').replace('"PROVIDER"', '"first"')

    assert bool(told.course(expr)) == (expr not in UNSEEN)


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_there_is_something_to_choose_for_every_variable(told: Told, dashboard: str) -> None:
    for name, variable in variables(DASHBOARDS[dashboard]).items():
        if variable["type"] == "query":
            metric, label = re.findall(r"^label_values\((\w+), (\w+)\)$", variable["definition"])[0]
            (*_, one) = told.course(f"count by ({label}) ({metric})")
            assert label == name
            assert one.labels[label]


@pytest.mark.parametrize("record", RECORDS)
def test_a_recording_rule_records(told: Told, record: str) -> None:
    assert told.course(record)


def test_every_rule_is_well(told: Told) -> None:
    assert {rule["name"] for rule in told.rules} == {*RECORDS, *ALERTS}
    assert {rule["health"] for rule in told.rules} == {"ok"}


@pytest.mark.parametrize("alert", sorted(FIRE))
def test_an_alert_fires_and_ends(told: Told, alert: str) -> None:
    assert told.course(f'ALERTS{{alertname="{alert}", alertstate="firing"}}')
    assert not told.prometheus.has(f'ALERTS{{alertname="{alert}"}}')


@pytest.mark.parametrize("alert", sorted(ALERTS.keys() - FIRE - {OVERHEAD}))
def test_an_alert_of_something_else_stays_silent(told: Told, alert: str) -> None:
    assert not told.course(f'ALERTS{{alertname="{alert}"}}')


def test_the_breaker_is_shown_open_then_half_open_then_closed(told: Told) -> None:
    course = shown_of(told, "overview", "Breakers", provider="first")

    assert course[:2] == [CLOSED, OPEN]
    assert course[-3:] == [OPEN, HALF_OPEN, CLOSED]


def test_the_provider_that_nobody_struck_is_shown_closed_throughout(told: Told) -> None:
    assert shown_of(told, "provider", "Breakers", provider="third") == [CLOSED]


def test_the_failovers_begin_and_end(told: Told) -> None:
    rate = shown(told, "overview", "Failovers by edge and reason")
    edges = {(one.labels["from_provider"], one.labels["reason"]) for one in rate}
    course = told.course(
        'sum(rate(llm_failover_failovers_total{from_provider="first", reason="overloaded"}[2s]))'
    )[0].course

    assert ("first", "overloaded") in edges
    assert course[0] == 0
    assert max(course) > 0
    assert course[-1] == 0


def test_the_share_that_is_served_sinks_and_comes_back(told: Told) -> None:
    failed = told.course("namespace_job:llm_failover_requests_failed:ratio_rate5m")[0].course

    assert failed[0] == 0
    assert max(failed) > 0.5
    assert failed[-1] == 0


def test_the_store_is_shown_away_and_back(told: Told) -> None:
    assert shown_of(told, "fleet-and-store", "Store answers", store="redis") == [1, 0, 1]


def test_the_pod_that_is_cut_off_is_alone_in_what_it_shows(told: Told) -> None:
    state = 'llm_failover_breaker_state{provider="third", state="open"}'
    worst = {one.labels["pod"]: max(one.values) for one in told.course(state)}

    assert worst == {"pod-a": 0, "pod-b": 0, "pod-c": 1}


def test_no_pod_is_lost_sight_of(told: Told) -> None:
    reached, seen = shown(told, "fleet-and-store", "Pods")

    assert max(reached.values) == max(seen.values) == 3


def test_requests_keep_their_own_endpoint_beside_the_one_of_the_operator(told: Told) -> None:
    series = told.course("count by (endpoint, exported_endpoint) (llm_failover_requests_total)")

    assert {"endpoint": "chat"} in [one.labels for one in series]
    assert not [one for one in series if "exported_endpoint" in one.labels]


def test_promtool_has_nothing_to_say_of_the_metrics(told: Told) -> None:
    assert promtool("check", "metrics", said=told.metrics) == ""
