"""The lag of the event loop is what a sleep took too long."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.observe.lag import sample_loop_lag
from tests.observe.scene import StillClock


class Enough(Exception):
    """So many samples are enough."""


async def samples(clock: StillClock, count: int) -> list[float]:
    seen: list[float] = []

    def observe(seconds: float) -> None:
        seen.append(round(seconds, 6))
        if len(seen) == count:
            raise Enough

    with pytest.raises(Enough):
        await sample_loop_lag(observe, clock)
    return seen


async def test_a_loop_in_time_has_no_lag() -> None:
    assert await samples(StillClock(), 2) == [0, 0]


async def test_a_loop_that_comes_late_lags() -> None:
    assert await samples(StillClock(overslept_s=0.03), 2) == [0.03, 0.03]


async def test_sampling_ends_when_cancelled() -> None:
    seen: list[float] = []
    task = asyncio.create_task(sample_loop_lag(seen.append, StillClock()))
    await asyncio.sleep(0)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
