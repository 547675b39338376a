"""Requests that only one provider can serve, because it keeps what they go on with."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sidecar.core.capability import Capability
from sidecar.core.settings import Entry, Route
from sidecar.dialects.presets import PRESETS
from sidecar.dialects.responses.ids import minted_by
from sidecar.proxy.call import rejected

PREFIX = "/responses/"
PREVIOUS = "previous_response_id"
FIT = re.compile("[A-Za-z0-9_.~-]{1,512}")  # of an id: it is made a part of a path
KEPT = (PREVIOUS, "conversation", "prompt")  # what a provider's account holds


def pin(fields: dict[str, Any], route: Route) -> tuple[dict[str, Any], Route]:
    """A Responses request that names what a provider keeps, and the route with that one alone.

    An id that is of none of the chain goes to the first that keeps anything. Raises `Rejected` for
    one whose provider keeps nothing.
    """
    if all(fields.get(name) is None for name in KEPT):
        return fields, route
    named = fields.get(PREVIOUS)
    found = minted_by(named, names(route)) if isinstance(named, str) else None
    if found is None:
        return fields, only_the_first_keeper(route)
    provider, original = found
    return {**fields, PREVIOUS: original}, only(provider, route, param=PREVIOUS)


def pinned_path(path: str, routes: Iterable[Route]) -> tuple[str, Route] | None:
    """A path below `/responses/` with its provider's own id, and a route to that provider alone.

    An id that is of nobody goes to the first of the `*` route that keeps anything. Raises
    `Rejected` for one whose provider keeps nothing.
    """
    if not path.startswith(PREFIX):
        return None
    given, slash, rest = path.removeprefix(PREFIX).partition("/")
    for route in routes:
        if found := minted_by(given, names(route)):
            provider, original = found
            own = f"{PREFIX}{fit(original)}{slash}{rest}"
            return own, first_of(only(provider, route, status=404))
    everything = next((route for route in routes if "*" in route.models), None)
    return (path, first_of(only_the_first_keeper(everything))) if everything else None


def fit(original: str) -> str:
    """A provider's own id, fit to be a part of a path. Raises `Rejected`."""
    if FIT.fullmatch(original) and original not in {".", ".."}:
        return original
    raise rejected("There is no such response.", status=404)


def only_the_first_keeper(route: Route) -> Route:
    """The route with the first provider that keeps anything; where none does, it says so itself."""
    keepers = tuple(entry for entry in route.chain if keeps(entry))
    return replace(route, chain=keepers[:1] or route.chain)


def only(provider: str, route: Route, *, param: str | None = None, status: int = 400) -> Route:
    """The route with `provider` alone. Raises `Rejected` if that keeps nothing."""
    chain = (entry for entry in route.chain if entry.provider.name == provider)
    if keepers := tuple(entry for entry in chain if keeps(entry)):
        return replace(route, chain=keepers)
    raise rejected(
        f"The response was given by {provider}, which keeps none: send the whole conversation.",
        param=param,
        status=status,
    )


def only_who_counts(route: Route) -> Route:
    """The route with the first that serves Messages itself. Raises `Rejected` where nobody does."""
    counters = tuple(one for one in route.chain if PRESETS[one.provider.kind].messages)
    if counters:
        return replace(route, chain=counters[:1])
    raise rejected(
        "No provider of this model serves Messages itself, so none counts their tokens.", status=404
    )


def first_of(route: Route) -> Route:
    return replace(route, chain=route.chain[:1])


def keeps(entry: Entry) -> bool:
    return Capability.RESPONSES not in entry.cannot


def names(route: Route) -> set[str]:
    return {entry.provider.name for entry in route.chain}
