"""A request as spans: one of the server, and within it one of a client for each attempt.

Names follow OpenTelemetry's conventions for generative AI where they have one; the others begin
with `llm_failover`, as the metrics do. Nothing in a span is what was said to or by a provider.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode
from yarl import URL

from sidecar import __version__
from sidecar.core.events import AttemptEnded, FailedOver, RequestEnded, Skipped, Usage
from sidecar.core.outcome import Endpoint, Outcome, RequestOutcome
from sidecar.core.settings import Provider, Settings
from sidecar.observe.tracing.gathering import Told, Walk

Value = str | int | float | bool
Attributes = dict[str, Value]

SCOPE = InstrumentationScope("sidecar", __version__)
OPERATIONS = {
    Endpoint.CHAT: "chat",
    Endpoint.RESPONSES: "chat",
    Endpoint.MESSAGES: "chat",
    Endpoint.COMPLETIONS: "text_completion",
    Endpoint.EMBEDDINGS: "embeddings",
}
# What the conventions call a kind, where that is not its own name.
WELL_KNOWN = {
    "azure": "azure.ai.openai",
    "azure-deployments": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}
BLAMELESS = frozenset((Outcome.OK, Outcome.CANCELLED, Outcome.HEDGE_LOST))
FAILED = frozenset(
    (RequestOutcome.INTERRUPTED, RequestOutcome.EXHAUSTED, RequestOutcome.INTERNAL_ERROR)
)
ANY_MODEL = "*"


class Spans:
    """Makes the spans of a process that is described by `resource`."""

    def __init__(self, settings: Settings, resource: Resource) -> None:
        self._resource = resource
        self._providers = {one.name: whom(one) for one in settings.providers}

    def of(self, walk: Walk) -> Iterator[ReadableSpan]:
        """The attempts of a request, and the request itself."""
        request = walk.request
        own = context_of(request, request.trace.span_id)
        for told in walk.told:
            if isinstance(told.event, AttemptEnded):
                yield self._attempt(told.unix_s, told.event, request, own)
        remote = context_of(request, request.parent_id, is_remote=True)
        yield ReadableSpan(
            name=" ".join(filter(None, (operation(request), request.route))),
            context=own,
            parent=remote if request.parent_id else None,
            kind=SpanKind.SERVER,
            start_time=nanoseconds(walk.ended_unix_s - request.duration_s),
            end_time=nanoseconds(walk.ended_unix_s),
            attributes=of_request(request),
            events=[happened(told) for told in walk.told if is_moment(told)],
            status=status(failed=request.outcome in FAILED),
            resource=self._resource,
            instrumentation_scope=SCOPE,
        )

    def _attempt(
        self, began_unix_s: float, attempt: AttemptEnded, request: RequestEnded, parent: SpanContext
    ) -> ReadableSpan:
        model = "" if attempt.model == ANY_MODEL else attempt.model
        asked = self._providers.get(attempt.provider, {})
        return ReadableSpan(
            name=" ".join(filter(None, (operation(request), model))),
            context=context_of(request, attempt.span_id),
            parent=parent,
            kind=SpanKind.CLIENT,
            start_time=nanoseconds(began_unix_s),
            end_time=nanoseconds(began_unix_s + attempt.duration_s),
            attributes={**asked, **of_call(request, model), **of_attempt(attempt)},
            status=status(failed=attempt.outcome not in BLAMELESS),
            resource=self._resource,
            instrumentation_scope=SCOPE,
        )


def whom(provider: Provider) -> Attributes:
    """Who is asked, and where."""
    url = URL(provider.base_url)
    return {
        "gen_ai.provider.name": WELL_KNOWN.get(provider.kind, provider.kind),
        "server.address": url.host or "",
        "server.port": url.port or 0,
    }


def operation(request: RequestEnded) -> str:
    """What is asked for, in the conventions' word where there is one."""
    return OPERATIONS.get(request.endpoint, request.endpoint.value)


def of_request(request: RequestEnded) -> Attributes:
    """What the application saw."""
    told: Mapping[str, Value | None] = {
        "http.response.status_code": request.code,
        "llm_failover.request_id": request.request_id,
        "llm_failover.route": request.route or None,
        "llm_failover.endpoint": request.endpoint.value,
        "llm_failover.stream": request.stream,
        "llm_failover.outcome": request.outcome.value,
        "llm_failover.provider": request.provider or None,
        "llm_failover.attempts": request.attempts or None,
        "llm_failover.time_to_first_token": request.ttft_s,
        "llm_failover.overhead": request.overhead_s,
        "error.type": request.outcome.value if request.outcome in FAILED else None,
    }
    return known(told)


def of_call(request: RequestEnded, model: str) -> Attributes:
    """What an attempt asks for."""
    if request.endpoint not in OPERATIONS:
        return {}
    told: Mapping[str, Value | None] = {
        "gen_ai.operation.name": operation(request),
        "gen_ai.request.model": model or None,
        "gen_ai.request.stream": request.stream or None,
    }
    return known(told)


def of_attempt(attempt: AttemptEnded) -> Attributes:
    """What an attempt came to."""
    outcome = attempt.outcome
    told: Mapping[str, Value | None] = {
        "llm_failover.provider": attempt.provider,
        "llm_failover.outcome": outcome.value,
        "llm_failover.broken_at": attempt.broken_at and attempt.broken_at.value,
        "http.response.status_code": attempt.status or None,
        "gen_ai.response.time_to_first_chunk": attempt.ttft_s,
        "error.type": None if outcome in BLAMELESS else outcome.value,
    }
    return known(told) | of_usage(attempt.usage)


def of_usage(usage: Usage | None) -> Attributes:
    """The tokens as the provider counted them."""
    if usage is None:
        return {}
    told: Mapping[str, Value | None] = {
        "gen_ai.usage.input_tokens": usage.input,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_input or None,
    }
    return known(told)


def known(told: Mapping[str, Value | None]) -> Attributes:
    """What there is of it."""
    return {name: value for name, value in told.items() if value is not None}


def is_moment(told: Told) -> bool:
    """Whether it is an event of the request's span, and no span of its own."""
    return not isinstance(told.event, AttemptEnded)


def happened(told: Told) -> Event:
    """A failover or a skip."""
    match told.event:
        case FailedOver(from_provider=one, to_provider=other, reason=reason):
            providers = {"llm_failover.from_provider": one, "llm_failover.to_provider": other}
            name, facts = "failover", {**providers, "llm_failover.reason": reason.value}
        case Skipped(provider=one, reason=why):
            name, facts = "skip", {"llm_failover.provider": one, "llm_failover.reason": why.value}
        case AttemptEnded():
            raise TypeError("happened: an attempt is a span of its own")
    return Event(name=name, attributes=facts, timestamp=nanoseconds(told.unix_s))


def context_of(request: RequestEnded, span_id: str, *, is_remote: bool = False) -> SpanContext:
    """A span of the request's trace."""
    trace = request.trace
    state = TraceState.from_header([trace.state]) if trace.state else None
    return SpanContext(
        trace_id=int(trace.trace_id, 16),
        span_id=int(span_id or "0", 16),
        is_remote=is_remote,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=state,
    )


def status(*, failed: bool) -> Status:
    """An error, or nothing to be said."""
    return Status(StatusCode.ERROR if failed else StatusCode.UNSET)


def nanoseconds(unix_s: float) -> int:
    """OpenTelemetry's unit."""
    return int(unix_s * 1e9)
