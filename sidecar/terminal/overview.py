"""`/status.json` for a person: who serves and why, the chains, the providers, what happened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from sidecar.terminal.screen import BOLD, GREEN, PURPLE, RED, YELLOW, Screen
from sidecar.terminal.standing import ASIDES, Standing, standing
from sidecar.terminal.table import Column, Row, fitted
from sidecar.terminal.words import (
    UNKNOWN,
    Json,
    cleaned,
    clipped,
    moment,
    percent,
    rate,
    seconds,
    span,
    spoken,
)

COLUMNS = (
    Column("PROVIDER", least=12),
    Column("STATE"),
    Column("SINCE"),
    Column("WHY", least=10, rank=6),
    Column("NEXT", rank=7),
    Column("CALLS", rank=2, is_number=True),
    Column("ERRORS", rank=5, is_number=True),
    Column("TTFT P50", rank=3, is_number=True),
    Column("P95", rank=4, is_number=True),
    Column("15 MIN", rank=1),
)
FAILOVER_COLUMNS = (
    Column("TIME (UTC)"),
    Column("REQUEST", least=12, rank=2),
    Column("ROUTE", least=10, rank=1),
    Column("FROM"),
    Column("TO"),
    Column("REASON", least=8, rank=3),
)
FAILOVERS_SHOWN = 5
WARNINGS_SHOWN = 10
PODS_SHOWN = 10

GOOD, BAD, TRYING, ODD = ("✓", GREEN), ("✗", RED), ("◐", YELLOW), ("‖", PURPLE)
MARKS = {"closed": GOOD, "open": BAD, "half open": TRYING, "cooling down": TRYING}
STANDINGS = {"cooldown": "cooling down", "unknown": "not known yet"}  # of a seat

HISTORY_S = 900
BARS = "▁▂▃▄▅▆▇█"
PLOT = 10  # characters


def overview(status: Json, screen: Screen) -> str:
    """Tell what a running sidecar says of itself; moments are in UTC."""
    told: Json = cleaned(status)
    parts = (
        headline(told, screen),
        chains(told, screen),
        providers(told, screen),
        failovers(told, screen),
        warnings(told, screen),
    )
    return screen.written("\n\n".join("\n".join(one) for one in parts if one).splitlines())


# What comes first


def headline(status: Json, screen: Screen) -> list[str]:
    """Who serves and why; then what is wrong with this pod itself, and who it is."""
    color = hurt(status["routes"])
    return [
        *(screen.painted(one, color) for one in screen.wrapped(status["sentence"])),
        *(screen.painted(one, BOLD + RED) for one in alarms(status, screen)),
        *screen.wrapped(who_tells(status)),
    ]


def hurt(routes: Sequence[Json]) -> str:
    """The color of how well the routes are served."""
    if not all(any(one["serving"] for one in route["seats"]) for route in routes):
        return RED
    return GREEN if all(route["seats"][0]["serving"] for route in routes) else YELLOW


def alarms(status: Json, screen: Screen) -> Iterator[str]:
    """What nobody should overlook."""
    if (store := status["store"])["degraded"]:
        alone = "THIS POD IS DECIDING ALONE"
        why = f"{store['kind']} is out of reach. Other pods may see other states."
        yield from screen.wrapped(f"✗ {alone}: {why}", "  ")
    if problems := status["config"]["problems"]:
        yield from screen.wrapped("✗ THE NEWEST CONFIGURATION WAS REFUSED: the old is in force.")
        yield from listed(problems, screen)


def who_tells(status: Json) -> str:
    """The pod, and those that it shares its breakers with."""
    told = (status["pod"], status["version"], f"up {span(status['uptime_s'])}")
    return " · ".join(filter(None, (*told, who_shares(status["store"]))))


def who_shares(store: Json) -> str:
    """The store, when it was read, and its pods; nothing where breakers are not shared."""
    if store["kind"] == "memory":
        return ""
    names = [one["pod"] for one in store["pods"]]
    shown = ", ".join(names[:PODS_SHOWN]) + ", …" * (len(names) > PODS_SHOWN)
    synced = store["last_sync_s"]
    read = "never read" if synced is None else f"read {span(synced)} ago"
    pods = f"{len(names)} pods: {shown}" if len(names) > 1 else f"pod: {shown or 'none yet'}"
    return f"{store['kind']}, {read}, {pods}"


# The chains


def chains(status: Json, screen: Screen) -> list[str]:
    """Each route, and where every place of its chain stands."""
    lines = []
    for route in status["routes"]:
        models = clipped(", ".join(route["models"]), screen.width // 2)
        seats = [(told_seat(one), one) for one in seated(route["seats"])]
        lines += laid(f"{models}:", seats, screen)
    return lines


def seated(seats: Sequence[Json]) -> Iterator[Json]:
    """The places, each with the word for it; who is behind the one that serves is ready."""
    is_behind = False
    for seat in seats:
        word = STANDINGS.get(seat["standing"], spoken(seat["standing"]))
        if seat["serving"]:
            told = "serving" if word == "closed" else f"serving, {word}"
        else:
            told = "ready" if is_behind and word == "closed" else word
        is_behind = is_behind or seat["serving"]
        yield {**seat, "word": word, "told": told}


def told_seat(seat: Json) -> str:
    """A place in a chain: its mark, who it is, and where it stands."""
    mark, _ = MARKS.get(seat["word"], ODD)
    return f"{mark} {seat['entry']} {seat['told']}"


def laid(title: str, seats: Iterable[tuple[str, Json]], screen: Screen) -> list[str]:
    """A chain on one line, or on as many as it needs, broken before an arrow."""
    lines, room = [title], screen.width - len(title)
    for place, (told, seat) in enumerate(seats):
        arrow, text = " → " if place else " ", clipped(told, screen.width - 4)
        if len(arrow) + len(text) > room:
            lines.append(" ")
            room = screen.width - 1
        room -= len(arrow) + len(text)
        lines[-1] += arrow + screen.painted(text, MARKS.get(seat["word"], ODD)[1])
    return lines


# The providers


def providers(status: Json, screen: Screen) -> list[str]:
    """The table of the providers."""
    all_of_them = status["providers"]
    rows = [row(one, status["time"]) for one in all_of_them]
    heading, *lines = fitted(COLUMNS, rows, screen.width)
    colors = (MARKS.get(standing(one).word, ODD)[1] for one in all_of_them)
    painted = map(screen.painted, lines, colors)
    return [screen.painted(heading, BOLD), *painted]


def row(provider: Json, now: float) -> Row:
    """The cells of a provider. `now` is Unix time."""
    where = standing(provider)
    attempts, errors = (sum(one[place] for one in provider["history"]) for place in (1, 2))
    return (
        provider["name"],
        f"{MARKS.get(where.word, ODD)[0]} {where.word}",
        since(provider, where.word, now),
        where.why or UNKNOWN,
        span(wait_s(provider, where, now)),
        rate(provider["attempts_per_s"]),
        percent(errors / attempts if attempts else None),
        seconds(provider["ttft_p50_s"]),
        seconds(provider["ttft_p95_s"]),
        plot(provider["history"], now),
    )


def since(provider: Json, word: str, now: float) -> str:
    """For how long it stands there. Nobody notes when something was set aside."""
    began = provider["away_since"] or provider["since"]
    return span(now - began) if began and word not in ASIDES else UNKNOWN


def wait_s(provider: Json, where: Standing, now: float) -> float | None:
    """For how long yet: until the next probe, or until a hold ends."""
    if held := provider["held"]:
        until: float | None = held["until"]
        return until and max(0.0, until - now)
    return where.wait_s


def plot(history: Sequence[Sequence[float]], now: float) -> str:
    """The attempts of the last quarter of an hour as bars; blank where there were none."""
    counts = [0.0] * PLOT
    for began, attempts, *_ in history:
        place = PLOT - 1 - int((now - began) * PLOT / HISTORY_S)
        if 0 <= place < PLOT:
            counts[place] += attempts
    most = max(counts)
    return "".join(BARS[ceil(one / most * len(BARS)) - 1] if one else " " for one in counts)


# What happened


def failovers(status: Json, screen: Screen) -> list[str]:
    """The last few, newest first."""
    latest = status["failovers"][-FAILOVERS_SHOWN:][::-1]
    if not latest:
        return ["No failover so far."]
    rows = [
        (
            *(moment(one["time"]), one["request_id"], one["route"]),
            *(one["from"], one["to"], spoken(one["reason"])),
        )
        for one in latest
    ]
    heading, *lines = fitted(FAILOVER_COLUMNS, rows, screen.width)
    return [screen.painted(heading, BOLD), *lines]


def warnings(status: Json, screen: Screen) -> list[str]:
    """What is odd about the configuration."""
    found = status["config"]["warnings"]
    title = screen.painted("CONFIGURATION WARNINGS", BOLD)
    return [title, *listed(found, screen)] if found else []


def listed(items: Sequence[str], screen: Screen) -> Iterator[str]:
    """The first few as a list, and how many more there are."""
    for one in items[:WARNINGS_SHOWN]:
        yield from screen.wrapped(f"  · {one}", "    ")
    if more := len(items[WARNINGS_SHOWN:]):
        yield f"  · and {more} more"
