"""`sidecar drill` as a command: plays the table, says how far it is, and prints the scorecard."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from sidecar.clock import SystemClock
from sidecar.config import Loaded
from sidecar.drill.row import Row
from sidecar.drill.running import Result, run
from sidecar.drill.scorecard import Scorecard, as_json, as_text
from sidecar.drill.table import plan


class Meter:
    """Says on a terminal how many rows are done; says nothing elsewhere."""

    def __init__(self, out: TextIO, total: int) -> None:
        self._out = out
        self._live = out.isatty()
        self._total = total
        self._done = 0
        self._broken = 0
        self._began_s = SystemClock.monotonic()

    def start(self) -> None:
        """Say what is about to happen."""
        self._say(f"{self._total} promises, scripted providers on this machine: no key leaves it …")

    def note(self, result: Result) -> None:
        """One more."""
        self._done += 1
        self._broken += not result.sight.held
        passed_s = SystemClock.monotonic() - self._began_s
        self._say(
            f"{self._done} of {self._total} promises, {self._broken} broken, {passed_s:.0f} s"
        )

    def end(self) -> None:
        """Make room for the scorecard."""
        self._say("")

    def _say(self, text: str) -> None:
        if self._live:
            self._out.write(f"\r\x1b[K{text}")
            self._out.flush()


async def play(loaded: Loaded, rows: Sequence[Row], meter_out: TextIO) -> Scorecard:
    """Play `rows` against the configuration."""
    scenarios, omissions = plan(loaded.settings, rows)
    meter = Meter(meter_out, len(scenarios))
    began_unix_s, began_s = SystemClock.unix(), SystemClock.monotonic()
    meter.start()
    results = await run(scenarios, meter.note)
    meter.end()
    return Scorecard(
        source=loaded.source,
        results=results,
        omissions=omissions,
        unix_s=began_unix_s,
        seconds=SystemClock.monotonic() - began_s,
        warnings=loaded.warnings,
    )


def drill(loaded: Loaded, rows: Sequence[Row], *, as_document: bool, out: TextIO) -> int:
    """Play `rows`, and print a table or a JSON document; 0 where every promise held, else 1."""
    card = asyncio.run(play(loaded, rows, sys.stderr))
    if as_document:
        text = json.dumps(as_json(card), indent=2, ensure_ascii=False)
    else:
        text = as_text(card, coloured=out.isatty() and not os.environ.get("NO_COLOR"))
    out.write(f"{text}\n")
    return int(not card.all_held)
