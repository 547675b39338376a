"""The fault table: every row by its id, and what of it is played where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from sidecar.core.settings import Settings
from sidecar.drill.after import AFTER
from sidecar.drill.before import BEFORE
from sidecar.drill.course import COURSE
from sidecar.drill.leaving import LEAVING
from sidecar.drill.place import LeftOut, Mode, Place, named, places_of
from sidecar.drill.promise import Promise
from sidecar.drill.row import Row

ROWS: dict[str, Row] = {row.id: row for row in (*BEFORE, *AFTER, *COURSE, *LEAVING)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row, at one place, asked in one mode."""

    row: Row
    place: Place
    mode: Mode
    promise: Promise

    @property
    def lasts_s(self) -> float:
        """About how long it takes, at most."""
        return self.promise.within_s + self.row.more_s(self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Omission:
    """What is not played, and why."""

    what: str
    where: str
    why: str


def rows_of(ids: Iterable[str]) -> tuple[Row, ...]:
    """The rows of those ids, all where there are none.

    Raises `ValueError` with the nearest ids for one that is unknown.
    """
    wanted = tuple(dict.fromkeys(ids))
    for name in wanted:
        if name not in ROWS:
            near = " or ".join(get_close_matches(name, ROWS))
            hint = f"did you mean {near}?" if near else f"there are {', '.join(ROWS)}"
            raise ValueError(f"unknown fault, got {name} ({hint})")
    return tuple(ROWS[name] for name in wanted) if wanted else tuple(ROWS.values())


def plan(settings: Settings, rows: Iterable[Row]) -> tuple[list[Scenario], list[Omission]]:
    """All that is to be played, in the order of the scorecard; and all that is not."""
    scenarios: list[Scenario] = []
    omissions: list[Omission] = []
    rows = tuple(rows)
    for place in places_of(settings):
        if not isinstance(place, Place):
            omissions.append(Omission(what="everything", where=place[0], why=place[1]))
            continue
        for found in planned(place, rows):
            if isinstance(found, Scenario):
                scenarios.append(found)
            else:
                omissions.append(found)
    return scenarios, omissions


def where(place: Place) -> str:
    """A place by its route and its entry."""
    return f"{place.route.name}, {named(place)}"


def planned(place: Place, rows: Iterable[Row]) -> Iterator[Scenario | Omission]:
    """What the rows come to at one place."""
    for row in rows:
        if row.once and place.position:
            continue
        for mode in row.modes:
            promise = row.promise(place, mode)
            if isinstance(promise, LeftOut):
                yield Omission(what=row.id, where=where(place), why=promise)
            else:
                yield Scenario(row=row, place=place, mode=mode, promise=promise)
