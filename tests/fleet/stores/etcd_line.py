"""A line to a server: it counts what is asked, and can fall silent without a word."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

ASKED = re.compile(rb"^POST (/v3/\S+) HTTP", re.MULTILINE)


@dataclass
class Line:
    """Where it begins, and the paths that were asked for over it."""

    host: str = ""
    asked: list[str] = field(default_factory=list)
    watches: list[asyncio.Event] = field(default_factory=list)
    loses: str = ""  # the answers to questions at this path, and what follows them
    ended: asyncio.Event = field(default_factory=asyncio.Event)  # a connection has ended

    def silence_watches(self) -> None:
        """Carry nothing more of the watches that there are; new ones are fine."""
        for carries in self.watches:
            carries.clear()


@asynccontextmanager
async def line_to(port: int) -> AsyncIterator[Line]:
    """A line to a port of this machine."""
    line = Line()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(_serve(line, port, reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    line.host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield line
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _serve(
    line: Line, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    ends = [writer]
    try:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        ends.append(far_writer)
        carries = asyncio.Event()
        carries.set()
        await first_of(
            _ask(line, reader, far_writer, carries), _answer(far_reader, writer, carries)
        )
    finally:
        line.ended.set()
        for end in ends:
            end.close()
        for end in ends:
            with suppress(OSError):
                await end.wait_closed()


async def _ask(
    line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, carries: asyncio.Event
) -> None:
    while chunk := await reader.read(65536):
        paths = [path.decode() for path in ASKED.findall(chunk)]
        line.asked += paths
        if "/v3/watch" in paths:
            line.watches.append(carries)
        if line.loses in paths:
            carries.clear()
        writer.write(chunk)


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, carries: asyncio.Event
) -> None:
    while chunk := await reader.read(65536):
        await carries.wait()
        writer.write(chunk)


async def first_of(*jobs: Coroutine[None, None, None]) -> None:
    """Run them until one ends, and call off the others."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
