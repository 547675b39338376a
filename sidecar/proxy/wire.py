"""One HTTP exchange on a pooled connection: aiohttp's connector and parser, without its session.

The session builds each request anew from objects; here all that never changes about a provider is
bytes made once, and a request is one write. Connecting, TLS, proxies, DNS, the pool and the
parsing of answers stay with aiohttp.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping

import aiohttp
from aiohttp import hdrs
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from yarl import URL

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome
from sidecar.core.settings import Provider, Secret

Headers = Iterable[tuple[str, str]]

KEEP_ALIVE_S = 30.0  # less than the usual front ends': one that they closed costs a try
DNS_CACHE_S = 30
INFORMATIONAL = range(100, 200)  # RFC 9110, section 15.2: more is to come
WITH_BODY = frozenset((hdrs.METH_POST, hdrs.METH_PUT, hdrs.METH_PATCH))


class Answer:
    """The head of an answer, and its body as it comes."""

    __slots__ = ("_connection", "content", "headers", "status")

    def __init__(
        self,
        connection: Connection,
        status: int,
        headers: Mapping[str, str],
        content: aiohttp.StreamReader,
    ) -> None:
        self.status = status
        self.headers = headers
        self.content = content
        self._connection = connection
        content.on_eof(connection.release)

    @property
    def content_type(self) -> str:
        """The media type, without parameters."""
        return self.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()

    def close(self) -> None:
        """Let go of the connection; one whose answer is not read to its end is cut at once.

        A read that is under way ends with an error.
        """
        if not self.content.is_eof() and self.content.exception() is None:
            self.content.set_exception(aiohttp.ClientConnectionError("closed by the sidecar"))
        self._connection.close()


class Wire:
    """The connections to one provider. Made inside a running event loop.

    `own_headers` go with every request, in place of those of the same name. The head of an answer
    may have `headers_bytes`.
    """

    def __init__(
        self, provider: Provider, own_headers: list[tuple[str, str]], headers_bytes: int
    ) -> None:
        url = URL(provider.base_url)
        self._connector = aiohttp.TCPConnector(
            limit=0,
            ssl=trust(provider.ca_file),
            ttl_dns_cache=DNS_CACHE_S,
            keepalive_timeout=KEEP_ALIVE_S,
        )
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=provider.timeouts.connect_s)
        self._headers_bytes = headers_bytes
        self._whither = whither(url, provider.proxy)
        self._own_names = frozenset(name.lower() for name, _ in own_headers)
        self._prefix = url.raw_path.rstrip("/")
        host = (hdrs.HOST, url.host_port_subcomponent or "")
        own = [host, *own_headers]
        if provider.proxy and url.scheme == "http":  # RFC 9112, section 3.2.2: the absolute form
            self._prefix = provider.base_url
            own += credentials(provider.proxy)
        self._own_head = lines(own)

    async def close(self) -> None:
        """Close every connection."""
        await self._connector.close()

    async def ask(self, method: str, path: str, headers: Headers, body: bytes) -> Answer:
        """Send a request for `path` below the base URL; the answer's head is there on return.

        Raises `aiohttp.ClientError`, `OSError`, and `AnswerFailed` where connecting took too long.
        """
        request = self._request(method, path, headers, body)
        connection = await self._connect()
        try:
            return await self._converse(connection, method, request)
        except BaseException:
            connection.close()
            raise

    async def _connect(self) -> Connection:
        try:
            return await self._connector.connect(self._whither, [], self._timeout)
        except TimeoutError:
            raise AnswerFailed(
                Outcome.TIMEOUT_CONNECT, "connecting to the provider took too long"
            ) from None

    async def _converse(self, connection: Connection, method: str, request: bytes) -> Answer:
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(
            skip_payload=method == hdrs.METH_HEAD,
            read_until_eof=True,
            max_line_size=self._headers_bytes,
            max_field_size=self._headers_bytes,
        )
        transport.write(request)
        message, content = await protocol.read()
        while message.code in INFORMATIONAL:
            message, content = await protocol.read()
        return Answer(connection, message.code, message.headers, content)

    def _request(self, method: str, path: str, headers: Headers, body: bytes) -> bytes:
        own = self._own_names
        passed = lines([header for header in headers if header[0].lower() not in own])
        if body or method in WITH_BODY:
            passed += f"Content-Length: {len(body)}\r\n"
        head = f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._own_head}{passed}\r\n"
        return head.encode() + body


def lines(headers: Headers) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


def trust(ca_file: str | None) -> ssl.SSLContext | bool:
    """Whom to believe: the system's authorities, and those of a PEM file beside them."""
    if ca_file is None:
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(cafile=ca_file)
    return context


def whither(url: URL, proxy: Secret | None) -> ClientRequest:
    """Where to connect, in the form that aiohttp's connector wants to hear it."""
    loop = asyncio.get_running_loop()
    if proxy is None:
        return ClientRequest(hdrs.METH_GET, url, loop=loop)
    through, auth = URL(proxy.reveal()).with_user(None), credentials(proxy)
    return ClientRequest(hdrs.METH_GET, url, loop=loop, proxy=through, proxy_headers=auth or None)


def credentials(proxy: Secret) -> list[tuple[str, str]]:
    """The header that opens `proxy`, if its URL names a user."""
    url = URL(proxy.reveal())
    if url.user is None:
        return []
    return [(hdrs.PROXY_AUTHORIZATION, aiohttp.encode_basic_auth(url.user, url.password or ""))]
