"""Measures what the sidecar costs, beside direct access and a naive proxy, and prints a table.

bench/run.py           five rounds, less than ten minutes
bench/run.py --quick   two short rounds, less than two minutes
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

from bench import measures, report, targets, toolchain
from bench.measures import Figures, Measure, Plan, Spoiled
from bench.processes import CORES, HARNESS_CORES, Mock, Target

RESULTS = Path(__file__).parent / "results"
NAMES = ("direct", "naive", "sidecar")
REST_S = 0.3  # what a start leaves behind should be over before anything is read


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One run: what is measured, how much of it, and where the results go."""

    names: tuple[str, ...]
    plan: Plan
    mock: Mock
    folder: Path
    sink: TextIO

    def run(self, number: int) -> None:
        """One round. The targets take turns at every load, so that all meet the same machine."""
        with ExitStack() as stack:
            started = [stack.enter_context(targets.start(name, self.folder)) for name in self.names]
            time.sleep(REST_S)
            for target in started:
                self.note_start(number, target)
            for measure in measures.SIDE_BY_SIDE:
                for target in turned(started, number):
                    self.measure(number, target, measure)
            for target in started:
                self.note_memory(number, target, "loaded_mib")
                if target.name == "sidecar":
                    self.measure(number, target, measures.slow_streams)
        self.run_failover(number)

    def run_failover(self, number: int) -> None:
        """The part of a round in which the first provider fails: it needs fresh starts."""
        for name in self.names:
            if name == "direct":
                continue
            with targets.start(name, self.folder) as target:
                self.measure(number, target, measures.warm_up)
                self.measure(number, target, measures.failover)
                if name == "sidecar":
                    self.measure(number, target, measures.skipping)

    def measure(self, number: int, target: Target, measure: Measure) -> None:
        """Measure once and write down what came of it."""
        print(f"round {number}: {target.name}: {measure.__name__}", file=sys.stderr)
        try:
            self.write(number, target, measure(target, self.mock, self.plan))
        except Spoiled as problem:
            self.record(round=number, target=target.name, note=f"{measure.__name__}: {problem}")

    def note_start(self, number: int, target: Target) -> None:
        if target.pid:
            self.write(number, target, {"start_s": target.start_s})
        self.note_memory(number, target, "idle_mib")

    def note_memory(self, number: int, target: Target, key: str) -> None:
        if target.pid:
            self.write(number, target, {key: target.rss_mib})

    def write(self, number: int, target: Target, figures: Figures) -> None:
        if not target.pid:
            figures = {key: value for key, value in figures.items() if "cpu" not in key}
        self.record(round=number, target=target.name, figures=figures)

    def record(self, **record: object) -> None:
        print(json.dumps(record), file=self.sink, flush=True)


def turned(started: list[Target], number: int) -> Iterable[Target]:
    """The same targets, another one first in every round."""
    first = number % len(started)
    return [*started[first:], *started[:first]]


def about() -> str:
    """The machine, the versions and the date."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("llm-failover-sidecar", "aiohttp", "uvloop")
    )
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {cpu}, {len(CORES)} cores, Linux"
        f" {platform.release()}, Python {platform.python_version()}, {versions}"
    )


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two short rounds")
    parser.add_argument("--rounds", type=int, help="this many")
    parser.add_argument(
        "--targets", nargs="+", choices=NAMES, default=NAMES, help="only these (default: all)"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="print an earlier result again")
    return parser.parse_args()


def run(names: tuple[str, ...], plan: Plan) -> Path:
    """Do all rounds; returns the file of results."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"
    os.sched_setaffinity(0, HARNESS_CORES)
    with TemporaryDirectory() as folder, path.open("w") as sink, Mock.start() as mock:
        bench = Bench(names=names, plan=plan, mock=mock, folder=Path(folder), sink=sink)
        bench.record(about=about())
        for number in range(1, plan.rounds + 1):
            bench.run(number)
    return path


def main() -> None:
    """Measure, or read what was measured, and print the report."""
    arguments = read_arguments()
    path = arguments.report
    if path is None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda signum, _: sys.exit(128 + signum))
        toolchain.build()
        plan = measures.QUICK if arguments.quick else measures.FULL
        plan = replace(plan, rounds=arguments.rounds or plan.rounds)
        path = run(tuple(arguments.targets), plan)
        print(f"results: {path}", file=sys.stderr)
    with path.open() as lines:
        print(report.render(report.read(lines)))


if __name__ == "__main__":
    main()
