"""A call's way along its chain. Every stage is one line of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from sidecar.core.events import Report
from sidecar.core.failover import GiveUp, Try
from sidecar.core.outcome import RequestOutcome
from sidecar.core.policies import Streaming
from sidecar.core.refusal import refuse
from sidecar.core.settings import Limits, Route
from sidecar.proxy.answers import Terms
from sidecar.proxy.call import Call
from sidecar.proxy.course import Course, Ports
from sidecar.proxy.exchange import Exchange
from sidecar.proxy.front import Front
from sidecar.proxy.relay import relay
from sidecar.proxy.replies import as_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """Answers calls from the first provider of their chain that can.

    `tells_trace`: the providers are told which trace a call belongs to.
    """

    ports: Ports
    limits: Limits
    streaming: Streaming
    now: Callable[[], float]
    unix: Callable[[], float]
    tells_trace: bool = False

    @property
    def report(self) -> Report:
        """Where facts go."""
        return self.ports.report

    async def answer(
        self, exchange: Exchange, call: Call, route: Route, deadline_s: float
    ) -> web.StreamResponse:
        """Walk the chain of `route` until `deadline_s` (monotonic)."""
        course = Course(self.ports, exchange, call, route, self._terms(exchange, route, deadline_s))
        front = Front(exchange, self.streaming.keep_alive_s) if call.stream else None
        try:
            return await self._walk(exchange, course, front)
        except asyncio.CancelledError:
            has_begun = exchange.code and not (front and front.response)
            if has_begun or not exchange.is_hurried:
                raise
            uncancel()
            exchange.entry = None  # nobody has answered
            return await self._give_up(exchange, course, front, GiveUp(leaving=True))
        finally:
            course.close()
            if front:
                front.close()

    async def _walk(
        self, exchange: Exchange, course: Course, front: Front | None
    ) -> web.StreamResponse:
        while isinstance(step := course.next(), Try):
            attempt = await course.ask(step)
            if attempt and (response := await relay(exchange, course, front, attempt)):
                return response
        return await self._give_up(exchange, course, front, step)

    def _terms(self, exchange: Exchange, route: Route, deadline_s: float) -> Terms:
        return Terms(
            limits=self.limits,
            content_filter=route.content_filter,
            after_content=route.after_content,
            upstream=self.streaming.upstream,
            deadline_s=deadline_s,
            now=self.now,
            unix=self.unix,
            trace=exchange.trace if self.tells_trace else None,
        )

    async def _give_up(
        self, exchange: Exchange, course: Course, front: Front | None, end: GiveUp
    ) -> web.StreamResponse:
        """Nobody answered: the most useful truth there is."""
        if front and (broken := course.broken):
            exchange.outcome = RequestOutcome.INTERRUPTED
            await front.write(front.untold() + broken.writer.broken(as_error(broken.failed)))
            return await front.end()
        refused = refuse(exchange.steps, end)
        callers = refused.status < 500 and refused.status != 429
        exchange.outcome = RequestOutcome.CLIENT_ERROR if callers else RequestOutcome.EXHAUSTED
        if front and await front.is_open():
            await front.write(front.untold() + exchange.refused_in_band(refused))
            return await front.end()
        return exchange.refuse(refused)


def uncancel() -> None:
    """Go on although we were cancelled: it was ourselves who did it, to come to an end."""
    if task := asyncio.current_task():
        task.uncancel()
