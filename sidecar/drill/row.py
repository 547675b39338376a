"""A row of the fault table: what happens, what is promised of it, and how it is played."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sidecar.drill.meaning import Promises
from sidecar.drill.place import Mode, Place
from sidecar.drill.promise import Promise, Sight, judge
from sidecar.drill.stage import Stage
from sidecar.drill.stand_ins import Cast

STREAM, WHOLE = (Mode.STREAM,), (Mode.WHOLE,)
BOTH = (*STREAM, *WHOLE)

Play = Callable[[Stage, Promise], Awaitable[Sight]]


async def one_call(stage: Stage, promise: Promise) -> Sight:
    """The application asks once."""
    heard = await stage.ask()
    return judge(promise, stage.evidence(heard))


def no_time(_: Place) -> float:
    """What a row takes beyond the limit of its promise, usually."""
    return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault. `more_s` is how long it takes beyond the limit of its promise.

    `once`: it is of a whole chain, not of a position. `busy`: it keeps this process so busy that
    nothing can be timed beside it.
    """

    id: str
    does: str
    promise: Promises
    cast: Callable[[Place], Cast]
    modes: tuple[Mode, ...] = STREAM
    play: Play = one_call
    more_s: Callable[[Place], float] = no_time
    once: bool = False
    busy: bool = False
