"""Asks the store: in time, with an account of how it answers and what its clock says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sidecar.clock import Clock
from sidecar.core.events import Propagated, StoreAsked, StoreOperation, StoreResult
from sidecar.core.record import Record
from sidecar.fleet.health import Health
from sidecar.fleet.lane import Member, StoreStatus
from sidecar.fleet.stores.base import StoreUnavailable, Swap, Sync, Unreadable

POD_LIVES_S = 10.0

T = TypeVar("T")


class Asking:
    """What this pod knows of the store itself: its health, its clock, and who shares it."""

    def __init__(self, clock: Clock, member: Member, clock_set: Callable[[int], None]) -> None:
        self._clock = clock
        self._member = member
        self._health = Health(clock.monotonic())
        self._synced_s: float | None = None
        self._live = 0  # until the store was heard, nobody knows
        self._heard = 2  # of pods that start together the first hears of the others a moment later
        self._seen_s: dict[str, float] = {}  # by pod
        self.is_in_time = False  # until the store was heard, its time is taken to be this machine's
        self._clock_set = clock_set
        self.last_error = ""
        self._ahead_ms = (clock.unix() - clock.monotonic()) * 1000

    @property
    def degraded(self) -> bool:
        """Whether this pod decides alone."""
        return self._health.degraded

    @property
    def live_pods(self) -> int:
        """How many pods share the store, as far as it was heard: 0 if never."""
        return self._live

    def now_ms(self) -> int:
        """Store time as of its last answer: what the way here took keeps it behind the store's."""
        return int(self._clock.monotonic() * 1000 + self._ahead_ms)

    def retry_s(self, chance: float, failures: int = 0) -> float:
        """How long to stay away after so many `failures` in a row; `chance` is in [0, 1)."""
        return self._health.retry_s(chance, failures)

    def status(self) -> StoreStatus:
        """The store at this moment."""
        now_s = self._clock.monotonic()
        return StoreStatus(
            up=self._health.up,
            degraded=self.degraded,
            degraded_s=self._health.degraded_for_s(now_s),
            view_age_s=None if self._synced_s is None else now_s - self._synced_s,
            pods={pod: now_s - at_s for pod, at_s in self._seen_s.items()},
        )

    async def cas(self, asked: Awaitable[Swap]) -> Swap:
        """Have something written. Raises `StoreUnavailable`."""
        began_s = self._clock.monotonic()
        swap = await self._answer(StoreOperation.CAS, asked)
        self._answered(
            StoreOperation.CAS, began_s, StoreResult.OK if swap.done else StoreResult.REFUSED
        )
        self._set_clock(swap.now_ms)
        return swap

    async def sync(self, asked: Awaitable[Sync]) -> Sync:
        """Have everything read. Raises `StoreUnavailable`."""
        began_s = self._clock.monotonic()
        sync = await self._answer(StoreOperation.SYNC, asked)
        self._answered(StoreOperation.SYNC, began_s, StoreResult.OK)
        self._set_clock(sync.now_ms)
        self._synced_s = now_s = self._clock.monotonic()
        self._live, self._heard = max(self._heard, len(sync.pods)), len(sync.pods)
        self._seen_s |= dict.fromkeys(sync.pods, now_s)
        gone_s = now_s - POD_LIVES_S
        self._seen_s = {pod: at_s for pod, at_s in self._seen_s.items() if at_s >= gone_s}
        return sync

    def recovered(self) -> None:
        """All has been read again."""
        self._health.recovered(self._clock.monotonic())

    def propagated(self, record: Record) -> None:
        """Another pod's move was pushed here."""
        why = record.why
        if why and why.pod != self._member.pod:
            seconds = max(0.0, (self.now_ms() - why.at_ms) / 1000)
            self._member.report(Propagated(breaker=record.name, seconds=seconds))

    async def _answer(self, operation: StoreOperation, asked: Awaitable[T]) -> T:
        began_s = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._member.fleet.op_timeout_s):
                return await asked
        except TimeoutError as error:
            self.last_error = "the store took too long"
            self._failed(operation, began_s, StoreResult.TIMEOUT)
            raise StoreUnavailable(self.last_error) from error
        except Unreadable:  # it is well
            self._answered(operation, began_s, StoreResult.ERROR)
            raise
        except StoreUnavailable as error:
            self.last_error = str(error)
            self._failed(operation, began_s, StoreResult.ERROR)
            raise

    def _answered(self, operation: StoreOperation, began_s: float, result: StoreResult) -> None:
        self._health.answered(self._clock.monotonic())
        self._tell(operation, began_s, result)

    def _failed(self, operation: StoreOperation, began_s: float, result: StoreResult) -> None:
        self._health.failed(self._clock.monotonic())
        self._tell(operation, began_s, result)

    def _tell(self, operation: StoreOperation, began_s: float, result: StoreResult) -> None:
        duration_s = self._clock.monotonic() - began_s
        self._member.report(StoreAsked(operation=operation, result=result, duration_s=duration_s))

    def _set_clock(self, now_ms: int) -> None:
        before_ms = self._ahead_ms
        self._ahead_ms = now_ms - self._clock.monotonic() * 1000
        if not self.is_in_time:
            self.is_in_time = True
            self._clock_set(round(self._ahead_ms - before_ms))
