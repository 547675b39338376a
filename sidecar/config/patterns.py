"""The patterns of routes: which of them can never match, because an earlier one takes it all."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from sidecar.config.cursor import Cursor, Given


def report_unreachable(routes: Iterable[Given]) -> None:
    """Report each pattern that an earlier route covers, and each that its own route repeats."""
    earlier: dict[str, str] = {}
    for route in routes:
        own: set[str] = set()
        for at, pattern in _patterns(route):
            covering = next((other for other in earlier if covers(other, pattern)), None)
            if covering is not None:
                at.report(f"is never reached after {earlier[covering]}", got=at.node.shown)
            if pattern in own:
                at.report("is there twice", got=at.node.shown)
            own.add(pattern)
        earlier |= dict.fromkeys(own - earlier.keys(), ".".join(route.at.path))


def covers(earlier: str, later: str) -> bool:
    """Whether all that `later` matches, `earlier` matches too. `False` where it is hard to tell."""
    if earlier in ("*", later):
        return True
    is_name = not any(sign in later for sign in "*?[")
    # Without ? and classes, matching the pattern as if it were a name is the same as covering it.
    is_simple = not any(sign in earlier for sign in "?[") and "[" not in later
    return (is_name or is_simple) and fnmatchcase(later, earlier)


def _patterns(route: Given) -> Iterable[tuple[Cursor, str]]:
    patterns = route.values.get("models", ())
    places = route.at.child("models").items() if patterns else ()
    return zip(places, patterns, strict=True) if len(places) == len(patterns) else ()
