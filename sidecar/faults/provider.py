"""A provider that plays a script: a real server on loopback, able to get every byte wrong."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from sidecar.clock import SystemClock
from sidecar.faults.answer import Answer, Scene
from sidecar.faults.catalog import OK, Fault, fault
from sidecar.faults.steps import Close, Reset, Send, Step, Until, Wait
from sidecar.faults.wire import MAX_HEAD_BYTES, Call, Inbox, read_call, whole

HOST = "127.0.0.1"
KEPT_CALLS = 10_000
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER, for no time at all


@contextmanager
def refusing_port(port: int = 0) -> Iterator[int]:
    """A port that nobody listens on, and nobody else can take meanwhile."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((HOST, port))
        yield int(holder.getsockname()[1])


class ScriptedProvider:
    """A provider on loopback that speaks OpenAI's format and plays the faults it is given.

    `async with ScriptedProvider("gemini") as provider:` listens at `provider.base_url`. `calls`
    holds the last calls in order (one that a fault struck on accept is there without a path);
    `hits` counts all of them.
    """

    def __init__(
        self,
        name: str = "provider",
        *,
        answer: Answer | None = None,
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.name = name
        self.answer = answer or Answer()
        self.calls: deque[Call] = deque(maxlen=KEPT_CALLS)
        self.hits = 0
        self.port = port
        self._ssl = ssl_context
        self._script: deque[Fault] = deque([OK])
        self._holding = ExitStack()
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()
        self._crashes: list[BaseException] = []

    @property
    def base_url(self) -> str:
        """Everything before `/chat/completions`."""
        return f"{'https' if self._ssl else 'http'}://{HOST}:{self.port}/v1"

    def plays(self, *faults: Fault | str) -> None:
        """From now on each call takes the next of `faults`, and the last one repeats.

        A fault that refuses connections stands alone, since nobody can count the calls that never
        come in. It ends the open connections; `listen` ends it.
        """
        script = [fault(one) if isinstance(one, str) else one for one in faults] or [OK]
        refuses = any(one.refuses for one in script)
        if refuses and len(script) > 1:
            raise ValueError(f"plays: refusing must stand alone, got {len(script)} faults")
        self._script = deque(script)
        if refuses:
            self._stop_listening()

    async def listen(self) -> None:
        """Listen at `port`, for the first time or again."""
        if self._server is None:
            self._server = await asyncio.start_server(
                *(self._welcome, HOST, self.port),
                ssl=self._ssl,
                limit=MAX_HEAD_BYTES,
                reuse_port=True,  # the port is held, also while nobody listens
            )

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for conversation in self._conversations:
            conversation.cancel()

    async def __aenter__(self) -> Self:
        self.port = self._holding.enter_context(refusing_port(self.port))
        await self.listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop_listening()
        if self._conversations:
            await asyncio.wait(self._conversations)
        self._holding.close()
        if self._crashes and error is None:
            raise self._crashes[0]

    # Conversations: one a connection

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # it was accepted just before the end
            writer.transport.abort()
            return
        conversation = asyncio.create_task(self._converse(Inbox(reader), writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._note_end)

    def _note_end(self, conversation: asyncio.Task[None]) -> None:
        self._conversations.discard(conversation)
        crash = None if conversation.cancelled() else conversation.exception()
        if crash is not None:
            self._crashes.append(crash)

    async def _converse(self, inbox: Inbox, writer: asyncio.StreamWriter) -> None:
        try:
            goes_on = await self._strike_on_accept(inbox, writer)
            while goes_on:
                goes_on = await self._exchange(inbox, writer)
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            pass  # the peer left, or a reset was played
        finally:
            writer.transport.abort()

    async def _strike_on_accept(self, inbox: Inbox, writer: asyncio.StreamWriter) -> bool:
        if not self._script[0].on_accept:
            return True
        return await self._play(Call(opened_s=SystemClock.monotonic()), inbox, writer)

    async def _exchange(self, inbox: Inbox, writer: asyncio.StreamWriter) -> bool:
        """One call and its answer. False where the connection ends with it."""
        try:
            call = await read_call(inbox, SystemClock.monotonic)
        except ValueError as error:
            writer.write(whole(400, {"connection": "close"}, f"{error}\n".encode()))
            return False
        return call is not None and await self._play(call, inbox, writer)

    async def _play(self, call: Call, inbox: Inbox, writer: asyncio.StreamWriter) -> bool:
        """Play the next fault, and watch the peer meanwhile."""
        struck = self._script.popleft() if len(self._script) > 1 else self._script[0]
        self.hits += 1
        self.calls.append(call)
        steps = struck.script(Scene(name=self.name, call=call, answer=self.answer))
        playing = asyncio.create_task(perform(steps, writer, struck.write_bytes))
        # who is struck on accept says what nobody will read
        leaving = asyncio.create_task(inbox.gone() if struck.on_accept else inbox.left())
        try:
            await asyncio.wait((playing, leaving), return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                return playing.result() and call.keeps_alive
            call.left(SystemClock.monotonic())
            return False
        except ConnectionError:
            call.left(SystemClock.monotonic())
            raise
        finally:
            playing.cancel()
            leaving.cancel()
            await asyncio.wait((playing, leaving))


async def perform(steps: Iterable[Step], writer: asyncio.StreamWriter, write_bytes: int) -> bool:
    """Do step after step. False where the script ended the connection."""
    began_s = SystemClock.monotonic()
    for step in steps:
        match step:
            case Send(data):
                await write(writer, data, write_bytes or len(data))
            case Wait(s):
                await wait(s)
            case Until(s):
                await wait(began_s + s - SystemClock.monotonic())
            case Close():
                return False
            case Reset():
                reset(writer)
                return False
    return True


async def wait(seconds: float | None) -> None:
    """Wait for so long, or until somebody cancels it."""
    if seconds is None:
        await asyncio.get_running_loop().create_future()
    elif seconds > 0:
        await asyncio.sleep(seconds)


async def write(writer: asyncio.StreamWriter, data: bytes, size: int) -> None:
    """Write `data` in pieces of `size`, each on its way before the next."""
    for at in range(0, len(data), size):
        writer.write(data[at : at + size])
        await writer.drain()
        await asyncio.sleep(0)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST in place of FIN."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
