"""Rows of an application that leaves before its answer is whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from sidecar.clock import SystemClock
from sidecar.drill.before import changes_keys, limited_cast, once, plays, stated_wait_s, waits
from sidecar.drill.heard import Heard
from sidecar.drill.place import LeftOut, Mode, Place
from sidecar.drill.promise import (
    ANSWER_S,
    NOBODY,
    QUICK_S,
    Hits,
    Promise,
    Sight,
    names,
    wrong_hits,
)
from sidecar.drill.row import BOTH, STREAM, WHOLE, Play, Row
from sidecar.drill.shares import own_turn_s
from sidecar.drill.stage import Stage
from sidecar.drill.stand_ins import Way
from sidecar.faults.catalog import CATALOG, OK, stall
from sidecar.faults.fault import Effect, Fault
from sidecar.faults.steps import Wait

GONE_S = 0.1
SETTLED_S = 0.15  # long enough for a call to get where it is to be left
NOTICED_S = 2.0


def leaves(linger_s: Callable[[Place], float]) -> Play:
    """Ask, and hang up `linger_s` after the provider was reached: it is let go at once."""

    async def play(stage: Stage, promise: Promise) -> Sight:
        left_s, wrongs = await hang_up(stage, linger_s(stage.place))
        if not stage.own.calls:
            return Sight(saw="it was never asked", seconds=0.0, hits=stage.hits, wrongs=("0 hits",))
        call = stage.own.calls[-1]
        with suppress(TimeoutError):
            async with asyncio.timeout(NOTICED_S):
                await call.closed_early.wait()
        seconds = NOTICED_S if call.closed_s is None else max(0.0, call.closed_s - left_s)
        return Sight(
            saw=f"closed after {seconds * 1000:.0f} ms" if seconds < NOTICED_S else "not closed",
            seconds=seconds,
            hits=stage.hits,
            wrongs=(*wrongs, *wrong_after(stage, promise)),
            late="" if seconds <= promise.within_s else f"{seconds:.2f} s",
        )

    return play


async def leaves_a_wait(stage: Stage, promise: Promise) -> Sight:
    """Hang up while a wait is waited for: nobody is asked any more."""
    wait_s = stated_wait_s(stage.place)
    linger_s = min(wait_s, ANSWER_S) / 2  # nor has one that was asked beside it answered by then
    _, wrongs = await hang_up(stage, linger_s)
    await asyncio.sleep(wait_s - linger_s + QUICK_S)
    wrongs += wrong_after(stage, promise)
    saw = "somebody was waited for" if wrongs else "nobody was asked after that"
    return Sight(saw=saw, seconds=0.0, hits=stage.hits, wrongs=tuple(wrongs))


async def hang_up(stage: Stage, linger_s: float) -> tuple[float, list[str]]:
    """Ask, and leave a while after the provider was reached; when that was, and what was wrong."""
    asking = asyncio.create_task(stage.ask())
    await stage.until(lambda: stage.own.hits > 0, stage.place.route.total_s)
    await asyncio.sleep(linger_s)
    wrongs = [f"answered before it left: {shown(asking.result())}"] if asking.done() else []
    asking.cancel()
    left_s = SystemClock.monotonic()
    await asyncio.wait((asking,))
    return left_s, wrongs


def shown(heard: Heard) -> str:
    """An answer that nobody expected."""
    return f"{heard.status} {heard.code or heard.provider}".strip()


def wrong_after(stage: Stage, promise: Promise) -> list[str]:
    """What else went wrong while somebody left."""
    moved = ["its breaker moved"] if stage.own_moves else []
    return [*moved, *wrong_hits(promise, stage.evidence(Heard()))]


def let_go(place: Place, mode: Mode) -> Promise:
    """At once, and it is nobody's fault."""
    hedges = place.hedges(mode)
    return Promise(
        endings=frozenset(),
        within_s=GONE_S,
        hits=once(place) if hedges else Hits(1, 1),
        untouched=NOBODY if hedges else names(place.later),
        more=f"closed ≤ {GONE_S:.3g} s, no breaker moved",
    )


def let_wait(place: Place, mode: Mode) -> Promise | LeftOut:
    """The same, where there is a wait."""
    if not waits(place) or changes_keys(place):
        return LeftOut("no wait is waited for")
    return replace(let_go(place, mode), more="nobody asked after that, no breaker moved")


def settled(place: Place) -> float:
    """Long enough to get where the call is to be left, and before any clock runs out."""
    clocks = place.entry.timeouts
    turns = (own_turn_s(place, mode) for mode in BOTH)
    soonest_s = min(clocks.connect_s, clocks.first_token_s, clocks.answer_s, *turns)
    return min(SETTLED_S, soonest_s / 2)


DEAF = Fault(
    "deaf", "accepts and never reads", Effect.FAILS_OVER, lambda _: (Wait(),), on_accept=True
)


def leaving(
    point: str, does: str, fault: Fault, modes: tuple[Mode, ...] = STREAM, way: Way = Way.HTTP
) -> Row:
    """A row of an application that hangs up at some point."""
    return Row(
        id=f"client_leaves_{point}",
        does=f"the application leaves {does}",
        promise=let_go,
        cast=plays(lambda _: fault, way),
        modes=modes,
        play=leaves(settled),
    )


LEAVING = (
    leaving("connecting", "while connecting", DEAF, way=Way.HTTPS),
    leaving("waiting", "while it waits for headers", CATALOG["silence"], BOTH),
    leaving("headers", "after the headers", CATALOG["headers_then_silence"]),
    leaving("words", "between two words", OK),
    leaving("body", "in the middle of a whole answer", stall(), WHOLE),
    Row(
        id="client_leaves_retry",
        does="the application leaves in a stated wait",
        promise=let_wait,
        cast=limited_cast,
        play=leaves_a_wait,
    ),
)
