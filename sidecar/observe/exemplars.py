"""Which trace a value of a histogram is an example from."""

from __future__ import annotations

from collections.abc import Callable

from sidecar.core.settings import Tracing
from sidecar.core.trace import TraceContext
from sidecar.observe.series import Exemplar


class Exemplars:
    """Points from values to traces. `unix` tells the time."""

    def __init__(self, tracing: Tracing, unix: Callable[[], float]) -> None:
        self._sends_spans = tracing.otlp is not None
        self._unix = unix

    def of(self, trace: TraceContext) -> Exemplar | None:
        """The trace, if following it leads somewhere.

        Where spans are sent, that is what is recorded; elsewhere the log has every trace.
        """
        is_kept = trace.is_sampled or not self._sends_spans
        return Exemplar(trace.trace_id, self._unix()) if trace.trace_id and is_kept else None
