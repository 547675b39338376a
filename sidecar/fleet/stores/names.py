"""The names of a store's servers, looked up where nothing waits for it: no call, and not the exit.

A look-up cannot be called off. The event loop has a few threads for all of them, and waits for
these when it ends: a store's names that nobody answers for would keep the providers' names waiting.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from typing import NamedTuple

KEPT_S = 3.0  # a look-up that outlasts an operation is there for the next, two seconds later
MOST = 64  # names at a time: Sentinels and the nodes of a Cluster name others than the URL does

THREAD = "store's name"


class Found(NamedTuple):
    """One address of a host, in numbers."""

    family: int
    address: str


class Names:
    """Looks each name up in a thread of its own, once for all who ask meanwhile."""

    def __init__(self) -> None:
        self._looked_up: dict[str, asyncio.Future[list[Found]]] = {}

    async def look_up(self, host: str) -> list[Found]:
        """The addresses of `host`, which may be one itself.

        Raises `OSError`, or `ValueError` for what can be nobody's name. Who does not wait for the
        answer leaves it to those who ask next.
        """
        with suppress(ValueError):
            family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
            return [Found(family, host)]
        if host not in self._looked_up:
            self._begin(host)
        return await asyncio.shield(self._looked_up[host])

    def _begin(self, host: str) -> None:
        if len(self._looked_up) >= MOST:
            raise OSError(f"{MOST} names are looked up already")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[Found]] = loop.create_future()
        answer.add_done_callback(partial(self._answered, host))

        def work() -> None:
            try:
                tell = partial(answer.set_result, _addresses_of(host))
            except (OSError, ValueError) as error:
                tell = partial(answer.set_exception, error)
            with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                loop.call_soon_threadsafe(tell)

        try:
            threading.Thread(target=work, name=THREAD, daemon=True).start()
        except RuntimeError as error:
            raise OSError(f"no thread to look a name up: {error}") from error
        self._looked_up[host] = answer

    def _answered(self, host: str, answer: asyncio.Future[list[Found]]) -> None:
        kept_s = 0.0 if answer.exception() else KEPT_S
        answer.get_loop().call_later(kept_s, self._looked_up.pop, host)


def _addresses_of(host: str) -> list[Found]:
    told = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    in_numbers = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    # only `getnameinfo` tells the interface of an address that is good on that one alone
    return [Found(one[0], socket.getnameinfo(one[4], in_numbers)[0]) for one in told]
