"""`/report.json` for a person: what every provider gave and cost, and what to set."""

from __future__ import annotations

from collections.abc import Iterator

from sidecar.terminal.screen import BOLD, GREEN, Screen
from sidecar.terminal.table import Column, Row, fitted
from sidecar.terminal.words import UNKNOWN, Json, cleaned, percent, seconds, span

COLUMNS = (
    Column("PROVIDER", least=14),
    Column("ATTEMPTS", rank=5, is_number=True),
    Column("AVAILABLE", is_number=True),
    Column("TTFT P50", rank=3, is_number=True),
    Column("P95", rank=4, is_number=True),
    Column("P99", rank=6, is_number=True),
    Column("TOKENS IN", rank=1, is_number=True),
    Column("OUT", rank=2, is_number=True),
    Column("$/1000", rank=7, is_number=True),
)
SCALES = ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k"))  # from, unit, its letter


def reported(report: Json, screen: Screen) -> str:
    """Tell what a running sidecar saw over its life."""
    told: Json = cleaned(report)
    parts = (whole(told, screen), providers(told, screen), [*suggestions(told, screen)])
    return screen.written("\n\n".join("\n".join(one) for one in parts if one).splitlines())


def whole(report: Json, screen: Screen) -> list[str]:
    """What the application saw, and what failover did for it."""
    requests, failover = report["requests"], report["failover"]
    ratio = requests["served_ratio"]
    served = f"{count(requests['served'])} of {count(requests['total'])} requests served"
    lines = [
        f"In {span(report['uptime_s'])}: {served}"
        + (f" ({percent(ratio)} of those that could be)." if ratio is not None else "."),
        f"Failover saved {count(requests['saved'])}; {count(requests['exhausted'])} found nobody, "
        f"{count(requests['interrupted'])} broke off.",
        f"It cost {span(failover['lost_s'])} on tries before the one that answered"
        f"{each(failover)}, and {extra(failover)}.",
    ]
    return [line for text in lines for line in screen.wrapped(text)]


def each(failover: Json) -> str:
    """How much of that by request."""
    if failover["lost_p50_s"] is None:
        return ""
    p50, p95 = seconds(failover["lost_p50_s"]), seconds(failover["lost_p95_s"])
    return f" (p50 {p50}, p95 {p95} each)"


def extra(failover: Json) -> str:
    """What the others cost more than the first of the chain would have."""
    usd, unpriced = failover["extra_usd"], failover["unpriced_tokens"]
    more = f"; of {count(unpriced)} tokens no price is known" if unpriced else ""
    if usd is None:
        return f"money that is not known{more}" if unpriced else "no money"
    word = "more" if usd >= 0 else "less"
    return f"${abs(usd):.4g} {word} than the first of the chain would have{more}"


def providers(report: Json, screen: Screen) -> list[str]:
    """The table of the providers."""
    heading, *lines = fitted(COLUMNS, [row(one) for one in report["providers"]], screen.width)
    return [screen.painted(heading, BOLD), *lines, "Percentiles are estimates from buckets."]


def row(provider: Json) -> Row:
    """The cells of a provider."""
    usd = provider["usd_per_1000"]
    return (
        provider["name"],
        count(provider["attempts"]),
        percent(provider["availability"]),
        *(seconds(provider[f"ttft_{one}_s"]) for one in ("p50", "p95", "p99")),
        *(count(provider["tokens"][one]) for one in ("input", "output")),
        UNKNOWN if usd is None else f"{usd:.4g}",
    )


def suggestions(report: Json, screen: Screen) -> Iterator[str]:
    """What to set and why, and what nothing can be said about."""
    yield screen.painted("SUGGESTIONS", BOLD)
    for one in report["suggestions"]:
        yield from screen.wrapped(f"  · {one['reason']}", "    ")
        yield screen.painted(f"    {one['yaml']}", GREEN)  # never wrapped: it is to be copied
    if not report["suggestions"]:
        yield "  None."
    for text in report["unsaid"]:
        yield from screen.wrapped(f"  · {text}", "    ")


def count(number: float) -> str:
    """A number, shorter where it is large."""
    unit, letter = next(
        ((unit, letter) for least, unit, letter in SCALES if number >= least), (1, "")
    )
    return f"{number / unit:.1f}{letter}" if letter else f"{number:.0f}"
