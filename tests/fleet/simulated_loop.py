"""A loop on which several processes live: its time jumps, and each of them can stop or die.

What a process has to do is known by the context in which it was put on the loop. While a process
is frozen nothing of it runs; what fell due meanwhile runs when it goes on, in the same order. That
of a dead one never does.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections.abc import Callable
from typing import Any, TypeVarTuple, Unpack

Ts = TypeVarTuple("Ts")

BEGINNING_S = 1000.0


class Process:
    """Something that runs, until it is stopped. `context` is what it runs in."""

    def __init__(self) -> None:
        self.context = contextvars.Context()
        self.context.run(_PROCESS.set, self)
        self.is_stopped = False
        self.held: list[asyncio.Handle] = []


_PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)
NOBODY = contextvars.Context()  # what runs in it is never stopped: the network, the store


class SimulatedLoop(asyncio.BaseEventLoop):
    """First what is due first; of what is due together first what came first.

    `after_step` hears of every process that has just done something.
    """

    def __init__(self) -> None:
        super().__init__()
        self.after_step: Callable[[Process], None] = _ignore
        self._now_s = BEGINNING_S
        self._count = 0
        self._queue: list[tuple[float, int, asyncio.Handle, Process | None]] = []

    def time(self) -> float:
        """Seconds of the simulated world."""
        return self._now_s

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        """Run it at this very time, after what is already to be run at it."""
        context = context or contextvars.copy_context()
        handle = asyncio.Handle(callback, args, self, context)
        self._push(self._now_s, handle, context)
        return handle

    call_soon_threadsafe = call_soon

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run it then."""
        context = context or contextvars.copy_context()
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._push(max(when, self._now_s), handle, context)
        return handle

    def resume(self, process: Process) -> None:
        """Let a stopped process go on."""
        process.is_stopped = False
        held, process.held = process.held, []
        for handle in held:
            self._count += 1
            heapq.heappush(self._queue, (self._now_s, self._count, handle, process))

    def _push(self, when: float, handle: asyncio.Handle, context: contextvars.Context) -> None:
        self._count += 1
        heapq.heappush(self._queue, (when, self._count, handle, context.get(_PROCESS)))

    def _run_once(self) -> None:
        """What the base class calls again and again."""
        if not self._queue:
            raise RuntimeError("everybody waits, and nothing will ever happen")
        self._now_s, _, handle, process = heapq.heappop(self._queue)
        if handle.cancelled():
            return
        if process is None:
            handle._run()
        elif process.is_stopped:
            process.held.append(handle)
        else:
            handle._run()
            self.after_step(process)

    def _timer_handle_cancelled(self, handle: Any) -> None:
        """Nothing: it is skipped when its time comes."""


def _ignore(_: Process) -> None:
    """Nobody wants to hear of it."""
