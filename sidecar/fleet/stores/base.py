"""What a store has to offer: compare-and-swap, the time, and word of changes. Nothing of breakers.

To add a store, write one module with a class that implements `Store`. It keeps each record under
its name, as the JSON of `sidecar.core.record_json`, for 24 hours since its last write. The rules
stay in `sidecar.core.breaker`; a pod runs them on what it knows and offers the result to `cas`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sidecar.core.record import Record


class StoreUnavailable(ConnectionError):
    """The store did not confirm: it is out of reach, too slow, or refuses. Nothing is known."""


class Unreadable(StoreUnavailable):
    """The store answers, but what it has of this record cannot be read, and is left alone."""


@dataclass(frozen=True, slots=True)
class Sync:
    """The store at one moment: its time in ms, the records it has, and the pods that live.

    A record that nobody has written is left out. A pod lives while it has synchronised lately.
    """

    now_ms: int
    records: tuple[Record, ...]
    pods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guard:
    """When a write holds good by the store's clock: from `not_before_ms`, before `not_after_ms`.

    0 is no bound. The times in a record are the store's as a pod reckons it; the bounds keep one
    whose reckoning is off from doing harm. `token` names the write.
    """

    not_before_ms: int = 0
    not_after_ms: int = 0
    token: str = ""

    def admits(self, now_ms: int) -> bool:
        """Whether `now_ms` is within the bounds."""
        return now_ms >= self.not_before_ms and (
            not self.not_after_ms or now_ms < self.not_after_ms
        )


UNGUARDED = Guard()


@dataclass(frozen=True, slots=True)
class Swap:
    """Whether the write was done, the record that is stored now (`None`: none), the time in ms."""

    done: bool
    record: Record | None
    now_ms: int


@dataclass(frozen=True, slots=True)
class Lost:
    """Changes may have been missed: synchronise again."""


class Store(Protocol):
    """Where a fleet keeps its breakers.

    Foreign errors stop here: each method raises `StoreUnavailable`, and nothing else.
    """

    async def sync(self, names: Iterable[str], pod: str) -> Sync:
        """Read the records of `names`, and show that `pod` lives."""
        ...

    async def cas(self, seen_rev: int, new: Record, guard: Guard = UNGUARDED) -> Swap:
        """Write `new`, if the stored `rev` is `seen_rev` (0: no record).

        Its `rev` will be what it says there, or one more than `seen_rev` if that is higher. A
        store that never takes one write for another, also after it lost some, may just count.

        Under `guard`'s token it is done once, however often a client that did not hear the answer
        repeats it, and answered alike. Raises `Unreadable` where a record of another version is.
        """
        ...

    def changes(self) -> AsyncIterator[Record | Lost]:
        """Every record as it is written, by any pod. `Lost` comes first, and after a gap."""
        ...

    async def close(self) -> None:
        """Let go of every connection. Nothing is asked after that."""
        ...


@runtime_checkable
class LocalStore(Store, Protocol):
    """A store in this process: it also answers at once."""

    def now_ms(self) -> int:
        """The store's time."""
        ...

    def read_now(self, name: str) -> Record | None:
        """The record as it is stored."""
        ...

    def swap_now(self, seen_rev: int, new: Record, guard: Guard = UNGUARDED) -> Swap:
        """What `cas` does."""
        ...
