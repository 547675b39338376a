"""A small configuration, a clock that stands still, and events to tell about it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from sidecar.core.events import (
    AttemptEnded,
    BreakerMoved,
    Cause,
    FailedOver,
    Origin,
    RequestEnded,
    State,
    Usage,
)
from sidecar.core.outcome import Endpoint, Outcome, RequestOutcome
from sidecar.core.policies import BreakerPolicy, Scope
from sidecar.core.settings import Entry, Provider, Route, Settings
from sidecar.core.trace import TraceContext


@dataclass
class StillClock:
    """Tells the time it was told; sleeping takes `overslept_s` longer than asked for."""

    monotonic_s: float = 1000.0
    unix_s: float = 1_760_000_000.25
    overslept_s: float = 0.0

    def monotonic(self) -> float:
        return self.monotonic_s

    def unix(self) -> float:
        return self.unix_s

    async def sleep(self, seconds: float) -> None:
        self.pass_s(seconds + self.overslept_s)
        await asyncio.sleep(0)

    def pass_s(self, seconds: float) -> None:
        self.monotonic_s += seconds
        self.unix_s += seconds


def provider(name: str, scope: Scope = Scope.PROVIDER) -> Provider:
    return Provider(
        name=name, kind=name, base_url="http://127.0.0.1", breaker=BreakerPolicy(scope=scope)
    )


GEMINI, HUGGINGFACE = provider("gemini"), provider("huggingface")
LOCAL = provider("local", Scope.MODEL)
SETTINGS = Settings(
    providers=(GEMINI, HUGGINGFACE, LOCAL),
    routes=(
        Route(
            models=("gpt-4o*", "smart"),
            chain=(
                Entry(provider=GEMINI, model="gemini-3-flash"),
                Entry(provider=HUGGINGFACE, model="meta-llama/Llama-3.3"),
                Entry(provider=LOCAL),
            ),
        ),
        Route(models=("*",), chain=(Entry(provider=GEMINI, model="gemini-3-flash"),)),
    ),
)
ROUTE = "gpt-4o*,smart"


TRACE = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", is_sampled=True)
USAGE = Usage(input=12, output=34, cached_input=5)


def request_ended(**changes: Any) -> RequestEnded:
    event = RequestEnded(
        request_id="req-1",
        route=ROUTE,
        endpoint=Endpoint.CHAT,
        stream=True,
        outcome=RequestOutcome.SUCCESS,
        code=200,
        provider="gemini",
        model="gemini-3-flash",
        attempts="gemini;ok;200;0.42",
        duration_s=0.42,
        ttft_s=0.2,
        overhead_s=0.0004,
        usage=USAGE,
        trace=TRACE,
    )
    return replace(event, **changes)


def attempt_ended(**changes: Any) -> AttemptEnded:
    event = AttemptEnded(
        request_id="req-1",
        route=ROUTE,
        provider="gemini",
        model="gemini-3-flash",
        outcome=Outcome.OK,
        status=200,
        duration_s=0.4,
        ttft_s=0.2,
        counts_tokens=True,
    )
    return replace(event, **changes)


def failed_over(**changes: Any) -> FailedOver:
    event = FailedOver(
        request_id="req-1",
        route=ROUTE,
        from_provider="gemini",
        to_provider="huggingface",
        reason=Outcome.SERVER_ERROR,
    )
    return replace(event, **changes)


def breaker_moved(to_state: State, cause: Cause, **changes: Any) -> BreakerMoved:
    event = BreakerMoved(
        breaker="gemini",
        from_state=State.CLOSED,
        to_state=to_state,
        cause=cause,
        epoch=7,
        origin=Origin.SELF,
    )
    return replace(event, **changes)
