"""An application that hangs up: the provider is let go at once, and nobody is to blame."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sidecar.core.events import AttemptEnded, BreakerMoved
from sidecar.core.outcome import Outcome, RequestOutcome
from sidecar.faults.catalog import ok
from sidecar.faults.fault import Fault
from tests.stories.world import World, eventually

SOON_S = 0.1

STAGES: list[tuple[str, Fault | str, bool]] = [
    ("before the head, unstreamed", "silence", False),
    ("before the head, streamed", "silence", True),
    ("after the head, before content", "headers_then_silence", True),
    ("between words", ok(words=50, delay_s=0.05), True),
    ("while the whole answer is awaited", ok(first_after_s=5.0), False),
]


@pytest.mark.parametrize(
    ("fault", "stream"), [row[1:] for row in STAGES], ids=[row[0] for row in STAGES]
)
async def test_the_upstream_is_closed_within_a_tenth_of_a_second(
    fault: Any, stream: bool, world: World
) -> None:
    world.first.plays(fault)
    call = asyncio.create_task(read(world, stream=stream))
    await eventually(lambda: world.first.hits == 1)
    await asyncio.sleep(0.12)

    call.cancel()
    left_s = asyncio.get_running_loop().time()
    async with asyncio.timeout(2):
        await world.first.calls[-1].closed_early.wait()

    assert asyncio.get_running_loop().time() - left_s < SOON_S
    assert world.second.hits == 0
    ended = [event for event in world.events if isinstance(event, AttemptEnded)]
    assert [event.outcome for event in ended] == [Outcome.CANCELLED]
    assert world.requests()[-1].outcome is RequestOutcome.CANCELLED
    assert not [event for event in world.events if isinstance(event, BreakerMoved)]


async def read(world: World, *, stream: bool) -> None:
    answer = await world.chat(stream=stream)
    await answer.read()


async def test_many_who_hang_up_open_no_breaker(world: World) -> None:
    world.first.plays("silence")
    for _ in range(5):
        call = asyncio.create_task(world.chat())
        await asyncio.sleep(0.05)
        call.cancel()
    await asyncio.sleep(0.1)

    assert world.first.hits == 5
    assert await world.state_of("first") == "closed"
