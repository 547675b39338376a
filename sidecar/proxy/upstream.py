"""One provider's connections; whatever goes wrong on them becomes an outcome."""

from __future__ import annotations

import aiohttp
from aiohttp import hdrs
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict

from sidecar.core.answer import AnswerFailed
from sidecar.core.headers import to_provider
from sidecar.core.outcome import Outcome
from sidecar.core.settings import Limits, Provider
from sidecar.dialects.presets import PRESETS, Preset
from sidecar.proxy.wire import Answer, Headers, Wire

ERROR_BODY_BYTES = 64 * 1024  # no honest complaint is longer
SAYING: dict[Outcome, str] = {
    Outcome.CONNECT: "the provider cannot be reached",
    Outcome.PROTOCOL: "the provider does not speak HTTP as it should",
    Outcome.TRANSPORT: "the connection to the provider broke",
}
# The first match wins, so the narrower ones come first.
FOREIGN: tuple[tuple[type[BaseException], Outcome], ...] = (
    (aiohttp.ClientConnectorError, Outcome.CONNECT),  # refused, DNS, TLS
    (aiohttp.ClientHttpProxyError, Outcome.CONNECT),
    (aiohttp.ClientSSLError, Outcome.CONNECT),
    (aiohttp.ClientResponseError, Outcome.PROTOCOL),
    (HttpProcessingError, Outcome.PROTOCOL),
    (aiohttp.ClientError, Outcome.TRANSPORT),
    (OSError, Outcome.TRANSPORT),
)
FOREIGN_ERRORS = (aiohttp.ClientError, HttpProcessingError, OSError)


def as_failure(error: BaseException) -> AnswerFailed:
    """What a foreign error means for an attempt."""
    outcome = next(outcome for kind, outcome in FOREIGN if isinstance(error, kind))
    return AnswerFailed(outcome, SAYING[outcome])


class Upstream:
    """The way to one provider: its address, credentials and pool of connections.

    Made inside a running event loop. Nothing is connected before the first request.
    """

    def __init__(self, provider: Provider, limits: Limits) -> None:
        self.preset: Preset = PRESETS[provider.kind]
        self._provider = provider
        self._wire = Wire(provider, own_headers(provider, self.preset), limits.headers_bytes)

    async def close(self) -> None:
        """Close every connection."""
        await self._wire.close()

    async def send(self, method: str, path: str, headers: Headers, body: bytes) -> Answer:
        """Send a request, with those of the application's headers that may go on.

        `path` starts with a slash and may carry a query; it is put behind the base URL as it is.
        Redirects are never followed. Raises `AnswerFailed`.
        """
        passed = to_provider(headers, openai_headers=self.preset.openai_headers)
        try:
            return await self._wire.ask(method, path, passed, body)
        except FOREIGN_ERRORS as error:
            raise as_failure(error) from error

    def scrub(self, text: str) -> str:
        """`text` without this provider's credentials, should it have echoed one."""
        for secret in self._secrets():
            text = text.replace(secret, "***")
        return text

    def _secrets(self) -> list[str]:
        values = [self._provider.api_key, *(value for _, value in self._provider.headers)]
        return [value.reveal() for value in values if value and value.reveal()]


def own_headers(provider: Provider, preset: Preset) -> list[tuple[str, str]]:
    """What is said to this provider with every request."""
    own = CIMultiDict({hdrs.ACCEPT_ENCODING: "identity"})  # a compressed stream comes in gulps
    if provider.api_key:
        own[preset.auth_header] = preset.auth_scheme + provider.api_key.reveal()
    for name, value in provider.headers:
        own[name] = value.reveal()
    return list(own.items())


async def read_bounded(answer: Answer, limit: int) -> bytes:
    """Read a whole body of at most `limit` bytes. Raises `AnswerFailed` for a longer one."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await answer.content.readany():
        size += len(chunk)
        if size > limit:
            raise AnswerFailed(
                Outcome.PROTOCOL, f"the provider's answer is larger than {limit} bytes"
            )
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def read_start(answer: Answer) -> bytes:
    """Read at most `ERROR_BODY_BYTES` of a body; what breaks off is enough to judge by."""
    chunks: list[bytes] = []
    size = 0
    try:
        while size < ERROR_BODY_BYTES and (chunk := await answer.content.readany()):
            size += len(chunk)
            chunks.append(chunk)
    except FOREIGN_ERRORS:
        pass
    return b"".join(chunks)[:ERROR_BODY_BYTES]
