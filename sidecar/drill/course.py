"""Rows that take more than one look: a breaker that opens, and an error that names everybody."""

from __future__ import annotations

from dataclasses import replace

from sidecar.clock import SystemClock
from sidecar.core.events import State
from sidecar.core.policies import BreakerPolicy
from sidecar.drill.before import opens_at_once, plays
from sidecar.drill.fitting import begins_slowly
from sidecar.drill.heard import Ending
from sidecar.drill.meaning import ITS_FAULT, all_fail, provided, ruled
from sidecar.drill.outage import OUTAGE
from sidecar.drill.place import LeftOut, Mode, Place
from sidecar.drill.promise import (
    ANSWER_S,
    EARLIER_S,
    SLOW_S,
    Promise,
    Sight,
    counted,
    judge,
    over_to_the_next,
    within,
)
from sidecar.drill.row import BOTH, Row
from sidecar.drill.stage import Stage
from sidecar.drill.stand_ins import Cast, fails_fast, providers_of
from sidecar.faults.vendors import Trouble, complains

MOST_FAILURES = 300  # more would take longer than all the rest
A_HAIR_S = 0.005  # stores count in milliseconds, and are told of later than they move
CALL_S = 0.1  # what a quick call may take on a busy machine

# Overloaded, until nobody asks it any more


async def until_open(stage: Stage, promise: Promise) -> Sight:
    """One call that is timed; then more of them until the breaker is open, and one after that."""
    policy = stage.place.provider.breaker
    if opens_at_once(policy):  # an answer of a second might take as long as it is open
        stage.hurry()
    sight = judge(promise, stage.evidence(await stage.ask()))
    stage.hurry()
    wrongs: list[str] = []
    failures = failures_to_open(policy)
    for _ in range(failures):
        if not openings_s(stage):
            wrongs += await further_call(stage, promise)
    if not openings_s(stage):
        wrongs.append(f"its breaker is not open after {failures + 1} failures")
    began_s = SystemClock.monotonic()
    wrongs += await further_call(stage, promise)
    asked = hits_while_open(stage, began_s)
    if asked:
        wrongs.append(f"{counted(asked)} with its breaker open")
    saw = f"{sight.saw}, then {counted(asked)}"
    return replace(sight, saw=saw, hits=stage.hits, wrongs=(*sight.wrongs, *wrongs))


def failures_to_open(policy: BreakerPolicy) -> int:
    """How many calls in a row have to fail, by their number or as all there were."""
    return min(policy.failure_threshold, policy.min_requests)


def openings_s(stage: Stage) -> list[float]:
    """When its breaker opened (monotonic)."""
    return [at_s for at_s, move in stage.own_moves if move.to_state is State.OPEN]


def hits_while_open(stage: Stage, since_s: float) -> int:
    """How often it was asked since then although its breaker was open."""
    open_s = stage.place.provider.breaker.open_timeout_s
    asked_s = [call.opened_s for call in stage.own.calls if call.opened_s >= since_s]
    return sum(
        any(at_s <= asked < at_s + open_s - A_HAIR_S for at_s in openings_s(stage))
        for asked in asked_s
    )


async def further_call(stage: Stage, promise: Promise) -> tuple[str, ...]:
    """What is wrong with one more call."""
    return judge(promise, stage.evidence(await stage.ask())).wrongs


@provided(Trouble.OVERLOADED, ITS_FAULT)
def open_in_the_end(place: Place, mode: Mode) -> Promise | LeftOut:
    """The next one answers, and after a while nobody asks it."""
    policy = place.provider.breaker
    failures = failures_to_open(policy)
    if failures > MOST_FAILURES:
        return LeftOut(f"its breaker takes {failures} failures to open")
    if min(policy.failure_window_s, policy.ratio_window_s) < failures * CALL_S:
        return LeftOut("its breaker forgets failures faster than the drill makes them")
    if slow := begins_slowly(place, mode):
        return slow
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


def one_error(place: Place, _: Mode) -> Promise | LeftOut:
    """Everybody was asked, and the application need not try again."""
    if meant := all_fail(providers_of(place)):
        return ruled(meant)
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
