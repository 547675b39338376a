"""The API listener's front: reads a request, finds what it is for, and answers it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from sidecar.core.events import RequestStarted
from sidecar.core.headers import request_id
from sidecar.core.outcome import Endpoint, RequestOutcome
from sidecar.core.refusal import Refused
from sidecar.core.settings import Route, Settings
from sidecar.proxy.access import is_foreign_page
from sidecar.proxy.asked import after_content, catch_all, fresh_id, named_provider, patience_s
from sidecar.proxy.call import (
    Asked,
    Call,
    Rejected,
    no_such_model,
    read_call,
    read_fields,
    rejected,
    too_large,
)
from sidecar.proxy.exchange import Exchange
from sidecar.proxy.handler import Handler
from sidecar.proxy.models import model_body, models_body
from sidecar.proxy.paths import COUNT_TOKENS, Target, find_target
from sidecar.proxy.pinning import only_who_counts, pin, pinned_path
from sidecar.proxy.replies import CLIENT_CLOSED, INTERNAL, cut, json_reply
from sidecar.proxy.traces import join

log = logging.getLogger(__name__)

UNCONFIRMED = Refused(
    status=503,
    type="service_unavailable_error",
    code="store_unavailable",
    message="The store did not confirm the reset; nothing is certain to have changed.",
)
STUCK_S = 10.0  # beyond a call's own time: who has taken nothing of its answer by then never will
FULL = Refused(
    status=503,
    type="service_unavailable_error",
    code="sidecar_overloaded",
    message="The sidecar holds as many requests as its limit allows (limits.in_flight).",
    retry_after_s=1,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPorts:
    """What the API listener needs beside the chain.

    `may_change` tells why a request may not change anything, or `None` where it may; `reset`
    resets one breaker or all; it raises `KeyError` for a name that nobody has, `ConnectionError` or
    `TimeoutError` where the store does not confirm.
    """

    may_change: Callable[[web.BaseRequest], str | None]
    reset: Callable[[str | None], Awaitable[None]]


class Api:
    """Answers every request of the API listener; while `draining`, the last of its connection."""

    def __init__(self, settings: Settings, handler: Handler, ports: ApiPorts) -> None:
        self.draining = False
        self._settings = settings
        self._handler = handler
        self._ports = ports
        self._exchanges: set[Exchange] = set()
        self._catch_all = catch_all(settings.routes)
        self._upload_s = max(route.total_s for route in settings.routes)
        self._started = int(handler.unix())

    @property
    def in_flight(self) -> int:
        """How many requests are not yet answered to the last byte."""
        return len(self._exchanges)

    def hurry(self) -> None:
        """Bring all that is in flight to an end now."""
        for exchange in list(self._exchanges):
            exchange.hurry()

    def cut_stuck(self) -> None:
        """Cut off who takes nothing of an answer; to be called now and then."""
        for exchange in list(self._exchanges):
            exchange.cut_if_stuck()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; never raises but for a client that is gone."""
        joined = join(request.headers, self._settings.tracing)
        exchange = Exchange(
            request=request,
            id=request_id(request.headers.get("x-request-id"), fresh_id),
            now=self._handler.now,
            began_s=self._handler.now(),
            trace=joined.own,
            parent_id=joined.parent_id,
        )
        self._exchanges.add(exchange)
        try:
            response = await self._answer(exchange)
            if self.draining:
                response.force_close()
            await response.prepare(request)
            await response.write_eof()
        except (asyncio.CancelledError, ConnectionResetError):
            if exchange.outcome is not RequestOutcome.INTERRUPTED:  # it did not get all of it
                exchange.outcome, exchange.code = RequestOutcome.CANCELLED, CLIENT_CLOSED
            raise asyncio.CancelledError from None
        finally:
            self._exchanges.discard(exchange)
            if exchange.endpoint:
                self._handler.report(exchange.ended(exchange.endpoint))
        return response

    async def _answer(self, exchange: Exchange) -> web.StreamResponse:
        try:
            return await self._dispatch(exchange)
        except Rejected as rejection:
            return self._reject(exchange, rejection)
        except ConnectionResetError:
            raise
        except Exception:
            log.exception("request failed", extra={"request_id": exchange.id})
            if exchange.code:  # an answer has begun: only a cut connection tells that it is broken
                cut(exchange.request)
            return self._reply(exchange, INTERNAL, RequestOutcome.INTERNAL_ERROR)

    def _reject(self, exchange: Exchange, rejection: Rejected) -> web.Response:
        response = self._reply(exchange, rejection.refused, RequestOutcome.CLIENT_ERROR)
        response.headers.update(rejection.headers)
        return response

    def _reply(self, exchange: Exchange, refused: Refused, outcome: RequestOutcome) -> web.Response:
        exchange.outcome = outcome
        return exchange.refuse(refused)

    async def _dispatch(self, exchange: Exchange) -> web.StreamResponse:
        target = find_target(exchange.request)
        exchange.endpoint = target.endpoint
        if is_foreign_page(exchange.request):
            raise rejected("Pages from elsewhere are not served here.", status=403)
        if target.endpoint is None:
            return await self._own(exchange, target)
        if self.in_flight > self._settings.limits.in_flight:
            return self._reply(exchange, FULL, RequestOutcome.EXHAUSTED)
        if target.endpoint is Endpoint.MODELS:
            return self._models(exchange, target)
        body = await self._read(exchange.request)
        if target.path == COUNT_TOKENS:
            return await self._count_tokens(exchange, target, body)
        if target.endpoint is Endpoint.PASSTHROUGH:
            return await self._pass(exchange, target, body)
        return await self._call(exchange, target.endpoint, target.path, body)

    async def _call(
        self, exchange: Exchange, endpoint: Endpoint, path: str, body: bytes
    ) -> web.StreamResponse:
        fields = read_fields(body)
        route = self._route_for(fields["model"])
        if endpoint is Endpoint.RESPONSES:
            fields, route = pin(fields, route)
        asked = Asked(exchange.id, endpoint, path)
        call = read_call(asked, fields, body, exchange.request.headers.items())
        exchange.stream = call.stream
        return await self._walk(exchange, call, after_content(exchange.request, route))

    async def _count_tokens(
        self, exchange: Exchange, target: Target, body: bytes
    ) -> web.StreamResponse:
        fields = read_fields(body)
        route = only_who_counts(self._route_for(fields["model"]))
        asked = Asked(exchange.id, Endpoint.PASSTHROUGH, target.path)
        call = read_call(asked, fields, body, exchange.request.headers.items())
        return await self._walk(exchange, call, route)

    async def _pass(self, exchange: Exchange, target: Target, body: bytes) -> web.StreamResponse:
        request = exchange.request
        path, route = pinned_path(target.path, self._settings.routes) or (
            target.path,
            self._catch_all,
        )
        if route is None:
            raise rejected(
                f"Nothing is served at {request.rel_url.raw_path[:200]}: no route is for '*'.",
                status=404,
            )
        query = request.rel_url.raw_query_string
        call = Call(
            id=exchange.id,
            endpoint=Endpoint.PASSTHROUGH,
            method=request.method,
            path=f"{path}?{query}" if query else path,
            body=body,
            headers=list(request.headers.items()),
        )
        return await self._walk(exchange, call, route)

    def _route_for(self, model: str) -> Route:
        if route := self._settings.route_for(model):
            return route
        raise no_such_model(model)

    async def _walk(self, exchange: Exchange, call: Call, route: Route) -> web.StreamResponse:
        exchange.route = route.name
        self._handler.report(RequestStarted(route=route.name))
        deadline_s = exchange.began_s + patience_s(exchange.request, route)
        if call.endpoint is not Endpoint.PASSTHROUGH:  # a file may take its time
            exchange.patient_until_s = deadline_s + STUCK_S
        return await self._handler.answer(exchange, call, route, deadline_s)

    def _models(self, exchange: Exchange, target: Target) -> web.Response:
        if target.path == "/models":
            body = models_body(self._settings, self._started)
        else:
            body = model_body(self._settings, target.path, self._started)
        exchange.code, exchange.outcome = 200, RequestOutcome.SUCCESS
        return json_reply(body, exchange.headers())

    async def _own(self, exchange: Exchange, target: Target) -> web.Response:
        if target.path == "/healthz":
            return json_reply(b'{"status":"ok"}', exchange.headers())
        if refusal := self._ports.may_change(exchange.request):
            raise rejected(refusal, status=403)
        provider = named_provider(await self._read(exchange.request))
        try:
            await self._ports.reset(provider)
        except KeyError:
            raise rejected(f"There is no provider '{provider}'.", status=404) from None
        except (ConnectionError, TimeoutError):
            raise Rejected(UNCONFIRMED) from None
        return json_reply(orjson.dumps({"reset": provider or "all"}), exchange.headers())

    async def _read(self, request: web.BaseRequest) -> bytes:
        """The whole body, within the limits. Raises `Rejected`."""
        limit = self._settings.limits.request_body_bytes
        if (request.content_length or 0) > limit:
            raise too_large(limit)
        try:
            return await self._upload(request)
        except web.HTTPRequestEntityTooLarge:
            raise too_large(limit) from None
        except (web.RequestPayloadError, HttpProcessingError):
            raise rejected("The body is not what its headers say.") from None
        except TimeoutError:
            raise rejected("The body took too long to arrive.", status=408) from None

    async def _upload(self, request: web.BaseRequest) -> bytes:
        if request.content.is_eof():  # as nearly always: it came with the head
            body = request.content.read_nowait()
            if len(body) > self._settings.limits.request_body_bytes:
                raise too_large(self._settings.limits.request_body_bytes)
            return body
        if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        async with asyncio.timeout(self._upload_s):
            return await request.read()
