"""A socket that listens, and hands every request to one function."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from sidecar.core.refusal import Refused
from sidecar.core.settings import Address, Limits
from sidecar.proxy.replies import INTERNAL, error_reply

log = logging.getLogger(__name__)
Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

BACKLOG = 1024
KEEP_ALIVE_S = 75.0
LAST_S = 0.1
BAD_HTTP = Refused(
    status=400,
    type="invalid_request_error",
    code="invalid_http",
    message="The request is not HTTP as RFC 9112 has it, or its head is too large.",
)


class Connection(RequestHandler):
    """One connection of a client; what is no HTTP is told so in OpenAI's shape."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  it may quote what was sent
    ) -> web.StreamResponse:
        """The answer to a request that cannot be read; the last one on this connection."""
        log.warning("bad request", extra={"status": status, "error": type(exc).__qualname__})
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was begun already")
        response = error_reply(BAD_HTTP if status < 500 else INTERNAL, {})
        response.force_close()
        return response


class Server(web.Server):
    """Makes a `Connection` of each one that is accepted."""

    def __call__(self) -> RequestHandler:
        return Connection(self, loop=asyncio.get_running_loop(), **self._kwargs)


class Listener(AbstractAsyncContextManager["Listener"]):
    """Listens on `address` while entered. `address` holds the real port from then on."""

    def __init__(self, handle: Handle, address: Address, limits: Limits) -> None:
        self.address = address
        self._handle = handle
        self._limits = limits
        self._runner: web.ServerRunner | None = None
        self._server: Server | None = None

    @property
    def unsent(self) -> bool:
        """Whether answers are still on their way to slow readers."""
        transports = [one.transport for one in self._server.connections] if self._server else []
        return any(one.get_write_buffer_size() for one in transports if one)

    async def __aenter__(self) -> Self:
        self._server = server = Server(
            self._handle,
            request_factory=self._make_request,
            handler_cancellation=True,  # a client that hangs up ends its handler at once
            access_log=None,
            logger=log,
            keepalive_timeout=KEEP_ALIVE_S,
            max_line_size=self._limits.headers_bytes,
            max_field_size=self._limits.headers_bytes,
        )
        # whoever closes us has drained first; 0 would be no limit at all
        self._runner = web.ServerRunner(server, shutdown_timeout=LAST_S)
        await self._runner.setup()
        site = web.TCPSite(
            self._runner,
            self.address.host,
            self.address.port,
            backlog=BACKLOG,
        )
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.address = Address(host=host, port=port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner:
            await self._runner.cleanup()

    def _make_request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        return web.BaseRequest(
            message,
            payload,
            protocol,
            writer,
            task,
            task.get_loop(),
            client_max_size=self._limits.request_body_bytes,
        )
