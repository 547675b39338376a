"""Two attempts beside each other, of which the first that has an answer wins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from sidecar.proxy.attempt import Attempt

Racer = Coroutine[Any, Any, Attempt]


async def race(
    first: Racer,
    after_s: float,
    second: Callable[[], Racer | None],
    won: Callable[[Attempt], None],
) -> Attempt:
    """The attempt that wins; where none has an answer, the one that failed last.

    The `second` is asked for once `after_s` have passed. Whoever is still running when it is over,
    for whatever reason, is cancelled, and has ended on return; `won` is told before that.
    """
    racers = [asyncio.create_task(first)]
    try:
        over, _ = await asyncio.wait(racers, timeout=after_s)
        if not over and (rival := second()):
            racers.append(asyncio.create_task(rival))
        best = await winner(racers)
        won(best)
        return best
    finally:
        await call_off(racers)


async def winner(racers: list[asyncio.Task[Attempt]]) -> Attempt:
    """The first that has an answer; of two that come together, the one that started first."""
    running = set(racers)
    while True:
        over, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        ended = [racer.result() for racer in racers if racer in over]
        best = max(ended, key=lambda attempt: attempt.answer is not None)
        if best.answer or not running:
            return best


async def call_off(racers: list[asyncio.Task[Attempt]]) -> None:
    """End those that still run."""
    running = [racer for racer in racers if not racer.done()]
    for racer in running:
        racer.cancel()
    if running:
        await asyncio.wait(running)
