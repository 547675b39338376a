"""A line of TCP that can be led elsewhere, slowed down, and cut without a word."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.fleet.stores.etcd_line import first_of

HOST = "127.0.0.1"


class Line:
    """It leads from `port` to the port `leads_to` of this machine.

    Each piece arrives `delay_s` later. A line that is `silent` keeps its connections, takes new
    ones, and carries nothing.
    """

    def __init__(self, leads_to: int) -> None:
        self.leads_to = leads_to
        self.port = 0
        self.delay_s = 0.0
        self.silent = False
        self._ends: set[asyncio.Task[None]] = set()

    def lead_to(self, port: int) -> None:
        """Let it lead to another port from now on; what is connected is cut."""
        self.leads_to = port
        for end in self._ends:
            end.cancel()

    def welcome(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)

    async def close(self) -> None:
        """Cut everything."""
        for end in self._ends:
            end.cancel()
        await asyncio.gather(*self._ends, return_exceptions=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        writers = [writer]
        try:
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection(HOST, self.leads_to)
                writers.append(far_writer)
                await first_of(self._carry(reader, far_writer), self._carry(far_reader, writer))
        finally:
            for one in writers:
                one.transport.abort()

    async def _carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        while piece := await reader.read(65536):
            await asyncio.sleep(self.delay_s)
            if not self.silent:
                writer.write(piece)


@asynccontextmanager
async def a_line(leads_to: int) -> AsyncIterator[Line]:
    """A line, as long as the context lasts."""
    line = Line(leads_to)
    server = await asyncio.start_server(line.welcome, HOST, 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        await line.close()
