"""Rows that take more than one look: a breaker that opens, and an error that names everybody."""

from __future__ import annotations

from dataclasses import replace

from sidecar.drill.before import plays
from sidecar.drill.heard import Ending
from sidecar.drill.outage import OUTAGE
from sidecar.drill.place import Mode, Place
from sidecar.drill.promise import (
    ANSWER_S,
    EARLIER_S,
    SLOW_S,
    Promise,
    Sight,
    judge,
    over_to_the_next,
    within,
)
from sidecar.drill.row import BOTH, Row
from sidecar.drill.stage import Stage
from sidecar.drill.stand_ins import Cast, fails_fast
from sidecar.faults.vendors import Trouble, complains

# Overloaded, until nobody asks it any more


async def until_open(stage: Stage, promise: Promise) -> Sight:
    """One call that is timed; then more of them until the breaker is open, and one after that."""
    sight = judge(promise, stage.evidence(await stage.ask()))
    stage.hurry()
    wrongs: list[str] = []
    threshold = stage.place.provider.breaker.failure_threshold
    for _ in range(threshold):
        if not stage.is_open:
            wrongs += await further_call(stage, promise)
    if not stage.is_open:
        wrongs.append(f"its breaker is not open after {threshold + 1} failures")
    hits = stage.own.hits
    wrongs += await further_call(stage, promise)
    asked = stage.own.hits - hits
    if asked:
        wrongs.append(f"{asked} hits with its breaker open")
    saw = f"{sight.saw}, then {asked} hits"
    return replace(sight, saw=saw, hits=stage.hits, wrongs=(*sight.wrongs, *wrongs))


async def further_call(stage: Stage, promise: Promise) -> tuple[str, ...]:
    """What is wrong with one more call."""
    return judge(promise, stage.evidence(await stage.ask())).wrongs


def open_in_the_end(place: Place, _: Mode) -> Promise:
    """The next one answers, and after a while nobody asks it."""
    promise = over_to_the_next(place, SLOW_S)
    return replace(promise, more="then 0 hits")


# Everybody is down


async def hear_of_all(stage: Stage, promise: Promise) -> Sight:
    """One call, and an error that names everybody."""
    heard = await stage.ask()
    sight = judge(promise, stage.evidence(heard))
    attempts = (heard.error or {}).get("attempts")
    named = str(attempts) if attempts else ""
    missing = [name for name in stage.players if name not in named]
    wrongs = [f"the error does not name {name}" for name in missing]
    return replace(sight, wrongs=(*sight.wrongs, *wrongs))


def one_error(place: Place, _: Mode) -> Promise:
    """Everybody was asked, and the application need not try again."""
    seconds = ANSWER_S + SLOW_S + EARLIER_S * len(place.route.chain)
    return Promise(
        endings=frozenset((Ending.REFUSED,)),
        within_s=within(place, seconds),
        statuses=frozenset((503,)),
        code="all_providers_failed",
    )


OVERLOADED = Row(
    id="overloaded",
    does="503 always",
    promise=open_in_the_end,
    cast=plays(lambda kind: complains(kind, Trouble.OVERLOADED)),
    modes=BOTH,
    play=until_open,
)
ALL_DOWN = Row(
    id="all_down",
    does="everybody answers 503",
    promise=one_error,
    cast=lambda place: Cast(faults=(fails_fast(place.provider),), later=fails_fast),
    modes=BOTH,
    play=hear_of_all,
    once=True,
)
COURSE = (OVERLOADED, OUTAGE, ALL_DOWN)
