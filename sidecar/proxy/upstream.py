"""One provider's connections; whatever goes wrong on them becomes an outcome."""

from __future__ import annotations

import ssl

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict
from yarl import URL

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome
from sidecar.core.settings import Limits, Provider
from sidecar.dialects.presets import PRESETS, Preset

KEEP_ALIVE_S = (
    30.0  # less than the idle limits of the usual front ends: a dead pooled one costs a try
)
DNS_CACHE_S = 30
ERROR_BODY_BYTES = 64 * 1024  # no honest complaint is longer
SAYING: dict[Outcome, str] = {
    Outcome.TIMEOUT_CONNECT: "connecting to the provider took too long",
    Outcome.CONNECT: "the provider cannot be reached",
    Outcome.PROTOCOL: "the provider does not speak HTTP as it should",
    Outcome.TRANSPORT: "the connection to the provider broke",
}
# The first match wins, so the narrower ones come first.
FOREIGN: tuple[tuple[type[BaseException], Outcome], ...] = (
    (aiohttp.ConnectionTimeoutError, Outcome.TIMEOUT_CONNECT),
    (aiohttp.ClientConnectorError, Outcome.CONNECT),  # refused, DNS, TLS
    (aiohttp.ClientHttpProxyError, Outcome.CONNECT),
    (aiohttp.ClientSSLError, Outcome.CONNECT),
    (aiohttp.ClientResponseError, Outcome.PROTOCOL),
    (aiohttp.InvalidURL, Outcome.CONNECT),
    (aiohttp.ClientError, Outcome.TRANSPORT),
    (OSError, Outcome.TRANSPORT),
)
FOREIGN_ERRORS = (aiohttp.ClientError, OSError)


def as_failure(error: BaseException) -> AnswerFailed:
    """What a foreign error means for an attempt."""
    outcome = next(outcome for kind, outcome in FOREIGN if isinstance(error, kind))
    return AnswerFailed(outcome, SAYING[outcome])


class Upstream:
    """The way to one provider: its address, credentials and pool of connections.

    Made inside a running event loop. Nothing is connected before the first request.
    """

    def __init__(self, provider: Provider, limits: Limits) -> None:
        self.provider = provider
        self.preset: Preset = PRESETS[provider.kind]
        self._own_headers = own_headers(provider, self.preset)
        self._proxy = URL(provider.proxy.reveal()) if provider.proxy else None
        self._urls: dict[str, URL] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                ssl=tls(provider.ca_file),
                ttl_dns_cache=DNS_CACHE_S,
                keepalive_timeout=KEEP_ALIVE_S,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=(hdrs.USER_AGENT, hdrs.CONTENT_TYPE),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=provider.timeouts.connect_s),
            max_line_size=limits.headers_bytes,
            max_field_size=limits.headers_bytes,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def send(
        self,
        method: str,
        path: str,
        headers: list[tuple[str, str]],
        body: bytes | None,
    ) -> aiohttp.ClientResponse:
        """Send one request; the answer's head is there when it returns.

        `path` starts with a slash and may carry a query; it is put behind the base URL as it is.
        Redirects are never followed. Raises `FOREIGN_ERRORS`.
        """
        return await self._session.request(
            method,
            self._urls.get(path) or self._url(path),
            data=body,
            headers=self._with_own(headers),
            allow_redirects=False,
            proxy=self._proxy,
        )

    def scrub(self, text: str) -> str:
        """`text` without this provider's credentials, should it have echoed one."""
        for secret in self._secrets():
            text = text.replace(secret, "***")
        return text

    def _secrets(self) -> list[str]:
        values = [self.provider.api_key, *(value for _, value in self.provider.headers)]
        return [value.reveal() for value in values if value and value.reveal()]

    def _url(self, path: str) -> URL:
        url = URL(self.provider.base_url + path, encoded=True)
        if path in NAMED_PATHS:  # the others come from applications, without number
            self._urls[path] = url
        return url

    def _with_own(self, headers: list[tuple[str, str]]) -> CIMultiDict[str]:
        merged = CIMultiDict(headers)
        merged.update(self._own_headers)
        return merged


NAMED_PATHS = frozenset(("/chat/completions", "/completions", "/embeddings"))


def own_headers(provider: Provider, preset: Preset) -> CIMultiDict[str]:
    """What is said to this provider with every request."""
    headers = CIMultiDict({hdrs.ACCEPT_ENCODING: "identity"})  # a compressed stream comes in gulps
    if provider.api_key:
        headers[preset.auth_header] = preset.auth_scheme + provider.api_key.reveal()
    for name, value in provider.headers:
        headers[name] = value.reveal()
    return headers


def tls(ca_file: str | None) -> ssl.SSLContext | bool:
    """The trust for one provider: the system's, and a PEM file's beside it."""
    if ca_file is None:
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=ca_file)
    return context


async def read_bounded(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read a whole body of at most `limit` bytes. Raises `AnswerFailed` for a longer one."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await response.content.readany():
        size += len(chunk)
        if size > limit:
            raise AnswerFailed(
                Outcome.PROTOCOL, f"the provider's answer is larger than {limit} bytes"
            )
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def read_start(response: aiohttp.ClientResponse) -> bytes:
    """Read at most `ERROR_BODY_BYTES` of a body; what breaks off is enough to judge by."""
    chunks: list[bytes] = []
    size = 0
    try:
        while size < ERROR_BODY_BYTES and (chunk := await response.content.readany()):
            size += len(chunk)
            chunks.append(chunk)
    except FOREIGN_ERRORS:
        pass
    return b"".join(chunks)[:ERROR_BODY_BYTES]
