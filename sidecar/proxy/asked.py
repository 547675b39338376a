"""What a request says beside its body: who it is, how long its sender waits, what it names."""

from __future__ import annotations

from dataclasses import replace
from random import getrandbits

import orjson
from aiohttp import web

from sidecar.core.headers import deadline_s
from sidecar.core.policies import AfterContent
from sidecar.core.settings import Route
from sidecar.proxy.call import rejected

AFTER_CONTENT = "x-sidecar-after-content"
MARGIN = 0.05  # of a client's deadline, so that it hears our answer and not its own clock


def catch_all(routes: tuple[Route, ...]) -> Route | None:
    """What serves all that is passed through: the first provider of the `*` route."""
    found = next((route for route in routes if "*" in route.models), None)
    return replace(found, chain=found.chain[:1]) if found else None


def patience_s(request: web.BaseRequest, route: Route) -> float:
    """The chain's time: the route's, or the client's where that is shorter."""
    client_s = deadline_s(request.headers)
    return route.total_s if client_s is None else min(route.total_s, client_s * (1 - MARGIN))


def after_content(request: web.BaseRequest, route: Route) -> Route:
    """The route, with what a break after the first content is to do as the application wants it.

    Raises `Rejected` for a word that means nothing.
    """
    said = request.headers.getall(AFTER_CONTENT, [])
    if not said:
        return route
    wanted = ", ".join(said)  # RFC 9110, section 5.3
    if wanted not in set(AfterContent):
        known = ", ".join(AfterContent)
        shown = wanted[:40].encode("ascii", "replace").decode()
        raise rejected(f"The header {AFTER_CONTENT} must be one of {known}, got {shown}.")
    return replace(route, after_content=AfterContent(wanted))


def fresh_id() -> str:
    """An id that tells requests apart; nothing hangs on its being hard to guess."""
    return f"{getrandbits(128):032x}"


def named_provider(body: bytes) -> str | None:
    """The provider that a reset names; `None` means all of them. Raises `Rejected`."""
    if not body.strip():
        return None
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise rejected(f"The body is not valid JSON: {error}.") from None
    provider = asked.get("provider") if isinstance(asked, dict) else ""
    if provider is not None and (not isinstance(provider, str) or not provider):
        raise rejected('The body must be empty or {"provider": NAME}.', param="provider")
    return provider
