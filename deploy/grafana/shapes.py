"""The parts of a dashboard, and the classic JSON that Grafana 10 to 13 load.

In expressions `<pods>` stands for the matchers of the chosen pods, `<routes>` for those and the
chosen routes, `<providers>` for those and the chosen providers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Json = dict[str, Any]

SCHEMA_VERSION = 38  # Grafana 10.0's: what is newer brings it up to date when it loads it
COLUMNS = 24
TAG = "llm-failover"
SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}

PODS = 'job=~"$job", namespace=~"$namespace", pod=~"$pod"'
MATCHERS = {
    "<pods>": PODS,
    "<routes>": f'{PODS}, route=~"$route"',
    "<providers>": f'{PODS}, provider=~"$provider(/.+)?"',  # a breaker may be one model's alone
}

GREEN, YELLOW, RED = "green", "yellow", "red"
STATES = {"0": ("closed", GREEN), "1": ("half open", YELLOW), "2": ("open", RED)}


class Query(NamedTuple):
    """One expression, and what its series are called."""

    expr: str
    legend: str


class Step(NamedTuple):
    """From this value on, this colour."""

    value: float
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel. `kind` is Grafana's; `at_once` asks for the last value alone, not for a curve."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    at_once: bool = False
    stacked: bool = False
    words: tuple[tuple[str, tuple[str, str]], ...] = ()  # value -> (word, colour)
    steps: tuple[Step, ...] = ()
    base: str = GREEN  # the colour below the first step


class Row(NamedTuple):
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


class Variable(NamedTuple):
    """What the reader chooses, from the values of a metric's label."""

    name: str
    label: str
    metric: str


class Dashboard(NamedTuple):
    """One dashboard; `uid` is what links hang on."""

    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]


def quantiles(histogram: str, matchers: str, *by: str, of: Sequence[float]) -> tuple[Query, ...]:
    """A curve for each quantile of a histogram, apart by these labels."""
    groups = ", ".join(("le", *by))
    rate = f"rate({histogram}_bucket{{{matchers}}}[$__rate_interval])"
    legend = "".join(f"{{{{{label}}}}} " for label in by)
    return tuple(
        Query(f"histogram_quantile({one}, sum by ({groups}) ({rate}))", f"{legend}p{one * 100:.0f}")
        for one in of
    )


def as_json(dashboard: Dashboard) -> Json:
    """What Grafana loads."""
    return {
        "id": None,
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": [TAG],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "links": [link()],
        "annotations": {"list": list(marks())},
        "templating": {"list": [data_source(), *map(variable, dashboard.variables)]},
        "panels": list(placed(dashboard.rows)),
    }


def link() -> Json:
    """The way to the other dashboards, with what was chosen here."""
    return {
        "type": "dashboards",
        "title": "LLM failover",
        "tags": [TAG],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }


def marks() -> Iterator[Json]:
    """What happened, as marks on every curve."""
    opened = (
        "sum by (provider, cause)"
        ' (increase(llm_failover_breaker_transitions_total{<pods>, to_state="open"}[2m])) > 0',
        "Breaker opened: {{provider}} ({{cause}})",
    )
    loaded = (
        "changes(llm_failover_config_last_reload_success_timestamp_seconds{<pods>}[2m]) > 0",
        "Configuration loaded: {{pod}}",
    )
    for name, colour, (expr, title) in (
        ("Breakers that open", RED, opened),
        ("Configurations loaded", "blue", loaded),
    ):
        yield {
            "name": name,
            "datasource": SOURCE,
            "enable": True,
            "hide": False,
            "iconColor": colour,
            "expr": filled(expr),
            "titleFormat": title,
            "step": "30s",
        }


def data_source() -> Json:
    """Which Prometheus to ask."""
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Data source",
        "query": "prometheus",
        "current": {},
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "refresh": 1,
        "regex": "",
    }


def variable(one: Variable) -> Json:
    """A choice of any number of values. `.+`: what lacks the label is not one of ours."""
    query = f"label_values({one.metric}, {one.name})"
    return {
        "type": "query",
        "name": one.name,
        "label": one.label,
        "datasource": SOURCE,
        "query": {"query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        "definition": query,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
        "includeAll": True,
        "allValue": ".+",
        "multi": True,
        "options": [],
        "refresh": 2,
        "regex": "",
        "sort": 1,
    }


def placed(rows: Sequence[Row]) -> Iterator[Json]:
    """Headings and panels from left to right, top to bottom."""
    number, y = 0, 0
    for row in rows:
        number += 1
        yield heading(row.title, number, y)
        x, y, tallest = 0, y + 1, 0
        for one in row.panels:
            if x + one.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            number += 1
            place = {"x": x, "y": y, "w": one.width, "h": one.height}
            yield {"id": number, "gridPos": place, **panel(one)}
            x, tallest = x + one.width, max(tallest, one.height)
        y += tallest


def heading(title: str, number: int, y: int) -> Json:
    """The line above the panels of a row."""
    place = {"x": 0, "y": y, "w": COLUMNS, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place}


def panel(one: Panel) -> Json:
    """A panel without its place."""
    return {
        "type": one.kind,
        "title": one.title,
        "description": one.description,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults(one), "overrides": []},
        "options": OPTIONS[one.kind],
        "targets": [target(one, at, query) for at, query in enumerate(one.queries)],
    }


def defaults(one: Panel) -> Json:
    """How values look."""
    steps: list[Json] = [{"color": one.base, "value": None}]
    steps += [{"color": step.colour, "value": step.value} for step in one.steps]
    told = {
        value: {"text": word, "color": colour, "index": at}
        for at, (value, (word, colour)) in enumerate(one.words)
    }
    by_value = one.steps or one.words or one.kind != "timeseries"
    return {
        "unit": one.unit,
        "color": {"mode": "thresholds" if by_value else "palette-classic"},
        "custom": custom(one),
        "mappings": [{"type": "value", "options": told}] if told else [],
        "thresholds": {"mode": "absolute", "steps": steps},
        **({"min": 0} if one.kind == "timeseries" else {}),
    }


def custom(one: Panel) -> Json:
    """What is special to a kind of panel."""
    if one.kind == "timeseries":
        return {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 30 if one.stacked else 10,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if one.stacked else "none"},
        }
    return {"fillOpacity": 80, "lineWidth": 0} if one.kind == "state-timeline" else {}


LEGEND: Json = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
TOOLTIP: Json = {"mode": "multi", "sort": "desc"}
LAST: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}
OPTIONS: dict[str, Json] = {
    "timeseries": {"legend": LEGEND, "tooltip": TOOLTIP},
    "stat": {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": LAST,
        "textMode": "auto",
    },
    "bargauge": {
        "displayMode": "basic",
        "orientation": "horizontal",
        "reduceOptions": LAST,
        "showUnfilled": True,
    },
    "state-timeline": {
        "alignValue": "left",
        "legend": LEGEND,
        "mergeValues": True,
        "rowHeight": 0.9,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    },
}


def target(one: Panel, at: int, query: Query) -> Json:
    """An expression with the chosen pods put in."""
    return {
        "refId": chr(ord("A") + at),
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": filled(query.expr),
        "legendFormat": query.legend,
        "range": not one.at_once,
        "instant": one.at_once,
    }


def filled(expr: str) -> str:
    """`expr` with matchers in the place of their marks."""
    for mark, matchers in MATCHERS.items():
        expr = expr.replace(mark, matchers)
    return expr
