"""One connection to Redis, whose host's name is looked up apart from those of the providers."""

from __future__ import annotations

import ssl
from typing import Any

from redis.asyncio.connection import Connection, SSLConnection

from sidecar.fleet.stores.names import Names


class PlainConnection(Connection):
    """Goes through the addresses of its host in turn. `host` stays what it was given."""

    def __init__(self, names: Names, **settings: Any) -> None:
        super().__init__(**settings)
        self._names = names
        self._address = ""

    async def _connect(self) -> None:
        problem = OSError("the host has no address")
        for found in await self._names.look_up(self.host):
            self._address = found.address
            try:
                await super()._connect()  # type: ignore[no-untyped-call]  # it returns nothing
            except OSError as error:
                problem = error
            else:
                return
        raise problem

    def _connection_arguments(self) -> dict[str, Any]:
        return {**super()._connection_arguments(), "host": self._address}


class TlsConnection(PlainConnection, SSLConnection):
    """Shares one context: to read the system's authorities again takes 20 ms of the event loop."""

    def __init__(self, context: ssl.SSLContext, names: Names, **settings: Any) -> None:
        super().__init__(names, **settings)
        self.ssl_context.context = context

    def _connection_arguments(self) -> dict[str, Any]:
        # the certificate is the host's, not the address's
        return {**super()._connection_arguments(), "server_hostname": self.host}
