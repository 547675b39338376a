"""One provider's connections; whatever goes wrong on them becomes an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import hdrs
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict

from sidecar.core.answer import AnswerFailed
from sidecar.core.headers import to_provider
from sidecar.core.outcome import Outcome
from sidecar.core.settings import Limits, Provider
from sidecar.core.sse import EventTooLarge
from sidecar.dialects.presets import PRESETS, Preset
from sidecar.proxy.call import Call
from sidecar.proxy.watch import limited
from sidecar.proxy.wire import Answer, Wire

ERROR_BODY_BYTES = 64 * 1024  # no honest complaint is longer …
ERROR_BODY_S = 1.0  # … or takes longer, and the status is known already
SECRET_CHARS = 8
DRAIN_S = 0.1  # what a connection is worth waiting for after the last event
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
# What reading an answer of an unheard-of shape may raise.
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def as_failure(error: BaseException) -> AnswerFailed:
    """What a foreign error means for an attempt."""
    outcome = next(outcome for kind, outcome in FOREIGN if isinstance(error, kind))
    return AnswerFailed(outcome, SAYING[outcome])


def unread(error: BaseException) -> AnswerFailed:
    """An answer that we cannot make sense of is none: another provider's may be better."""
    said = str(error) if isinstance(error, EventTooLarge) else "the answer cannot be read"
    return AnswerFailed(Outcome.PROTOCOL, said)


class Upstream:
    """The way to one provider: its address, credentials and pool of connections.

    Made inside a running event loop. Nothing is connected before the first request.
    """

    def __init__(self, provider: Provider, limits: Limits) -> None:
        self.preset: Preset = PRESETS[provider.kind]
        own = own_headers(provider, self.preset)
        self._wire = Wire(provider, own, secrets_of(provider), limits.headers_bytes)

    async def close(self) -> None:
        """Close every connection."""
        await self._wire.close()

    async def send(self, call: Call, model: str | None, connect_s: float) -> Answer:
        """Send `call` for `model`, with those of the application's headers that may go on.

        Redirects are never followed. Raises `AnswerFailed`.
        """
        passed = to_provider(call.headers, openai_headers=self.preset.openai_headers)
        request = self._wire.compose(call.method, call.path, passed, call.body_for(model))
        try:
            return await self._wire.ask(
                request, connect_s=connect_s, bodiless=call.method == hdrs.METH_HEAD
            )
        except FOREIGN_ERRORS as error:
            raise as_failure(error) from error


def own_headers(provider: Provider, preset: Preset) -> list[tuple[str, str]]:
    """What is said to this provider with every request."""
    own = CIMultiDict({hdrs.ACCEPT_ENCODING: "identity"})  # a compressed stream comes in gulps
    if provider.api_key:
        own[preset.auth_header] = preset.auth_scheme + provider.api_key.reveal()
    for name, value in provider.headers:
        own[name] = value.reveal()
    return list(own.items())


def secrets_of(provider: Provider) -> tuple[bytes, ...]:
    """What no answer may carry on to an application. A short value is a word, not a secret."""
    values = [provider.api_key, *(value for _, value in provider.headers)]
    texts = [value.reveal() for value in values if value]
    return tuple(text.encode() for text in texts if len(text) >= SECRET_CHARS)


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
        if answer.content.at_eof():
            break
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def read_pieces(answer: Answer | None, idle_s: float) -> AsyncIterator[bytes]:
    """A body as it comes. Raises `AnswerFailed` where it breaks off or falls silent."""
    try:
        while answer:
            with limited(idle_s, Outcome.TIMEOUT_IDLE):
                piece = await answer.content.readany()
            if not piece:
                return
            yield piece
    except FOREIGN_ERRORS as error:
        raise as_failure(error) from error


async def drain(answer: Answer) -> None:
    """Read to the end, if it is near."""
    if answer.content.at_eof():
        return
    try:
        async with asyncio.timeout(DRAIN_S):
            await answer.content.readany()
    except FOREIGN_ERRORS:  # a timeout is an OSError
        return


async def read_start(answer: Answer) -> bytes:
    """Read the start of an error's body; what breaks off or stalls is enough to judge by."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(ERROR_BODY_S):
            while size < ERROR_BODY_BYTES and (chunk := await answer.content.readany()):
                size += len(chunk)
                chunks.append(chunk)
    except FOREIGN_ERRORS:  # a timeout is an OSError
        pass
    return b"".join(chunks)[:ERROR_BODY_BYTES]
