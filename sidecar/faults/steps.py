"""What a scripted provider can do on a connection, one step at a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Send:
    """Write `data` as it is: a script owns every byte, so it can also get them wrong."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for `s` seconds; `None`: until the peer leaves or the provider closes."""

    s: float | None = None


@dataclass(frozen=True, slots=True)
class Until:
    """Do nothing until `s` seconds after the script began: a pace that does not drift."""

    s: float


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection in good order (FIN), whatever was still to come."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Drop the connection with a reset (RST): what is still on its way may be lost."""


Step = Send | Wait | Until | Close | Reset
