"""What requests to etcd have in common: TLS, headers, sockets, and how names are looked up."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from sidecar.fleet.stores.names import Names

# a watch that a member without a leader goes on with would be silent for ever
HEADERS = {"Content-Type": "application/json", "Grpc-Metadata-hasleader": "true"}
# notice a peer that is gone without a word within five seconds
KEEP_ALIVE = {"TCP_KEEPIDLE": 2, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 3}


class Resolver(AbstractResolver):
    """Looks names up apart from those of the providers."""

    def __init__(self) -> None:
        self._names = Names()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of `host`. Raises `OSError` or `ValueError`."""
        return [
            ResolveResult(
                hostname=host,
                host=found.address,
                port=port,
                family=found.family,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for found in await self._names.look_up(host)
            if family in (socket.AF_UNSPEC, found.family)
        ]

    async def close(self) -> None:
        """Nothing is waited for."""


def open_session(trusted: ssl.SSLContext | None) -> aiohttp.ClientSession:
    """A session for requests that keep to no time by themselves."""
    connector = aiohttp.TCPConnector(
        limit=8,
        ssl=trusted or True,
        socket_factory=_open_socket,
        resolver=Resolver(),
        use_dns_cache=False,  # it would outlive a member's move
    )
    return aiohttp.ClientSession(
        connector=connector,
        headers=HEADERS,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),  # whoever asks has an eye on the time
    )


def _open_socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, *_ = address
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        if hasattr(socket, name):  # macOS has not all of them
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return opened
