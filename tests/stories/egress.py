"""A way out into a world in which one scripted provider stands at every address."""

from __future__ import annotations

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import trustme

from sidecar.faults.provider import HOST, ScriptedProvider

PIECE_BYTES = 64 * 1024


class Egress:
    """An HTTP proxy that opens tunnels. `hosts` are those that were asked for, in order."""

    def __init__(self, provider: ScriptedProvider) -> None:
        self.provider = provider
        self.hosts: list[str] = []
        self.url = ""
        self._tunnels: set[asyncio.Task[None]] = set()

    async def open_tunnel(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task
        self._tunnels.add(task)
        head = await reader.readuntil(b"\r\n\r\n")
        method, host, _ = head.decode().split(maxsplit=2)
        assert method == "CONNECT"
        self.hosts.append(host)
        far_reader, far_writer = await asyncio.open_connection(HOST, self.provider.port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    async def closed(self) -> None:
        """Return when every tunnel has fallen in."""
        if self._tunnels:
            await asyncio.wait(self._tunnels)


async def pump(reader: StreamReader, writer: StreamWriter) -> None:
    """Pass on everything, and then the end."""
    with suppress(ConnectionError):
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def impostor(authority: trustme.CA) -> ssl.SSLContext:
    """TLS for whatever name a client asks for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)

    def answer_to(wanted: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(name or HOST).configure_cert(own)
        wanted.context = own

    context.sni_callback = answer_to
    return context


@asynccontextmanager
async def an_egress(folder: Path) -> AsyncIterator[tuple[Egress, Path]]:
    """The way out, and the file of the authority that vouches for everybody there."""
    authority, ca_file = trustme.CA(), folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    async with AsyncExitStack() as stack:
        world = ScriptedProvider("world", ssl_context=impostor(authority))
        egress = Egress(await stack.enter_async_context(world))
        server = await asyncio.start_server(egress.open_tunnel, HOST, 0)
        stack.push_async_callback(egress.closed)
        stack.callback(server.close)
        egress.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}"
        yield egress, ca_file
