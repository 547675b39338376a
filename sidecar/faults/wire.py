"""HTTP/1.1 in bytes: calls are read strictly, answers are put together piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024**2
LAST_CHUNK = b"0\r\n\r\n"
REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True, kw_only=True)
class Call:
    """A call as it came in.

    `path` includes the query. The names in `headers` are lower case; what was sent twice is joined
    by a comma. `json` is `None` where the body is not JSON. `closed_early` is set, and `closed_s`
    with it, if the peer leaves before the answer is whole. Times are monotonic.
    """

    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    json: Any = None
    opened_s: float = 0.0
    closed_s: float | None = None
    closed_early: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def keeps_alive(self) -> bool:
        """Whether the peer wants to go on with this connection."""
        return self.headers.get("connection", "").lower() != "close"

    def left(self, now: float) -> None:
        """Note that the peer left early."""
        self.closed_s = now
        self.closed_early.set()


class Inbox:
    """What the peer sends. It looks one byte ahead, to notice a peer that has left."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._ahead = b""

    async def until(self, separator: bytes) -> bytes:
        """Read up to `separator`, and it too. At most `MAX_HEAD_BYTES`."""
        data = self._ahead + await self._reader.readuntil(separator)
        self._ahead = b""
        return data

    async def exactly(self, size: int) -> bytes:
        """Read `size` bytes of a body. Raises `ValueError` where that is too much to hold."""
        if not 0 <= size <= MAX_BODY_BYTES:
            raise ValueError(f"a body of {size} bytes")
        return await self._reader.readexactly(size)

    async def left(self) -> None:
        """Return once the peer has left; never where it already sends its next call."""
        if not self._ahead:
            with suppress(ConnectionError):
                self._ahead = await self._reader.read(1)
        if self._ahead:
            await asyncio.get_running_loop().create_future()

    async def gone(self) -> None:
        """Return once the peer has left, whatever it says until then: nobody will read it."""
        with suppress(ConnectionError):
            while await self._reader.read(MAX_HEAD_BYTES):
                pass


async def read_call(inbox: Inbox, now: Callable[[], float]) -> Call | None:
    """Read the next call; `None` where the peer left instead. Raises `ValueError` for nonsense."""
    try:
        method, path, headers = parse_head(await inbox.until(b"\r\n\r\n"))
        body = await read_body(inbox, headers)
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError as error:
        raise ValueError(f"a head of more than {MAX_HEAD_BYTES} bytes") from error
    parsed = None
    with suppress(orjson.JSONDecodeError):
        parsed = orjson.loads(body)
    return Call(method=method, path=path, headers=headers, body=body, json=parsed, opened_s=now())


def parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    """Split the head of a call into method, path and headers. Raises `ValueError`."""
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, value = (part.strip() for part in line.split(":", 1))
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return method, path, headers


async def read_body(inbox: Inbox, headers: Mapping[str, str]) -> bytes:
    """Read a body in either framing."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await inbox.exactly(int(headers.get("content-length", "0")))
    body = bytearray()
    while size := int((await inbox.until(b"\r\n")).split(b";")[0], 16):
        body += await inbox.exactly(size)
        await inbox.exactly(2)
        if len(body) > MAX_BODY_BYTES:
            raise ValueError(f"a body of more than {MAX_BODY_BYTES} bytes")
    while await inbox.until(b"\r\n") != b"\r\n":
        pass  # trailers
    return bytes(body)


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """The head of an answer, the empty line included."""
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}"]
    lines += (f"{name}: {value}" for name, value in headers.items())
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def whole(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """An answer of known length."""
    return head(status, {**headers, "content-length": str(len(body))}) + body


def chunk(data: bytes) -> bytes:
    """A piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)
