"""The dashboards keep the rules by which Grafana and its readers get on with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import combinations
from typing import Any

import pytest
import yaml

from deploy.grafana.build import stale
from tests.monitoring.prometheus import Json
from tests.monitoring.shipped import DASHBOARDS, GRAFANA, panels, variables

UIDS = {  # links hang on them
    "overview": "llm-failover-overview",
    "provider": "llm-failover-provider",
    "fleet-and-store": "llm-failover-fleet",
}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
CHOICES = {"job", "namespace", "pod", "route"}
OF_ALERTS = "ALERTS"  # most have no pod
WINDOW = re.compile(r"\[([^\]]+)\]")
SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}")
CONFIG_MAP_BYTES = 200 * 1024  # an annotation of kubectl apply holds 256 KiB

Rule = Callable[[Json], Iterator[str]]


def misfit_of_dashboard(dashboard: Json) -> Iterator[str]:
    if dashboard["id"] is not None or dashboard["editable"]:
        yield "is one of this Grafana's own"
    if not 36 <= dashboard["schemaVersion"] <= 42:
        yield "may not load in Grafana 10 to 13"
    if not (dashboard["title"] and dashboard["description"] and dashboard["tags"]):
        yield "says not what it is"


def misfit_of_variables(dashboard: Json) -> Iterator[str]:
    chosen = variables(dashboard)
    source = chosen.pop("datasource", {})
    if (source.get("type"), source.get("query")) != ("datasource", "prometheus"):
        yield "no choice of data source"
    if not chosen.keys() >= CHOICES:
        yield f"no choice of {CHOICES - chosen.keys()}"
    for name, one in chosen.items():
        wanted = {"multi": True, "includeAll": True, "allValue": ".+", "refresh": 2}
        if not wanted.items() <= one.items() or one["datasource"] != SOURCE:
            yield f"{name} is no choice of several"


def misfit_of_panels(dashboard: Json) -> Iterator[str]:
    titles = [panel["title"] for panel in panels(dashboard)]
    yield from (f"{title} stands there twice" for title in titles if titles.count(title) > 1)
    for panel in panels(dashboard):
        if not (panel["title"] and len(panel["description"]) > 20):
            yield f"{panel['title']} says not what it shows"
        if not panel["fieldConfig"]["defaults"]["unit"]:
            yield f"{panel['title']} has no unit"
        if not panel["targets"] or panel["datasource"] != SOURCE:
            yield f"{panel['title']} asks nobody"


def misfit_of_places(dashboard: Json) -> Iterator[str]:
    places = [(panel["title"], panel["gridPos"]) for panel in dashboard["panels"]]
    yield from (f"{title} sticks out" for title, at in places if at["x"] + at["w"] > 24)
    for (title, one), (other, another) in combinations(places, 2):
        beside = one["x"] + one["w"] <= another["x"] or another["x"] + another["w"] <= one["x"]
        above = one["y"] + one["h"] <= another["y"] or another["y"] + another["h"] <= one["y"]
        if not (beside or above):
            yield f"{title} covers {other}"
    numbers = [panel["id"] for panel in dashboard["panels"]]
    if len(set(numbers)) < len(numbers):
        yield "panels share a number"


def misfit_of_targets(dashboard: Json) -> Iterator[str]:
    known = {*variables(dashboard), "__rate_interval", "__range"}
    for panel, target in targets(dashboard):
        expr = target["expr"]
        if target["datasource"] != SOURCE:
            yield f"{panel} asks elsewhere"
        if unknown := set(re.findall(r"\$(\w+)", expr)) - known:
            yield f"{panel} knows no {unknown}"
        if set(WINDOW.findall(expr)) - {"$__rate_interval", "$__range"}:
            yield f"{panel} has a window of its own"


def misfit_of_selectors(dashboard: Json) -> Iterator[str]:
    for panel, target in targets(dashboard):
        expr = target["expr"]
        for found in SELECTOR.finditer(expr):
            metric, matchers = found.groups()
            needed = ("job", "namespace") if metric == OF_ALERTS else ("job", "namespace", "pod")
            if missing := [name for name in needed if f'{name}=~"${name}"' not in matchers]:
                yield f"{panel} takes {metric} of any {missing}"
            counts = metric.endswith(("_total", "_bucket"))
            rated = expr[: found.start()].endswith(("rate(", "increase("))
            if counts != rated:
                yield f"{panel} reads {metric} wrongly"


def targets(dashboard: Json) -> Iterator[tuple[str, Json]]:
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield panel["title"], target


RULES: tuple[Rule, ...] = (
    *(misfit_of_dashboard, misfit_of_variables, misfit_of_panels),
    *(misfit_of_places, misfit_of_targets, misfit_of_selectors),
)


@pytest.mark.parametrize("name", DASHBOARDS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_dashboard_keeps_the_rule(rule: Rule, name: str) -> None:
    assert list(rule(DASHBOARDS[name])) == []


def with_target(expr: str) -> Callable[[Json], None]:
    """A dashboard that asks this somewhere."""
    return lambda dashboard: panels(dashboard)[0]["targets"][0].update(expr=expr)


def with_panel(**changes: Any) -> Callable[[Json], None]:
    return lambda dashboard: panels(dashboard)[0].update(changes)


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [
        (misfit_of_dashboard, lambda one: one.update(schemaVersion=43)),
        (misfit_of_dashboard, lambda one: one.update(editable=True)),
        (misfit_of_variables, lambda one: one["templating"]["list"].pop(0)),
        (misfit_of_variables, lambda one: one["templating"]["list"][1].update(multi=False)),
        (misfit_of_panels, with_panel(description="")),
        (misfit_of_panels, with_panel(targets=[])),
        (misfit_of_places, with_panel(gridPos={"x": 20, "y": 1, "w": 8, "h": 1})),
        (misfit_of_targets, with_target("rate(a_total[5m])")),
        (misfit_of_targets, with_target('a{b="$c"}')),
        (misfit_of_selectors, with_target('a{job=~"$job", namespace=~"$namespace"}')),
        (
            misfit_of_selectors,
            with_target('a_total{job=~"$job", namespace=~"$namespace", pod=~"$pod"}'),
        ),
    ],
)
def test_the_rule_finds_what_breaks_it(rule: Rule, spoil: Callable[[Json], None]) -> None:
    spoilt = deepcopy(DASHBOARDS["overview"])
    spoil(spoilt)

    assert list(rule(spoilt))


def test_the_dashboards_keep_their_addresses() -> None:
    assert {name: one["uid"] for name, one in DASHBOARDS.items()} == UIDS


def test_what_is_made_is_what_the_generator_makes() -> None:
    assert stale() == []


def test_every_dashboard_becomes_a_config_map_that_grafana_finds() -> None:
    kustomization = yaml.safe_load((GRAFANA / "kustomization.yaml").read_text())
    files = [name for one in kustomization["configMapGenerator"] for name in one["files"]]

    assert sorted(files) == [f"{name}.json" for name in DASHBOARDS]
    assert kustomization["generatorOptions"]["labels"] == {"grafana_dashboard": "1"}
    assert all((GRAFANA / name).stat().st_size < CONFIG_MAP_BYTES for name in files)
