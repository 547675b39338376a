"""The way from this pod to the store: what is asked of it, and who hears what comes back."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sidecar.core.breaker import Op
from sidecar.core.events import Report
from sidecar.core.policies import Fleet
from sidecar.core.record import Record, Slot


class Member(NamedTuple):
    """One pod of a fleet, and what it reports to."""

    pod: str
    fleet: Fleet
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """The store as this pod meets it. `view_age_s` is how long ago all was read, if ever.

    `pods` are those that share it, each with the seconds since it was last seen.
    """

    up: bool = True
    degraded: bool = False
    degraded_s: float = 0.0
    view_age_s: float | None = 0.0
    pods: Mapping[str, float]


class Listener(Protocol):
    """Who hears what the store says: the pod's view of its breakers."""

    def known(self, name: str) -> Record:
        """The last word of the store on `name` that was heard."""
        ...

    def is_avoided(self, name: str) -> bool:
        """Whether this pod has reason of its own to keep off, and has not found out better."""
        ...

    def learn(self, record: Record) -> None:
        """Hear the store's word; it may be old news."""
        ...

    def granted(self, record: Record, slot: Slot, asked_s: float) -> None:
        """Hear of a lease that was asked for at `asked_s` (monotonic)."""
        ...

    def unused(self, name: str, token: str) -> None:
        """Give the lease back, if no call has taken it yet."""
        ...

    def dropped(self, name: str) -> None:
        """Hear that an operation came to nothing: the store did not answer for too long."""
        ...

    def clock_set(self, by_ms: int) -> None:
        """Hear, once, that store time is by so much later than it was taken to be."""
        ...

    def deserted(self) -> None:
        """Hear that the store is out of reach: this pod decides alone."""
        ...

    def regained(self, proposed: Container[str]) -> None:
        """Hear that the store answers again, and all its words were heard: they win.

        `proposed` are the breakers that this pod has just proposed to open.
        """
        ...


class Lane(Protocol):
    """What the view asks of its way to the store."""

    @property
    def live_pods(self) -> int:
        """How many pods share the store, as far as it was heard: 0 if never."""
        ...

    @property
    def is_alone(self) -> bool:
        """Whether the store is out of reach, so that this pod decides alone."""
        ...

    def now_ms(self) -> int:
        """Store time, never ahead of the store's own."""
        ...

    def put(self, name: str, op: Op) -> None:
        """Have `op` done, now or soon. What comes of it goes to the listener."""
        ...

    async def run(self, name: str, op: Op) -> None:
        """Have `op` done and wait for it. `StoreUnavailable` if the store does not confirm."""
        ...

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        """Do something in so many seconds, if the pod is still there."""
        ...

    def status(self) -> StoreStatus:
        """The store at this moment."""
        ...

    async def open(self) -> None:
        """Begin to listen to the store."""
        ...

    async def stop(self) -> None:
        """End what is under way, and hear nothing more: no lease comes after that."""
        ...

    async def close(self) -> None:
        """Have done what was put, as far as the store answers."""
        ...
