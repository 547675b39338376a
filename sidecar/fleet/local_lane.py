"""The way to a store in this process, which is asked at once."""

from __future__ import annotations

from collections.abc import Callable

from sidecar.clock import Clock
from sidecar.core.breaker import Op, step
from sidecar.fleet.lane import Listener, StoreStatus
from sidecar.fleet.stores.base import LocalStore


class LocalLane:
    """The way to a store in this process: `put` has been done when it returns."""

    live_pods = 1
    is_alone = False

    def __init__(self, store: LocalStore, clock: Clock, listener: Listener, pod: str) -> None:
        self._store = store
        self._pod = pod
        self._clock = clock
        self._listener = listener
        self.now_ms = store.now_ms

    def put(self, name: str, op: Op) -> None:
        """Do `op` now."""
        seen = self._store.read_now(name) or self._listener.known(name)
        new, slot = step(seen, op, self._store.now_ms())
        if new is not seen:
            new = self._store.swap_now(seen.rev, new).record or new
        self._listener.learn(new)
        if slot:
            self._listener.granted(new, slot, self._clock.monotonic())

    async def run(self, name: str, op: Op) -> None:
        """Do `op` now."""
        self.put(name, op)

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        """Nothing: whatever is due is found when somebody asks, and done at once."""

    def status(self) -> StoreStatus:
        """It cannot be away, and nobody shares it."""
        return StoreStatus(pods={self._pod: 0.0})

    async def open(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""
