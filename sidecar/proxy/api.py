"""The API listener's front: reads a request, finds what it is for, and answers it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import getrandbits

import orjson
from aiohttp import hdrs, web

from sidecar.core.events import RequestStarted
from sidecar.core.headers import deadline_s, request_id
from sidecar.core.outcome import Endpoint, RequestOutcome
from sidecar.core.refusal import Refused
from sidecar.core.settings import Route, Settings
from sidecar.proxy.call import (
    Call,
    Rejected,
    asks_for_reasoning,
    no_such_model,
    read_fields,
    rejected,
)
from sidecar.proxy.exchange import Exchange
from sidecar.proxy.handler import Handler
from sidecar.proxy.models import model_body, models_body
from sidecar.proxy.passthrough import PassThrough
from sidecar.proxy.paths import Target, find_target
from sidecar.proxy.replies import CLIENT_CLOSED, INTERNAL, error_reply, json_reply

log = logging.getLogger(__name__)

MARGIN = 0.05  # of a client's deadline, so that it hears our answer and not its own clock
UNCONFIRMED = Refused(
    status=503,
    type="service_unavailable_error",
    code="store_unavailable",
    message="The store did not confirm the reset; nothing is certain to have changed.",
)
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
    """Answers every request of the API listener."""

    def __init__(self, settings: Settings, handler: Handler, ports: ApiPorts) -> None:
        self.in_flight = 0
        self.draining = False
        self._settings = settings
        self._handler = handler
        self._ports = ports
        self._pass_through = PassThrough(handler)
        self._catch_all = next((one for one in settings.routes if "*" in one.models), None)
        self._started = int(handler.unix())

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; never raises but for a client that is gone."""
        given = request.headers.get("x-request-id")
        exchange = Exchange(
            request=request,
            id=request_id(given, fresh_id),
            now=self._handler.now,
            began_s=self._handler.now(),
        )
        self.in_flight += 1
        try:
            response = await self._answer(exchange)
        except (asyncio.CancelledError, ConnectionResetError):
            exchange.code, exchange.outcome = CLIENT_CLOSED, RequestOutcome.CANCELLED
            raise asyncio.CancelledError from None
        finally:
            self.in_flight -= 1
            if exchange.endpoint:
                self._handler.report(exchange.ended(exchange.endpoint))
        if self.draining:
            response.force_close()
        return response

    async def _answer(self, exchange: Exchange) -> web.StreamResponse:
        try:
            return await self._dispatch(exchange)
        except Rejected as rejection:
            return self._reply(exchange, rejection.refused, RequestOutcome.CLIENT_ERROR)
        except web.HTTPRequestEntityTooLarge:
            limit = self._settings.limits.request_body_bytes
            refused = rejected(f"The body is larger than {limit} bytes.", status=413).refused
            return self._reply(exchange, refused, RequestOutcome.CLIENT_ERROR)
        except ConnectionResetError:
            raise
        except Exception:
            log.exception("request failed", extra={"request_id": exchange.id})
            return self._reply(exchange, INTERNAL, RequestOutcome.INTERNAL_ERROR)

    def _reply(self, exchange: Exchange, refused: Refused, outcome: RequestOutcome) -> web.Response:
        exchange.code, exchange.outcome = refused.status, outcome
        return error_reply(refused, exchange.headers(), exchange.steps)

    async def _dispatch(self, exchange: Exchange) -> web.StreamResponse:
        target = find_target(exchange.request)
        exchange.endpoint = target.endpoint
        if target.endpoint is None:
            return await self._own(exchange, target)
        if self.in_flight > self._settings.limits.in_flight:
            return self._reply(exchange, FULL, RequestOutcome.EXHAUSTED)
        if target.endpoint is Endpoint.MODELS:
            return self._models(exchange, target)
        body = await self._read(exchange.request)
        if target.endpoint is Endpoint.PASSTHROUGH:
            return await self._pass(exchange, target, body)
        return await self._call(exchange, target, body)

    async def _call(self, exchange: Exchange, target: Target, body: bytes) -> web.StreamResponse:
        fields = read_fields(body)
        call = Call(
            id=exchange.id,
            endpoint=exchange.endpoint or Endpoint.CHAT,
            path=target.path,
            model=fields["model"],
            stream=bool(fields.get("stream")) and target.endpoint is not Endpoint.EMBEDDINGS,
            reasoning=asks_for_reasoning(fields),
            fields=fields,
            body=body,
            headers=list(exchange.request.headers.items()),
        )
        route = self._settings.route_for(call.model)
        if route is None:
            raise no_such_model(call.model)
        exchange.stream = call.stream
        self._enter(exchange, route)
        return await self._handler.answer(exchange, call, route, self._deadline_s(exchange, route))

    async def _pass(self, exchange: Exchange, target: Target, body: bytes) -> web.StreamResponse:
        if self._catch_all is None:
            raise rejected(f"Nothing is served at {target.path[:200]}.", status=404)
        self._enter(exchange, self._catch_all)
        query = exchange.request.rel_url.raw_query_string
        path = f"{target.path}?{query}" if query else target.path
        return await self._pass_through.answer(exchange, self._catch_all.chain[0], path, body)

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
        """The whole body, within the limit. Raises `HTTPRequestEntityTooLarge`."""
        limit = self._settings.limits.request_body_bytes
        if (request.content_length or 0) > limit:
            raise web.HTTPRequestEntityTooLarge(limit, request.content_length or 0)
        if request.headers.get(hdrs.EXPECT, "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await request.read()

    def _enter(self, exchange: Exchange, route: Route) -> None:
        exchange.route = route.name
        self._handler.report(RequestStarted(route=route.name))

    def _deadline_s(self, exchange: Exchange, route: Route) -> float:
        """The end of the chain's time: the route's, or the client's where that is sooner."""
        client_s = deadline_s(exchange.request.headers)
        if client_s is None:
            return exchange.began_s + route.total_s
        return exchange.began_s + min(route.total_s, client_s * (1 - MARGIN))


def fresh_id() -> str:
    """An id that tells requests apart; nothing hangs on its being hard to guess."""
    return f"{getrandbits(128):032x}"


def named_provider(body: bytes) -> str | None:
    """The provider that a reset names; `None` means all of them. Raises `Rejected`."""
    if not body.strip():
        return None
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise rejected(f"The body is not valid JSON: {error}.") from None
    provider = asked.get("provider") if isinstance(asked, dict) else ""
    if provider is not None and (not isinstance(provider, str) or not provider):
        raise rejected('The body must be empty or {"provider": NAME}.', param="provider")
    return provider
