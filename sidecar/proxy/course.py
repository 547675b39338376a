"""The course of one call: leave, attempt and account, for every provider that is asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

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
from sidecar.core.retry import Bucket
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
        self._unused: set[Permit] = set()
        self._extra_tries = Counter[str]()  # by provider
        self._first_tries: set[str] = set()
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
        if not self._would_leave(step.entry) and self._failover.upcoming is None:
            await self._ports.breakers.ready(step.entry)
        permit = self.leave(step)
        if permit is None:
            return None
        self._announce(step.entry)
        self._exchange.asks()
        after_s = self._hedge_after_s(step.entry)
        if after_s is None:
            attempt = await self._first_turn(step, permit)
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
        for permit in self._unused:  # whoever was to use it was called off before it began
            self._upstream(permit.entry).in_flight -= 1
            self._ports.breakers.settle(permit, Ending(outcome=Outcome.CANCELLED))
        self._unused.clear()

    # What a turn asks for

    def leave(self, step: Try) -> Permit | None:
        """Leave for one attempt. Who is full, or refused by its breaker, is passed over."""
        entry, upstream = step.entry, self._upstream(step.entry)
        leave: Permit | Refusal = Refusal(SkipReason.FULL)
        if not upstream.is_full:
            leave = self._ports.breakers.admit(entry, despite=step.despite)
        if isinstance(leave, Refusal):
            self._failover.refused(entry, leave)
            return None
        upstream.in_flight += 1
        self._unused.add(leave)
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
        self._unused.discard(permit)
        self._live[attempt] = permit
        attempt.on_first_token = self._race.progressed if self._race else None
        attempt.on_content = partial(self._shows_content, attempt)
        try:
            await attempt.ask()
        except AttemptFailed as failed:
            self._failed(attempt, failed.failure)
        except asyncio.CancelledError:
            self._called_off(attempt, lost=self._race is not None and self._race.calls_off)
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
        if self._call.endpoint is Endpoint.PASSTHROUGH:  # who knows what it would do twice
            return await self.attempt(step, permit)
        tries = self._extra_tries[upstream.provider.name]
        return await Turn(self, upstream, step, permit, tries).play()

    async def _first_turn(self, step: Try, permit: Permit) -> Attempt:
        """A turn that is no extra one, unless its provider had one before in this call."""
        upstream = self._upstream(step.entry)
        if upstream.provider.name not in self._first_tries:
            self._first_tries.add(upstream.provider.name)
            upstream.extra_tries.first_try()
        return await self._turn(step, permit)

    async def _hedged(self, step: Try, permit: Permit, after_s: float) -> Attempt:
        """The turn of `step`, with the next one's beside it if it shows nothing in time."""
        rivals: list[Try] = []
        self._race = race = Race(lambda: self._failover.is_final)
        bucket = self._upstream(step.entry).extra_tries
        first = self._first_turn(step, permit)
        attempt = await race.run(first, after_s, lambda: self._rival(rivals, bucket))
        if rivals:
            self._report_race(step.entry, rivals[0].entry, attempt)
        self._race = None
        return attempt

    def _rival(self, rivals: list[Try], bucket: Bucket) -> Racer | None:
        """The turn of the next one that may be asked, which then is in `rivals`.

        Paid from the `bucket` of the slow one, whose first tries have filled it.
        """
        upcoming = self._failover.upcoming
        if upcoming is None:
            return None
        if bucket.is_empty:
            provider = upcoming.provider.name
            self._ports.report(Hedged(provider=provider, result=ExtraResult.NO_BUDGET))
            return None
        while step := self._failover.also(self.now()):
            if permit := self.leave(step):
                bucket.spend()
                rivals.append(step)
                return self._turn(step, permit)
        return None

    def _report_race(self, first: Entry, rival: Entry, best: Attempt) -> None:
        """Report what came of asking two; one that had an answer a moment later is let go."""
        for slower in self._live.keys() - {best}:
            self._called_off(slower, lost=True)
        won = best.answer is not None and best.entry is rival
        result = ExtraResult.WON if won else ExtraResult.LOST
        self._ports.report(Hedged(provider=rival.provider.name, result=result))
        failed = [one for one in self._exchange.steps if one.entry is first]
        if failed and best.entry is rival:
            self._report_failover(failed[-1], rival)

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
        """This provider answers."""
        exchange = self._exchange
        exchange.entry, exchange.attempt = attempt.entry, attempt
        exchange.model = attempt.entry.model or self._call.shown_model

    def _shows_content(self, attempt: Attempt) -> None:
        """Content is there: a probe has shown all that it was to show, and a race is won."""
        if self._race:
            self._race.shows()
        permit = self._live[attempt]
        if permit.token and attempt.status < 400:
            ending = Ending(outcome=Outcome.OK, status=attempt.status, ttft_s=attempt.ttft_s)
            self._ports.breakers.settle(permit, ending)

    def _failed(self, attempt: Attempt, failure: Failure) -> None:
        self._failover.failed(attempt.entry, failure, attempt.duration_s)
        self._settle(attempt)

    def _called_off(self, attempt: Attempt, *, lost: bool) -> None:
        """Another one was faster (`lost`), or the application has hung up."""
        if lost:
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
