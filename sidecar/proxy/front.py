"""What the application sees of a streamed answer: opened once, kept alive, ended once.

While the chain is walked, or a provider is silent, comments go out: nobody on the way, nor the
application's SDK, then takes the connection for dead. The first of them has to open the answer
before anybody knows whose it will be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import hdrs, web
from multidict import CIMultiDict

from sidecar.proxy.answers import EVENT_STREAM
from sidecar.proxy.exchange import Exchange

COMMENT = b": keep-alive\n\n"
TOLD_LATE = ("x-sidecar-provider", "x-sidecar-model", "x-sidecar-attempts")
STREAMED = {
    hdrs.CONTENT_TYPE: EVENT_STREAM,
    hdrs.CACHE_CONTROL: "no-cache",
    "X-Accel-Buffering": "no",  # nginx would hold the events back
}


class Front:
    """The application's side of one streamed call; `keep_alive_s` of silence is too much."""

    def __init__(self, exchange: Exchange, keep_alive_s: float | None) -> None:
        self.response: web.StreamResponse | None = None
        self._exchange = exchange
        self._keep_alive_s = keep_alive_s or 0.0
        self._steps_told: int | None = None  # by the head
        self._writing = False
        self._loop = asyncio.get_running_loop()
        self._spoke_s = self._loop.time()
        self._comment: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        if keep_alive_s:
            self._timer = self._loop.call_later(keep_alive_s, self._look)

    async def open(self, headers: Mapping[str, str]) -> None:
        """Send the head with `headers`, unless a comment had to."""
        await self._quiet()
        if self.response is None:
            self._steps_told = len(self._exchange.steps)
            await self._open(headers)

    async def is_open(self) -> bool:
        """Whether the head is out. If not, no comment will open it any more."""
        await self._quiet()
        self.close()
        return self.response is not None

    async def write(self, data: bytes) -> None:
        """Send whole events, once the head is out. Waits for a slow reader."""
        await self._quiet()
        await self._write(data)

    async def end(self) -> web.StreamResponse:
        """Nothing more is to come."""
        await self._quiet()
        self.close()
        response = self._opened
        await response.write_eof()
        return response

    def close(self) -> None:
        """Send no more comments."""
        if self._timer:
            self._timer.cancel()
        if self._comment:
            self._comment.cancel()

    def untold(self) -> bytes:
        """What the head could not say, as comments; nothing where it said all."""
        if self._steps_told == len(self._exchange.steps):
            return b""
        headers = self._exchange.headers()
        told = [f": {name}: {headers[name]}\n" for name in TOLD_LATE if name in headers]
        return f"{''.join(told)}\n".encode() if told else b""

    @property
    def _opened(self) -> web.StreamResponse:
        if self.response is None:
            raise RuntimeError("Front: the head is not out yet")
        return self.response

    async def _open(self, headers: Mapping[str, str]) -> None:
        self._exchange.code = 200
        self.response = web.StreamResponse(headers=CIMultiDict({**headers, **STREAMED}))
        await self.response.prepare(self._exchange.request)

    async def _write(self, data: bytes) -> None:
        self._writing = True
        try:
            await self._opened.write(data)
        finally:
            self._writing = False
            self._spoke_s = self._loop.time()

    async def _quiet(self) -> None:
        """Let a comment that is under way be said to its end."""
        if self._comment and not self._comment.done():
            await self._comment

    def _look(self) -> None:
        """Say something if there was silence for too long, and look again later."""
        now_s = self._loop.time()
        if self._writing:
            self._spoke_s = now_s  # a slow reader has enough to read
        elif now_s - self._spoke_s >= self._keep_alive_s:
            self._spoke_s = now_s
            self._comment = self._loop.create_task(self._say_comment())
        self._timer = self._loop.call_at(self._spoke_s + self._keep_alive_s, self._look)

    async def _say_comment(self) -> None:
        with suppress(ConnectionError):  # who has hung up ends the whole call
            if self.response is None:
                await self._open(self._exchange.headers())
            await self._write(COMMENT)
