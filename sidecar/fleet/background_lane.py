"""The way to a store elsewhere: asked in the background, so that only an operator waits for it.

Runs the breaker's rules here and has the store take over what they come to.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from typing import TypeVar

from sidecar.clock import Clock
from sidecar.core.breaker import Cool, Lease, Op, step
from sidecar.core.record import Record, Slot
from sidecar.fleet.lane import Listener
from sidecar.fleet.stores.base import Guard, Lost, Store, StoreUnavailable, Swap

TRIES = 3  # of one operation, when other pods are faster
OP_TIMEOUT_S = 0.25
SYNC_S = 2.0  # a backstop: changes are pushed
UNUSED_S = 1.0  # how long a lease waits for a call before it goes back

T = TypeVar("T")
log = logging.getLogger(__name__)


class BackgroundLane:
    """The way to a store elsewhere: one operation at a time, one waiting of a kind and breaker."""

    def __init__(
        self, store: Store, clock: Clock, listener: Listener, names: Iterable[str], pod: str
    ) -> None:
        self.live_pods = 1
        self._store = store
        self._clock = clock
        self._listener = listener
        self._names = tuple(names)
        self._pod = pod
        self._ahead_ms = (clock.unix() - clock.monotonic()) * 1000
        self._waiting: dict[tuple[str, ...], tuple[str, Op]] = {}
        self._asking: tuple[str, ...] = ()
        self._wake = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def now_ms(self) -> int:
        """Store time as of its last answer: what the way here took keeps it behind the store's."""
        return int(self._clock.monotonic() * 1000 + self._ahead_ms)

    def put(self, name: str, op: Op) -> None:
        """Have `op` done soon, in place of an older one of its kind that still waits."""
        key = _key(name, op)
        if isinstance(op, Lease) and key == self._asking:
            return
        self._waiting[key] = (name, op)
        self._wake.set()

    async def run(self, name: str, op: Op) -> None:
        """Do `op` and wait for the store to confirm it."""
        async with self._one_at_a_time:
            await self._do(name, op)

    async def open(self) -> None:
        """Begin to follow the store. It need not be there yet."""
        for job in (self._work, self._follow, self._stay_in_step):
            self._spawn(_for_ever(job, self._clock))

    async def close(self) -> None:
        """Do what still waits, while the store answers, and stop."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            while self._waiting:
                await self.run(*self._next())
        except StoreUnavailable:
            self._waiting.clear()  # what it does not hear runs out by itself
        finally:
            await self._store.close()

    async def _work(self) -> None:
        await self._wake.wait()
        self._wake.clear()
        while self._waiting:
            name, op = self._next()
            try:
                await self.run(name, op)
            except StoreUnavailable:
                self._listener.unanswered(name)
            finally:
                self._asking = ()

    def _next(self) -> tuple[str, Op]:
        self._asking = next(iter(self._waiting))
        return self._waiting.pop(self._asking)

    async def _do(self, name: str, op: Op) -> None:
        asked_s = self._clock.monotonic()
        seen = self._listener.known(name)
        for _ in range(TRIES):
            now_ms = self.now_ms()
            new, slot = step(seen, op, now_ms)
            swap = await self._swap(seen, new, now_ms) if new is not seen else None
            if swap is None or swap.done:
                return self._done(swap.record or new if swap else new, slot, asked_s)
            # the store has lost it if it has none: then what is known here is the best there is
            seen = swap.record or replace(seen, rev=0)
            self._listener.learn(seen)
        raise StoreUnavailable(f"breaker {name}: {TRIES} writes in a row came too late")

    async def _swap(self, seen: Record, new: Record, now_ms: int) -> Swap:
        guard = Guard(*seen.window_ms(now_ms), token=secrets.token_hex(8))
        swap = await _in_time(self._store.cas(seen.rev, new, guard))
        self._set_clock(swap.now_ms)
        return swap

    def _done(self, record: Record, slot: Slot | None, asked_s: float) -> None:
        self._listener.learn(record)
        if slot:
            self._listener.granted(record, slot, asked_s)
            self._spawn(self._return_unused(record.name, slot.token))

    async def _return_unused(self, name: str, token: str) -> None:
        await self._clock.sleep(UNUSED_S)
        self._listener.unused(name, token)

    async def _follow(self) -> None:
        async for change in self._store.changes():
            if isinstance(change, Lost):
                await self._sync()
            else:
                self._listener.learn(change)
        raise StoreUnavailable("the store's word of changes has ended")

    async def _stay_in_step(self) -> None:
        pause_s = SYNC_S * random.uniform(0.85, 1.15)  # a fleet must not march in step
        await self._clock.sleep(pause_s)
        await self._sync()

    async def _sync(self) -> None:
        sync = await _in_time(self._store.sync(self._names, self._pod))
        self._set_clock(sync.now_ms)
        self.live_pods = max(1, len(sync.pods))
        for record in sync.records:
            self._listener.learn(record)

    def _set_clock(self, now_ms: int) -> None:
        self._ahead_ms = now_ms - self._clock.monotonic() * 1000

    def _spawn(self, job: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _key(name: str, op: Op) -> tuple[str, ...]:
    return name, type(op).__name__, op.scope if isinstance(op, Cool) else ""


async def _in_time(asked: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(OP_TIMEOUT_S):
            return await asked
    except TimeoutError as error:
        raise StoreUnavailable("the store took too long") from error


async def _for_ever(job: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Do `job` again and again, with a pause after it failed."""
    while True:
        try:
            await job()
        except StoreUnavailable as error:
            log.warning("breaker store unavailable", extra={"error": str(error)})
            await clock.sleep(SYNC_S)
        except Exception:
            log.exception("breaker store: an error of our own")
            await clock.sleep(SYNC_S)
