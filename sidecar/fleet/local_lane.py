"""The way to a store in this process, which is asked at once."""

from __future__ import annotations

from sidecar.clock import Clock
from sidecar.core.breaker import Op, step
from sidecar.fleet.lane import Listener
from sidecar.fleet.stores.base import LocalStore


class LocalLane:
    """The way to a store in this process: `put` has been done when it returns."""

    live_pods = 1

    def __init__(self, store: LocalStore, clock: Clock, listener: Listener) -> None:
        self._store = store
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

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self) -> None:
        """Nothing to do."""
