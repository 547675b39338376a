"""The scorecard: for people as a table, for programs as one JSON document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sidecar import __version__
from sidecar.config.quantity import format_quantity
from sidecar.core.settings import Entry, Route
from sidecar.core.units import Unit
from sidecar.drill.place import Place, named
from sidecar.drill.running import Result
from sidecar.drill.table import Omission

COLUMNS = ("fault", "mode", "promise", "saw", "seconds", "hits", "")
RIGHT = frozenset(("seconds",))
KEPT, BROKEN = "✓", "✗"
GREEN, RED, BOLD, DIM = "32", "31", "1", "2"

Json = dict[str, Any]
Cells = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """All that a drill came to. `unix_s` is when, `seconds` how long it took."""

    source: str
    results: Sequence[Result]
    omissions: Sequence[Omission]
    unix_s: float
    seconds: float
    warnings: tuple[str, ...] = ()

    @property
    def held(self) -> int:
        """How many promises were kept."""
        return sum(result.sight.held for result in self.results)

    @property
    def all_held(self) -> bool:
        """Whether none was broken."""
        return self.held == len(self.results)

    @property
    def date(self) -> datetime:
        """When it was."""
        return datetime.fromtimestamp(self.unix_s, UTC)


# For people


def as_text(card: Scorecard, *, coloured: bool) -> str:
    """The table, by route and position, and what it comes to."""
    return "\n".join(lines(card, Paint(coloured)))


class Paint:
    """Colours, where they are wanted."""

    def __init__(self, coloured: bool) -> None:  # noqa: FBT001  its only parameter
        self._coloured = coloured

    def __call__(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._coloured else text


def lines(card: Scorecard, paint: Paint) -> Iterator[str]:
    """All lines of the scorecard."""
    yield from (f"warning: {warning}" for warning in card.warnings)
    widths = widths_of([COLUMNS, *map(cells, card.results)])
    for route, of_route in groupby(card.results, lambda one: one.scenario.place.route.name):
        results = list(of_route)
        yield from ("", paint(route_told(results[0].scenario.place, route), BOLD))
        for place, of_place in groupby(results, lambda one: named(one.scenario.place)):
            rows = list(of_place)
            entry = rows[0].scenario.place.entry
            yield from ("", f"{paint(place, BOLD)}: {clocks_told(entry)}")
            yield paint(row_told(COLUMNS, widths), DIM)
            for row in rows:
                yield from told(row, widths, paint)
    yield ""
    if card.omissions:
        yield "Left out:"
        yield from left_out(card.omissions)
        yield ""
    colour = GREEN if card.all_held else RED
    yield paint(f"{card.held} of {len(card.results)} promises held.", colour)
    yield f"sidecar {__version__}, {card.date:%Y-%m-%d %H:%M} UTC, {card.source}"
    yield f"The drill took {card.seconds:.0f} s; each position has its clocks above its rows."


def left_out(omissions: Sequence[Omission]) -> Iterator[str]:
    """What was not played: a line for each reason."""
    places: dict[tuple[str, str], list[str]] = {}
    for one in omissions:
        places.setdefault((one.what, one.why), []).append(one.where)
    for (what, why), found in places.items():
        where = found[0] if len(found) == 1 else f"{len(found)} positions"
        yield f"  {what} ({where}): {why}"


def told(result: Result, widths: Sequence[int], paint: Paint) -> Iterator[str]:
    """A row, and below it what broke."""
    line = row_told(cells(result), widths)
    yield line if result.sight.held else paint(line, RED)
    if not result.sight.held:
        yield paint(f"      broken: {'; '.join(broken(result))}", RED)


def broken(result: Result) -> list[str]:
    """What was not as promised."""
    late = [f"late: {result.sight.late}"] if result.sight.late else []
    return [*result.sight.wrongs, *late]


def cells(result: Result) -> Cells:
    """A row of the table."""
    scenario, sight = result.scenario, result.sight
    hits = ", ".join(f"{name} {count}" for name, count in sight.hits.items())
    return (
        scenario.row.id,
        str(scenario.mode),
        str(scenario.promise),
        f"{sight.saw}{', played again' * result.again}",
        f"{sight.seconds:.2f}",
        hits or "none",
        KEPT if sight.held else BROKEN,
    )


def widths_of(rows: Sequence[Cells]) -> list[int]:
    """The width of each column."""
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def row_told(row: Cells, widths: Sequence[int]) -> str:
    """The cells of a row, each as wide as its column."""
    aligned = (
        cell.rjust(width) if name in RIGHT else cell.ljust(width)
        for name, cell, width in zip(COLUMNS, row, widths, strict=True)
    )
    return f"  {'  '.join(aligned)}".rstrip()


def route_told(place: Place, name: str) -> str:
    """A route, how it is asked for, and what holds for all of it."""
    route = place.route
    return (
        f"Route {name}, asked for as {place.model}: in all {duration(route.total_s)},"
        f" after_content {route.after_content}, content_filter {route.content_filter}"
    )


def clocks_told(entry: Entry) -> str:
    """The clocks in force for an entry, and its breaker."""
    return ", ".join(f"{name} {value}" for name, value in clocks_of(entry).items())


def clocks_of(entry: Entry) -> Json:
    """The same by name."""
    timeouts, breaker, retry = entry.timeouts, entry.provider.breaker, entry.provider.retry
    return {
        "connect": duration(timeouts.connect_s),
        "first_token": duration(timeouts.first_token_s),
        "idle": duration(timeouts.idle_s),
        "answer": duration(timeouts.answer_s),
        "failure_threshold": breaker.failure_threshold,
        "open_timeout": duration(breaker.open_timeout_s),
        "retry.attempts": retry.attempts,
        "retry.max_wait": duration(retry.max_wait_s),
    }


def duration(seconds: float) -> str:
    """Seconds as the configuration writes them."""
    return format_quantity(seconds, Unit.SECONDS)


# For programs


def as_json(card: Scorecard) -> Json:
    """Everything, with stable keys."""
    return {
        "version": __version__,
        "date": card.date.isoformat(timespec="seconds"),
        "config": card.source,
        "seconds": round(card.seconds, 1),
        "summary": {
            "promises": len(card.results),
            "held": card.held,
            "broken": len(card.results) - card.held,
            "left_out": len(card.omissions),
        },
        "routes": [route_as_json(route) for route in routes_of(card)],
        "rows": [row_as_json(result) for result in card.results],
        "left_out": [
            {"what": one.what, "where": one.where, "why": one.why} for one in card.omissions
        ],
        "warnings": list(card.warnings),
    }


def routes_of(card: Scorecard) -> list[Route]:
    """The routes that were drilled."""
    routes = (result.scenario.place.route for result in card.results)
    return list({route.name: route for route in routes}.values())


def route_as_json(route: Route) -> Json:
    """A route, and the clocks of its entries."""
    return {
        "models": list(route.models),
        "total": duration(route.total_s),
        "after_content": route.after_content,
        "content_filter": route.content_filter,
        "chain": [
            {"provider": one.provider.name, "model": one.model, "clocks": clocks_of(one)}
            for one in route.chain
        ],
    }


def row_as_json(result: Result) -> Json:
    """One row."""
    scenario, sight = result.scenario, result.sight
    place = scenario.place
    return {
        "route": place.route.name,
        "position": place.position + 1,
        "provider": place.provider.name,
        "model": place.entry.model,
        "fault": scenario.row.id,
        "does": scenario.row.does,
        "mode": scenario.mode,
        "promise": str(scenario.promise),
        "limit_s": scenario.promise.within_s,
        "saw": sight.saw,
        "seconds": round(sight.seconds, 3),
        "hits": dict(sight.hits),
        "held": sight.held,
        "broken": broken(result),
        "played_again": result.again,
    }
