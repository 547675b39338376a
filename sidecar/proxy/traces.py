"""The trace of a request: its caller's, gone on with, or a new one."""

from __future__ import annotations

from random import getrandbits, random
from typing import NamedTuple

from multidict import CIMultiDictProxy

from sidecar.core.settings import Tracing
from sidecar.core.trace import TRACEPARENT, TRACESTATE, TraceContext, read_trace


class Joined(NamedTuple):
    """The span of a request, and the id of its caller's: empty where the trace begins here."""

    own: TraceContext
    parent_id: str = ""


def fresh_trace_id() -> str:
    """An id that no other trace has."""
    return f"{getrandbits(128) or 1:032x}"  # zero would be none


def fresh_span_id() -> str:
    """An id that no other span of a trace has."""
    return f"{getrandbits(64) or 1:016x}"


def join(headers: CIMultiDictProxy[str], tracing: Tracing) -> Joined:
    """Go on with the caller's trace, or begin one.

    The caller's is recorded if the caller says so, a new one in the share that is configured.
    """
    if TRACEPARENT in headers:
        parents, states = headers.getall(TRACEPARENT), headers.getall(TRACESTATE, [])
        if parent := read_trace(parents, states):
            return Joined(parent.within(fresh_span_id()), parent.span_id)
    is_sampled = tracing.otlp is not None and random() < tracing.sample_ratio
    return Joined(TraceContext(fresh_trace_id(), fresh_span_id(), is_sampled))
