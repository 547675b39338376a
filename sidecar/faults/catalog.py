"""Every fault there is, by its id. Those that take parameters can be made anew with others."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from sidecar.faults import bodies, connections, oddities, refusals, streams
from sidecar.faults.bodies import OK
from sidecar.faults.connections import (
    REFUSE,
    comments_only,
    cut,
    reset,
    slow_first_token,
    slow_words,
    stall,
)
from sidecar.faults.fault import Effect, Fault, play_well, telling
from sidecar.faults.refusals import rate_limit_date, redirect, status

__all__ = [
    "CATALOG",
    "OK",
    "REFUSE",
    "Effect",
    "Fault",
    "comments_only",
    "cut",
    "fault",
    "ok",
    "rate_limit_date",
    "redirect",
    "reset",
    "slow_first_token",
    "slow_words",
    "stall",
    "status",
]

CATALOG: dict[str, Fault] = {
    one.id: one
    for one in (
        *bodies.FAULTS,
        *connections.FAULTS,
        *refusals.FAULTS,
        *streams.FAULTS,
        *oddities.FAULTS,
    )
}


def fault(name: str) -> Fault:
    """The fault of that id. Raises `ValueError` with the nearest ids where there is none."""
    if name in CATALOG:
        return CATALOG[name]
    near = " or ".join(get_close_matches(name, CATALOG)) or "one of the catalog's"
    raise ValueError(f"fault: unknown id, got {name} (did you mean {near}?)")


def ok(**answer: Any) -> Fault:
    """A good answer with other settings: `ok(words=60, delay_s=0.01)`, see `Answer`."""
    return Fault("ok", "answers well", Effect.SERVED, telling(play_well, **answer))
