"""The fault table: every row by its id, and what of it is played where."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from sidecar.core.settings import Settings
from sidecar.drill.after import AFTER
from sidecar.drill.before import BEFORE
from sidecar.drill.course import COURSE
from sidecar.drill.fitting import out_of_time, unplayable, unplayable_as
from sidecar.drill.leaving import LEAVING
from sidecar.drill.place import LeftOut, Mode, Place, named, places_of
from sidecar.drill.promise import Promise
from sidecar.drill.row import Row

EVERYTHING = "everything"
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
            omissions.append(Omission(what=EVERYTHING, where=place[0], why=place[1]))
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
    if why := unplayable(place):
        yield Omission(what=EVERYTHING, where=where(place), why=why)
        return
    asked = list(asked_at(place, rows))
    never = dict(never_played(place, {mode for _, mode in asked}))
    for mode, why in never.items():
        yield Omission(what=f"{EVERYTHING} as {mode}", where=where(place), why=why)
    for row, mode in asked:
        if mode not in never:
            yield scenario(row, place, mode)


def asked_at(place: Place, rows: Iterable[Row]) -> Iterator[tuple[Row, Mode]]:
    """What is asked at a place, and in which modes."""
    for row in rows:
        if not (row.once and place.position):
            yield from ((row, mode) for mode in row.modes)


def never_played(place: Place, asked: Container[Mode]) -> Iterator[tuple[Mode, LeftOut]]:
    """The modes in which nothing can be played, and why."""
    for mode in Mode:
        if mode in asked and (why := unplayable_as(place, mode)):
            yield mode, why


def scenario(row: Row, place: Place, mode: Mode) -> Scenario | Omission:
    """What a row comes to at one place, asked in one mode."""
    promise = row.promise(place, mode)
    if not isinstance(promise, LeftOut):
        promise = out_of_time(place, mode, promise) or promise
    if isinstance(promise, LeftOut):
        return Omission(what=row.id, where=where(place), why=promise)
    alive_s = place.settings.streaming.keep_alive_s
    opened = mode is Mode.STREAM and alive_s is not None and alive_s < promise.within_s
    return Scenario(row=row, place=place, mode=mode, promise=replace(promise, opened=opened))
