"""One provider's connections; whatever goes wrong on them becomes an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
from aiohttp import hdrs
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict

from sidecar.core.answer import AnswerFailed
from sidecar.core.failover import Failure
from sidecar.core.keys import BAD_KEY, KeyPool
from sidecar.core.learned import Learned
from sidecar.core.outcome import Outcome
from sidecar.core.recent import Recent
from sidecar.core.retry import Bucket
from sidecar.core.settings import Limits, Provider
from sidecar.core.sse import EventTooLarge
from sidecar.dialects.memory import Memory
from sidecar.dialects.presets import PRESETS, Preset
from sidecar.dialects.responses.kept import Retelling
from sidecar.proxy.credential import Unsigned, secrets_among
from sidecar.proxy.credentials import credentials_of
from sidecar.proxy.watch import limited
from sidecar.proxy.wire import Answer, Request, Wire

VERSION = "anthropic-version"
ERROR_BODY_BYTES = 64 * 1024  # no honest complaint is longer …
ERROR_BODY_S = 1.0  # … or takes longer, and the status is known already
PUBLIC = frozenset((VERSION, "cf-aig-gateway-id"))  # every other header may hold a secret
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


def too_large(limit: int) -> AnswerFailed:
    """An answer that is longer than anybody may hold."""
    message = f"the provider's answer is larger than {limit} bytes"
    return AnswerFailed(Outcome.PROTOCOL, message, blameless=True)  # the limit is the operator's


class Upstream:
    """The way to one provider: its address, credentials and pool of connections.

    Made inside a running event loop. Nothing is connected before the first request. `learned` is
    what its errors have taught, `keys` says which of its credentials to use, `extra_tries` how many
    there may be; `in_flight` counts the attempts that are under way.
    """

    def __init__(self, provider: Provider, limits: Limits, memory: Memory) -> None:
        self.provider = provider
        self.preset: Preset = replace(PRESETS[provider.kind], query=provider.query)
        self.memory = memory
        self.learned = Learned()
        self.extra_tries = Bucket(provider.retry.budget)
        self.in_flight = 0
        self._first_tokens: dict[str, Recent] = {}  # by the label of the model
        self._credentials = credentials_of(provider, self.preset)
        self.keys = KeyPool(len(self._credentials))
        self.version = version_of(provider)
        self.vendor = vendor_of(self.preset)
        self._secrets = secrets_of(provider)
        self._wire = Wire(provider, own_headers(provider), limits.headers_bytes)

    async def close(self) -> None:
        """Close every connection."""
        for credential in self._credentials:
            await credential.close()
        await self._wire.close()

    @property
    def is_full(self) -> bool:
        """Whether it has as many calls as it may have at once."""
        most = self.provider.max_in_flight
        return most is not None and self.in_flight >= most

    def first_token_took(self, model: str, seconds: float) -> None:
        """Remember it; `model` is its label: there are as many as the configuration has."""
        if model not in self._first_tokens:
            self._first_tokens[model] = Recent()
        self._first_tokens[model].note(seconds)

    def usual_first_token_s(self, model: str) -> float | None:
        """How soon 95 % of the last first tokens came; `None` while there are too few."""
        recent = self._first_tokens.get(model)
        return recent.p95() if recent else None

    def heed(self, key: int, model: str, failure: Failure, now_s: float) -> Failure:
        """Pass over a key that `failure` is about; `again` where there is another one to use now.

        Where there is none, the wait is until the first of them is back.
        """
        again = self.keys.ended(key, model, failure.outcome, failure.wait_s, now_s)
        if again or self.keys.is_lone or failure.outcome is not Outcome.RATE_LIMIT:
            return replace(failure, again=again)
        soonest_s = self.keys.soonest_s(model, now_s)
        return replace(failure, wait_s=soonest_s, guessed=failure.wait_s is None)

    def has_other_keys(self, failure: Failure, model: str, now_s: float) -> bool:
        """Whether only one key of several is at fault, and another is there or soon back."""
        if failure.again or self.keys.is_lone or failure.outcome not in BAD_KEY:
            return failure.again
        return self.keys.cures_itself(model, now_s)

    async def send(self, request: Request, key: int, connect_s: float) -> Answer:
        """Send `request` with the credential number `key`.

        Redirects are never followed. Raises `AnswerFailed`, and what `FOREIGN` names.
        """
        credential = self._credentials[key]
        unsigned = Unsigned(request.method, self.provider.base_url + request.path, request.body)
        signed = self._wire.compose(request, await credential.headers(unsigned))
        return await self._wire.ask(
            signed,
            connect_s=connect_s,
            bodiless=request.method == hdrs.METH_HEAD,
            secrets=self._secrets + credential.secrets(),
        )


def own_headers(provider: Provider) -> list[tuple[str, str]]:
    """What is said to this provider with every request."""
    own = CIMultiDict({hdrs.ACCEPT_ENCODING: "identity"})  # a compressed stream comes in gulps
    for name, value in provider.headers:
        own[name] = value.reveal()
    return list(own.items())


def version_of(provider: Provider) -> str:
    """The version of the provider's API that its headers ask for."""
    headers = {name.lower(): value for name, value in provider.headers}
    return headers[VERSION].reveal() if VERSION in headers else ""


def vendor_of(preset: Preset) -> str:
    """Whose own headers mean something to a provider."""
    if preset.openai_headers:
        return "openai"
    return "anthropic" if preset.messages else ""


def secrets_of(provider: Provider) -> tuple[bytes, ...]:
    """What no answer may carry on to an application."""
    headers = provider.headers
    return secrets_among(value.reveal() for name, value in headers if name.lower() not in PUBLIC)


async def read_bounded(answer: Answer, limit: int) -> bytes:
    """Read a whole body of at most `limit` bytes. Raises `AnswerFailed` for a longer one."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await answer.content.readany():
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
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


async def retold_pieces(pieces: AsyncIterator[bytes], retelling: Retelling) -> AsyncIterator[bytes]:
    """The pieces of a stream as they are retold. Raises `AnswerFailed`."""
    try:
        async for piece in pieces:
            if told := retelling.feed(piece):
                yield told
    except UNREADABLE as error:
        raise unread(error) from error
    yield retelling.end()


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
