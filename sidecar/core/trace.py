"""The trace that a request belongs to, as its headers say it (W3C Trace Context, level 1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

VERSION = "00"
# version, trace id, parent id, flags; a later version may go on after a dash (section 3.2)
STATED = re.compile(
    "(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
SAMPLED = 0x01

# One vendor's entry (section 3.3.1.3).
KEY = r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
VALUE = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
ENTRY = re.compile(f"({KEY})={VALUE}")
MOST_ENTRIES = 32
STATE_CHARS = 512  # what everybody has to pass on; of a longer one the longest entries go first
LONG_ENTRY = 128


class TraceContext(NamedTuple):
    """One span of a trace: who it is, whether it is recorded, and what vendors say of the trace."""

    trace_id: str = ""
    span_id: str = ""
    is_sampled: bool = False
    state: str = ""

    @property
    def traceparent(self) -> str:
        """It in the form of its header."""
        return f"{VERSION}-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"

    def within(self, span_id: str) -> TraceContext:
        """Another span of the same trace."""
        return TraceContext(self.trace_id, span_id, self.is_sampled, self.state)

    def headers(self) -> list[tuple[str, str]]:
        """What says it to whoever is called."""
        told = [(TRACEPARENT, self.traceparent)]
        return [*told, (TRACESTATE, self.state)] if self.state else told


UNTRACED = TraceContext()


def read_trace(parents: Sequence[str], states: Sequence[str]) -> TraceContext | None:
    """The caller's span, from the values of its `traceparent` and `tracestate` headers.

    `None` where it states none, or in a form that has to be taken for none: a new trace begins.
    A state in a wrong form is left out, and the trace goes on.
    """
    found = STATED.fullmatch(parents[0]) if len(parents) == 1 else None
    if found is None or (found[5] and found[1] == VERSION):
        return None
    state = read_state(",".join(states)) if states else ""
    return TraceContext(found[2], found[3], bool(int(found[4], 16) & SAMPLED), state)


def read_state(stated: str) -> str:
    """What vendors say of a trace, in bounds; empty where the form is wrong (section 3.3)."""
    entries = [entry for part in stated.split(",") if (entry := part.strip(" \t"))]
    return ",".join(in_bounds(entries)) if are_fit(entries) else ""


def are_fit(entries: list[str]) -> bool:
    """Whether each has the form of a vendor's entry, and there are not too many or two of one."""
    keys = {found[1] for entry in entries if (found := ENTRY.fullmatch(entry))}
    return len(keys) == len(entries) <= MOST_ENTRIES


def in_bounds(entries: list[str]) -> list[str]:
    """As many of the first entries as everybody has to pass on; of too many the long ones go."""
    kept = entries
    if len(",".join(kept)) > STATE_CHARS:
        kept = [entry for entry in entries if len(entry) <= LONG_ENTRY]
    while len(",".join(kept)) > STATE_CHARS:
        kept = kept[:-1]
    return kept
