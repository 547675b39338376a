"""A real Prometheus on loopback, and promtool: of the PATH, or what the set-up brought."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from tests.fleet.stores.redis_server import HOST, free_port, wait_until

ROOT = Path(__file__).parent.parent.parent
BROUGHT = ROOT / ".venv" / "prometheus" / "usr" / "bin"
STEP_S = 0.25

Json = dict[str, Any]


class Series(NamedTuple):
    """What one series was at each moment that it had a value."""

    labels: Mapping[str, str]
    values: list[float]

    @property
    def course(self) -> list[float]:
        """Its values, without those that only repeat the one before."""
        pairs = zip(self.values, [math.nan, *self.values], strict=False)
        return [value for value, before in pairs if value != before]


def program(name: str) -> str:
    """Where `name` is. An error says how to get it."""
    found = shutil.which(name) or shutil.which(name, path=str(BROUGHT))
    assert found, f"{name} is not there: tests/monitoring/bring_prometheus.sh brings it"
    return found


def promtool(*arguments: str, said: str = "") -> str:
    """What promtool says, which has to be content."""
    done = subprocess.run(  # noqa: S603  the program is one of ours
        [program("promtool"), *arguments], input=said, capture_output=True, text=True, check=False
    )
    heard = done.stdout + done.stderr
    assert done.returncode == 0, heard
    return heard


class Prometheus:
    """One process with this configuration. What it saw is kept until it is left."""

    def __init__(self, config: Json, rules: Json) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder = Path(self._folder.name)
        (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
        (folder / "prometheus.yaml").write_text(
            yaml.safe_dump({**config, "rule_files": ["rules.yaml"]})
        )

    def __enter__(self) -> Self:
        folder = self._folder.name
        self._process = subprocess.Popen(  # noqa: S603  the program is one of ours
            [
                program("prometheus"),
                f"--config.file={folder}/prometheus.yaml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address={HOST}:{self._port}",
                "--log.level=warn",
            ],
            cwd=folder,
        )
        wait_until(self._is_ready)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def has(self, expr: str) -> bool:
        """Whether the expression has a result now."""
        return bool(self._ask("query", query=expr)["result"])

    def rules(self) -> list[Json]:
        """Every rule and how it does."""
        groups: list[Json] = self._ask("rules")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def course(self, expr: str, began_s: float, ended_s: float) -> list[Series]:
        """What the expression came to in that time (Unix seconds), without what is no number."""
        answer = self._ask("query_range", query=expr, start=began_s, end=ended_s, step=STEP_S)
        told = [
            Series(
                one["metric"], [v for _, text in one["values"] if math.isfinite(v := float(text))]
            )
            for one in answer["result"]
        ]
        return [series for series in told if series.values]

    def _ask(self, what: str, **fields: object) -> Json:
        url = f"http://{HOST}:{self._port}/api/v1/{what}?{urlencode(fields)}"
        with urlopen(url, timeout=10) as answer:
            data: Json = json.load(answer)["data"]
            return data

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"http://{HOST}:{self._port}/-/ready", timeout=1):
                return True
        except (URLError, OSError):
            return False
