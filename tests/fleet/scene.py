"""A pod on a clock that the test turns, and short words for what its proxy does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sidecar.core.events import BreakerMoved, Event, ProbeEnded, ProbeVerdict
from sidecar.core.outcome import Outcome, SkipReason
from sidecar.core.permit import Ending, Permit, Refusal
from sidecar.core.policies import BreakerPolicy, Fleet, Slow
from sidecar.core.record import Record
from sidecar.core.settings import Entry, Provider
from sidecar.fleet.lane import Member
from sidecar.fleet.stores.base import UNGUARDED, Guard, Lost, Store, StoreUnavailable, Swap, Sync
from sidecar.fleet.stores.memory import MemoryStore
from sidecar.fleet.view import FleetBreakers

OK = Ending(outcome=Outcome.OK, status=200)
DOWN = Ending(outcome=Outcome.SERVER_ERROR, status=503)
SILENT = Ending(outcome=Outcome.TIMEOUT_CONNECT)
HUNG_UP = Ending(outcome=Outcome.CANCELLED)
LATE = Ending(outcome=Outcome.OK, status=200, ttft_s=3.1)  # for who waits 3 s
BLAMELESS = Ending(outcome=Outcome.GENERATION_FAILED, status=400, blameless=True)
LIMITED = Ending(outcome=Outcome.RATE_LIMIT, status=429)
UNIX_S = 1_700_000_000.0


def limited(wait_s: float) -> Ending:
    """A rate limit that says how long."""
    return replace(LIMITED, wait_s=wait_s)


class FakeClock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.unix_s = UNIX_S
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        """Seconds since nothing in particular."""
        return self.now_s

    def unix(self) -> float:
        """Seconds since 1970."""
        return self.unix_s

    async def sleep(self, seconds: float) -> None:
        """Return once the clock was turned so far."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now_s + seconds, future))
        await future

    def turn(self, seconds: float) -> None:
        """Let so much time pass."""
        self.now_s += seconds
        self.unix_s += seconds
        for due_s, future in self._sleepers:
            if due_s <= self.now_s and not future.done():
                future.set_result(None)
        self._sleepers = [one for one in self._sleepers if not one[1].done()]


def entry(
    provider: str = "gemini", model: str | None = "flash", policy: BreakerPolicy | None = None
) -> Entry:
    """A place in a chain."""
    guarded = Provider(
        name=provider, kind="openai", base_url="http://x/v1", breaker=policy or BreakerPolicy()
    )
    return Entry(provider=guarded, model=model)


@dataclass
class Pod:
    """One pod's breakers; `entry` is the one that is meant where none is named."""

    clock: FakeClock = field(default_factory=FakeClock)
    store: Store | None = None
    entries: Iterable[Entry] = (entry(), entry("anthropic", "haiku"))
    name: str = "pod-a"
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.entries = tuple(self.entries)
        self.entry = self.entries[0]
        self.store = self.store or MemoryStore(self.clock)
        member = Member(self.name, Fleet(), self.events.append)
        self.breakers = FleetBreakers(self.entries, self.store, self.clock, member)

    def admit(self, where: Entry | None = None) -> Permit | Refusal:
        """Ask for leave."""
        return self.breakers.admit(where or self.entry)

    def permit(self, where: Entry | None = None) -> Permit:
        """Ask for leave and get it."""
        permit = self.admit(where)
        assert isinstance(permit, Permit), permit
        return permit

    def call(self, ending: Ending, where: Entry | None = None) -> None:
        """Make one attempt."""
        self.breakers.settle(self.permit(where), ending)

    def calls(self, count: int, ending: Ending, where: Entry | None = None) -> None:
        """Make several, one after the other."""
        for _ in range(count):
            self.call(ending, where)

    def last_resort(self) -> Permit | Refusal:
        """Ask for leave where nobody else is left to ask."""
        return self.breakers.admit(self.entry, despite=(SkipReason.PARKED,))

    def refused(self, where: Entry | None = None) -> SkipReason | None:
        """Why there is no leave (`None`: there is; then it goes back unused)."""
        answer = self.admit(where)
        if isinstance(answer, Refusal):
            return answer.reason
        self.breakers.settle(answer, HUNG_UP)
        return None

    def retry_in_s(self, where: Entry | None = None) -> float | None:
        """When a refused call may be asked for again."""
        answer = self.admit(where)
        assert isinstance(answer, Refusal), answer
        return answer.retry_in_s

    def recover(self) -> None:
        """From open: wait, and let two probes go well."""
        self.clock.turn(60.0)
        self.calls(2, OK)

    @property
    def moves(self) -> list[str]:
        """The moves that were reported, as `closed>open failures self`."""
        moved = [event for event in self.events if isinstance(event, BreakerMoved)]
        return [f"{one.from_state}>{one.to_state} {one.cause} {one.origin}" for one in moved]

    @property
    def probes(self) -> list[ProbeVerdict]:
        """The verdicts of probes that were reported."""
        return [event.verdict for event in self.events if isinstance(event, ProbeEnded)]


class DistantStore:
    """A memory store that is somewhere else: it answers only while its `gate` is open."""

    def __init__(self, clock: FakeClock) -> None:
        self.inner = MemoryStore(clock)
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken = False
        self.writes: list[Record] = []
        self.asked = 0

    async def sync(self, names: Iterable[str], pod: str) -> Sync:
        """As in memory."""
        await self._answer()
        return await self.inner.sync(names, pod)

    async def cas(self, seen_rev: int, new: Record, guard: Guard = UNGUARDED) -> Swap:
        """As in memory."""
        self.asked += 1
        await self._answer()
        swap = await self.inner.cas(seen_rev, new, guard)
        if swap.done and swap.record:
            self.writes.append(swap.record)
        return swap

    async def changes(self) -> AsyncIterator[Record | Lost]:
        """As in memory."""
        async for change in self.inner.changes():
            await self._answer()
            yield change

    async def close(self) -> None:
        """As in memory."""
        await self.inner.close()

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        await self.gate.wait()
        if self.broken:
            raise StoreUnavailable("broken")


async def settled(turns: int = 30) -> None:
    """Let the background tasks do what they can do now."""
    for _ in range(turns):
        await asyncio.sleep(0)


def impatient(**changes: Any) -> BreakerPolicy:
    """The default policy, to which a first token after 3 s is slow, but for `changes`."""
    return with_policy(slow=Slow(first_token_s=3.0), **changes)


def with_policy(**changes: Any) -> BreakerPolicy:
    """The default policy but for `changes`."""
    return replace(BreakerPolicy(), **changes)
