"""Where every provider of a chain stands, and which of them serves: values of `/status.json` only.

A hold goes before the breaker's state; an open breaker before what is set aside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Json = Mapping[str, Any]

SERVING = ("closed", "held_closed")
ASIDES = {"parked": "parked", "cooldown": "cooldown_s"}  # in the order in which they count
SIZES = ((86400, "d"), (3600, "h"), (60, "min"))
REASONS_SHOWN = 3


class Seat(NamedTuple):
    """One place of a chain. `wait_s`: until what keeps calls away is over, if that is known.

    `since` is the moment from which whoever comes after it serves, in Unix seconds; `None` where
    nobody noted it. For who serves, it is since when it can.
    """

    entry: str
    name: str
    breaker: str | None
    standing: str
    serving: bool = False
    why: str = ""
    wait_s: float | None = None
    since: float | None = None


def seated(chain: Sequence[str], providers: Mapping[str, Json], now: float) -> list[Seat]:
    """The places of a chain; the first that can, serves. `now` is Unix time."""
    seats = [seat(entry, name_of(entry, chain), providers, now) for entry in chain]
    serving = next((one for one in seats if one.standing in SERVING), None)
    return [one._replace(serving=one is serving) for one in seats]


def seat(entry: str, name: str, providers: Mapping[str, Json], now: float) -> Seat:
    """Where the provider of `entry` stands for it."""
    # a breaker is named after its provider, or after its provider and model
    names = (entry, entry.partition("/")[0], f"{entry}/*")
    breaker = next((one for one in names if one in providers), None)
    if breaker is None:
        return Seat(entry, name, None, "unknown")
    provider = providers[breaker]
    standing, why, wait_s = standing_of(provider, entry, now)
    since = None if standing in ASIDES else since_of(provider)
    return Seat(entry, name, breaker, standing, why=why, wait_s=wait_s, since=since)


def standing_of(provider: Json, entry: str, now: float) -> tuple[str, str, float | None]:
    """A word for where it stands, why, and for how long yet."""
    state, wait_s = str(provider["state"]), provider["retry_in_s"]
    if held := provider["held"]:
        left_s = held["until"] and max(0.0, held["until"] - now)
        return f"held_{held['mode']}", held["reason"], left_s
    if state == "open" and wait_s != 0:
        return state, why_open(provider), wait_s
    if aside := set_aside(provider, entry):
        return aside
    return state, why_open(provider) if state == "open" else "", wait_s


def set_aside(provider: Json, entry: str) -> tuple[str, str, float | None] | None:
    """What keeps calls of `entry` away although the breaker may let them through."""
    model = entry.partition("/")[2] or "*"
    for standing, key in ASIDES.items():
        if found := [one for one in provider[key] if one["model"] in ("", model)]:
            whys = dict.fromkeys(spoken(one["reason"]) for one in found)
            wait_s = min(one["retry_in_s"] for one in found)
            return standing, ", ".join(filter(None, whys)), wait_s
    return None


def why_open(provider: Json) -> str:
    """What this pod saw fail (`503 ×3`), or why the breaker moved where another pod saw it."""
    shown = [
        f"{spoken(one['what'])} ×{one['count']}" if one["count"] > 1 else spoken(one["what"])
        for one in provider["failing"][:REASONS_SHOWN]
    ]
    return ", ".join(shown) or spoken(provider["cause"])


def since_of(provider: Json) -> float | None:
    """Since when it is away, or back. What never moved was there from the start."""
    if provider["state"] == "closed":
        return provider["since"] if provider["cause"] else None
    away: float | None = provider["away_since"]
    return away


def name_of(entry: str, chain: Sequence[str]) -> str:
    """The provider of `entry`, with its model only where the chain asks it for several."""
    provider = entry.partition("/")[0]
    several = [one.partition("/")[0] for one in chain].count(provider) > 1
    return entry if several else provider


def spoken(word: str | None) -> str:
    """A word of a closed vocabulary as people write it."""
    return (word or "").replace("_", " ")


def span(seconds: float) -> str:
    """A time in its largest unit that still tells something, rounded up: `12 s`, `3 min`."""
    size, unit = next(((size, unit) for size, unit in SIZES if seconds >= 2 * size), (1, "s"))
    return f"{-int(-seconds // size)} {unit}"
