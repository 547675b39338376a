"""How the time of one call is shared out, as the operator's clocks have it: docs/streams.md."""

from __future__ import annotations

from sidecar.core.settings import Entry
from sidecar.drill.place import Mode, Place


def turn_s(place: Place, mode: Mode, at: int, gone_s: float = 0.0) -> float:
    """How long the entry at `at` may take, once so much of the call's time is gone.

    Each one after it keeps the time that it needs, or an equal share where there is not so much.
    """
    left_s = place.route.total_s - gone_s
    later = place.route.chain[at + 1 :]
    share_s = left_s / (len(later) + 1)
    whole = not place.streams(mode)
    return left_s - sum(
        min(needed_s(entry, whole=whole and entry is later[-1]), share_s) for entry in later
    )


def needed_s(entry: Entry, *, whole: bool) -> float:
    """How long it takes at most until an entry has shown that it answers."""
    return entry.timeouts.answer_s if whole else entry.timeouts.first_token_s


def own_turn_s(place: Place, mode: Mode) -> float:
    """How long the entry with the fault may take."""
    return turn_s(place, mode, place.position)


def unheard_s(place: Place, mode: Mode) -> float:
    """How long the entry with the fault may say nothing."""
    clocks, turn = place.entry.timeouts, own_turn_s(place, mode)
    if mode is Mode.WHOLE:
        turn = min(turn, clocks.answer_s)
    return min(turn, clocks.first_token_s) if place.streams(mode) else turn


def stalled_s(place: Place, mode: Mode, said_s: float) -> float:
    """When it is told from one that answers if it falls silent `said_s` after it began."""
    clocks = place.entry.timeouts
    clock_s = said_s + clocks.idle_s if place.streams(mode) else clocks.answer_s
    if not place.holds(mode):
        return clock_s
    turn = own_turn_s(place, mode)
    return min(clock_s, turn, clocks.answer_s) if mode is Mode.WHOLE else min(clock_s, turn)


def room_s(place: Place, mode: Mode, at: int, gone_s: float) -> float:
    """How long a good answer of the entry at `at` may take, once so much time is gone."""
    if place.holds(mode):
        return turn_s(place, mode, at, gone_s)
    return place.route.total_s - gone_s
