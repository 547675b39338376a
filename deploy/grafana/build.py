"""Writes what is made: the dashboards, and the rules for the Prometheus Operator.

python -m deploy.grafana.build            writes the files
python -m deploy.grafana.build --check    says which of them are not what would be written; exit 1
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from textwrap import indent

from deploy.grafana.fleet import FLEET_AND_STORE
from deploy.grafana.overview import OVERVIEW
from deploy.grafana.provider import PROVIDER
from deploy.grafana.shapes import as_json

DEPLOY = Path(__file__).parent.parent
RULES = DEPLOY / "prometheus" / "rules.yaml"
DASHBOARDS = {
    "overview.json": OVERVIEW,
    "provider.json": PROVIDER,
    "fleet-and-store.json": FLEET_AND_STORE,
}
PROMETHEUS_RULE = """\
# Made by `make dashboards` from deploy/prometheus/rules.yaml: change that.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: llm-failover
  labels:
    app.kubernetes.io/name: llm-failover-sidecar
spec:
"""


def files() -> dict[Path, str]:
    """Every file that is made, and what belongs in it."""
    made = {
        DEPLOY / "grafana" / name: json.dumps(as_json(one), indent=2, ensure_ascii=False) + "\n"
        for name, one in DASHBOARDS.items()
    }
    made[DEPLOY / "k8s" / "monitoring" / "rules.yaml"] = as_prometheus_rule(RULES.read_text())
    return made


def as_prometheus_rule(rules: str) -> str:
    """The same rules as an object of the Prometheus Operator."""
    return PROMETHEUS_RULE + indent(rules, "  ")


def stale() -> list[Path]:
    """The files that are not what would be written."""
    return [path for path, text in files().items() if not path.exists() or path.read_text() != text]


def main() -> None:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(description="Write the dashboards and the PrometheusRule.")
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if stale")
    if parser.parse_args().check:
        sys.exit("\n".join(f"{path}: not what `make dashboards` writes" for path in stale()) or 0)
    for path, text in files().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
