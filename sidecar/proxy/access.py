"""Who may change something: the operator beside us or with the token, never a foreign page."""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from aiohttp import web

from sidecar.core.settings import Secret

HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:@/\[\]\s]+))(?::[0-9]*)?")


def may_change(
    request: web.BaseRequest, token: Secret | None, hosts: Collection[str]
) -> str | None:
    """Say why `request` may not change anything; `None` where it may.

    Changes come from a loopback peer or with the admin `token`, and never by way of a foreign page
    in a browser: one that was made to call us shows by its Origin, or by a Host that is not one of
    ours. `hosts` are the configured ones; a wildcard among them stands for the address that was
    reached.
    """
    return sign_of_a_foreign_page(request, hosts) or missing_right(request, token)


def sign_of_a_foreign_page(request: web.BaseRequest, hosts: Collection[str]) -> str | None:
    """What shows that a page from elsewhere may have sent `request`, as the reason to refuse it."""
    if not is_own_page(request):
        return "Changes are not taken from pages of another Origin than this listener's own."
    host = host_of(request)
    if not is_loopback(host) and host not in own_hosts(request, hosts):
        return "Changes need a Host header that is loopback or the configured address."
    return None


def missing_right(request: web.BaseRequest, token: Secret | None) -> str | None:
    """What the sender lacks to be the operator, as the reason to refuse it."""
    if is_loopback(request.remote or ""):
        return None
    if not token or not token.reveal():
        return "Changes come from loopback only, as no admin_token is configured."
    if not bears(request.headers.get("Authorization", ""), token):
        return "Changes need a loopback peer, or the admin token as Authorization: Bearer."
    return None


def is_own_page(request: web.BaseRequest) -> bool:
    """Whether no page sent this, or one that came from the very host and port that it calls."""
    origin = request.headers.get("Origin")
    return origin is None or origin.partition("://")[2].lower() == own_name(request)


def own_name(request: web.BaseRequest) -> str | None:
    """What the sender calls us by; `None`, which no origin is, where it does not say."""
    return request.headers.get("Host", "").lower() or None


def is_foreign_page(request: web.BaseRequest) -> bool:
    """Whether a browser's page from elsewhere sent this; it would spend the keys of this pod."""
    origin = request.headers.get("Origin")
    return origin is not None and not is_loopback(normal(urlsplit(origin).hostname or ""))


def host_of(request: web.BaseRequest) -> str:
    """The host that the Host header names, less its port; empty where it names none."""
    match = HOST.fullmatch(request.headers.get("Host", ""))
    return normal(match[1] or match[2]) if match else ""


def own_hosts(request: web.BaseRequest, hosts: Collection[str]) -> set[str]:
    """The configured hosts, and the address that was reached if all addresses are configured."""
    own = {normal(host) for host in hosts}
    reached = request.get_extra_info("sockname")
    if reached and any(is_wildcard(host) for host in own):
        own.add(normal(reached[0]))
    return own


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is what only this machine calls itself."""
    address = address_of(host)
    return host == "localhost" if address is None else address.is_loopback


def is_wildcard(host: str) -> bool:
    """Whether `host` stands for every address of this machine."""
    address = address_of(host)
    return address is not None and address.is_unspecified


def normal(host: str) -> str:
    """One spelling for each host."""
    return str(address_of(host) or host.lower())


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """`host` as an address, IPv4 also where a socket spells it in IPv6; `None` for a name."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def bears(authorization: str, token: Secret) -> bool:
    """Whether an Authorization header presents `token`; takes the same time for any other token."""
    scheme, _, presented = authorization.partition(" ")
    given, expected = (
        text.encode("utf-8", "surrogateescape") for text in (presented.strip(), token.reveal())
    )
    return hmac.compare_digest(given, expected) and scheme.lower() == "bearer"
