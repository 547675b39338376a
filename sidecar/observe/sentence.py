"""One sentence that says who serves and why; what the status page and the terminal open with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sidecar.observe.seats import Seat, span

WHYS_SHOWN = 4
MODELS_SHOWN = 3
DATED_AFTER_S = 20 * 3600.0  # before a time of day could be taken for today's

WORDS = {
    "open": "open",
    "half_open": "half open",
    "held_open": "held open",
    "parked": "set aside",
    "cooldown": "cooling down",
    "unknown": "not known yet",
}


class Chain(NamedTuple):
    """A route: the models that it is for, and its places."""

    models: Sequence[str]
    seats: Sequence[Seat]

    @property
    def server(self) -> Seat | None:
        """Who serves it."""
        return next((one for one in self.seats if one.serving), None)

    @property
    def is_well(self) -> bool:
        """Whether its first provider serves it."""
        return bool(self.seats) and self.seats[0].serving

    @property
    def passed(self) -> list[Seat]:
        """Who comes before that, and does not."""
        places = [place for place, one in enumerate(self.seats) if one.serving]
        return list(self.seats[: places[0] if places else None])

    @property
    def since(self) -> float | None:
        """Since when it is served so, in Unix seconds; `None` from the start, or not noted."""
        if not self.server:
            return None
        moments = [one.since for one in self.passed]
        if None in moments:
            return None
        return max((one for one in (*moments, self.server.since) if one), default=None)


def sentence(chains: Sequence[Chain], now: float) -> str:
    """Who serves since when, and what keeps calls from those before. `now` is Unix time.

    Moments are told in UTC.
    """
    if not chains:
        return "No route is configured."
    whys = list(dict.fromkeys(why(one) for chain in chains for one in chain.passed))
    return " ".join([who_serves(chains, now), *told_whys(whys)])


def who_serves(chains: Sequence[Chain], now: float) -> str:
    """The first clause, as a sentence."""
    served = by_server(chains)
    if len(served) == 1:
        name, own = next(iter(served.items()))
        return f"{name or 'Nobody'} is serving{told_since(own, now)}."
    hurt = [chain for chain in chains if not chain.is_well]
    if not hurt:
        return "Every route is served by its first provider."
    clauses = [who_serves_what(*one, now) for one in by_server(hurt).items()]
    if len(hurt) < len(chains):
        clauses.append("the other routes are served by their first provider")
    return "; ".join(clauses) + "."


def who_serves_what(name: str, chains: Sequence[Chain], now: float) -> str:
    """The clause for some of several routes."""
    return f"{name or 'nobody'} is serving {told_models(chains)}{told_since(chains, now)}"


def by_server(chains: Iterable[Chain]) -> Mapping[str, list[Chain]]:
    """The chains by the name of who serves them, empty for nobody."""
    served: dict[str, list[Chain]] = {}
    for chain in chains:
        served.setdefault(chain.server.name if chain.server else "", []).append(chain)
    return served


def told_models(chains: Sequence[Chain]) -> str:
    """What was asked for, where that is not all."""
    models = [model for chain in chains for model in chain.models]
    more = f" and {len(models) - MODELS_SHOWN} more" if len(models) > MODELS_SHOWN else ""
    return ", ".join(models[:MODELS_SHOWN]) + more


def told_since(chains: Sequence[Chain], now: float) -> str:
    """Since when the last of the chains is served so; nothing where that is not known."""
    since = max((chain.since for chain in chains if chain.since), default=None)
    if since is None:
        return ""
    form = "%H:%M" if now - since < DATED_AFTER_S else "%Y-%m-%d %H:%M"
    return f" since {datetime.fromtimestamp(since, UTC).strftime(form)} UTC"


def told_whys(whys: Sequence[str]) -> list[str]:
    """The first few reasons as sentences, and how many more there are."""
    more = len(whys) - WHYS_SHOWN
    told = [f"{one}." for one in whys[:WHYS_SHOWN]]
    return [*told, f"{more} more are passed over."] if more > 0 else told


def why(seat: Seat) -> str:
    """What keeps calls from a provider, and until when."""
    because = f" ({seat.why})" if seat.why else ""
    return f"{seat.name} is {WORDS[seat.standing]}{because}{what_next(seat)}"


def what_next(seat: Seat) -> str:
    """What happens to it next."""
    if seat.standing == "half_open":
        return ", being probed"
    if seat.wait_s is None:
        return ", until released" if seat.standing == "held_open" else ""
    if seat.standing == "open":
        return f", next probe in {span(seat.wait_s)}" if seat.wait_s else ", the next call probes"
    return f", for another {span(seat.wait_s)}"
