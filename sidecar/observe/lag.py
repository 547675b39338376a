"""Watches how late the event loop comes round: what every request waits for on top."""

from __future__ import annotations

from collections.abc import Callable

from sidecar.clock import Clock

EVERY_S = 0.5


async def sample_loop_lag(observe: Callable[[float], None], clock: Clock) -> None:
    """Tell `observe`, twice a second, how many seconds the loop was late. Ends when cancelled."""
    while True:
        due = clock.monotonic() + EVERY_S
        await clock.sleep(EVERY_S)
        observe(clock.monotonic() - due)
