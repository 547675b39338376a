"""Whether a configuration leaves a healthy answer of the drill the time and the room it needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sidecar.core.settings import Entry
from sidecar.drill.heard import Ending
from sidecar.drill.place import LeftOut, Mode, Place
from sidecar.drill.promise import ANSWER_S, QUICK_S, Promise
from sidecar.drill.shares import room_s

HEALTHY_S = ANSWER_S + QUICK_S
CONNECT_S = 0.05  # what these may take on a busy machine: a connection …
TOKEN_S = 0.1  # … a first token, or the next one
SLOW_S = 0.3  # the same, to be sure of it call after call
REQUEST_BYTES, RESPONSE_BYTES = 1024, 64 * 1024

Need = tuple[str, float, float]  # a clock by its name, what it is, and what it would have to be


def unplayable(place: Place) -> LeftOut | None:
    """Why nothing can be played at a place."""
    limits = place.settings.limits
    if limits.request_body_bytes < REQUEST_BYTES:
        return LeftOut("too small for its calls: limits.request_body (less than 1 KiB)")
    if limits.response_body_bytes < RESPONSE_BYTES:
        return LeftOut("too small for its answers: limits.response_body (less than 64 KiB)")
    return too_short([("total", place.route.total_s, HEALTHY_S)])


def unplayable_as(place: Place, mode: Mode) -> LeftOut | None:
    """Why nothing can be played at a place that is asked for in `mode`."""
    well = place.route.chain[place.position :]
    return too_short(need for entry in well for need in needs(entry, place, mode))


def needs(entry: Entry, place: Place, mode: Mode) -> Iterator[Need]:
    """What an entry needs to answer well."""
    clocks = entry.timeouts
    yield "connect", clocks.connect_s, CONNECT_S
    if mode is Mode.WHOLE:
        yield "answer", clocks.answer_s, HEALTHY_S
    if place.streams(mode):
        yield "first_token", clocks.first_token_s, TOKEN_S
        yield "idle", clocks.idle_s, TOKEN_S


def too_short(needed: Iterable[Need]) -> LeftOut | None:
    """All clocks that are too short for a healthy answer."""
    short = {name: least_s for name, clock_s, least_s in needed if clock_s < least_s}
    if not short:
        return None
    told = ", ".join(f"timeouts.{name} (less than {least:.3g} s)" for name, least in short.items())
    return LeftOut(f"too short for the healthy answers of the drill: {told}")


def begins_slowly(place: Place, mode: Mode) -> LeftOut | None:
    """Whether a good answer may count as a slow one, and open the breaker of one that is well."""
    clocks = [entry.provider.breaker.slow.first_token_s for entry in place.route.chain]
    if place.streams(mode) and any(clock_s is not None and clock_s < SLOW_S for clock_s in clocks):
        return LeftOut(
            f"breaker.slow.first_token is less than {SLOW_S:.3g} s: the healthy might open, too"
        )
    return None


def out_of_time(place: Place, mode: Mode, promise: Promise) -> LeftOut | None:
    """Whether too much time is gone for the answer that would be promised."""
    if Ending.SERVED not in promise.endings:
        return None
    after = enumerate(place.route.chain[place.position :], place.position)
    by = promise.by
    at = next(number for number, one in after if not by or one.provider.name in by)
    if room_s(place, mode, at, promise.gone_s) >= HEALTHY_S:
        return None
    return LeftOut("timeouts.total leaves no time for a healthy answer after that")
