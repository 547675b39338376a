"""The course of one call: leave, attempt and account, for every provider that is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sidecar.core.answer import AnswerFailed
from sidecar.core.events import ExtraResult, Report
from sidecar.core.failover import Failover, Failure, GiveUp, Step, Try
from sidecar.core.outcome import Endpoint, Outcome, SkipReason
from sidecar.core.permit import Breakers, Ending, Permit, Refusal
from sidecar.core.policies import P95, Hedge
from sidecar.core.retry import Bucket
from sidecar.core.settings import Entry, Route
from sidecar.dialects.needs import least_tokens, needs_of
from sidecar.dialects.resumption import Diverged
from sidecar.proxy.account import Account
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

    def would_leave(self, entry: Entry) -> bool:
        """Whether there would be leave for a call at `entry` now."""
        upstream = self.upstreams[entry.provider.name]
        return not upstream.is_full and self.breakers.admits(entry)


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
        self._extra_tries: dict[str, int] = {}  # by provider, of those that had their first
        self._race: Race | None = None
        self._account = Account(exchange, ports.report)
        self._failover = Failover(
            chain=route.chain,
            deadline_s=terms.deadline_s,
            admits=ports.would_leave,
            content_filter=route.content_filter,
            one_model=call.endpoint is Endpoint.EMBEDDINGS,
            needs=needs_of(call.endpoint, call.fields, route.cannot),
            tokens=least_tokens(call.fields, len(call.body), route.smallest_window),
            reasoning=call.reasoning,
            whole=not (call.stream or terms.streams(call)),
            skips=self._account.passed_over,
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
        if self._is_worth_a_wait(step.entry):
            await self._ports.breakers.ready(step.entry)
        permit = self.leave(step)
        if permit is None:
            return None
        if self._exchange.steps:
            self._account.failed_over(self._failover.last_failure, step.entry)
        self._exchange.asks()
        self._note_first_try(self._upstream(step.entry))
        after_s = None if permit.token else self._hedge_after_s(step.entry)  # a probe is to prove
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
        self._account.started(entry)
        attempt = Attempt(upstream, self._call, step.before(permit.deadline_s), self._terms)
        self._unused.discard(permit)
        self._live[attempt] = permit
        attempt.on_first_token = self._race.progressed if self._race else None
        attempt.on_content = self._shows_content
        try:
            await attempt.ask()
        except AttemptFailed as failed:
            self._failed(attempt, failed.failure)
        except asyncio.CancelledError:
            self._called_off(attempt, lost=self._race is not None and self._race.is_lost())
            raise
        return attempt

    def retried(self, upstream: Upstream, result: ExtraResult) -> None:
        """An extra try at a provider came to something."""
        provider = upstream.provider.name
        if result is not ExtraResult.NO_BUDGET:
            self._extra_tries[provider] = self._extra_tries.get(provider, 0) + 1
        self._account.retried(provider, result)

    # Turns

    def _is_worth_a_wait(self, entry: Entry) -> bool:
        """Whether leave is to be waited for: there is none, and nobody else, or calls are rare."""
        waits = self._failover.is_at_end or self._ports.breakers.is_worth_a_wait(entry)
        return waits and not self._ports.would_leave(entry)

    async def _turn(self, step: Try, permit: Permit) -> Attempt:
        """A provider's turn: a try, and where that failed the further ones that it is worth."""
        first = await self.attempt(step, permit)
        if first.failure is None or self._call.endpoint is Endpoint.PASSTHROUGH:
            return first  # of what is passed through nobody knows what it would do twice
        upstream = self._upstream(step.entry)
        tries = self._extra_tries.get(upstream.provider.name, 0)
        return await Turn(self, upstream, step, first, tries).play()

    def _note_first_try(self, upstream: Upstream) -> None:
        """Let a try that is no extra one pay for such: its provider had none in this call yet."""
        name = upstream.provider.name
        if name not in self._extra_tries:
            self._extra_tries[name] = 0
            upstream.extra_tries.first_try()

    async def _hedged(self, step: Try, permit: Permit, after_s: float) -> Attempt:
        """The turn of `step`, with the next one's beside it if it shows nothing in time."""
        rivals: list[Try] = []
        self._race = race = Race(lambda: self._failover.is_final)
        bucket = self._upstream(step.entry).extra_tries
        first = self._turn(step, permit)
        best: Attempt | None = None
        try:
            best = await race.run(first, after_s, lambda: self._rival(rivals, bucket))
            return best
        finally:
            if rivals:
                self._report_race(step.entry, rivals[0].entry, best)
            self._race = None

    def _rival(self, rivals: list[Try], bucket: Bucket) -> Racer | None:
        """The turn of the next one that may be asked, which then is in `rivals`.

        Paid from the `bucket` of the slow one, whose first tries have filled it.
        """
        upcoming = self._failover.upcoming
        if upcoming is None:
            return None
        if bucket.is_empty:
            self._account.hedged(upcoming.provider.name, ExtraResult.NO_BUDGET)
            return None
        while step := self._failover.also(self.now()):
            if permit := self.leave(step):
                bucket.spend()
                rivals.append(step)
                return self._turn(step, permit)
        return None

    def _report_race(self, first: Entry, rival: Entry, best: Attempt | None) -> None:
        """Report what came of asking two; one that had an answer a moment later is let go.

        Nobody is the `best` where the application has hung up.
        """
        for slower in self._live.keys() - {best}:
            self._called_off(slower, lost=best is not None)
        rival_is_best = best is not None and best.entry is rival
        won = rival_is_best and best in self._live
        result = ExtraResult.WON if won else ExtraResult.LOST
        self._account.hedged(rival.provider.name, result)
        if rival_is_best:
            self._account.failed_over(self._last_step_of(first), rival)

    def _last_step_of(self, entry: Entry) -> Step | None:
        own = (step for step in reversed(self._exchange.steps) if step.entry is entry)
        return next(own, None)

    def _hedge_after_s(self, entry: Entry) -> float | None:
        """After how long the next one is asked as well; `None`: not at all."""
        after = self._ports.hedge.after
        if after is None or self.broken:
            return None
        if not (self._call.stream or self._terms.streams(self._call)):
            return None
        if after == P95:
            return self._upstream(entry).usual_first_token_s(entry.model_label)
        return after

    # The account

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
        outcome = Outcome.HEDGE_LOST if lost else Outcome.CANCELLED
        failure = attempt.call_off(outcome)
        self._failover.failed(attempt.entry, failure, attempt.duration_s)
        self._exchange.entry = self._exchange.entry or attempt.entry
        self._settle(attempt)

    def _settle(self, attempt: Attempt) -> None:
        """Whatever happened: close, hand back the permit, report. Exactly once an attempt."""
        permit = self._live.pop(attempt)
        self._upstream(attempt.entry).in_flight -= 1
        attempt.close()
        self._ports.breakers.settle(permit, attempt.ending())
        self._account.ended(attempt)
