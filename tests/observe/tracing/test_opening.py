"""OpenTelemetry is there for who wants it, and costs nobody else anything."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sidecar.core.settings import Tracing
from sidecar.observe.tracing import open_tracing
from tests.observe.scene import SETTINGS, StillClock

TRACED = replace(SETTINGS, tracing=Tracing(otlp="http://127.0.0.1:4318"))
CONFIG = """\
listen: 127.0.0.1:0
admin: 127.0.0.1:0
providers: {local: {kind: openai, base_url: "http://127.0.0.1:8000/v1"}}
routes: [{models: ["smart"], chain: [local]}]
tracing: {otlp: "http://127.0.0.1:4318"}
"""
HIDDEN = "import sys; sys.modules['opentelemetry.sdk'] = None; from sidecar.cli import main; main()"
WITHOUT_IT = "import sys, sidecar.serving; sys.exit('opentelemetry.sdk' in sys.modules)"


def test_where_spans_go_nowhere_nothing_makes_them() -> None:
    assert open_tracing(SETTINGS, StillClock(), "pod") is None


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sidecar.observe.tracing.exporting", None)

    with pytest.raises(ValueError, match=r"needs `pip install llm-failover-sidecar\[otel\]`"):
        open_tracing(TRACED, StillClock(), "pod")


def test_serving_without_the_package_ends_with_2_and_what_to_install(tmp_path: Path) -> None:
    config = tmp_path / "sidecar.yaml"
    config.write_text(CONFIG)
    command = (sys.executable, "-c", HIDDEN, "serve", "--config", str(config))

    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603  our own words

    said = "sidecar: tracing: needs `pip install llm-failover-sidecar[otel]`\n"
    assert (ended.returncode, ended.stderr) == (2, said)


def test_a_process_that_sends_no_spans_does_not_load_the_package() -> None:
    command = (sys.executable, "-c", WITHOUT_IT)

    assert subprocess.run(command, check=False, timeout=30).returncode == 0  # noqa: S603  our own words
