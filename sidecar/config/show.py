"""The configuration for human eyes: what a request would meet, and what the process was told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecar.config.forms import FILE
from sidecar.config.quantity import format_quantity
from sidecar.core.policies import BreakerPolicy, ContentFilter, OpenBackoff, Timeouts
from sidecar.core.settings import Entry, Price, Provider, Settings
from sidecar.core.units import Unit
from sidecar.dialects.presets import PRESETS

ON_REFUSAL = {
    ContentFilter.RETURN: "a refusal by content policy goes to the application",
    ContentFilter.FAIL_OVER: "a refusal by content policy fails over",
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
    lines = [
        f"{model} takes the route {route.name}",
        f"  the whole chain has {_duration(route.total_s)}; {ON_REFUSAL[route.content_filter]}",
    ]
    prices = dict(settings.prices)
    for position, entry in enumerate(route.chain, start=1):
        price = prices.get(f"{entry.provider.name}/{entry.model_label}")
        lines += ["", f"{position}. {_asked(entry)}", *_details(entry, price)]
    return "\n".join(lines)


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


def _breaker(policy: BreakerPolicy) -> Iterator[str]:
    yield (
        f"opens after {policy.failure_threshold} failures in a row"
        f" within {_duration(policy.failure_window_s)},"
    )
    yield (
        f"or when {policy.failure_ratio:.0%} of at least {policy.min_requests} requests"
        f" within {_duration(policy.ratio_window_s)} fail"
    )
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
