"""An open breaker is held to its promise for as long as it is open, and no longer."""

from __future__ import annotations

import aiohttp
import pytest

from sidecar.app import Sidecar
from sidecar.core.events import BreakerMoved, Cause, Origin, State
from sidecar.core.policies import BreakerPolicy
from sidecar.drill.course import failures_to_open, hits_while_open
from sidecar.drill.place import Mode
from sidecar.drill.stage import Stage
from sidecar.drill.stand_ins import Cast
from sidecar.faults.catalog import OK
from sidecar.faults.provider import ScriptedProvider
from sidecar.faults.wire import Call
from tests.drill.settings import place_of

OPENED = BreakerMoved(
    breaker="gemini",
    from_state=State.CLOSED,
    to_state=State.OPEN,
    cause=Cause.FAILURES,
    epoch=1,
    origin=Origin.SELF,
)


async def stage_of(*asked_s: float, opened_s: tuple[float, ...]) -> Stage:
    """What is left of a row whose breaker stays open for two seconds."""
    place = place_of(more="breaker: {open_timeout: 2s}")
    player = ScriptedProvider("gemini")
    player.calls.extend(Call(opened_s=at_s) for at_s in asked_s)
    async with aiohttp.ClientSession() as client:
        return Stage(
            place=place,
            mode=Mode.STREAM,
            cast=Cast(faults=(OK,)),
            players={"gemini": player},
            sidecar=Sidecar(place.settings),
            client=client,
            moves=[(at_s, OPENED) for at_s in opened_s],
        )


@pytest.mark.parametrize(
    ("asked_s", "opened_s", "hits"),
    [
        ((1.0, 9.9), (10.0,), 0),
        ((10.5, 11.9), (10.0,), 2),
        ((12.0,), (10.0,), 0),
        ((12.5,), (10.0, 12.6), 0),
        ((12.7,), (10.0, 12.6), 1),
    ],
    ids=["before it", "while it is open", "a probe", "a probe that opens it anew", "after that"],
)
async def test_only_what_came_while_it_was_open_counts(
    asked_s: tuple[float, ...], opened_s: tuple[float, ...], hits: int
) -> None:
    stage = await stage_of(*asked_s, opened_s=opened_s)

    assert hits_while_open(stage, since_s=5.0) == hits


@pytest.mark.parametrize(
    ("policy", "failures"),
    [
        (BreakerPolicy(), 3),
        (BreakerPolicy(failure_threshold=100), 10),
        (BreakerPolicy(failure_threshold=1), 1),
    ],
    ids=["in a row", "all that there were", "the first"],
)
def test_a_breaker_opens_by_whichever_rule_is_sooner(policy: BreakerPolicy, failures: int) -> None:
    assert failures_to_open(policy) == failures
