"""One HTTP exchange on a pooled connection: aiohttp's connector and parser, without its session.

The session builds each request anew from objects; here all that never changes about a provider is
bytes made once, and a request is one write. Connecting, TLS, proxies, DNS, the pool and the
parsing of answers stay with aiohttp.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

import aiohttp
from aiohttp import hdrs
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.http_parser import RawResponseMessage
from yarl import URL

from sidecar.core.answer import AnswerFailed
from sidecar.core.headers import to_application
from sidecar.core.outcome import Outcome
from sidecar.core.settings import Provider, Secret

Headers = Sequence[tuple[str, str]]


class PooledConnectionGone(aiohttp.ClientConnectionError):
    """A connection that had been used before broke before it answered: perhaps it was closed."""


USED = "_sidecar_used"  # marks a connection that has served a call
KEEP_ALIVE_S = 30.0  # less than the usual front ends': one that they closed costs a try
DNS_CACHE_S = 30
INFORMATIONAL = range(100, 200)  # RFC 9110, section 15.2: more is to come
WITH_BODY = frozenset((hdrs.METH_POST, hdrs.METH_PUT, hdrs.METH_PATCH))


class Request(NamedTuple):
    """What is to be sent. `path` follows the base URL.

    `passed` are the application's headers that go on, `ours` those that take the place of its own.
    """

    method: str
    path: str
    body: bytes
    passed: Headers = ()
    ours: Headers = ()


class Answer:
    """The head of an answer, and its body as it comes. `scrub` takes `secrets` out of errors."""

    __slots__ = ("_connection", "_secrets", "content", "headers", "status")

    def __init__(
        self,
        connection: Connection,
        head: RawResponseMessage,
        content: aiohttp.StreamReader,
        secrets: tuple[bytes, ...],
    ) -> None:
        self.status = head.code
        self.headers: Mapping[str, str] = head.headers
        self.content = content
        self._connection = connection
        self._secrets = secrets
        content.on_eof(connection.release)

    @property
    def content_type(self) -> str:
        """The media type, without parameters."""
        return self.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()

    @property
    def length(self) -> int | None:
        """How long the body is as it goes on, where the head says so."""
        if hdrs.CONTENT_ENCODING in self.headers:
            return None
        stated = self.headers.get(hdrs.CONTENT_LENGTH, "")
        return int(stated) if stated.isdecimal() else None

    def scrub(self, data: bytes) -> bytes:
        """`data` without the credentials that went out with the request, should it echo them."""
        for secret in self._secrets:
            if secret in data:
                data = data.replace(secret, b"***")
        return data

    def passable_headers(self) -> list[tuple[str, str]]:
        """Those that go on to the application."""
        passed = to_application(self.headers.items())
        for secret in map(bytes.decode, self._secrets):
            passed = [header for header in passed if secret not in header[1]]
        return passed

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
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}
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

    async def open(self, connect_s: float) -> ssl.SSLObject | None:
        """Have a connection ready; what TLS knows of its far end, `None` where it is plain.

        Raises what `ask` does where it cannot connect.
        """
        connection = await self._connect(connect_s)
        transport = connection.transport
        secured: ssl.SSLObject | None = None
        if transport is not None:
            secured = transport.get_extra_info("ssl_object")
        connection.release()
        return secured

    async def ask(
        self, request: bytes, *, connect_s: float, bodiless: bool, secrets: tuple[bytes, ...]
    ) -> Answer:
        """Send a `request` made by `compose`; the answer's head is there on return.

        `bodiless` says that the answer is to have no body, whatever its head says; `secrets` are
        kept from going on with it. Raises `aiohttp.ClientError`, `OSError`, and `AnswerFailed`
        where connecting took too long; `PooledConnectionGone` is one of the first.
        """
        connection = await self._connect(connect_s)
        is_used = getattr(connection.protocol, USED, False)
        try:
            head, content = await self._converse(connection, request, bodiless=bodiless)
            return Answer(connection, head, content, secrets)
        except BaseException as error:
            connection.close()
            if is_used and isinstance(error, aiohttp.ClientConnectionError | ConnectionError):
                raise PooledConnectionGone from error
            raise

    async def _connect(self, connect_s: float) -> Connection:
        timeout = self._timeouts.get(connect_s) or self._timeout(connect_s)
        try:
            while True:
                connection = await self._connector.connect(self._whither, [], timeout)
                # what came unasked while it was idle would be taken for the next call's answer
                if connection.protocol is None or not connection.protocol.should_close:
                    return connection
                connection.close()
        except TimeoutError:
            raise AnswerFailed(
                Outcome.TIMEOUT_CONNECT, "connecting to the provider took too long"
            ) from None

    def _timeout(self, connect_s: float) -> aiohttp.ClientTimeout:
        """What aiohttp wants to hear; there are as many as the configuration has values."""
        timeout = aiohttp.ClientTimeout(total=None, connect=connect_s, sock_connect=connect_s)
        self._timeouts[connect_s] = timeout
        return timeout

    async def _converse(
        self, connection: Connection, request: bytes, *, bodiless: bool
    ) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(
            skip_payload=bodiless,
            read_until_eof=True,
            max_line_size=self._headers_bytes,
            max_field_size=self._headers_bytes,
        )
        setattr(protocol, USED, True)
        transport.write(request)
        message, content = await protocol.read()
        while message.code in INFORMATIONAL:
            message, content = await protocol.read()
        if transport.get_write_buffer_size():
            protocol.force_close()  # answered early: what is unsent would hold up the next call
        return message, content

    def compose(self, request: Request, credentials: Headers) -> bytes:
        """The bytes of `request`. Of headers of one name the provider's own win, then ours."""
        own, said = self._own_names, lines(credentials)
        if request.ours:
            said += lines(request.ours, own)
            own = own.union([name.lower() for name, _ in request.ours])
        said += lines(request.passed, own)
        if request.body or request.method in WITH_BODY:
            said += f"Content-Length: {len(request.body)}\r\n"
        line = f"{request.method} {self._prefix}{request.path} HTTP/1.1\r\n"
        return f"{line}{self._own_head}{said}\r\n".encode() + request.body


def lines(headers: Headers, but: Container[str] = ()) -> str:
    """`headers` as they are sent, without those of the names `but`."""
    kept = [f"{name}: {value}\r\n" for name, value in headers if name.lower() not in but]
    return "".join(kept)


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
