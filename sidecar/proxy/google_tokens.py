"""Google's access tokens, for Vertex AI: from a service account's file or a metadata server.

The library google-auth finds and renews them (Application Default Credentials). It reaches Google
by the proxy and the authorities that the environment names.
"""

from __future__ import annotations

import logging
from datetime import UTC
from typing import Any

from sidecar.clock import Clock
from sidecar.proxy.credential import Unsigned, library, secrets_among
from sidecar.proxy.renewal import Lasting, Renewed

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
PATIENCE_S = 5.0  # with one request for a token

Headers = list[tuple[str, str]]

logging.getLogger("google").addHandler(logging.NullHandler())  # or its warnings go to stderr


class Closing(Exception):
    """Nothing is asked any more."""


class GoogleTokens:
    """A credential whose bearer tokens live for about an hour.

    Raises `UnusableCredential` where google-auth is not installed. Nothing is read or asked before
    the first call.
    """

    def __init__(self, provider: str, kind: str, clock: Clock) -> None:
        self._library = library("google.auth", kind, "vertex")
        self._asking = Asking(library("google.auth.transport.requests", kind, "vertex").Request())
        self._unix = clock.unix
        self._credentials: Any = None
        self._renewed = Renewed(self._fetch, clock.monotonic, provider)

    async def headers(self, _: Unsigned, /) -> Headers:
        """The token, and the project that pays where that is another one."""
        return await self._renewed.get()

    def secrets(self) -> tuple[bytes, ...]:
        """The tokens in use."""
        return self._renewed.secrets

    async def close(self) -> None:
        """Ask for no more tokens; a request under way ends in a few seconds at most."""
        self._asking.closing = True
        await self._renewed.close()

    def _fetch(self) -> Lasting[Headers]:
        """A new token. Blocks. Raises whatever google-auth does."""
        credentials, self._credentials = self._credentials or self._load(), None
        credentials.refresh(self._asking)
        self._credentials = credentials  # one that fails is read anew: its file may have changed
        headers: dict[str, str] = {}
        credentials.apply(headers)
        secrets = secrets_among((credentials.token,))
        return Lasting(list(headers.items()), self._left_s(credentials), secrets)

    def _load(self) -> Any:
        credentials, _ = self._library.default(scopes=SCOPES, request=self._asking)
        return credentials

    def _left_s(self, credentials: Any) -> float:
        if credentials.expiry is None:
            return float("inf")
        ends_unix_s: float = credentials.expiry.replace(tzinfo=UTC).timestamp()  # UTC, unsaid
        return ends_unix_s - self._unix()


class Asking:
    """google-auth's way to ask by HTTP, with our patience, and with none once we are `closing`."""

    def __init__(self, request: Any) -> None:
        self.closing = False
        self.session = request.session  # a metadata server may want its own TLS on it
        self._request = request

    def __call__(self, *args: Any, timeout: float = PATIENCE_S, **more: Any) -> Any:
        """Ask. Raises `Closing`, which google-auth does not take for a reason to try again."""
        if self.closing:
            raise Closing
        return self._request(*args, timeout=timeout, **more)
