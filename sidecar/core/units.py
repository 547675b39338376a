"""What numbers of the configuration count, and the rules that they keep."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated


class Unit(StrEnum):
    """What a number counts; in YAML such a number is a string with its unit."""

    SECONDS = "duration"
    BYTES = "size"


Seconds = Annotated[float, Unit.SECONDS]


Bytes = Annotated[int, Unit.BYTES]


def require(holds: object, name: str, rule: str, value: object) -> None:
    """Raise the `ValueError` of a setting that breaks its rule, naming it and its value."""
    if not holds:
        raise ValueError(f"{name}: {rule}, got {value}")
