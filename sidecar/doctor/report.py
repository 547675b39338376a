"""The findings for people, aligned, and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from textwrap import wrap
from typing import Any

from sidecar import __version__
from sidecar.doctor.finding import Finding, Mark

WIDTH = 100
LEAST_WIDTH = 40  # for what was seen, however long the names are
SIGNS = {Mark.GOOD: "✓", Mark.DOUBT: "!", Mark.BAD: "✗"}
COLORS = {Mark.GOOD: "\x1b[32m", Mark.DOUBT: "\x1b[33m", Mark.BAD: "\x1b[31m"}
PLAIN = "\x1b[0m"
wrapped = partial(wrap, break_long_words=False, break_on_hyphens=False)  # paths are to be copied


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All findings in order. `source` is the configuration's, `unix_s` the time now."""

    source: str
    unix_s: float
    findings: Sequence[Finding]

    def count(self, mark: Mark) -> int:
        """How many there are of a kind."""
        return sum(one.mark is mark for one in self.findings)


def as_text(report: Report, *, color: bool) -> str:
    """A line for each finding, its cure below it, and a sum. `color` is for a terminal."""
    subject_width = max(len(subject_of(one)) for one in report.findings)
    lines = [line for one in report.findings for line in lines_of(one, subject_width, color=color)]
    counts = ", ".join(f"{report.count(mark)} {sign}" for mark, sign in SIGNS.items())
    return "\n".join([f"sidecar {__version__}, {report.source}", "", *lines, "", counts])


def lines_of(finding: Finding, subject_width: int, *, color: bool) -> Iterator[str]:
    """A finding, in as many lines as it takes."""
    margin = subject_width + 4
    width = max(WIDTH - margin, LEAST_WIDTH)
    sign = SIGNS[finding.mark]
    shown = f"{COLORS[finding.mark]}{sign}{PLAIN}" if color else sign
    first, *more = wrapped(finding.seen, width) or [""]
    yield f"{shown} {subject_of(finding).ljust(subject_width)}  {first}".rstrip()
    cure = wrapped(f"→ {finding.cure}", width, subsequent_indent="  ")
    for line in (*more, *(cure if finding.cure else ())):
        yield " " * margin + line


def subject_of(finding: Finding) -> str:
    """Whose what."""
    return f"{finding.about} {finding.check}".strip()


def as_json(report: Report) -> dict[str, Any]:
    """The same with stable keys."""
    return {
        "version": __version__,
        "date": datetime.fromtimestamp(report.unix_s, UTC).isoformat(timespec="seconds"),
        "config": report.source,
        "summary": {mark: report.count(mark) for mark in Mark},
        "findings": [
            {
                "about": one.about or None,
                "check": one.check,
                "mark": one.mark,
                "seen": one.seen,
                "cure": one.cure or None,
            }
            for one in report.findings
        ],
    }
