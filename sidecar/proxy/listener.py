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

from sidecar.core.settings import Address, Limits

log = logging.getLogger(__name__)
Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

BACKLOG = 1024
KEEP_ALIVE_S = 75.0


class Listener(AbstractAsyncContextManager["Listener"]):
    """Listens on `address` while entered. `address` holds the real port from then on."""

    def __init__(self, handle: Handle, address: Address, limits: Limits) -> None:
        self.address = address
        self._handle = handle
        self._limits = limits
        self._runner: web.ServerRunner | None = None

    async def __aenter__(self) -> Self:
        server = web.Server(
            self._handle,
            request_factory=self._make_request,
            handler_cancellation=True,  # a client that hangs up ends its handler at once
            access_log=None,
            logger=log,
            keepalive_timeout=KEEP_ALIVE_S,
            max_line_size=self._limits.headers_bytes,
            max_field_size=self._limits.headers_bytes,
        )
        # whoever closes us has drained first
        self._runner = web.ServerRunner(server, shutdown_timeout=0)
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
