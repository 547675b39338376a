"""Attempts beside each other: the first that shows content goes on, the other is called off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from sidecar.proxy.attempt import Attempt

Racer = Coroutine[Any, Any, Attempt]


class Race:
    """One race: it is won as soon as somebody has shown content."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tasks: list[asyncio.Task[Attempt]] = []
        self._won: asyncio.Future[None] = self._loop.create_future()
        self._winner: asyncio.Task[Attempt] | None = None

    @property
    def is_lost(self) -> bool:
        """Whether somebody has shown content, and not whoever runs now."""
        return self._won.done() and asyncio.current_task(self._loop) is not self._winner

    def show(self) -> None:
        """Whoever runs now has shown content."""
        if not self._won.done():
            self._won.set_result(None)
            running = asyncio.current_task(self._loop)
            self._winner = next((task for task in self._tasks if task is running), None)

    async def run(
        self, first: Racer, after_s: float, second: Callable[[], Racer | None]
    ) -> Attempt:
        """What the one comes to that showed content first; one that failed, if nobody does.

        The `second` is asked for once `after_s` have passed without content. Whoever else is still
        running is cancelled, and has ended on return.
        """
        try:
            self._start(first)
            if not await self._wait(self._tasks, after_s) and (rival := second()):
                self._start(rival)
            return await self._best()
        finally:
            await self._call_off(self._tasks)

    def _start(self, racer: Racer) -> None:
        self._tasks.append(self._loop.create_task(racer))

    async def _best(self) -> Attempt:
        while running := [task for task in self._tasks if not (task.done() or self._won.done())]:
            await self._wait(running)
        best = self._winner or self._tasks[-1]
        await self._call_off([task for task in self._tasks if task is not best])
        return await best

    async def _wait(self, tasks: list[asyncio.Task[Attempt]], most_s: float | None = None) -> bool:
        """Wait until one of them ends or has shown content; whether that was in time."""
        awaited: list[asyncio.Future[Any]] = [self._won, *tasks]
        over, _ = await asyncio.wait(awaited, timeout=most_s, return_when=asyncio.FIRST_COMPLETED)
        return bool(over)

    async def _call_off(self, tasks: list[asyncio.Task[Attempt]]) -> None:
        running = [task for task in tasks if not task.done()]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
