"""The store of one pod: a dict and callbacks. It answers at once and never fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

from sidecar.clock import Clock
from sidecar.core.record import Record
from sidecar.fleet.stores.base import UNGUARDED, Guard, Lost, Swap, Sync

POD_LIVES_S = 10.0
BACKLOG = 1000  # changes kept for a reader that is behind; beyond that it has to synchronise


class MemoryStore:
    """Keeps records as they are, by name.

    Its time is Unix time at the start, and goes on with the monotonic clock: a stepping wall clock
    moves no deadline.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_ms = round((clock.unix() - clock.monotonic()) * 1000)
        self._records: dict[str, Record] = {}
        self._tokens: dict[str, str] = {}
        self._seen_s: dict[str, float] = {}
        self._readers: set[asyncio.Queue[Record | Lost]] = set()

    def now_ms(self) -> int:
        """The store's time."""
        return self._began_ms + round(self._clock.monotonic() * 1000)

    def read_now(self, name: str) -> Record | None:
        """The record as it is stored."""
        return self._records.get(name)

    def swap_now(self, seen_rev: int, new: Record, guard: Guard = UNGUARDED) -> Swap:
        """What `cas` does."""
        now_ms = self.now_ms()
        old = self._records.get(new.name)
        if guard.token and self._tokens.get(new.name) == guard.token:
            return Swap(True, old, now_ms)
        if (old.rev if old else 0) != seen_rev or not guard.admits(now_ms):
            return Swap(False, old, now_ms)
        stored = replace(new, rev=max(seen_rev + 1, new.rev))
        self._records[new.name] = stored
        self._tokens[new.name] = guard.token
        for reader in self._readers:
            _push(reader, stored)
        return Swap(True, stored, now_ms)

    async def sync(self, names: Iterable[str], pod: str) -> Sync:
        """The records, and the pods that synchronised within ten seconds."""
        now_s = self._clock.monotonic()
        self._seen_s[pod] = now_s
        self._seen_s = {p: at for p, at in self._seen_s.items() if at > now_s - POD_LIVES_S}
        records = (self._records.get(name) for name in names)
        return Sync(self.now_ms(), tuple(filter(None, records)), tuple(sorted(self._seen_s)))

    async def cas(self, seen_rev: int, new: Record, guard: Guard = UNGUARDED) -> Swap:
        """Write `new`, if nothing else was written meanwhile."""
        return self.swap_now(seen_rev, new, guard)

    async def changes(self) -> AsyncIterator[Record | Lost]:
        """Every record as it is written."""
        queue: asyncio.Queue[Record | Lost] = asyncio.Queue(BACKLOG)
        queue.put_nowait(Lost())
        self._readers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._readers.discard(queue)

    async def close(self) -> None:
        """There is nothing to let go of."""


def _push(queue: asyncio.Queue[Record | Lost], record: Record) -> None:
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        queue.put_nowait(Lost())
    queue.put_nowait(record)
