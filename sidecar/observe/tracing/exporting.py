"""Spans on their way to a collector, by OpenTelemetry's own exporter."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace.export import SpanExportResult

from sidecar.core.settings import Settings
from sidecar.observe.tracing.gathering import Walk
from sidecar.observe.tracing.spans import Spans

NAME = "llm-failover-sidecar"
PATH = "/v1/traces"  # OTLP over HTTP
PROBLEM_CHARS = 400
NOBODY = logging.NullHandler()


class LastWords(logging.Handler):
    """Hears what the exporter logs: it returns no more than that it failed."""

    def __init__(self) -> None:
        super().__init__()
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.said = record.getMessage()[:PROBLEM_CHARS]


class Exporting:
    """Makes spans, and sends them to the collector below the URL `otlp`.

    `names` are the version and the instance of this process. What OpenTelemetry reads from the
    environment (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_EXPORTER_OTLP_HEADERS` and
    the like) holds here, too.
    """

    def __init__(self, settings: Settings, otlp: str, names: Mapping[str, str]) -> None:
        own = Resource(
            {
                "service.name": NAME,
                "service.version": names["version"],
                "service.instance.id": names["instance"],
            }
        )
        self._spans = Spans(settings, own.merge(OTELResourceDetector().detect()))
        self._last_words = LastWords()
        foreign = logging.getLogger("opentelemetry")
        foreign.propagate = False  # to standard error, amid our own lines …
        foreign.addHandler(NOBODY)  # … where it would go as well if nobody heard it
        foreign.addHandler(self._last_words)
        self._exporter = OTLPSpanExporter(endpoint=otlp.removesuffix(PATH) + PATH)

    def export(self, walks: Sequence[Walk]) -> str:
        """Send them; empty, or why they are lost."""
        spans = [span for walk in walks for span in self._spans.of(walk)]
        try:
            is_taken = self._exporter.export(spans) is SpanExportResult.SUCCESS
        except OSError as error:  # what the exporter's own ways of sending raise is of this kind
            return type(error).__qualname__
        return "" if is_taken else self._last_words.said or "no reason given"

    def shut_down(self) -> None:
        """Give up what is under way."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the library has none
        logging.getLogger("opentelemetry").removeHandler(self._last_words)
