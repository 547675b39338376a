"""The only reader of time."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time: `monotonic` for deadlines, `unix` for what pods share."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never steps back."""
        ...

    def unix(self) -> float:
        """Seconds since 1970, as the machine believes."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...


class SystemClock:
    """The machine's own clocks."""

    monotonic = staticmethod(time.monotonic)
    unix = staticmethod(time.time)
    sleep = staticmethod(asyncio.sleep)
