"""Turns the JSON lines of a run into a table: medians, spread, and ratios within each round."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

BASE, RIVAL, SUBJECT = "direct", "naive", "sidecar"
BUSY_SHARE = 0.9  # of a core: with less, a load without pause was held up by something else

Rounds = Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. Of an `added` figure, direct access is taken off in every round."""

    key: str
    title: str
    added: bool = False


ROWS = (
    Row("requests_per_s", "requests/s of one core, 64 connections"),
    Row("request_cpu_us", "CPU µs a request, 64 connections"),
    Row("calm_p50_ms", "added latency at 10/s, p50 ms", added=True),
    Row("steady_p50_ms", "added latency at 100/s, p50 ms", added=True),
    Row("steady_p99_ms", "added latency at 100/s, p99 ms", added=True),
    Row("first_token_p50_ms", "added to the first token at 10/s, p50 ms", added=True),
    Row("fast_chunks_per_s", "chunks/s of one core, 16 streams"),
    Row("fast_chunk_cpu_us", "CPU µs a chunk, 16 streams at full speed"),
    Row("paced_chunk_cpu_us", "CPU µs a chunk, 50 streams of 25 chunks/s"),
    Row("slow_chunk_cpu_us", "CPU µs a chunk, 1000 streams of 10 chunks/s"),
    Row("slow_streams_mib", "most memory with 1000 streams, MiB"),
    Row("failover_first_ms", "added by failover, first three requests, ms"),
    Row("failover_later_ms", "added by failover, later requests, p50 ms"),
    Row("skip_cpu_us", "CPU µs added by skipping an open provider"),
    Row("start_s", "start to first answer, s"),
    Row("idle_mib", "memory after the first answer, MiB"),
    Row("loaded_mib", "memory after the load, MiB"),
)


class Results:
    """The figures of a run by target and key, one value a round."""

    def __init__(self, records: Iterable[Mapping[str, Any]]) -> None:
        self.about = ""
        self.notes: list[str] = []
        self._values: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
        for record in records:
            self._add(record)

    def _add(self, record: Mapping[str, Any]) -> None:
        self.about = record.get("about", self.about)
        if "note" in record:
            self.notes.append(f"round {record['round']}: {record['target']}: {record['note']}")
        for key, value in record.get("figures", {}).items():
            self._values[record["target"], key][record["round"]] = value

    @property
    def targets(self) -> list[str]:
        """The names of what was measured, in the order of the table."""
        measured = {target for target, _ in self._values}
        return [name for name in (BASE, RIVAL, SUBJECT) if name in measured]

    def rounds(self, target: str, row: Row) -> Rounds:
        """The values of one cell of the table by round."""
        values = self._values.get((target, row.key), {})
        if not row.added or target == BASE:
            return values
        base = self._values.get((BASE, row.key), {})
        return {number: values[number] - base[number] for number in values if number in base}

    def middle(self, target: str, key: str) -> float | None:
        """The median of a figure over the rounds."""
        values = self._values.get((target, key))
        return median(values.values()) if values else None


def read(lines: Iterable[str]) -> Results:
    """The results in a file of JSON lines."""
    return Results(json.loads(line) for line in lines)


def render(results: Results) -> str:
    """The whole report."""
    notes = [*limits(results), *results.notes]
    return "\n".join([results.about, "", *table(results), *(f"- {note}" for note in notes)])


def table(results: Results) -> list[str]:
    """The lines of a Markdown table that can be read as it is."""
    names = results.targets
    compared = {RIVAL, SUBJECT} <= set(names)
    head = ["median (least to most)", *names, *([f"{SUBJECT} / {RIVAL}"] if compared else [])]
    rows = [line(results, row, names, compared=compared) for row in ROWS]
    cells = [head, *(row for row in rows if any(row[1:]))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    return ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]


def line(results: Results, row: Row, names: list[str], *, compared: bool) -> list[str]:
    """One row of the table."""
    by_target = {name: results.rounds(name, row) for name in names}
    cells = [row.title, *(spread(values) for values in by_target.values())]
    if compared:
        cells.append(ratio(by_target[SUBJECT], by_target[RIVAL]))
    return cells


def spread(values: Rounds) -> str:
    """The median, and the extremes where there are several."""
    if not values:
        return ""
    middle = shown(median(values.values()))
    if len(values) == 1:
        return middle
    return f"{middle} ({shown(min(values.values()))} to {shown(max(values.values()))})"


def ratio(ours: Rounds, theirs: Rounds) -> str:
    """The median of the ratios within each round; none where noise swallowed a figure."""
    pairs = [(ours[number], theirs[number]) for number in ours if number in theirs]
    if not pairs or min(map(min, pairs)) <= 0:
        return ""
    return f"{median(our / their for our, their in pairs):.2f}"


def shown(value: float) -> str:
    """Three digits that count."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def limits(results: Results) -> Iterable[str]:
    """Say where a target was held up, so that its rate is no measure of it."""
    for target in results.targets:
        for what in ("requests", "fast_chunks"):
            share = results.middle(target, f"{what}_target_share")
            harness = results.middle(target, f"{what}_harness_share")
            if target == BASE or share is None or harness is None or share >= BUSY_SHARE:
                continue
            culprit = "the harness" if harness >= BUSY_SHARE else "something else"
            yield (
                f"{target}: with {what.replace('_', ' ')} at full speed it used {share:.0%} of its"
                f" core and the harness {harness:.0%} of its own: {culprit} was the limit"
            )
