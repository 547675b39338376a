"""Names to addresses, by a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread
from typing import Any

Found = Sequence[tuple[Any, ...]]  # as `socket.getaddrinfo` has them


async def resolve(host: str, port: int) -> Found:
    """The addresses of `host` for TCP. Raises `OSError`, and `UnicodeError` for what is no name.

    A resolver cannot be interrupted, and asyncio's own threads hold up the end of the process
    until the last one has answered.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Found] = loop.create_future()

    def settle(set_it: Callable[[Any], None], result: object) -> None:
        if not answer.done():
            set_it(result)

    def look() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            try:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError) as error:
                loop.call_soon_threadsafe(settle, answer.set_exception, error)
            else:
                loop.call_soon_threadsafe(settle, answer.set_result, found)

    Thread(target=look, daemon=True).start()
    return await answer
