"""One event for several observers, none of which can hurt a request or another observer."""

from __future__ import annotations

import logging

from sidecar.core.events import Event, Report

log = logging.getLogger(__name__)


def fan_out(*reports: Report) -> Report:
    """Return what passes each event on to all of `reports`. What one raises is logged once."""
    failed: set[int] = set()

    def report(event: Event) -> None:
        for place, one in enumerate(reports):
            try:
                one(event)
            except Exception:
                if place not in failed:
                    failed.add(place)
                    log.exception("an observer failed", extra={"event": type(event).__name__})

    return report
