"""Tables that fit the width there is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sidecar.terminal.words import clipped

Row = tuple[str, ...]

GAP = "  "


class Column(NamedTuple):
    """A column: its heading, and how it gives way.

    Where the table is too wide, those with a `least` width are cut down to that, in order; then
    those with the lowest `rank` go, and what has none stays.
    """

    heading: str
    least: int | None = None
    rank: int | None = None
    is_number: bool = False


def fitted(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[str]:
    """The table as lines of at most `width`, the heading first; below all that can give way, more.

    Cells of numbers end below each other, all others begin so.
    """
    texts = [tuple(one.heading for one in columns), *rows]
    widths = [max(map(len, cells)) for cells in zip(*texts, strict=True)]
    kept = list(range(len(columns)))
    narrowed = cut_down(columns, widths, kept, width)
    for place in yielding(columns):
        if total(narrowed, kept) <= width:
            break
        kept.remove(place)
        narrowed = cut_down(columns, widths, kept, width)
    return [line(columns, one, narrowed, kept) for one in texts]


def yielding(columns: Sequence[Column]) -> list[int]:
    """The places of the columns that may go, in the order in which they do."""
    ranks = [(one.rank, place) for place, one in enumerate(columns) if one.rank is not None]
    return [place for _, place in sorted(ranks)]


def total(widths: Sequence[int], kept: Collection[int]) -> int:
    """How wide a line is."""
    return sum(widths[place] for place in kept) + len(GAP) * (len(kept) - 1)


def cut_down(
    columns: Sequence[Column], widths: Sequence[int], kept: Collection[int], width: int
) -> list[int]:
    """The widths where columns give way."""
    narrowed = list(widths)
    for place in kept:
        if (least := columns[place].least) is not None:
            excess = max(0, total(narrowed, kept) - width)
            narrowed[place] = max(min(least, widths[place]), narrowed[place] - excess)
    return narrowed


def line(
    columns: Sequence[Column], cells: Row, widths: Sequence[int], kept: Collection[int]
) -> str:
    """One row."""
    texts = []
    for place in kept:
        text = clipped(cells[place], widths[place])
        is_number = columns[place].is_number
        texts.append(text.rjust(widths[place]) if is_number else text.ljust(widths[place]))
    return GAP.join(texts).rstrip()
