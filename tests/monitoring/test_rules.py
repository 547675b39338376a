"""The rules: promtool is content with them, each alert is tested and explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.monitoring.prometheus import ROOT, Json, promtool
from tests.monitoring.shipped import ALERTS, DEPLOY, RECORDS, RULES, RUNBOOKS

PROMETHEUS = DEPLOY / "prometheus"
MONITORING = DEPLOY / "k8s" / "monitoring"
RUNBOOK = ["## What it means", "## What the application notices", "## Look", "## Do"]
EACH_ALERT = pytest.mark.parametrize("name", ALERTS)


def test_promtool_finds_every_rule_valid() -> None:
    said = promtool("check", "rules", str(PROMETHEUS / "rules.yaml"))

    assert f"SUCCESS: {len(RECORDS) + len(ALERTS)} rules found" in said


def test_every_alert_fires_and_ends_as_promtool_is_told() -> None:
    assert "SUCCESS" in promtool("test", "rules", str(PROMETHEUS / "rules_test.yaml"))


@EACH_ALERT
def test_promtool_is_told_when_an_alert_fires_and_when_it_ends(name: str) -> None:
    tests = yaml.safe_load((PROMETHEUS / "rules_test.yaml").read_text())["tests"]
    courses = [
        [bool(one["exp_alerts"]) for one in test["alert_rule_test"] if one["alertname"] == name]
        for test in tests
    ]

    assert [False, True, False] in courses


@EACH_ALERT
def test_an_alert_says_how_bad_it_is_and_what_to_do(name: str) -> None:
    alert = ALERTS[name]

    assert name.startswith("LLMFailover")
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert ROOT / alert["annotations"]["runbook_url"] == RUNBOOKS / f"{name}.md"


@EACH_ALERT
def test_an_alert_has_a_runbook_with_every_part(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()

    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## .*$", text, re.MULTILINE) == RUNBOOK
    assert f"Severity: {ALERTS[name]['labels']['severity']}." in text


def test_no_runbook_is_without_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == ALERTS.keys()


def test_records_are_named_by_level_metric_and_operation() -> None:
    assert [name for name in RECORDS if not re.fullmatch(r"\w+:llm_failover_\w+:\w+", name)] == []


def test_alerts_use_only_records_that_there_are() -> None:
    used = {name for one in ALERTS.values() for name in re.findall(r"\w+:\w+:\w+", one["expr"])}

    assert used == RECORDS.keys()


def test_the_operator_gets_the_same_rules() -> None:
    rule: Json = yaml.safe_load((MONITORING / "rules.yaml").read_text())

    assert (rule["apiVersion"], rule["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert rule["spec"] == RULES


@pytest.mark.parametrize("folder", [MONITORING, DEPLOY / "grafana"], ids=lambda path: path.name)
def test_a_kustomization_names_what_is_there(folder: Path) -> None:
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    named = {(folder / name).resolve() for name in kustomization.get("resources", ())}
    others = {path for path in folder.glob("*.yaml") if path.name != "kustomization.yaml"}

    assert all(path.exists() for path in named)
    assert others <= named


def test_the_configuration_without_the_operator_is_valid(tmp_path: Path) -> None:
    config = yaml.safe_load((PROMETHEUS / "prometheus.yaml").read_text())
    (scrape,) = config["scrape_configs"]
    # Debian's Prometheus is built without the discovery of Kubernetes
    assert scrape.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "rules.yaml").write_text((PROMETHEUS / "rules.yaml").read_text())

    assert "SUCCESS" in promtool("check", "config", str(tmp_path / "prometheus.yaml"))
