"""Every metric that is named somewhere exists, and every one that exists is documented."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from sidecar.core.outcome import Outcome
from sidecar.core.rate_limit import RateLimited
from sidecar.observe.metrics import Build, Metrics
from tests.monitoring.prometheus import ROOT
from tests.monitoring.shipped import metrics_in
from tests.observe.scene import StillClock, attempt_ended
from tests.observe.test_metrics import told, with_pool

DOCS = ROOT / "docs"
FILES = (
    *(ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")),
    *(ROOT / "deploy").rglob("*.yaml"),
    *(ROOT / "deploy").rglob("*.md"),
    *(ROOT / "deploy").rglob("*.json"),
)
ROW = re.compile(r"^\| `(\w+)` \| (\w+) \|([^|]*)\| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
PREFIX = "llm_failover_"


def exported() -> dict[str, tuple[str, set[str]]]:
    """Type and labels of every metric of a sidecar with a store, by the name that queries use."""
    settings = replace(with_pool(), store="redis://store")
    metrics = Metrics(settings, StillClock(), Build("1", "c0ffee"))
    limited = attempt_ended(remaining=((RateLimited.TOKENS, 5.0),))  # else it is not known
    body, _ = told(limited, of=metrics).render("")
    families = text_string_to_metric_families(body.decode())
    return {name_of(one): (one.type, labels_of(one)) for one in families}


def name_of(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def labels_of(family: Metric) -> set[str]:
    return {label for sample in family.samples for label in sample.labels} - {"le"}


def documented() -> dict[str, tuple[str, set[str]]]:
    """The same as docs/metrics.md says."""
    rows = ROW.findall((DOCS / "metrics.md").read_text())
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels, *_ in rows}


EXPORTED = exported()


def test_the_page_tells_type_and_labels_of_every_metric() -> None:
    assert documented() == EXPORTED


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_metric_that_a_file_names_exists(file: Path) -> None:
    named = {one for one in metrics_in(file.read_text()) if one != PREFIX}

    assert named - EXPORTED.keys() == set()


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.stem)
def test_a_metric_that_a_page_names_without_its_prefix_exists(page: Path) -> None:
    named = set(re.findall(r"`([a-z]\w+_(?:total|seconds))`", page.read_text())) - set(Outcome)

    assert [one for one in named if not EXPORTED.keys() & {one, f"{PREFIX}{one}"}] == []
