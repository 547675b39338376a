"""Figures, times and foreign texts as a terminal shows them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sidecar.config.problem import printable

Json = Mapping[str, Any]

UNKNOWN = "-"
UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def cleaned(told: Any) -> Any:
    """`told` with every text in it on one line, and without what does something to a terminal."""
    if isinstance(told, str):
        return printable(told)
    if isinstance(told, dict):
        return {key: cleaned(value) for key, value in told.items()}
    return [cleaned(one) for one in told] if isinstance(told, list) else told


def spoken(word: str | None) -> str:
    """A word of a closed vocabulary as people write it."""
    return (word or "").replace("_", " ")


def clipped(text: str, width: int) -> str:
    """The text, cut where it is longer."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def span(value: float | None) -> str:
    """A time in its two largest units."""
    if value is None:
        return UNKNOWN
    left, parts = max(0, round(value)), []
    for unit, size in UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2]) or "0s"


def seconds(value: float | None) -> str:
    """A latency, below a second in milliseconds."""
    if value is None:
        return UNKNOWN
    if value >= 0.9995:
        return f"{value:.2f}s"
    return f"{value * 1000:.0f}ms" if value >= 0.00995 else f"{value * 1000:.1f}ms"


def rate(per_s: float) -> str:
    """How often, by the second or the minute."""
    return f"{per_s:.1f}/s" if per_s >= 1 else f"{per_s * 60:.0f}/min"


def percent(ratio: float | None) -> str:
    """A share; never rounded to all or to nothing where it is neither."""
    if ratio is None:
        return UNKNOWN
    if 0 < ratio < 0.001:
        return "<0.1%"
    if 0.9999 < ratio < 1:
        return ">99.99%"
    return f"{ratio:.{digits(ratio)}%}"


def digits(ratio: float) -> int:
    """How many there are after the point: more, the closer it is to all or nothing."""
    if ratio in (0, 1) or 0.1 <= ratio <= 0.9:
        return 0
    return 2 if ratio > 0.99 else 1


def moment(unix_s: float) -> str:
    """The time of day, in UTC."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%H:%M:%S")
