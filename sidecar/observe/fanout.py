"""One event for several observers, none of which can hurt a request or another observer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, get_args

from sidecar.core.events import Event, Report

log = logging.getLogger(__name__)

Handlers = Mapping[type[Event], Callable[[Any], None]]  # of one observer, by what they are told


def fan_out(*observers: Handlers | Report) -> Report:
    """Return what passes each event on to all who care. What one of them raises is logged once."""
    all_handlers = [handlers_of(observer) for observer in observers]
    caring = {
        kind: [(place, one[kind]) for place, one in enumerate(all_handlers) if kind in one]
        for kind in get_args(Event)
    }
    failed: set[int] = set()

    def report(event: Event) -> None:
        for place, handle in caring[type(event)]:
            try:
                handle(event)
            except Exception:
                if place not in failed:
                    failed.add(place)
                    log.exception("an observer failed", extra={"event": type(event).__name__})

    return report


def handlers_of(observer: Handlers | Report) -> Handlers:
    """What `observer` does with each kind of event; who is no table is told all of them."""
    return observer if isinstance(observer, Mapping) else dict.fromkeys(get_args(Event), observer)
