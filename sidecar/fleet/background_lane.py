"""The way to a store elsewhere: asked in the background, so that only an operator waits for it.

Runs the breaker's rules here and has the store take over what they come to. Where the store does
not answer the pod decides alone; an opening that it then made is proposed to the store when that
is back, if it is still fresh.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from functools import partial

from sidecar.clock import Clock
from sidecar.core.breaker import Bury, Cool, Lease, Merge, Op, step
from sidecar.core.events import State
from sidecar.core.record import Record, Slot
from sidecar.fleet.asking import Asking
from sidecar.fleet.lane import Listener, Member, StoreStatus
from sidecar.fleet.pending import Key, Pending, Waiting
from sidecar.fleet.stores.base import Guard, Lost, Store, StoreUnavailable, Swap, Sync, Unreadable

TRIES = 3  # of one operation, when other pods are faster
UNUSED_S = 1.0  # how long a lease waits for a call before it goes back
STALE_S = 5.0  # evidence that has waited for so long is dropped: the world has gone on
REASONS = 8  # of failures, that are worth a warning
LASTED_S = 10.0  # a job that failed after so long had begun well
CLOSE_S = 2.0  # for what still waits at the end
FRESH_S = 10.0  # an opening that is not older is proposed to a store that comes back

log = logging.getLogger(__name__)


class BackgroundLane:
    """The way to a store elsewhere: one operation at a time, one waiting of a kind and breaker."""

    def __init__(
        self, store: Store, clock: Clock, listener: Listener, names: Iterable[str], member: Member
    ) -> None:
        self._store = store
        self._clock = clock
        self._listener = listener
        self._names = tuple(names)
        self._pod = member.pod
        self._sync_s = member.fleet.sync_s
        self._late_ms = round(2000 * member.fleet.op_timeout_s)
        self._asks = Asking(clock, member, listener.clock_set)
        self._pending = Pending()
        self._is_alone = False
        self._warned_of: set[str] = set()
        self._wake = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def live_pods(self) -> int:
        """How many pods share the store, as far as it was heard: 0 if never."""
        return self._asks.live_pods

    @property
    def is_alone(self) -> bool:
        """Whether the store is out of reach, so that this pod decides alone."""
        return self._is_alone

    def now_ms(self) -> int:
        """Store time as of its last answer: what the way here took keeps it behind the store's."""
        return self._asks.now_ms()

    def status(self) -> StoreStatus:
        """The store at this moment."""
        return self._asks.status()

    def put(self, name: str, op: Op) -> None:
        """Have `op` done soon, in place of an older one of its kind that still waits.

        While this pod decides alone, only an opening that it is sure of is kept; and before the
        store was heard no cooldown, for it ends at a time of this machine's clock.
        """
        if isinstance(op, Cool) and not self._asks.is_in_time:
            return
        self._put(Waiting(name, op, self._clock.monotonic()))

    async def run(self, name: str, op: Op) -> None:
        """Do `op` and wait for the store to confirm it, also that there is nothing to do."""
        async with self._one_at_a_time:
            await self._sync()
            if lost := self._pending.take(name, Merge):
                await self._do(lost)  # or it would undo the order afterwards
            await self._do(Waiting(name, op, self._clock.monotonic()))

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        """Do something in so many seconds, while the lane is open."""

        async def wait() -> None:
            await self._clock.sleep(seconds)
            then()

        self._spawn(wait())

    async def open(self) -> None:
        """Begin to follow the store. It need not be there yet: then the log has a warning."""
        for job in (self._work, self._follow, self._stay_in_step):
            self._spawn(self._for_ever(job))

    async def stop(self) -> None:
        """Let the operation that is under way end, and begin no other: no lease comes any more."""
        async with self._one_at_a_time:
            tasks, self._tasks = self._tasks, set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._pending.refuse_leases()

    async def close(self) -> None:
        """Do what still waits, while the store answers."""
        try:
            async with asyncio.timeout(CLOSE_S):
                while self._pending and not self._asks.degraded:
                    await self._do(self._pending.next())
        except (StoreUnavailable, TimeoutError):
            self._pending.clear()  # what it does not hear runs out by itself
        finally:
            await self._store.close()

    def _put(self, waiting: Waiting) -> None:
        if self._is_alone:
            self._pending.propose(waiting)
        else:
            self._pending.put(waiting)
            self._wake.set()

    def _try_again(self, waiting: Waiting) -> None:
        """Do later what the store did not answer to, unless it is asked for anew by then."""
        if self._is_alone:
            self._pending.propose(waiting)
        elif not isinstance(waiting.op, Lease):  # the next call asks anew
            self._pending.keep(waiting)
            self.later(self._asks.retry_s(random.random()), partial(self._put_back, waiting.key))

    def _put_back(self, key: Key) -> None:
        self._pending.put_back(key)
        self._wake.set()

    async def _work(self) -> None:
        while not self._pending:
            self._wake.clear()
            await self._wake.wait()
        async with self._one_at_a_time:
            if self._pending:
                await self._work_off(self._pending.next())

    async def _work_off(self, waiting: Waiting) -> None:
        try:
            if waiting.since_s < self._clock.monotonic() - STALE_S:
                self._listener.dropped(waiting.name)
            else:
                await self._do(waiting)
        except Unreadable as error:
            self._tell(error)
            self._listener.dropped(waiting.name)
        except StoreUnavailable as error:
            self._tell(error)
            self._try_again(waiting)
        finally:
            self._pending.ended()

    async def _do(self, waiting: Waiting) -> None:
        if not self._asks.is_in_time:
            await self._sync()
        asked_s = self._clock.monotonic()
        seen = waiting.seen or self._listener.known(waiting.name)
        for _ in range(TRIES):
            now_ms = self.now_ms()
            new, slot = step(seen, waiting.op, now_ms)
            if new is seen:
                return self._done(seen, slot, asked_s)
            swap = await self._swap(seen, new, now_ms)
            # the store has lost it if it has none: then what is known here is the best there is
            seen = swap.record or replace(seen, rev=0)
            if swap.done:
                return self._done(seen, slot, asked_s)
            self._listener.learn(seen)
        raise StoreUnavailable(f"{TRIES} writes in a row came too late")

    async def _swap(self, seen: Record, new: Record, now_ms: int) -> Swap:
        not_before_ms, not_after_ms = seen.window_ms(now_ms)
        # a store that was frozen does afterwards what nobody waits for any more
        late_ms = now_ms + self._late_ms
        not_after_ms = min(not_after_ms or late_ms, late_ms)
        guard = Guard(not_before_ms, not_after_ms, token=secrets.token_hex(8))
        # a store that lost data must not take what another pod writes then for what is known here
        new = replace(new, rev=max(seen.rev + 1, now_ms))
        try:
            return await self._asks.cas(self._store.cas(seen.rev, new, guard))
        finally:
            self._note_outage()

    def _done(self, record: Record, slot: Slot | None, asked_s: float) -> None:
        self._listener.learn(record)
        if slot:
            self._listener.granted(record, slot, asked_s)
            token = slot.token
            self.later(UNUSED_S, lambda: self._listener.unused(record.name, token))

    async def _follow(self) -> None:
        async for change in self._store.changes():
            await self._hear(change)
        raise StoreUnavailable("the store's word of changes has ended")

    async def _hear(self, change: Record | Lost) -> None:
        if isinstance(change, Lost):
            await self._sync()
        elif change.name in self._names:  # other pods may have others
            if change.epoch > self._listener.known(change.name).epoch:
                self._asks.propagated(change)
            self._listener.learn(change)

    async def _stay_in_step(self) -> None:
        if not self._asks.degraded:  # else it has waited already; a fleet must not march in step
            await self._clock.sleep(self._sync_s * random.uniform(0.85, 1.15))
        await self._sync()

    async def _sync(self) -> None:
        try:
            sync = await self._asks.sync(self._store.sync(self._names, self._pod))
        finally:
            self._note_outage()
        self._restore_what_is_lost(sync)
        for record in sync.records:
            self._listener.learn(record)
            self._bury_the_dead(record, sync)
        if self._asks.degraded:
            self._come_back()

    def _note_outage(self) -> None:
        """Decide alone from the moment that the store has failed too often."""
        if self._asks.degraded and not self._is_alone:
            self._is_alone = True
            log.warning(
                "breaker store out of reach: this pod decides alone",
                extra={"error": self._asks.last_error},
            )
            self._pending.desert()
            self._listener.deserted()

    def _come_back(self) -> None:
        """The fleet decides again. What was opened here a moment ago is proposed to it."""
        log.info("breaker store is back: the fleet decides")
        self._asks.recovered()
        self._is_alone = False
        fresh = self._pending.proposals(self._clock.monotonic() - FRESH_S)
        proposed = {name: trip for name, trip in fresh.items() if self._may_open(name)}
        self._listener.regained(proposed)
        for name, trip in proposed.items():
            self.put(name, replace(trip, epoch=self._listener.known(name).epoch))

    def _may_open(self, name: str) -> bool:
        """Whether it is still open here, and the store could open it. Else its word is followed."""
        known = self._listener.known(name)
        return self._listener.is_avoided(name) and known.state is State.CLOSED and not known.hold

    def _restore_what_is_lost(self, sync: Sync) -> None:
        """Give back what the store once had and has no more."""
        stored = {record.name: record for record in sync.records}
        for name in self._names:
            known, seen = self._listener.known(name), stored.get(name) or Record(name=name)
            if known.rev and known.version > seen.version:
                merge = Merge(pod=self._pod, snapshot=known)
                self._put(Waiting(name, merge, self._clock.monotonic(), seen))

    def _tell(self, error: StoreUnavailable) -> None:
        """Say each reason once: a right that is missing, say, shows nowhere else."""
        reason = str(error)
        is_new = reason not in self._warned_of and len(self._warned_of) < REASONS
        level = logging.WARNING if is_new else logging.DEBUG
        self._warned_of |= {reason} if is_new else set()
        log.log(level, "breaker store unavailable", extra={"error": reason})

    def _bury_the_dead(self, record: Record, sync: Sync) -> None:
        """Free the probes of pods that synchronise no more: a lease may last for minutes."""
        if dead := {slot.pod for slot in record.leases}.difference(sync.pods):
            bury = Bury(pod=self._pod, epoch=record.epoch, dead=frozenset(dead))
            self._put(Waiting(record.name, bury, self._clock.monotonic()))

    def _spawn(self, job: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _for_ever(self, job: Callable[[], Awaitable[None]]) -> None:
        """Do `job` again and again, with a pause after it failed, longer if it soon fails again."""
        failures = 0
        while True:
            began_s = self._clock.monotonic()
            try:
                await job()
                failures = 0
            except StoreUnavailable as error:
                self._tell(error)
                lasted = self._clock.monotonic() - began_s > LASTED_S
                failures = 1 if lasted else failures + 1
                await self._clock.sleep(self._asks.retry_s(random.random(), failures))
            except Exception:
                log.exception("breaker store: an error of our own")
                await self._clock.sleep(self._sync_s)
