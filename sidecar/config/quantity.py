"""Durations and sizes: numbers that are written with their unit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sidecar.config.problem import Wrong
from sidecar.core.units import Unit


@dataclass(frozen=True, slots=True)
class Scale:
    """How a kind of quantity is written.

    `units` are in parts of which `parts` make one of what the settings count (milliseconds of a
    second), so that whole parts stay exact. Larger units first.
    """

    units: dict[str, int]
    parts: int
    number: type[int | float]
    plain: str
    suffix: str
    examples: str

    @property
    def pattern(self) -> str:
        """A regular expression for everything that can be read."""
        return rf"^([0-9]{{1,12}}(?:\.[0-9]{{1,6}})?)({'|'.join(self.units)})$"


SCALES = {
    Unit.SECONDS: Scale(
        {"h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1},
        parts=1000,
        number=float,
        plain="s",
        suffix="_s",
        examples="250ms, 60s, 10m or 1h",
    ),
    Unit.BYTES: Scale(
        {
            "GiB": 1024**3,
            "GB": 1000**3,
            "MiB": 1024**2,
            "MB": 1000**2,
            "KiB": 1024,
            "KB": 1000,
            "B": 1,
        },
        parts=1,
        number=int,
        plain="B",
        suffix="_bytes",
        examples="512B, 32KiB, 32MiB or 1GiB",
    ),
}


def parse_quantity(text: str, unit: Unit) -> float:
    """Read `60s` as 60.0 or `32KiB` as 32768. Raises `Wrong` for anything without a unit."""
    scale = SCALES[unit]
    found = re.fullmatch(scale.pattern, text, re.ASCII)
    if found is None:
        bare = re.fullmatch(r"[0-9]+(\.[0-9]+)?", text, re.ASCII)
        if bare:
            raise Wrong(f"needs a unit ({scale.examples})", meant=f"{text}{scale.plain}")
        raise Wrong(f"must be a {unit} such as {scale.examples}")
    return scale.number(float(found[1]) * scale.units[found[2]] / scale.parts)


def format_quantity(value: float, unit: Unit) -> str:
    """Write `value` in the largest unit that leaves a whole number: 90.0 is `90s`, 60.0 is `1m`."""
    scale = SCALES[unit]
    parts = round(value * scale.parts, 6)
    for name, size in scale.units.items():
        if parts >= size and parts % size == 0:
            return f"{parts / size:.0f}{name}"
    return f"{parts:.15g}{name}"
