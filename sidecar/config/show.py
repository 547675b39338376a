"""The configuration for human eyes: what a request would meet, and what the process was told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecar.config.forms import FILE
from sidecar.config.quantity import format_quantity
from sidecar.core.policies import (
    P95,
    AfterContent,
    BreakerPolicy,
    ContentFilter,
    OpenBackoff,
    RetryPolicy,
    Timeouts,
    UpstreamMode,
)
from sidecar.core.settings import Entry, Price, Provider, Route, Settings, Tracing
from sidecar.core.units import Unit
from sidecar.dialects.presets import PRESETS

ON_REFUSAL = {
    ContentFilter.RETURN: "a refusal by content policy goes to the application",
    ContentFilter.FAIL_OVER: "a refusal by content policy fails over",
}
ON_BREAK = {
    AfterContent.ERROR: "a break after the first content ends the stream with an error",
    AfterContent.RESUME: "a break after the first content is mended by the next provider that can",
    AfterContent.BUFFER: "a stream is held until it is whole: no break of it is seen",
}
WITHOUT_KEY = {"key": "no key", "google": "Google's credentials", "aws": "AWS credentials"}


def redacted(settings: Settings) -> dict[str, Any]:
    """The settings as YAML would have them, overrides merged in and each secret as `***`."""
    return FILE.write(settings)


def explain(settings: Settings, model: str) -> str:
    """The chain that a request for `model` would walk, with models, clocks and thresholds."""
    route = settings.route_for(model)
    if route is None:
        taken = ", ".join(route.name for route in settings.routes)
        return f"No route takes {model}: such a request is answered with 404. Taken: {taken}"
    lines = [f"{model} takes the route {route.name}"]
    lines += [f"  {sentence}" for sentence in _course(settings, route)]
    prices = dict(settings.prices)
    for position, entry in enumerate(route.chain, start=1):
        price = prices.get(f"{entry.provider.name}/{entry.model_label}")
        lines += ["", f"{position}. {_asked(entry)}", *_details(entry, price)]
    return "\n".join(lines)


def _course(settings: Settings, route: Route) -> Iterator[str]:
    yield f"the whole chain has {_duration(route.total_s)}; {ON_REFUSAL[route.content_filter]}"
    yield ON_BREAK[route.after_content]
    if settings.streaming.upstream is UpstreamMode.ALWAYS:
        yield "every answer is streamed from its provider, asked for or not"
    after = settings.hedge.after
    if after is not None and len(route.chain) > 1:
        late = "as long as 95% of the last ones took" if after == P95 else _duration(after)
        yield f"without a token for {late}, the next provider is asked as well"
    yield from _tracing(settings.tracing)


def _tracing(tracing: Tracing) -> Iterator[str]:
    if tracing.otlp:
        yield f"its spans go to {tracing.otlp}"
    if tracing.to_providers:
        yield "its providers are told the trace that it belongs to"


def _asked(entry: Entry) -> str:
    model = entry.model or "the model that was asked for"
    window = f", window of {entry.context} tokens" if entry.context else ""
    return f"{entry.provider.name}: {model}{window}"


def _details(entry: Entry, price: Price | None) -> Iterator[str]:
    provider = entry.provider
    yield f"   provider  {provider.kind}, {provider.base_url}, {_keys(provider)}"
    if entry.cannot:
        yield f"   cannot    {', '.join(sorted(entry.cannot))}"
    if price:
        yield f"   price     {_price(price)}"
    yield f"   clocks    {_clocks(entry.timeouts)}"
    if entry.prefill:
        yield "   prefill   goes on with what an assistant's message begins"
    if provider.max_in_flight:
        yield f"   calls     at most {provider.max_in_flight} at once"
    if retry := _retry(provider.retry):
        yield f"   retry     {retry}"
    yield f"   breaker   {entry.breaker_name}"
    for sentence in _breaker(provider.breaker):
        yield f"             {sentence}"


def _keys(provider: Provider) -> str:
    count = len(provider.keys)
    if not count:
        return WITHOUT_KEY[PRESETS[provider.kind].credential]
    return "1 key" if count == 1 else f"{count} keys"


def _price(price: Price) -> str:
    cached = "" if price.cached_input is None else f" ({price.cached_input:g} cached)"
    return f"{price.input:g} in{cached}, {price.output:g} out, in USD per million tokens"


def _clocks(clocks: Timeouts) -> str:
    return (
        f"connect {_duration(clocks.connect_s)}, first token {_duration(clocks.first_token_s)}"
        f" ({_duration(clocks.first_token_reasoning_s)} with reasoning),"
        f" answer {_duration(clocks.answer_s)}, idle {_duration(clocks.idle_s)}"
    )


def _retry(policy: RetryPolicy) -> str:
    budget = policy.budget
    if not policy.attempts or not (budget.floor or budget.ratio):
        return ""
    tries = "1 extra try" if policy.attempts == 1 else f"{policy.attempts} extra tries"
    waits = f", stated waits up to {_duration(policy.max_wait_s)}" if policy.max_wait_s else ""
    return (
        f"{tries} a call{waits}, a budget of {budget.floor} and {budget.ratio:.0%} of first tries"
    )


def _breaker(policy: BreakerPolicy) -> Iterator[str]:
    yield (
        f"opens after {policy.failure_threshold} failures in a row"
        f" within {_duration(policy.failure_window_s)},"
    )
    limit_s = policy.slow.first_token_s
    yield (
        f"or when {policy.failure_ratio:.0%} of at least {policy.min_requests} requests"
        f" within {_duration(policy.ratio_window_s)} fail{'' if limit_s is None else ','}"
    )
    if limit_s is not None:
        slow = f"take longer than {_duration(limit_s)} to the first token"
        yield f"or when {policy.slow.ratio:.0%} of these fail or {slow}"
    yield f"stays open for {_duration(policy.open_timeout_s)}{_backoff(policy.open_backoff)}"
    yield (
        f"closes after {policy.success_threshold} good probes;"
        f" at most {policy.half_open_probes} at once in the whole fleet, one of each pod"
    )


def _backoff(backoff: OpenBackoff) -> str:
    if backoff.multiplier == 1:
        return ""
    return f", x{backoff.multiplier:g} after each failed round, up to {_duration(backoff.max_s)}"


def _duration(seconds: float) -> str:
    return format_quantity(seconds, Unit.SECONDS)
