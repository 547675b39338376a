"""A collector on loopback: takes spans as OTLP over HTTP has them, and shows what it got."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SERVER, CLIENT = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT
ERROR = 2  # of a status


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One span. Ids are in hex, times in seconds; `events` are names and attributes."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    began_s: float
    ended_s: float
    is_error: bool
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    state: str = ""

    def __getitem__(self, attribute: str) -> Any:
        return self.attributes.get(attribute)


@dataclass(slots=True)
class Collector:
    """What came in. Answers with `status`."""

    url: str = ""
    status: int = 200
    bodies: list[bytes] = field(default_factory=list)

    @property
    def spans(self) -> list[Seen]:
        """Every span, in the order of coming."""
        return [
            seen(span)
            for resource in self._resources()
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def resource(self) -> dict[str, Any]:
        """What the first batch says of the process."""
        return values(next(iter(self._resources())).resource.attributes)

    def server(self) -> Seen:
        """The only span of a request."""
        (one,) = [span for span in self.spans if span.kind == SERVER]
        return one

    def clients(self) -> list[Seen]:
        """The spans of attempts, by their beginning."""
        found = [span for span in self.spans if span.kind == CLIENT]
        return sorted(found, key=lambda span: span.began_s)

    def _resources(self) -> Iterable[Any]:
        for body in self.bodies:
            yield from ExportTraceServiceRequest.FromString(body).resource_spans

    async def take(self, request: web.Request) -> web.Response:
        """Keep what comes in."""
        self.bodies.append(await request.read())
        return web.Response(status=self.status)


@asynccontextmanager
async def a_collector() -> AsyncIterator[Collector]:
    """One on a free port."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield collector
    finally:
        await runner.cleanup()


def seen(span: Span) -> Seen:
    """A span as plain values."""
    return Seen(
        name=span.name,
        kind=span.kind,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        began_s=span.start_time_unix_nano / 1e9,
        ended_s=span.end_time_unix_nano / 1e9,
        is_error=span.status.code == ERROR,
        attributes=values(span.attributes),
        events=[(event.name, values(event.attributes)) for event in span.events],
        state=span.trace_state,
    )


def values(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Attributes by their names."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "") for pair in pairs}
