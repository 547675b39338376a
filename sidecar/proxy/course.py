"""The course of one call: leave, attempt and account, for every provider that is asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sidecar.core.answer import AnswerFailed
from sidecar.core.events import (
    AttemptEnded,
    AttemptStarted,
    ExtraResult,
    FailedOver,
    Hedged,
    Report,
    Retried,
    Skipped,
    StreamInterrupted,
)
from sidecar.core.failover import Failover, Failure, GiveUp, Step, Try
from sidecar.core.outcome import Endpoint, Outcome, SkipReason
from sidecar.core.permit import Breakers, Ending, Permit, Refusal
from sidecar.core.policies import P95, Hedge
from sidecar.core.settings import Entry, Route
from sidecar.dialects.needs import least_tokens, needs_of
from sidecar.dialects.resumption import Diverged
from sidecar.proxy.answers import AttemptFailed, Broken, Terms
from sidecar.proxy.attempt import Attempt
from sidecar.proxy.call import Call
from sidecar.proxy.exchange import Exchange
from sidecar.proxy.race import Race, Racer
from sidecar.proxy.turn import Turn
from sidecar.proxy.upstream import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What every call needs of the world."""

    upstreams: Mapping[str, Upstream]
    breakers: Breakers
    report: Report
    hedge: Hedge


class Course:
    """One call on its way along the chain of `route`, until `terms.deadline_s`.

    Whatever happens, `close` it: every attempt is settled once.
    """

    def __init__(
        self, ports: Ports, exchange: Exchange, call: Call, route: Route, terms: Terms
    ) -> None:
        self._ports = ports
        self._exchange = exchange
        self._call = call
        self._terms = terms
        self._live: dict[Attempt, Permit] = {}
        self._extra_tries = Counter[str]()  # by provider
        self._race: Race | None = None
        self._failover = Failover(
            chain=route.chain,
            deadline_s=terms.deadline_s,
            admits=self._would_leave,
            content_filter=route.content_filter,
            one_model=call.endpoint is Endpoint.EMBEDDINGS,
            needs=needs_of(call.endpoint, call.fields, route.cannot),
            tokens=least_tokens(call.fields, len(call.body), route.smallest_window),
            reasoning=call.reasoning,
            skips=self._passed_over,
            steps=exchange.steps,
        )

    def now(self) -> float:
        """Monotonic seconds."""
        return self._terms.now()

    def next(self) -> Try | GiveUp:
        """Where the call goes now."""
        return self._failover.next(self.now())

    async def ask(self, step: Try) -> Attempt | None:
        """An attempt that has an answer: at the provider of `step`, or at one asked beside it.

        `None` where there is no leave for any, or no answer.
        """
        permit = self.leave(step)
        if permit is None:
            return None
        self._announce(step.entry)
        self._exchange.asks()
        after_s = self._hedge_after_s(step.entry)
        if after_s is None:
            attempt = await self._turn(step, permit)
        else:
            attempt = await self._hedged(step, permit, after_s)
        if attempt.answer is None:
            self._exchange.got_nothing()
            return None
        self._answered(attempt)
        return attempt

    @property
    def broken(self) -> Broken | None:
        """The answer that broke off, and that others were to go on with."""
        return self._terms.broken

    def goes_on(self, attempt: Attempt, failed: AnswerFailed) -> bool:
        """Whether the next provider may go on with what broke off at `attempt`.

        Where the time is over, nobody may.
        """
        stream = attempt.stream
        if failed.outcome is Outcome.TIMEOUT_TOTAL or stream is None or not stream.told:
            return False
        if isinstance(failed, Diverged) or not stream.told.resumable:
            return False
        broken = Broken(self.broken.failed if self.broken else failed, stream.told, stream.writer)
        self._terms = self._terms._replace(broken=broken)
        failure = replace(attempt.failure or Failure(outcome=failed.outcome), again=False)
        self._failed(attempt, failure)
        self._exchange.got_nothing()
        self._exchange.attempt = None
        return True

    def close(self) -> None:
        """Settle what is still open."""
        for attempt in list(self._live):
            self._settle(attempt)

    # What a turn asks for

    def leave(self, step: Try) -> Permit | None:
        """Leave for one attempt. Who is full, or refused by its breaker, is passed over."""
        entry = step.entry
        leave: Permit | Refusal = Refusal(SkipReason.FULL)
        if not self._upstream(entry).is_full:
            leave = self._ports.breakers.admit(entry, despite=step.despite)
        if isinstance(leave, Refusal):
            self._failover.refused(entry, leave)
            return None
        return leave

    async def attempt(self, step: Try, permit: Permit) -> Attempt:
        """Make one attempt. One that fails is settled, and a part of the walk."""
        entry, upstream = step.entry, self._upstream(step.entry)
        self._ports.report(
            AttemptStarted(
                request_id=self._exchange.id, provider=entry.provider.name, model=entry.model_label
            )
        )
        attempt = Attempt(upstream, self._call, step.before(permit.deadline_s), self._terms)
        attempt.on_first_token = self._race.show if self._race else None
        self._live[attempt] = permit
        upstream.in_flight += 1
        try:
            await attempt.ask()
        except AttemptFailed as failed:
            self._failed(attempt, failed.failure)
        except asyncio.CancelledError:
            self._called_off(attempt)
            raise
        return attempt

    def retried(self, upstream: Upstream, result: ExtraResult) -> None:
        """An extra try at a provider came to something."""
        provider = upstream.provider.name
        self._extra_tries[provider] += result is not ExtraResult.NO_BUDGET
        self._ports.report(Retried(provider=provider, result=result))

    # Turns

    async def _turn(self, step: Try, permit: Permit) -> Attempt:
        upstream = self._upstream(step.entry)
        tries = self._extra_tries[upstream.provider.name]
        return await Turn(self, upstream, step, permit, tries).play()

    async def _hedged(self, step: Try, permit: Permit, after_s: float) -> Attempt:
        """The turn of `step`, with the next one's beside it if it shows nothing in time."""
        rivals: list[Try] = []
        self._race = race = Race()
        first = self._turn(step, permit)
        attempt = await race.run(first, after_s, lambda: self._rival(rivals))
        if rivals:
            self._report_race(step.entry, rivals[0].entry, attempt)
        self._race = None
        return attempt

    def _rival(self, rivals: list[Try]) -> Racer | None:
        """The turn of the next one that may be asked, which then is in `rivals`."""
        upcoming = self._failover.upcoming
        if upcoming is None:
            return None
        provider = upcoming.provider.name
        if not self._upstream(upcoming).extra_tries.spend():
            self._ports.report(Hedged(provider=provider, result=ExtraResult.NO_BUDGET))
            return None
        while step := self._failover.also(self.now()):
            if permit := self.leave(step):
                rivals.append(step)
                return self._turn(step, permit)
        return None

    def _report_race(self, first: Entry, rival: Entry, best: Attempt) -> None:
        """Report what came of asking two; one that had an answer a moment later is let go."""
        for slower in self._live.keys() - {best}:
            self._called_off(slower)
        won = best.answer is not None and best.entry is rival
        result = ExtraResult.WON if won else ExtraResult.LOST
        self._ports.report(Hedged(provider=rival.provider.name, result=result))
        for failed in [one for one in self._exchange.steps if one.entry is first][-1:]:
            self._report_failover(failed, rival)

    def _hedge_after_s(self, entry: Entry) -> float | None:
        """After how long the next one is asked as well; `None`: not at all."""
        after = self._ports.hedge.after
        is_streamed = self._call.stream or self._terms.streams(self._call)
        if after is None or self.broken or not is_streamed:
            return None
        if after == P95:
            return self._upstream(entry).usual_first_token_s(entry.model_label)
        return after

    # The account

    def _would_leave(self, entry: Entry) -> bool:
        return not self._upstream(entry).is_full and self._ports.breakers.admits(entry)

    def _upstream(self, entry: Entry) -> Upstream:
        return self._ports.upstreams[entry.provider.name]

    def _answered(self, attempt: Attempt) -> None:
        """This provider answers. A probe has shown all that it was to show."""
        permit, exchange = self._live[attempt], self._exchange
        exchange.entry, exchange.attempt = attempt.entry, attempt
        exchange.model = attempt.entry.model or self._call.shown_model
        if permit.token and attempt.status < 400:
            ending = Ending(outcome=Outcome.OK, status=attempt.status, ttft_s=attempt.ttft_s)
            self._ports.breakers.settle(permit, ending)

    def _failed(self, attempt: Attempt, failure: Failure) -> None:
        self._failover.failed(attempt.entry, failure, attempt.duration_s)
        self._settle(attempt)

    def _called_off(self, attempt: Attempt) -> None:
        """Somebody else was faster, or the application has hung up."""
        if self._race and self._race.is_lost:
            attempt.lose()
            if attempt.failure:
                self._failover.failed(attempt.entry, attempt.failure, attempt.duration_s)
        self._settle(attempt)

    def _settle(self, attempt: Attempt) -> None:
        """Whatever happened: close, hand back the permit, report. Exactly once an attempt."""
        permit = self._live.pop(attempt)
        self._upstream(attempt.entry).in_flight -= 1
        attempt.close()
        self._ports.breakers.settle(permit, attempt.ending())
        provider = attempt.entry.provider.name
        if stage := attempt.broken_at:
            self._ports.report(StreamInterrupted(provider=provider, stage=stage))
        self._ports.report(
            AttemptEnded(
                request_id=self._exchange.id,
                route=self._exchange.route,
                provider=provider,
                model=attempt.entry.model_label,
                outcome=attempt.outcome,
                status=attempt.status,
                duration_s=attempt.duration_s,
                ttft_s=attempt.ttft_s,
                usage=attempt.usage,
                dropped=attempt.dropped,
                counts_tokens=self._call.endpoint is not Endpoint.PASSTHROUGH,
            )
        )

    def _announce(self, entry: Entry) -> None:
        last = self._failover.last_failure
        if last and last.entry is not entry:
            self._report_failover(last, entry)

    def _report_failover(self, failed: Step, entry: Entry) -> None:
        if failed.failure and failed.is_failed:
            self._ports.report(
                FailedOver(
                    request_id=self._exchange.id,
                    route=self._exchange.route,
                    from_provider=failed.entry.provider.name,
                    to_provider=entry.provider.name,
                    reason=failed.failure.outcome,
                )
            )

    def _passed_over(self, entry: Entry, reason: SkipReason) -> None:
        self._ports.report(
            Skipped(
                request_id=self._exchange.id,
                route=self._exchange.route,
                provider=entry.provider.name,
                reason=reason,
            )
        )
