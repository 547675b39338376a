"""What is shipped for Prometheus and Grafana, as it lies there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from tests.monitoring.prometheus import ROOT, Json

DEPLOY = ROOT / "deploy"
RUNBOOKS = ROOT / "docs" / "runbooks"
GRAFANA = DEPLOY / "grafana"

DASHBOARDS: dict[str, Json] = {
    path.stem: json.loads(path.read_text()) for path in sorted(GRAFANA.glob("*.json"))
}
RULES: Json = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())
RECORDS: dict[str, Json] = {
    rule["record"]: rule for group in RULES["groups"] for rule in group["rules"] if "record" in rule
}
ALERTS: dict[str, Json] = {
    rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule
}
SUFFIX = re.compile(r"_(bucket|sum|count)$")


class Ask(NamedTuple):
    """One expression of a dashboard, and where it stands."""

    dashboard: str
    panel: str
    expr: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}"


def panels(dashboard: Json) -> list[Json]:
    """Those that show something: no headings."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def asks() -> Iterator[Ask]:
    """Every expression of every panel."""
    for name, dashboard in DASHBOARDS.items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield Ask(name, panel["title"], target["expr"])


def marks() -> Iterator[Ask]:
    """Every expression of an annotation."""
    for name, dashboard in DASHBOARDS.items():
        for mark in dashboard["annotations"]["list"]:
            yield Ask(name, mark["name"], mark["expr"])


def variables(dashboard: Json) -> dict[str, Any]:
    """What can be chosen, by name."""
    return {one["name"]: one for one in dashboard["templating"]["list"]}


def metrics_in(text: str) -> set[str]:
    """The metrics that a text names."""
    names = re.findall(r"(?<![\w:])llm_failover_\w+", text)
    return {SUFFIX.sub("", name) for name in names}
