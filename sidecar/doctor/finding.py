"""What the doctor found: one thing that was looked at, how it is, and what cures it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    """How something is: fit for use, worth a look, or broken."""

    GOOD = "good"
    DOUBT = "doubt"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing. `check` is what was looked at, `about` whose it is; `cure` is one line.

    What is good needs no cure.
    """

    about: str
    check: str
    mark: Mark
    seen: str
    cure: str = ""


def good(about: str, check: str, seen: str) -> Finding:
    """Nothing to do."""
    return Finding(about, check, Mark.GOOD, seen)


def doubt(about: str, check: str, seen: str, cure: str) -> Finding:
    """It works, but not as it should, or nobody can tell."""
    return Finding(about, check, Mark.DOUBT, seen, cure)


def bad(about: str, check: str, seen: str, cure: str) -> Finding:
    """It does not work."""
    return Finding(about, check, Mark.BAD, seen, cure)


def ms(seconds: float) -> str:
    """A time in milliseconds, with a decimal where it is short."""
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.00995 else f"{seconds * 1000:.1f} ms"


def counted(number: int, word: str, plural: str = "") -> str:
    """`1 key`, `2 keys`."""
    return f"{number} {word if number == 1 else plural or f'{word}s'}"
