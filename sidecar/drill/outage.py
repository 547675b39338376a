"""The row of an outage: how the application rides it out, and how soon the provider is back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from sidecar.clock import SystemClock
from sidecar.core.events import State
from sidecar.core.policies import BreakerPolicy
from sidecar.drill.before import plays
from sidecar.drill.fitting import begins_slowly
from sidecar.drill.heard import Ending, Heard
from sidecar.drill.meaning import ITS_FAULT, provided
from sidecar.drill.place import LeftOut, Mode, Place
from sidecar.drill.promise import (
    ANSWER_S,
    QUICK_S,
    SLOW_S,
    Promise,
    Sight,
    counted,
    judge,
    names,
    within,
)
from sidecar.drill.row import Row
from sidecar.drill.stage import Stage
from sidecar.faults.catalog import OK
from sidecar.faults.vendors import Trouble, complains

OUTAGE_CALLS = 20
STEPS = 15  # calls in as long as a breaker is open
BACK_SHARE = 1 / 12  # of that time: how soon the provider is used again
HITS = 5  # in an outage, unless the operator's own numbers ask for more
FOR_EVER = 4.0  # times the outage
BUSY_TIMES = 3  # as many calls may be under way on a busy machine as on an idle one


def outage_s(place: Place) -> float:
    """As long as the breaker is open."""
    return place.provider.breaker.open_timeout_s


def step_s(policy: BreakerPolicy) -> float:
    """Between two calls; close enough for their failures to count together."""
    return min(policy.open_timeout_s / STEPS, policy.failure_window_s / policy.failure_threshold)


def soon_s(place: Place) -> float:
    """How soon after it may be used again it is; with the next call, if these are far apart."""
    return max(outage_s(place) * BACK_SHARE, step_s(place.provider.breaker) + QUICK_S)


def most_hits(place: Place) -> int:
    """How often it may be asked while it is down."""
    policy = place.provider.breaker
    return max(HITS, policy.failure_threshold + policy.half_open_probes) * len(place.own)


def at_once(place: Place) -> int:
    """How many calls the chain may have under way: the least of its limits."""
    limits = (entry.provider.max_in_flight for entry in place.route.chain)
    return min((place.settings.limits.in_flight, *filter(None, limits)))


def is_tight(place: Place) -> bool:
    """Whether that is less than there may be, so that one has to be over before the next."""
    overlap = ANSWER_S / step_s(place.provider.breaker) + 1
    return at_once(place) < BUSY_TIMES * overlap


@provided(Trouble.OVERLOADED, ITS_FAULT)
def rides_it_out(place: Place, mode: Mode) -> Promise | LeftOut:
    """Everybody is served, it is left alone, and it is used again soon after."""
    if slow := begins_slowly(place, mode):
        return slow
    endings = {Ending.SERVED} if place.later else {Ending.SERVED, Ending.REFUSED}
    return Promise(
        endings=frozenset(endings),
        within_s=within(place, ANSWER_S + SLOW_S),
        by=names((*place.own, *place.later)),
        more=f"≤ {most_hits(place)} hits while it is down, back ≤ {soon_s(place):.3g} s",
    )


@dataclass(slots=True)
class Outage:
    """What is noted in the course of it: moments are monotonic."""

    end_s: float
    answers: list[asyncio.Task[Heard]] = field(default_factory=list)
    hits: int = 0
    over: bool = False


async def ride_out(stage: Stage, promise: Promise) -> Sight:
    """Calls at a steady pace, into an outage and out of it."""
    place = stage.place
    began_s, pace_s = SystemClock.monotonic(), step_s(place.provider.breaker)
    outage = Outage(end_s=began_s + outage_s(place))
    tight = is_tight(place)
    if tight:
        stage.hurry()
    recovery = asyncio.get_running_loop().call_later(outage_s(place), recover, stage, outage)
    try:
        for number in range(round(FOR_EVER * outage_s(place) / pace_s)):
            await asyncio.sleep(began_s + number * pace_s - SystemClock.monotonic())
            if number >= OUTAGE_CALLS and is_told(stage, outage):
                break
            outage.answers.append(asyncio.create_task(stage.ask()))
            if tight:
                await asyncio.wait(outage.answers[-1:])
        heards = await asyncio.gather(*outage.answers)
    finally:
        recovery.cancel()
        await call_off(outage.answers)
    return seen_outage(stage, promise, outage, heards)


async def call_off(answers: list[asyncio.Task[Heard]]) -> None:
    """Wait for nobody any more, where the drill is stopped."""
    for answer in answers:
        answer.cancel()
    await asyncio.gather(*answers, return_exceptions=True)


def recover(stage: Stage, outage: Outage) -> None:
    """The provider is well again."""
    outage.hits, outage.over = stage.own.hits, True
    stage.own.plays(OK)


def is_told(stage: Stage, outage: Outage) -> bool:
    """Whether it is back, or should have been long ago."""
    if not outage.over:
        return False
    patience_s = soon_s(stage.place) + ANSWER_S
    late = SystemClock.monotonic() > allowed_s(stage, outage) + patience_s
    return late or first_after(stage, outage) is not None


def allowed_s(stage: Stage, outage: Outage) -> float:
    """When it may be asked again: the outage over, and the open time of its breaker, too."""
    policy = stage.place.provider.breaker
    openings = [at_s for at_s, move in stage.own_moves if move.to_state is State.OPEN]
    if not openings:
        return outage.end_s
    rounds = len(openings) - 1
    open_s = policy.open_timeout_s * policy.open_backoff.multiplier**rounds
    longest_s = max(policy.open_backoff.max_s, policy.open_timeout_s)
    return max(outage.end_s, openings[-1] + min(open_s, longest_s))


def first_after(stage: Stage, outage: Outage) -> float | None:
    """When it was first asked after the outage."""
    asked_s = (call.opened_s for call in stage.own.calls)
    return next((at_s for at_s in asked_s if at_s >= outage.end_s), None)


def seen_outage(stage: Stage, promise: Promise, outage: Outage, heards: Sequence[Heard]) -> Sight:
    """What there was to see of all of it."""
    sights = [judge(promise, stage.evidence(heard)) for heard in heards]
    longest = max(sights, key=lambda sight: sight.seconds)
    wrongs = dict.fromkeys(wrong for sight in sights for wrong in sight.wrongs)
    back_s = coming_back_s(stage, outage)
    served = sum(heard.complete for heard in heards)
    return Sight(
        saw=f"{served} of {len(heards)} served, {counted(outage.hits)}, {back_told(back_s)}",
        seconds=longest.seconds,
        hits=stage.hits,
        wrongs=(*wrongs, *wrong_course(stage.place, outage, back_s)),
        late=longest.late or late_back(stage.place, back_s),
    )


def coming_back_s(stage: Stage, outage: Outage) -> float | None:
    """How long it took to ask it again once that was allowed."""
    at_s = first_after(stage, outage)
    return None if at_s is None else max(0.0, at_s - allowed_s(stage, outage))


def back_told(back_s: float | None) -> str:
    """When it was used again."""
    return "never asked again" if back_s is None else f"back after {back_s:.2g} s"


def wrong_course(place: Place, outage: Outage, back_s: float | None) -> tuple[str, ...]:
    """What is wrong with how often it was asked, and whether at all."""
    many = [f"{outage.hits} hits while it was down"] * (outage.hits > most_hits(place))
    return (*many, *[back_told(back_s)] * (back_s is None))


def late_back(place: Place, back_s: float | None) -> str:
    """Whether it took too long to use it again."""
    late = back_s is not None and back_s > soon_s(place)
    return back_told(back_s) if late else ""


OUTAGE = Row(
    id="outage",
    does="503 for as long as a breaker is open",
    promise=rides_it_out,
    cast=plays(lambda kind: complains(kind, Trouble.OVERLOADED)),
    play=ride_out,
    more_s=lambda place: 1.5 * outage_s(place),
)
