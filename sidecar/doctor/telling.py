"""`sidecar doctor` as a command: examines, and prints a report."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TextIO

from sidecar.clock import SystemClock
from sidecar.config import find_config
from sidecar.config.environment import SOURCE
from sidecar.core.settings import Settings
from sidecar.doctor.examination import (
    Findings,
    examine,
    examine_alone,
    has_failed,
    loaded_from,
    unfit_for_calls,
)
from sidecar.doctor.live import call_all, entries_of, judge_call, not_asked, price_told
from sidecar.doctor.report import Report, as_json, as_text
from sidecar.observe.logs import silence

CLOCK = SystemClock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted: calls that are billed, a document for programs."""

    live: bool = False
    as_document: bool = False


def doctor(config: str | None, environ: Mapping[str, str], wish: Wish, out: TextIO) -> int:
    """Examine what serve would run with; 0 where nothing is broken, else 1."""
    loaded, findings = loaded_from(config, environ)
    if loaded:
        findings += asyncio.run(examined(loaded.settings, live=wish.live))
    else:
        findings += examine_alone(CLOCK)
    source = loaded.source if loaded else str(find_config(config, environ) or SOURCE)
    report = Report(source=source, unix_s=CLOCK.unix(), findings=findings)
    if wish.as_document:
        text = json.dumps(as_json(report), indent=2, ensure_ascii=False)
    else:
        text = as_text(report, color=out.isatty() and not environ.get("NO_COLOR"))
    out.write(f"{text}\n")
    return int(has_failed(findings))


async def examined(settings: Settings, *, live: bool) -> Findings:
    """All that is to be examined; calls are made last, to those who can be reached with a key."""
    findings = await examine(settings, CLOCK)
    if not live:
        return findings
    broken = unfit_for_calls(findings)
    told = [not_asked(one) for one in entries_of(settings) if one.provider.name in broken]
    entries = [one for one in entries_of(settings) if one.provider.name not in broken]
    sys.stderr.write(f"{price_told(entries)}\n")
    sys.stderr.flush()
    with silence():
        heard = await call_all(settings, entries, CLOCK) if entries else []
    return [*findings, *map(judge_call, heard), *told]
