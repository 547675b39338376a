"""`/status.json` for a person: a sentence that says who serves, and a table of the providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.config.problem import printable

Json = Mapping[str, Any]
Row = tuple[str, ...]

HEADINGS: Row = (
    *("PROVIDER", "STATE", "SINCE", "CAUSE", "NEXT PROBE"),
    *("ERRORS", "P50", "P95", "IN FLIGHT"),
)
UNKNOWN = "-"
GREEN, YELLOW, RED, PURPLE, PLAIN = (f"\x1b[{number}m" for number in (32, 33, 31, 35, 0))
COLORS = {"closed": GREEN, "half_open": YELLOW, "open": RED}
UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def overview(status: Json, now: float, *, color: bool) -> str:
    """Tell what a running sidecar says of itself. `now` is Unix time; `color` is for a terminal."""
    providers = status["providers"]
    heading, *lines = aligned([HEADINGS, *(row(provider, now) for provider in providers)])
    if color:
        lines = [painted(line, one) for line, one in zip(lines, providers, strict=True)]
    return "\n".join([who_serves(status), "", heading, *lines])


def standing(provider: Json) -> str:
    """Where a provider stands, in a word: an operator's hold goes before the breaker's state."""
    if held := provider.get("held"):
        return f"held {held['mode']}"
    if provider.get("parked") and provider["state"] == "closed":
        return "parked"
    return str(provider["state"])


# Who serves


def who_serves(status: Json) -> str:
    """One sentence on who answers calls now."""
    served: dict[str, list[str]] = {}
    for route in status["routes"]:
        name = first_serving(route["chain"], status["providers"])
        served.setdefault(name, []).extend(route["models"])
    if not any(served):
        return "Nobody serves: no breaker lets calls through."
    if len(served) == 1:
        return printable(f"{next(iter(served))} serves every model.")
    clauses = (f"{name or 'nobody'} serves {', '.join(models)}" for name, models in served.items())
    return printable("; ".join(clauses)) + "."


def first_serving(chain: Sequence[str], providers: Sequence[Json]) -> str:
    """Who of `chain` is asked first; empty where every breaker keeps calls away but for probes."""
    serving = {
        provider["name"]
        for provider in providers
        if standing(provider) in {"closed", "held closed"}
    }
    for entry in chain:
        provider = entry.partition("/")[0]
        # a breaker is named after its provider, or after its provider and model
        if serving.intersection((entry, provider, f"{entry}/*")):
            return provider
    return ""


# The table


def row(provider: Json, now: float) -> Row:
    """The cells of a provider."""
    ratio, waits = provider.get("error_ratio"), provider["state"] == "open"
    return (
        printable(provider["name"]),
        standing(provider),
        span(now - provider["since"]) if provider.get("since") else UNKNOWN,
        provider.get("cause") or UNKNOWN,
        span(provider.get("retry_in_s")) if waits else UNKNOWN,
        UNKNOWN if ratio is None else f"{ratio:.0%}",
        seconds(provider.get("p50_s")),
        seconds(provider.get("p95_s")),
        str(provider.get("in_flight", UNKNOWN)),
    )


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
    """A latency."""
    return UNKNOWN if value is None else f"{value:.2f}s"


def aligned(rows: Sequence[Row]) -> list[str]:
    """The rows as lines with their columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(one, widths, strict=True)).rstrip()
        for one in rows
    ]


def painted(line: str, provider: Json) -> str:
    """The line in the color of where its provider stands."""
    return f"{COLORS.get(standing(provider), PURPLE)}{line}{PLAIN}"
