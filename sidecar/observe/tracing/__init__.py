"""Spans of requests and attempts, for a collector: the only package that knows OpenTelemetry.

OpenTelemetry itself is imported only where spans go somewhere.
"""

from __future__ import annotations

from sidecar import __version__
from sidecar.clock import Clock
from sidecar.core.settings import Settings
from sidecar.observe.tracing.gathering import Tracing
from sidecar.observe.tracing.sending import Sender

__all__ = ["Tracing", "open_tracing"]


def open_tracing(settings: Settings, clock: Clock, pod: str) -> Tracing | None:
    """What makes spans of events; `None` where they go nowhere. Nothing is sent until it is opened.

    Raises `ValueError` where the package's extra is missing.
    """
    collector = settings.tracing.otlp
    if collector is None:
        return None
    try:
        from sidecar.observe.tracing.exporting import Exporting
    except ModuleNotFoundError as error:
        raise ValueError("tracing: needs `pip install llm-failover-sidecar[otel]`") from error
    exporting = Exporting(settings, collector, {"instance": pod, "version": __version__})
    return Tracing(Sender(exporting, collector), clock)
