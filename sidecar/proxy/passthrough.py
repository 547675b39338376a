"""Every other path: on to the first provider of the `*` route, as it is, without failover."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass

from aiohttp import web
from multidict import CIMultiDict

from sidecar.core.answer import AnswerFailed
from sidecar.core.events import AttemptEnded, AttemptStarted, Skipped
from sidecar.core.failover import Failure, GiveUp, Step
from sidecar.core.headers import to_application
from sidecar.core.outcome import Outcome, RequestOutcome
from sidecar.core.permit import Ending, Permit, Refusal
from sidecar.core.refusal import refuse
from sidecar.core.settings import Entry
from sidecar.core.taxonomy import Complaint, judge_error
from sidecar.proxy.attempt import limited
from sidecar.proxy.exchange import Exchange
from sidecar.proxy.handler import Handler
from sidecar.proxy.replies import error_reply
from sidecar.proxy.upstream import FOREIGN_ERRORS, as_failure
from sidecar.proxy.wire import Answer


@dataclass(slots=True)
class Passage:
    """What became of one request that was passed through."""

    entry: Entry
    began_s: float
    outcome: Outcome = Outcome.CANCELLED
    status: int = 0


@dataclass(frozen=True, slots=True)
class PassThrough:
    """Passes requests through. The breaker counts them as it counts calls."""

    handler: Handler

    async def answer(
        self, exchange: Exchange, entry: Entry, path: str, body: bytes
    ) -> web.StreamResponse:
        """Ask the provider of `entry` for `path` (with its query) and pass on what it says."""
        permit = self.handler.breakers.admit(entry, last_resort=True)
        if isinstance(permit, Refusal):
            return self._refused(exchange, entry, permit)
        passage = Passage(entry, exchange.began_s)
        self._announce(exchange, entry)
        try:
            return await self._pass(exchange, passage, path, body)
        except AnswerFailed as failed:
            passage.outcome = failed.outcome
            return self._failed(exchange, passage)
        finally:
            self._settle(exchange, passage, permit)

    async def _pass(
        self, exchange: Exchange, passage: Passage, path: str, body: bytes
    ) -> web.StreamResponse:
        upstream = self.handler.upstreams[passage.entry.provider.name]
        request = exchange.request
        timeouts = passage.entry.timeouts
        async with limited(timeouts.answer_s, Outcome.TIMEOUT_ANSWER):
            answer = await upstream.send(request.method, path, request.headers.items(), body)
        with closing(answer):
            passage.status = exchange.code = answer.status
            response = web.StreamResponse(status=answer.status)
            response.headers.extend(passed_headers(exchange, answer))
            await response.prepare(request)
            try:
                async for chunk in pieces(answer, timeouts.idle_s):
                    await response.write(chunk)
            except AnswerFailed as failed:
                # Too late for words: only a cut connection tells that this is not all.
                passage.outcome = failed.outcome
                exchange.outcome = RequestOutcome.INTERRUPTED
                cut(request)
                return response
            await response.write_eof()
        passage.outcome = judge_passed(answer.status)
        served = answer.status < 500
        exchange.outcome = RequestOutcome.SUCCESS if served else RequestOutcome.EXHAUSTED
        return response

    def _announce(self, exchange: Exchange, entry: Entry) -> None:
        self.handler.report(
            AttemptStarted(
                request_id=exchange.id, provider=entry.provider.name, model=entry.model_label
            )
        )

    def _refused(self, exchange: Exchange, entry: Entry, refusal: Refusal) -> web.Response:
        exchange.steps.append(Step(entry=entry, refusal=refusal))
        self.handler.report(
            Skipped(
                request_id=exchange.id,
                route=exchange.route,
                provider=entry.provider.name,
                reason=refusal.reason,
            )
        )
        return self._give_up(exchange)

    def _failed(self, exchange: Exchange, passage: Passage) -> web.Response:
        failure = Failure(outcome=passage.outcome, status=passage.status)
        seconds = self.handler.now() - passage.began_s
        exchange.steps.append(Step(entry=passage.entry, failure=failure, seconds=seconds))
        return self._give_up(exchange)

    def _give_up(self, exchange: Exchange) -> web.Response:
        refused = refuse(exchange.steps, GiveUp(deadline=False))
        exchange.code = refused.status
        exchange.outcome = RequestOutcome.EXHAUSTED
        return error_reply(refused, exchange.headers(), exchange.steps)

    def _settle(self, exchange: Exchange, passage: Passage, permit: Permit) -> None:
        ending = Ending(outcome=passage.outcome, status=passage.status)
        self.handler.breakers.settle(permit, ending)
        self.handler.report(
            AttemptEnded(
                request_id=exchange.id,
                route=exchange.route,
                provider=passage.entry.provider.name,
                model=passage.entry.model_label,
                outcome=passage.outcome,
                status=passage.status,
                duration_s=self.handler.now() - passage.began_s,
            )
        )


def passed_headers(exchange: Exchange, answer: Answer) -> CIMultiDict[str]:
    """The provider's headers that may pass, and ours."""
    headers = CIMultiDict(to_application(answer.headers.items()))
    headers.update(exchange.headers())
    return headers


async def pieces(answer: Answer, idle_s: float) -> AsyncIterator[bytes]:
    """The body as it comes. Raises `AnswerFailed` where it breaks off or falls silent."""
    try:
        while True:
            async with limited(idle_s, Outcome.TIMEOUT_IDLE):
                chunk = await answer.content.readany()
            if not chunk:
                return
            yield chunk
    except FOREIGN_ERRORS as error:
        raise as_failure(error) from error


def judge_passed(status: int) -> Outcome:
    """What a passed answer says about the provider: a 4xx is between it and the application."""
    if status < 400:
        return Outcome.OK
    outcome = judge_error(status, Complaint(), Outcome.OK)
    return outcome if status >= 500 or status == 429 else Outcome.BAD_REQUEST


def cut(request: web.BaseRequest) -> None:
    """End the application's connection without the end of the answer."""
    if request.transport:
        request.transport.abort()
