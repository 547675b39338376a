"""A socket that listens."""

from __future__ import annotations

import asyncio

from aiohttp import web

from sidecar.core.settings import Address, Limits
from sidecar.proxy.listener import Listener
from tests.stories.world import eventually

MORE_THAN_KERNELS_HOLD = 50_000_000


async def test_what_a_slow_reader_has_not_got_is_unsent() -> None:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport
        request.transport.write(b"x" * MORE_THAN_KERNELS_HOLD)
        return web.Response()

    listener = Listener(handle, Address(host="127.0.0.1", port=0), Limits())
    async with listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.address.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await eventually(lambda: listener.unsent)

        await reader.readexactly(MORE_THAN_KERNELS_HOLD)

        await eventually(lambda: not listener.unsent)
        writer.close()
        assert not listener.unsent
