"""Where a fault is played: a position of a chain, and who stands before and after it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sidecar.core.policies import P95, AfterContent, UpstreamMode
from sidecar.core.settings import Entry, Provider, Route, Settings

SPECIAL = re.compile(r"\[(!?)(\]?[^\]]*)\]|[*?]")
FILLERS = ("", "any", "drill")  # what may stand for a `*`
LETTERS = "xyzabc0123456789-"


class Mode(StrEnum):
    """How the application asks."""

    STREAM = "stream"
    WHOLE = "whole"


class LeftOut(str):
    """Why something is not played."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A position (from 0) of the chain of `route`, which is reached by asking for `model`.

    Its provider has the fault, wherever else in the chain it stands.
    """

    settings: Settings
    route: Route
    model: str
    position: int

    @property
    def entry(self) -> Entry:
        """Who has the fault."""
        return self.route.chain[self.position]

    @property
    def provider(self) -> Provider:
        """Whose fault it is."""
        return self.entry.provider

    @property
    def own(self) -> tuple[Entry, ...]:
        """All entries of the chain that have the fault, for they are of the same provider."""
        return tuple(one for one in self.route.chain if one.provider.name == self.provider.name)

    @property
    def earlier(self) -> tuple[Entry, ...]:
        """Those before it: they fail fast."""
        return self.route.chain[: self.position]

    @property
    def later(self) -> tuple[Entry, ...]:
        """Those after it that are well."""
        ill = {entry.provider.name for entry in self.route.chain[: self.position + 1]}
        after = self.route.chain[self.position + 1 :]
        return tuple(entry for entry in after if entry.provider.name not in ill)

    def streams(self, mode: Mode) -> bool:
        """Whether providers are asked for streams."""
        return mode is Mode.STREAM or self.settings.streaming.upstream is UpstreamMode.ALWAYS

    def holds(self, mode: Mode) -> bool:
        """Whether nobody hears of an answer before it is whole."""
        return mode is Mode.WHOLE or self.route.after_content is AfterContent.BUFFER

    def hedges(self, mode: Mode) -> bool:
        """Whether the next one may be asked as well, in a first call, while this one is silent."""
        after = self.settings.hedge.after  # the percentile takes more calls than one
        return after not in (None, P95) and self.streams(mode)


def places_of(settings: Settings) -> Iterator[Place | tuple[str, LeftOut]]:
    """Every place there is; of what cannot be one, its name and why."""
    for route in settings.routes:
        model = model_for(settings, route)
        if model is None:
            yield route.name, LeftOut("other routes take every model that it names")
            continue
        for position, entry in enumerate(route.chain):
            before = {one.provider.name for one in route.chain[:position]}
            place = Place(settings=settings, route=route, model=model, position=position)
            if entry.provider.name in before:
                why = LeftOut(f"{entry.provider.name} has its faults at both places at once")
                yield f"{route.name}, {named(place)}", why
            else:
                yield place


def named(place: Place) -> str:
    """A place in the words of the configuration: its number, and `provider/model`."""
    entry = place.entry
    told = f"{entry.provider.name}/{entry.model}" if entry.model else entry.provider.name
    return f"{place.position + 1}. {told}"


def model_for(settings: Settings, route: Route) -> str | None:
    """A model to ask for that reaches `route`; `None` where earlier routes take them all."""
    return next((name for name in names_for(route) if settings.route_for(name) is route), None)


def names_for(route: Route) -> Iterator[str]:
    """Names that the patterns of `route` match."""
    for pattern in route.models:
        for filler in FILLERS:
            if name := spelled(pattern, filler):
                yield name


def spelled(pattern: str, filler: str) -> str:
    """A name that a shell glob matches, with `filler` for each `*`."""

    def letter(found: re.Match[str]) -> str:
        if found[0] == "*":
            return filler
        if found[0] == "?":
            return LETTERS[0]
        negated, letters = found[1], found[2]
        return next(one for one in LETTERS if one not in letters) if negated else letters[0]

    return SPECIAL.sub(letter, pattern)
