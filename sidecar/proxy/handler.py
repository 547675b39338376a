"""A call's way along its chain. Every stage is one line of the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from sidecar.core.events import (
    AttemptEnded,
    AttemptStarted,
    FailedOver,
    Report,
    Skipped,
    StreamInterrupted,
)
from sidecar.core.failover import Failover, GiveUp, Try
from sidecar.core.outcome import Endpoint, Outcome, RequestOutcome, SkipReason
from sidecar.core.permit import Breakers, Ending, Permit, Refusal
from sidecar.core.refusal import refuse
from sidecar.core.settings import Entry, Limits, Route
from sidecar.dialects.needs import least_tokens, needs_of
from sidecar.proxy.answers import AttemptFailed, Terms
from sidecar.proxy.attempt import Attempt
from sidecar.proxy.call import Call
from sidecar.proxy.exchange import Exchange
from sidecar.proxy.relay import relay
from sidecar.proxy.upstream import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """Answers calls from the first provider of their chain that can."""

    upstreams: Mapping[str, Upstream]
    breakers: Breakers
    report: Report
    limits: Limits
    now: Callable[[], float]
    unix: Callable[[], float]

    async def answer(
        self, exchange: Exchange, call: Call, route: Route, deadline_s: float
    ) -> web.StreamResponse:
        """Walk the chain of `route` until `deadline_s` (monotonic)."""
        failover = Failover(
            chain=route.chain,
            deadline_s=deadline_s,
            admits=self.breakers.admits,
            content_filter=route.content_filter,
            one_model=call.endpoint is Endpoint.EMBEDDINGS,
            needs=needs_of(call.endpoint, call.fields, route.cannot),
            tokens=least_tokens(call.fields, len(call.body), route.smallest_window),
            skips=partial(self._passed_over, exchange),
            steps=exchange.steps,
        )
        terms = Terms(self.limits, route.content_filter, deadline_s, self.now, self.unix)
        while isinstance(step := failover.next(self.now()), Try):
            permit = self.breakers.admit(step.entry, last_resort=step.last_resort)
            if isinstance(permit, Refusal):
                failover.refused(step.entry, permit)
                continue
            self._announce(exchange, failover, step.entry)
            upstream = self.upstreams[step.entry.provider.name]
            attempt = Attempt(upstream, call, step.before(permit.deadline_s), terms)
            try:
                answer = await attempt.ask()
                self._answered(exchange, call, attempt, permit)
                return await relay(exchange, attempt, answer)
            except AttemptFailed as failed:
                failover.failed(step.entry, failed.failure, attempt.duration_s)
            finally:
                self._settle(exchange, attempt, permit)
        return self._give_up(exchange, step)

    def _passed_over(self, exchange: Exchange, entry: Entry, reason: SkipReason) -> None:
        self.report(
            Skipped(
                request_id=exchange.id,
                route=exchange.route,
                provider=entry.provider.name,
                reason=reason,
            )
        )

    def _announce(self, exchange: Exchange, failover: Failover, entry: Entry) -> None:
        last = failover.last_failure
        if last and last.failure and last.entry is not entry:
            self.report(
                FailedOver(
                    request_id=exchange.id,
                    route=exchange.route,
                    from_provider=last.entry.provider.name,
                    to_provider=entry.provider.name,
                    reason=last.failure.outcome,
                )
            )
        self.report(
            AttemptStarted(
                request_id=exchange.id, provider=entry.provider.name, model=entry.model_label
            )
        )

    def _answered(self, exchange: Exchange, call: Call, attempt: Attempt, permit: Permit) -> None:
        """This provider answers. A probe has shown all that it was to show."""
        exchange.entry, exchange.attempt = permit.entry, attempt
        exchange.model = permit.entry.model or call.shown_model
        if permit.token and attempt.status < 400:
            self.breakers.settle(permit, Ending(outcome=Outcome.OK, status=attempt.status))

    def _settle(self, exchange: Exchange, attempt: Attempt, permit: Permit) -> None:
        """Whatever happened: close, hand back the permit, report. Exactly once an attempt."""
        attempt.close()
        self.breakers.settle(permit, attempt.ending())
        provider = permit.entry.provider.name
        if stage := attempt.broken_at:
            self.report(StreamInterrupted(provider=provider, stage=stage))
        self.report(
            AttemptEnded(
                request_id=exchange.id,
                route=exchange.route,
                provider=provider,
                model=permit.entry.model_label,
                outcome=attempt.outcome,
                status=attempt.status,
                duration_s=attempt.duration_s,
                ttft_s=attempt.ttft_s,
                usage=attempt.usage,
                dropped=attempt.dropped,
                counts_tokens=exchange.endpoint is not Endpoint.PASSTHROUGH,
            )
        )

    def _give_up(self, exchange: Exchange, end: GiveUp) -> web.Response:
        """Nobody answered: the most useful truth there is."""
        refused = refuse(exchange.steps, end)
        callers = refused.status < 500 and refused.status != 429
        exchange.outcome = RequestOutcome.CLIENT_ERROR if callers else RequestOutcome.EXHAUSTED
        return exchange.refuse(refused)
