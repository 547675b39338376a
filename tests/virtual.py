"""A world in which waiting takes no time: sockets are real, the clock jumps from timer to timer.

What is written to a socket of this machine can be read at once, so that nothing is under way while
every task of the loop waits: then, and only then, the clock goes on to the next timer.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple, Unpack
from unittest.mock import patch

from sidecar.clock import SystemClock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

GRACE_S = 0.0005  # real time for the kernel to hand over what was just sent
BEGINNING_UNIX_S = 1_800_000_000.0


class JumpingSelector(selectors.DefaultSelector):
    """Looks at the sockets, and where none is ready lets the clock jump instead of waiting."""

    now_s = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        """What is ready; time passes only where nothing is."""
        ready = super().select(0) or super().select(GRACE_S if timeout != 0 else 0)
        if ready or timeout == 0:
            return ready
        if timeout is None:  # another thread is at work, or a child
            return super().select(1.0)
        self.now_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is virtual."""

    def __init__(self) -> None:
        self.selector = JumpingSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        """Virtual monotonic seconds."""
        return self.selector.now_s

    def run_in_executor(
        self,
        executor: Executor | None,  # noqa: ARG002  no thread is needed
        func: Callable[[Unpack[Ts]], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Do it at once: time would go on while another thread is at work."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done


@contextmanager
def virtual_clock(loop: VirtualLoop) -> Iterator[None]:
    """Whoever asks for the time hears that of `loop`."""

    def unix() -> float:
        return BEGINNING_UNIX_S + loop.time()

    with (
        patch.object(SystemClock, "monotonic", staticmethod(loop.time)),
        patch.object(SystemClock, "unix", staticmethod(unix)),
    ):
        yield


def run(story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a story in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        with virtual_clock(loop):
            return runner.run(story())


def now_s() -> float:
    """The virtual time of the running loop."""
    return asyncio.get_running_loop().time()
