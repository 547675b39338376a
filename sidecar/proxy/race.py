"""Attempts beside each other: the first that shows content goes on, the other is called off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from sidecar.proxy.attempt import Attempt

Racer = Coroutine[Any, Any, Attempt]


class Race:
    """One race. A first token keeps a second provider from being asked; content wins.

    `is_over` says whether a failure was final, so that nobody is worth waiting for any more.
    """

    def __init__(self, is_over: Callable[[], bool]) -> None:
        self._winner: asyncio.Task[Attempt] | None = None
        self._is_over = is_over
        self._loop = asyncio.get_running_loop()
        self._tasks: list[asyncio.Task[Attempt]] = []
        self._progress: asyncio.Future[None] = self._loop.create_future()
        self._content: asyncio.Future[asyncio.Task[Attempt]] = self._loop.create_future()

    def progressed(self) -> None:
        """Somebody has shown a first token."""
        if not self._progress.done():
            self._progress.set_result(None)

    def shows(self) -> None:
        """Whoever runs now has shown content."""
        running = asyncio.current_task(self._loop)
        for task in self._tasks:
            if task is running and not self._content.done():
                self._content.set_result(task)

    def is_lost(self) -> bool:
        """Whether another one than whoever runs now was faster."""
        return self._winner not in {None, asyncio.current_task(self._loop)}

    async def run(
        self, first: Racer, after_s: float, second: Callable[[], Racer | None]
    ) -> Attempt:
        """What the one comes to that showed content first; one that failed, if nobody does.

        The `second` is asked for once `after_s` have passed without a token. Whoever else is still
        running then is cancelled, and has ended on return.
        """
        try:
            self._start(first)
            if not await _any_of([self._progress, *self._tasks], after_s) and (rival := second()):
                self._start(rival)
            best = await self._best()
            self._winner = best
            await self._call_off(best)
            return await best
        finally:
            await self._call_off()

    def _start(self, racer: Racer) -> None:
        self._tasks.append(self._loop.create_task(racer))

    async def _best(self) -> asyncio.Task[Attempt]:
        while (best := self._decided()) is None:
            running: list[asyncio.Future[Any]] = [task for task in self._tasks if not task.done()]
            await _any_of([self._content, *running])
        return best

    def _decided(self) -> asyncio.Task[Attempt] | None:
        """Who has shown content or has an answer; else one that failed, if nobody may yet."""
        if self._content.done():
            return self._content.result()
        ended = sorted(filter(asyncio.Task.done, self._tasks), key=has_answer)
        nobody_may = len(ended) == len(self._tasks) or self._is_over()
        if ended and (nobody_may or has_answer(ended[-1])):
            return ended[-1]
        return None

    async def _call_off(self, best: asyncio.Task[Attempt] | None = None) -> None:
        running = [task for task in self._tasks if task is not best and not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)


def has_answer(ended: asyncio.Task[Attempt]) -> bool:
    """Whether a turn that has ended came to an answer."""
    return ended.result().answer is not None


async def _any_of(awaited: list[asyncio.Future[Any]], most_s: float | None = None) -> bool:
    """Wait until one of them is done; whether that was in time."""
    over, _ = await asyncio.wait(awaited, timeout=most_s, return_when=asyncio.FIRST_COMPLETED)
    return bool(over)
