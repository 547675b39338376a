"""What is wrong with a configuration and where: one line for each problem, all of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SHOWN_AT_MOST = 80  # characters of a value or a key in a message


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a value was written: line and column (from 1) of a file, or only a variable's name."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong. `path` is dotted; `got` and `meant` are as they would be written."""

    place: Place
    path: str = ""
    what: str
    got: str = ""
    meant: str = ""

    def __str__(self) -> str:
        text = ": ".join(
            part for part in (str(self.place), printable(self.path), self.what) if part
        )
        text += f", got {self.got}" if self.got else ""
        return text + (f" (did you mean {self.meant}?)" if self.meant else "")


class ConfigError(Exception):
    """The configuration cannot be used. Its text has one line for each problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.place))
        super().__init__("\n".join(map(str, self.problems)))


class Wrong(ValueError):
    """A value that cannot be used: a problem before it has a place.

    `shows_value` says whether the value helps to see why; `got` is the value in a form without
    secrets, where the value itself is not to be shown.
    """

    def __init__(
        self, what: str, *, meant: str = "", shows_value: bool = True, got: str = ""
    ) -> None:
        super().__init__(what)
        self.meant = meant
        self.shows_value = shows_value
        self.got = got


def printable(text: str) -> str:
    """`text` on one line, without characters that do something to a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def shortened(text: str) -> str:
    """`text` as a message shows it: printable and not too long."""
    line = printable(text)
    return line if len(line) <= SHOWN_AT_MOST else line[: SHOWN_AT_MOST - 1] + "…"


def closest(word: str, candidates: Iterable[str]) -> str:
    """The candidate that `word` was probably meant to be, or nothing."""
    import difflib  # only needed where something is wrong

    return next(iter(difflib.get_close_matches(word, list(candidates), n=1)), "")
