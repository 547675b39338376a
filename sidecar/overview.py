"""`/status.json` for a person: a sentence that says who serves, and a table of the providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sidecar.config.problem import printable

Json = Mapping[str, Any]
Row = tuple[str, ...]

HEADINGS: Row = (
    *("PROVIDER", "STATE", "SINCE", "CAUSE", "NEXT TRY"),
    *("ERRORS", "P50", "P95", "IN FLIGHT"),
)
UNKNOWN = "-"
SERVING = ("closed", "held closed")
ASIDES = {"parked": "parked", "cooling down": "cooldown_s"}  # in the order in which they count
GREEN, YELLOW, RED, PURPLE, PLAIN = (f"\x1b[{number}m" for number in (32, 33, 31, 35, 0))
COLORS = {"closed": GREEN, "half_open": YELLOW, "open": RED}
UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
PODS_SHOWN = 10


def overview(status: Json, now: float, *, color: bool) -> str:
    """Tell what a running sidecar says of itself. `now` is Unix time; `color` is for a terminal."""
    providers = status["providers"]
    heading, *lines = aligned([HEADINGS, *(row(provider, now) for provider in providers)])
    if color:
        lines = [painted(line, one) for line, one in zip(lines, providers, strict=True)]
    return "\n".join([who_serves(status), *who_shares(status), "", heading, *lines])


# Where a provider stands


class Standing(NamedTuple):
    """Where a provider stands: in a word, for how long yet, and why, as far as that is known."""

    word: str
    wait_s: float | None = None
    why: str = ""

    def __str__(self) -> str:
        lasting = f" for {span(self.wait_s)}" if self.wait_s else ""
        return f"{spoken(self.word)}{lasting}" + (f" ({self.why})" if self.why else "")


def standing(provider: Json, entry: str = "") -> Standing:
    """Where a provider stands, or what `entry` of a chain needs of it.

    A hold goes before the breaker's state; an open breaker before what is set aside.
    """
    wait_s = provider.get("retry_in_s")
    if held := provider.get("held"):
        return Standing(f"held {held['mode']}", wait_s, held.get("reason") or "")
    state = Standing(str(provider["state"]), wait_s, spoken(provider.get("cause")))
    if state.word == "open" and wait_s != 0:
        return state
    return set_aside(provider, entry) or state


def set_aside(provider: Json, entry: str) -> Standing | None:
    """What keeps calls away although the breaker may let them through."""
    for word, key in ASIDES.items():
        if found := [one for one in provider.get(key) or () if concerns(one, entry)]:
            waits = [one["retry_in_s"] for one in found if "retry_in_s" in one]
            return Standing(word, min(waits, default=None), whys_aside(found, entry))
    return None


def concerns(aside: Json, entry: str) -> bool:
    """Whether what is set aside is needed by `entry`; empty stands for all of a provider."""
    model = entry.partition("/")[2] or "*"
    return not entry or aside["model"] in ("", model)


def whys_aside(asides: Sequence[Json], entry: str) -> str:
    """Why things are set aside; where no `entry` says which model is meant, with the model."""
    models = ("" if entry else one["model"] for one in asides)
    reasons = (spoken(one.get("reason")) for one in asides)
    whys = (" of ".join(filter(None, why)) for why in zip(reasons, models, strict=True))
    return ", ".join(filter(None, whys))


def spoken(word: str | None) -> str:
    """A word of a closed vocabulary as people write it."""
    return (word or "").replace("_", " ")


# Who serves


def who_serves(status: Json) -> str:
    """One sentence on who answers calls now, and why those before them in a chain do not."""
    breakers = {provider["name"]: provider for provider in status["providers"]}
    served: dict[str, list[str]] = {}
    reasons: dict[str, None] = {}  # in order, each once
    for route in status["routes"]:
        name, passed = first_serving(route["chain"], breakers)
        served.setdefault(name, []).extend(route["models"])
        reasons |= dict.fromkeys(passed)
    because = f": {'; '.join(reasons)}" if reasons else ""
    return printable(shared_out(served) + because) + "."


def shared_out(served: Mapping[str, Sequence[str]]) -> str:
    """Who serves which models; the empty name stands for nobody."""
    if not any(served):
        return "Nobody serves"
    if len(served) == 1:
        return f"{next(iter(served))} serves every model"
    clauses = (f"{name or 'nobody'} serves {', '.join(models)}" for name, models in served.items())
    return "; ".join(clauses)


def first_serving(chain: Sequence[str], breakers: Mapping[str, Json]) -> tuple[str, list[str]]:
    """Who of `chain` is asked first (empty: nobody), and what keeps calls from those before."""
    passed: list[str] = []
    for entry in chain:
        # a breaker is named after its provider, or after its provider and model
        names = (entry, entry.partition("/")[0], f"{entry}/*")
        breaker = next((breakers[name] for name in names if name in breakers), None)
        if breaker is None:
            continue
        where, name = standing(breaker, entry), name_of(entry, chain)
        if where.word in SERVING:
            return name, passed
        passed.append(f"{name} is {where}")
    return "", passed


def name_of(entry: str, chain: Sequence[str]) -> str:
    """The provider of `entry`, with its model only where the chain asks it for several."""
    provider = entry.partition("/")[0]
    several = [one.partition("/")[0] for one in chain].count(provider) > 1
    return entry if several else provider


# The store


def who_shares(status: Json) -> list[str]:
    """One sentence on the store and the pods that share it; none where breakers are not shared."""
    store = status.get("store") or {}
    if store.get("kind", "memory") == "memory":
        return []
    if store["degraded"]:
        return [f"This pod decides alone: {store['kind']} is out of reach."]
    names = [one["pod"] for one in store["pods"]]
    if not names:
        return [f"No pod was seen at {store['kind']} yet."]
    shown = ", ".join(names[:PODS_SHOWN]) + ", …" * (len(names) > PODS_SHOWN)
    return [printable(f"{len(names)} share their breakers by {store['kind']}: {shown}.")]


# The table


def row(provider: Json, now: float) -> Row:
    """The cells of a provider."""
    ratio, where = provider.get("error_ratio"), standing(provider)
    return (
        printable(provider["name"]),
        where.word,
        *moved(provider, where, now),
        span(where.wait_s),
        UNKNOWN if ratio is None else f"{ratio:.0%}",
        seconds(provider.get("p50_s")),
        seconds(provider.get("p95_s")),
        str(provider.get("in_flight", UNKNOWN)),
    )


def moved(provider: Json, where: Standing, now: float) -> tuple[str, str]:
    """Since when it stands there, and why. Nobody notes when something was set aside."""
    if where.word in ASIDES:
        return UNKNOWN, printable(where.why) or UNKNOWN
    since = provider.get("since")
    return span(now - since) if since else UNKNOWN, spoken(provider.get("cause")) or UNKNOWN


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


def aligned(rows: Sequence[Row]) -> list[str]:
    """The rows as lines with their columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(one, widths, strict=True)).rstrip()
        for one in rows
    ]


def painted(line: str, provider: Json) -> str:
    """The line in the color of where its provider stands."""
    return f"{COLORS.get(standing(provider).word, PURPLE)}{line}{PLAIN}"
