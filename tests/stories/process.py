"""The sidecar as a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from subprocess import PIPE
from typing import Any


class Running:
    """A `sidecar serve` of our own, and what it logged so far."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.log: list[dict[str, Any]] = []
        self.api = self.admin = ""

    async def read_until(self, message: str) -> dict[str, Any]:
        """The first line with that message."""
        assert self.process.stderr
        async with asyncio.timeout(10):
            while line := await self.process.stderr.readline():
                self.log.append(json.loads(line))
                if self.log[-1]["msg"] == message:
                    return self.log[-1]
        raise AssertionError(f"never logged: {message}")

    async def end(self) -> int:
        """Wait for the exit code; the rest of the log is there then."""
        _, rest = await self.process.communicate()
        self.log += [json.loads(line) for line in rest.splitlines()]
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def a_process(*options: str, environ: Mapping[str, str]) -> AsyncIterator[Running]:
    """A `sidecar serve` with these options, killed if the story does not end it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "serve", *options), env=environ, stderr=PIPE
    )
    running = Running(process)
    try:
        started = await running.read_until("sidecar is serving")
        running.api, running.admin = f"http://{started['api']}", f"http://{started['admin']}"
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
