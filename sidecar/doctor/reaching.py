"""Walks the line to a provider, over the same wire as a call, as far as it goes.

Nothing of it is billed: no key goes out, and what is asked for is the root of the host.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp import hdrs
from yarl import URL

from sidecar.clock import Clock
from sidecar.config.problem import shortened
from sidecar.core.answer import AnswerFailed
from sidecar.core.settings import Limits, Provider
from sidecar.doctor.finding import counted
from sidecar.doctor.line import Line, Stage, Step, Trouble, Way
from sidecar.fleet.stores.names import Found, Names
from sidecar.proxy.upstream import FOREIGN_ERRORS
from sidecar.proxy.wire import Answer, Request, Wire

SECURED = "https://"
PATIENCE_S = 5.0  # with each stage, where the provider's own clocks have more
MOST_ADDRESSES = 4  # that are tried, each with its share of the time
IDENTITY = [("Accept-Encoding", "identity")]
WORDS = {  # of those whose own words say less
    Trouble.SILENT_DNS: "the DNS server does not answer",
    Trouble.SILENT_PORT: "no connection",
    Trouble.SILENT_TLS: "connected, but no TLS",
    Trouble.SILENT: "connected, but no answer",
}
# By the code of OpenSSL; all others come to a chain that leads to nobody we trust.
CERTIFICATES = {9: Trouble.NOT_YET_VALID, 10: Trouble.EXPIRED} | dict.fromkeys(
    (62, 63, 64), Trouble.OF_ANOTHER
)


class Cut(Exception):
    """The line ends here."""

    def __init__(self, trouble: Trouble, why: str) -> None:
        super().__init__(why)
        self.trouble = trouble


Steps = AsyncGenerator[Step, None]


async def reach(provider: Provider, clock: Clock) -> Line:
    """How far one gets to `provider`; takes four times `PATIENCE_S` at most."""
    way, steps = way_to(provider), list[Step]()
    try:
        async with aclosing(walk(provider, clock)) as walked:
            async for step in walked:
                steps.append(step)  # those before a cut are wanted, too
    except Cut as cut:
        return Line(way=way, steps=tuple(steps), trouble=cut.trouble, why=str(cut))
    return Line(way=way, steps=tuple(steps))


def way_to(provider: Provider) -> Way:
    """Where one connects for `provider`."""
    far = told(URL(provider.base_url))
    at = told(URL(provider.proxy.reveal())) if provider.proxy else far
    return Way(provider.name, at, far, provider.proxy is not None)


def told(url: URL) -> str:
    """Host and port, without a login."""
    return f"{url.host_subcomponent}:{url.port}"


async def walk(provider: Provider, clock: Clock) -> Steps:
    """Each stage that is passed. Raises `Cut` at the one that is not."""
    wire = wire_to(provider)
    try:
        async for step in walk_on(provider, wire, clock):
            yield step
    finally:
        await wire.close()


async def walk_on(provider: Provider, wire: Wire, clock: Clock) -> Steps:
    """The same on a wire that is ready."""
    near = URL(provider.proxy.reveal() if provider.proxy else provider.base_url)
    connect_s = min(provider.timeouts.connect_s, PATIENCE_S)
    began_s = clock.monotonic()
    found = await look_up(near, connect_s)
    said = f"{near.host}: {counted(len(found), 'address', 'addresses')}"
    yield Step(stage=Stage.DNS, took_s=clock.monotonic() - began_s, said=said)
    began_s = clock.monotonic()
    await knock(found, near.port or 0, connect_s)
    through = "the proxy listens at" if provider.proxy else "listens at"
    said = f"{through} port {near.port}"
    yield Step(stage=Stage.TCP, took_s=clock.monotonic() - began_s, said=said)
    if provider.base_url.startswith(SECURED):
        yield await secure(wire, connect_s, clock)
    yield await ask_root(wire, provider, clock)


async def look_up(url: URL, within_s: float) -> list[Found]:
    """The addresses of the host."""
    try:
        async with asyncio.timeout(within_s):
            return await Names().look_up(url.raw_host or "")
    except TimeoutError:
        raise late(Trouble.SILENT_DNS, within_s) from None
    except (OSError, ValueError) as error:
        raise Cut(Trouble.UNKNOWN_NAME, f"{url.host}: {words_of(error)}") from error


async def knock(found: list[Found], port: int, within_s: float) -> None:
    """Connect to the first of the addresses that lets us, and hang up."""
    addresses = found[:MOST_ADDRESSES]
    last = OSError("no address")
    for address in addresses:
        try:
            return await connect(address, port, within_s / len(addresses))
        except OSError as error:  # a timeout, too
            last = error
    if isinstance(last, TimeoutError):
        raise late(Trouble.SILENT_PORT, within_s) from None
    refused = isinstance(last, ConnectionRefusedError)
    raise Cut(Trouble.REFUSED if refused else Trouble.UNREACHABLE, words_of(last)) from last


async def connect(found: Found, port: int, within_s: float) -> None:
    """Connect, and hang up. Raises `OSError`."""
    with socket.socket(found.family) as one:
        one.setblocking(False)
        async with asyncio.timeout(within_s):
            await asyncio.get_running_loop().sock_connect(one, (found.address, port))


async def secure(wire: Wire, within_s: float, clock: Clock) -> Step:
    """TLS, through the proxy where there is one."""
    began_s = clock.monotonic()
    with cutting(Trouble.SILENT_TLS, within_s):
        tls = await wire.open(within_s)
    return secured_step(tls, clock.monotonic() - began_s)


def wire_to(provider: Provider) -> Wire:
    """The wire of a call, but to the root. Raises `Cut` where `ca_file` is none."""
    origin = str(URL(provider.base_url).origin())
    try:
        return Wire(replace(provider, base_url=origin), IDENTITY, Limits().headers_bytes)
    except OSError as error:  # those of `ssl`, too
        raise Cut(Trouble.BAD_CA_FILE, f"{provider.ca_file}: {words_of(error)}") from error


async def ask_root(wire: Wire, provider: Provider, clock: Clock) -> Step:
    """Ask for what costs nothing and takes no key."""
    within_s = min(provider.timeouts.first_token_s, PATIENCE_S)
    request = wire.compose(Request(hdrs.METH_GET, "/", b""), ())
    began_s, began_unix_s = clock.monotonic(), clock.unix()
    with cutting(Trouble.SILENT, within_s):
        async with asyncio.timeout(within_s):
            answer = await wire.ask(request, connect_s=within_s, bodiless=False, secrets=())
    answer.close()
    took_s = clock.monotonic() - began_s
    return answered_step(answer, took_s, began_unix_s + took_s / 2)


def secured_step(tls: ssl.SSLObject | None, took_s: float) -> Step:
    """What TLS came to."""
    version = (tls.version() if tls else None) or "TLS"
    certificate = (tls.getpeercert() if tls else None) or {}
    ends = certificate.get("notAfter")
    ends_unix_s = float(ssl.cert_time_to_seconds(ends)) if isinstance(ends, str) else None
    return Step(stage=Stage.TLS, took_s=took_s, said=version, ends_unix_s=ends_unix_s)


def answered_step(answer: Answer, took_s: float, unix_s: float) -> Step:
    """What the answer says. `unix_s` is when it was given, by our clock."""
    ahead_s = ahead_of(answer.headers.get(hdrs.DATE, ""), unix_s)
    said = f"answers GET / with {answer.status}"
    return Step(stage=Stage.ANSWER, took_s=took_s, said=said, ahead_s=ahead_s, status=answer.status)


def ahead_of(date: str, unix_s: float) -> float | None:
    """How far the clock behind a `Date` header is before ours; `None` where it says nothing."""
    try:
        return parsedate_to_datetime(date).timestamp() + 0.5 - unix_s  # it has whole seconds only
    except (ValueError, OverflowError):
        return None


@contextmanager
def cutting(late_is: Trouble, within_s: float) -> Iterator[None]:
    """Make a `Cut` of what goes wrong; `late_is` is what it means that nothing comes in time."""
    try:
        yield
    except (TimeoutError, AnswerFailed):  # a wire fails by itself only where it is late
        raise late(late_is, within_s) from None
    except FOREIGN_ERRORS as error:
        raise Cut(trouble_of(error), words_of(error)) from error


def late(trouble: Trouble, within_s: float) -> Cut:
    """The line is cut by silence."""
    return Cut(trouble, f"{WORDS[trouble]} within {within_s:g} s")


Judge = Callable[[BaseException], Trouble]


def of_certificate(error: BaseException) -> Trouble:
    """What is wrong with a certificate."""
    code = getattr(getattr(error, "certificate_error", None), "verify_code", 0)
    return CERTIFICATES.get(code, Trouble.UNTRUSTED)


# The first match wins, so the narrower ones come first.
MEANINGS: tuple[tuple[type[BaseException], Judge], ...] = (
    (aiohttp.ClientConnectorCertificateError, of_certificate),
    (aiohttp.ClientSSLError, lambda _: Trouble.NO_TLS),
    (aiohttp.ClientHttpProxyError, lambda _: Trouble.PROXY_REFUSES),
    (aiohttp.ClientConnectorError, lambda _: Trouble.UNREACHABLE),
)


def trouble_of(error: BaseException) -> Trouble:
    """What a foreign error means."""
    meanings = (judge(error) for kind, judge in MEANINGS if isinstance(error, kind))
    return next(meanings, Trouble.NO_HTTP)


def words_of(error: BaseException) -> str:
    """What `error` says, without the address, which is told beside it."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the proxy answers {error.status}"
    found = (getattr(error, name, None) for name in ("certificate_error", "os_error"))
    return shortened(own_words(next(filter(None, found), error)))


def own_words(error: BaseException) -> str:
    """The words of the system, or of OpenSSL; asyncio puts others in their place."""
    number = getattr(error, "errno", None)
    if isinstance(error, ConnectionError) and number:
        return os.strerror(number)
    said = (getattr(error, name, None) for name in ("verify_message", "reason", "strerror"))
    return next(filter(None, said), None) or str(error) or type(error).__name__
