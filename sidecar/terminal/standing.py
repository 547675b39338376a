"""Where a provider stands: of the status, or of the answer to a change of its breaker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sidecar.terminal.words import Json, spoken

ASIDES = {"parked": "parked", "cooling down": "cooldown_s"}  # in the order in which they count


class Standing(NamedTuple):
    """Where a provider stands: in a word, for how long yet, and why, as far as that is known."""

    word: str
    wait_s: float | None = None
    why: str = ""


def standing(provider: Json) -> Standing:
    """A hold goes before the breaker's state; an open breaker before what is set aside."""
    wait_s = provider.get("retry_in_s")
    if held := provider.get("held"):
        return Standing(f"held {held['mode']}", wait_s, held.get("reason") or "")
    state = Standing(spoken(provider["state"]), wait_s, why_moved(provider))
    if state.word == "open" and wait_s != 0:
        return state
    return set_aside(provider) or state


def why_moved(provider: Json) -> str:
    """What failed (`503 ×3`) where the breaker is not closed, or why it moved last."""
    failing = provider.get("failing") or () if provider["state"] != "closed" else ()
    told = [
        f"{spoken(one['what'])} ×{one['count']}" if one["count"] > 1 else spoken(one["what"])
        for one in failing
    ]
    return ", ".join(told) or spoken(provider.get("cause"))


def set_aside(provider: Json) -> Standing | None:
    """What keeps calls away although the breaker may let them through."""
    for word, key in ASIDES.items():
        if found := provider.get(key):
            waits = [one["retry_in_s"] for one in found if "retry_in_s" in one]
            return Standing(word, min(waits, default=None), whys_aside(found))
    return None


def whys_aside(asides: Sequence[Json]) -> str:
    """Why models, or all of a provider, are set aside."""
    whys = ((spoken(one.get("reason")), one["model"]) for one in asides)
    return ", ".join(filter(None, (" of ".join(filter(None, why)) for why in whys)))
