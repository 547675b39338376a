"""Requests that only one provider can serve, because it keeps what they go on with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sidecar.core.capability import Capability
from sidecar.core.settings import Entry, Route
from sidecar.dialects.responses.ids import minted_by
from sidecar.proxy.call import rejected

PREFIX = "/responses/"
PREVIOUS = "previous_response_id"
KEPT = (PREVIOUS, "conversation", "prompt")  # what a provider's account holds


def pin(fields: dict[str, Any], route: Route) -> tuple[dict[str, Any], Route]:
    """A Responses request that names what a provider keeps, and the route with that one alone.

    An id that the sidecar did not mark goes to the first of the chain that keeps anything. Raises
    `Rejected` for one whose provider the route does not ask.
    """
    if all(fields.get(name) is None for name in KEPT):
        return fields, route
    named = fields.get(PREVIOUS)
    found = minted_by(named, names(route.chain)) if isinstance(named, str) else None
    if found is None:
        return fields, only_the_first_keeper(route)
    provider, original = found
    return {**fields, PREVIOUS: original}, only(provider, route)


def only_the_first_keeper(route: Route) -> Route:
    """The route with the first provider that keeps anything; where none does, it says so itself."""
    keepers = tuple(entry for entry in route.chain if keeps(entry))
    return replace(route, chain=keepers[:1] or route.chain)


def only(provider: str, route: Route) -> Route:
    """The route with `provider` alone. Raises `Rejected` if that keeps nothing."""
    chain = tuple(entry for entry in route.chain if entry.provider.name == provider)
    if keeps(chain[0]):
        return replace(route, chain=chain)
    raise rejected(
        f"The response was given by {provider}, which keeps none: send the whole conversation.",
        param=PREVIOUS,
    )


def keeps(entry: Entry) -> bool:
    return Capability.RESPONSES not in entry.cannot


def pinned_path(path: str, routes: Iterable[Route]) -> tuple[str, Route] | None:
    """A path below `/responses/` with its provider's own id, and a route to that provider alone."""
    if not path.startswith(PREFIX):
        return None
    given, slash, rest = path.removeprefix(PREFIX).partition("/")
    for route in routes:
        if found := minted_by(given, names(route.chain)):
            provider, original = found
            entry = next(one for one in route.chain if one.provider.name == provider)
            return f"{PREFIX}{original}{slash}{rest}", replace(route, chain=(entry,))
    return None


def names(chain: Iterable[Entry]) -> set[str]:
    return {entry.provider.name for entry in chain}
