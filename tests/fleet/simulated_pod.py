"""A pod of the simulated fleet: the real breakers, an application that calls, and a view of both.

After every step of the pod what it believes is compared with what is so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from sidecar.core.events import BreakerMoved, Event, Origin, ProbeVerdict, State
from sidecar.core.outcome import ATTESTED, Outcome, SkipReason, Verdict
from sidecar.core.permit import Ending, Permit, Refusal
from sidecar.core.policies import Fleet
from sidecar.core.record import Record, Slot
from sidecar.core.settings import Entry
from sidecar.fleet.cell import Cell
from sidecar.fleet.evidence import WAY_OUT_S
from sidecar.fleet.lane import Member
from sidecar.fleet.stores.base import StoreUnavailable, Swap
from sidecar.fleet.view import FleetBreakers
from tests.fleet.invariants import Violation
from tests.fleet.ledger import Failure, Ledger, ProbeKey
from tests.fleet.simulated_loop import Process, SimulatedLoop
from tests.fleet.simulated_store import UNIX_S, Line, Server

ASKED_MS = 1000  # the longest that an operation can take: three tries, 250 ms each
HEARD_S = 0.001  # until then a lease that was heard of is known
TOLERANCE_MS = 2  # of clocks that count in whole milliseconds

OK = Ending(outcome=Outcome.OK, status=200)
DOWN = Ending(outcome=Outcome.SERVER_ERROR, status=503)
NO_ROUTE = Ending(outcome=Outcome.CONNECT)
SILENT = Ending(outcome=Outcome.TIMEOUT_CONNECT)
BROKEN = Ending(outcome=Outcome.STREAM_TRUNCATED, status=200)
HANGING = Ending(outcome=Outcome.TIMEOUT_FIRST_TOKEN)
HUNG_UP = Ending(outcome=Outcome.CANCELLED)
REFUSED = Ending(outcome=Outcome.BAD_REQUEST, status=400)
LIMITED = Ending(outcome=Outcome.RATE_LIMIT, status=429)
VOIDS = (HUNG_UP, REFUSED)


class Clock:
    """The clocks of one machine: apart from those of others, but no faster."""

    def __init__(self, loop: SimulatedLoop, started_s: float, skew_s: float) -> None:
        self._loop = loop
        self._started_s = started_s
        self.skew_s = skew_s

    def monotonic(self) -> float:
        """Seconds since the machine was started."""
        return self._loop.time() - self._started_s

    def unix(self) -> float:
        """What the machine takes for the time."""
        return UNIX_S + self._loop.time() + self.skew_s

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await asyncio.sleep(seconds)


@dataclass(eq=False)
class Service:
    """A provider as it truly is. `mode` is a name of `ANSWERS`."""

    name: str
    mode: str = "up"
    probing: list[ProbeCall] = field(default_factory=list)

    def ask(self, chance: Random) -> tuple[float, Ending]:
        """How long an answer takes, and what it is."""
        mode = chance.choice(("sluggish", "down")) if self.mode == "fitful" else self.mode
        (least_s, most_s), ending = ANSWERS[mode]
        if mode == "limited":
            ending = replace(ending, wait_s=chance.choice((1.0, 2.0, 4.0)))
        if mode == "slow":
            ending = replace(ending, ttft_s=1.0)
        elif mode == "up" and chance.random() < 0.1:
            return chance.uniform(0.5, 1.9), ending
        return chance.uniform(least_s, most_s), ending


ANSWERS: dict[str, tuple[tuple[float, float], Ending]] = {
    "up": ((0.02, 0.3), OK),
    "sluggish": ((1.0, 1.99), OK),
    "down": ((0.01, 0.1), DOWN),
    "silent": ((0.5, 0.5), SILENT),
    "hanging": ((2.0, 2.0), HANGING),
    "limited": ((0.01, 0.1), LIMITED),
    "slow": ((1.0, 1.2), OK),
}


@dataclass(eq=False)
class ProbeCall:
    """A probe at its provider. `limit` is how many there may be at once in its epoch."""

    key: ProbeKey
    until_s: float
    limit: int


@dataclass(eq=False)
class World:
    """What all pods live in."""

    loop: SimulatedLoop
    chance: Random
    server: Server
    ledger: Ledger
    services: dict[str, Service]
    is_quiet: bool = False  # nobody calls
    checks_clocks: bool = True
    has_like_leases: bool = False  # a lease may be taken for an older one, and go back at once


class SimulatedPod:
    """One pod. It has no way out while it is not `has_egress`."""

    def __init__(self, name: str, world: World, entries: Sequence[Entry], clock: Clock) -> None:
        self.name, self.world, self.clock = name, world, clock
        self.entries = tuple(entries)
        self.calls_per_s = 1.0
        self.has_egress = True
        self.is_gone = False
        self.calls = 0
        self.told: set[tuple[str, int]] = set()
        self.process = Process()
        self.line = Line(world.server, name)
        self.line.on_answer = self._check_grant_heard
        member = Member(name, Fleet(), self._report)
        self.breakers = FleetBreakers(entries, self.line, clock, member)
        self.cells = self.breakers._cells
        self.lane = self.breakers._lane
        self._facts = world.ledger.pods[name]
        self._facts.threshold = entries[0].provider.breaker.failure_threshold
        self._versions = {cell.name: cell.record.version for cell in self.cells.values()}
        self._before = {cell.name: cell.current for cell in self.cells.values()}
        self._was_alone = False
        self._streaks: dict[str, tuple[int, int]] = {}  # by breaker: the epoch, and how many
        self._answered_s: dict[str, float] = {}
        self._own_probes: dict[Permit, tuple[str, int, int]] = {}  # of which round, if its own
        self._desertions = 0  # how often it lost the store

    @property
    def runs(self) -> bool:
        """Whether it does anything now."""
        return not self.is_gone and not self.process.is_stopped

    def start(self) -> None:
        """Begin to serve."""
        loop, context = self.world.loop, self.process.context
        loop.create_task(self.breakers.open(), context=context)
        loop.call_later(0.0, self._call_soon, context=context)

    def order(self, kind: str, name: str, ttl_s: float | None = None) -> None:
        """Do what an operator wants: hold_open, hold_closed, release or reset."""
        self.world.ledger.orders[self.name, name, kind.partition("_")[0]] += 1
        self.world.loop.create_task(self._obey(kind, name, ttl_s), context=self.process.context)

    def shut_down(self) -> None:
        """Stop as one does that was asked to."""
        self.is_gone = True
        for key, probe in self.world.ledger.probes.items():
            if probe.pod == self.name and probe.verdict is None:
                probe.verdict = ProbeVerdict.VOID
                service = self.world.services[key.name]
                service.probing = [call for call in service.probing if call.key != key]
        self.world.loop.create_task(self.breakers.close(), context=self.process.context)

    async def _obey(self, kind: str, name: str, ttl_s: float | None) -> None:
        try:
            if kind == "release":
                await self.breakers.release(name)
            elif kind == "reset":
                await self.breakers.reset(name)
            else:
                mode = State.OPEN if kind == "hold_open" else State.CLOSED
                await self.breakers.hold(name, mode, ttl_s, "me", "drill")
        except StoreUnavailable:
            self._tell(f"{kind} of {name} was not confirmed")

    # The application

    def _call_soon(self) -> None:
        if self.is_gone:
            return
        pause_s = self.world.chance.expovariate(self.calls_per_s)
        self.world.loop.call_later(pause_s, self._call_soon, context=self.process.context)
        if not self.world.is_quiet:
            self.calls += 1
            chain = self.entries if self.world.chance.random() < 0.6 else self.entries[::-1]
            self._ask(chain)

    def _ask(self, chain: Sequence[Entry]) -> None:
        for index, entry in enumerate(chain):
            answer = self._admit(entry)
            if isinstance(answer, Permit):
                self._begin(answer, chain[index + 1 :])
                return
        if self.world.chance.random() < 0.2:
            self.world.loop.create_task(self._last_resort(chain), context=self.process.context)

    async def _last_resort(self, chain: Sequence[Entry]) -> None:
        for entry in chain:
            await self.breakers.ready(entry)
            answer = self._admit(entry)
            if isinstance(answer, Permit):
                self._begin(answer, ())
                return

    def _admit(self, entry: Entry) -> Permit | Refusal:
        cell = self.cells[entry.breaker_name]
        answer = self.breakers.admit(entry)
        hold = cell.current.hold
        if hold and not hold.is_over(self.lane.now_ms()):
            held = isinstance(answer, Refusal) and answer.reason is SkipReason.HELD
            expected = held if hold.mode is State.OPEN else isinstance(answer, Permit)
            self._require(expected, 21, f"{cell.name}: {hold.mode} by order, but {answer}")
        return answer

    def _begin(self, permit: Permit, rest: Sequence[Entry]) -> None:
        chance, loop = self.world.chance, self.world.loop
        service = self.world.services[permit.entry.provider.name]
        takes_s, ending = service.ask(chance)
        if not self.has_egress:
            takes_s, ending = chance.uniform(0.001, 0.5), NO_ROUTE
        if chance.random() < 0.06:
            takes_s, ending = takes_s * chance.random(), chance.choice(VOIDS)
        if permit.token:
            left_s = permit.deadline_s - self.clock.monotonic()
            if takes_s >= left_s:
                takes_s, ending = left_s, HANGING
            self._begin_probe(permit, service, loop.time() + takes_s)
        loop.call_later(takes_s, self._end, permit, ending, rest, context=self.process.context)

    def _begin_probe(self, permit: Permit, service: Service, until_s: float) -> None:
        cell, ledger = self.cells[permit.entry.breaker_name], self.world.ledger
        key = ProbeKey(cell.name, permit.epoch, permit.token)
        self._tell(f"probes with {key}")
        slot = ledger.granted.get(key)
        if cell.own is not None:
            self._check_own_probe(cell, permit)
            if slot and slot.pod == self.name:  # alone, it still has a lease that it had before
                ledger.probe_began(key, self.name)
            return
        if slot is None or slot.pod != self.name:
            ledger.fail(Violation(f"14: {self.name}: {key} was never granted"))
        left_s = permit.deadline_s - self.clock.monotonic()
        over_ms = self.world.server.now_ms() + left_s * 1000 - slot.until_ms
        self._require(over_ms <= TOLERANCE_MS, 12, f"{key} may probe {over_ms:.0f} ms too long")
        ledger.probe_began(key, self.name)
        forked = (cell.name, permit.epoch) in ledger.forked
        limit = cell.record.policy.probes * (2 if forked else 1)
        now_s = self.world.loop.time()
        service.probing = [call for call in service.probing if call.until_s > now_s]
        service.probing.append(ProbeCall(key, until_s, limit))
        together = sum(call.key.epoch == key.epoch for call in service.probing)
        self._require(together <= limit, 14, f"{cell.name}: {together} probes at once")

    def _check_own_probe(self, cell: Cell, permit: Permit) -> None:
        round_of = self._own_probes[permit] = (cell.name, permit.epoch, self._desertions)
        now_s = self.clock.monotonic()
        live = sum(
            other == round_of and one.deadline_s > now_s + 0.002
            for one, other in self._own_probes.items()
        )
        limit = cell.current.policy.probes
        self._require(live <= limit, 17, f"{cell.name}: {live} probes of one pod alone")

    def _end(self, permit: Permit, ending: Ending, rest: Sequence[Entry]) -> None:
        if self.is_gone:
            return
        cell = self.cells[permit.entry.breaker_name]
        ending = replace(BROKEN if ending.status and not self.has_egress else ending)
        if ending.status and ending.outcome is not Outcome.STREAM_TRUNCATED:
            self._answered_s[cell.provider] = self.world.loop.time()
        if permit.token:
            self._end_probe(cell, permit, ending)
        else:
            self._end_call(cell, permit, ending)
        if ending.verdict is Verdict.FAILURE and rest:
            self._ask(rest)

    def _end_probe(self, cell: Cell, permit: Permit, ending: Ending) -> None:
        key = ProbeKey(cell.name, permit.epoch, permit.token)
        ledger = self.world.ledger
        verdict = self._truth(cell, permit, ending)
        if permit in self._own_probes:
            del self._own_probes[permit]
            if key in ledger.probes:
                ledger.probe_ended(key, verdict)
            self.breakers.settle(permit, ending)
            return
        ledger.probe_ended(key, verdict)
        self._tell(f"{key} showed {verdict}")
        service = self.world.services[cell.provider]
        service.probing = [call for call in service.probing if call.key != key]
        self.breakers.settle(permit, ending)

    def _truth(self, cell: Cell, permit: Permit, ending: Ending) -> ProbeVerdict:
        """What that probe shows, by what truly happened to this pod."""
        if self.clock.monotonic() >= permit.deadline_s:
            return ProbeVerdict.LOST
        slow = cell.slow_s is not None and ending.is_slow(cell.slow_s)
        if slow or ending.verdict is Verdict.FAILURE:
            sound = self._is_sound(cell, ending)
            return ProbeVerdict.FAILURE if sound else ProbeVerdict.INCONCLUSIVE
        ok = ending.verdict is Verdict.SUCCESS
        return ProbeVerdict.SUCCESS if ok else ProbeVerdict.VOID

    def _is_sound(self, cell: Cell, ending: Ending) -> bool:
        is_answered = self._others_answered_s(cell) >= self.world.loop.time() - WAY_OUT_S
        is_sole = self.line.pods_heard == 1
        if is_sole:
            self._facts.sole_until_ms = self.world.server.now_ms()
        return ending.outcome in ATTESTED or is_sole or is_answered

    def _others_answered_s(self, cell: Cell) -> float:
        """When another provider last answered; long ago if none ever did."""
        others = (at for name, at in self._answered_s.items() if name != cell.provider)
        return max(others, default=float("-inf"))

    def _end_call(self, cell: Cell, permit: Permit, ending: Ending) -> None:
        slow = cell.slow_s is not None and ending.is_slow(cell.slow_s)
        counts = permit.epoch == cell.epoch and not cell.current.hold
        if slow or ending.verdict is Verdict.FAILURE:
            sound = self._is_sound(cell, ending)
            if counts:  # in the store's epoch, above which this pod's own may stand
                now_ms = self.world.server.now_ms()
                other_ms = now_ms + 1000 * (self._others_answered_s(cell) - self.world.loop.time())
                failure = Failure(now_ms, cell.record.epoch, sound, not self.has_egress, other_ms)
                self._facts.failures[cell.name].append(failure)
            self._tell(f"{cell.name} fails in epoch {permit.epoch} ({ending.outcome})")
        before = cell.tally, cell.current
        self.breakers.settle(permit, ending)
        if not counts or ending.verdict is Verdict.VOID:
            same = before == (cell.tally, cell.current)
            self._require(same, 23 if counts else 7, f"{cell.name}: what says nothing counts")
        elif ending.verdict is Verdict.FAILURE:
            self._check_opened(cell, permit.epoch)
        else:
            self._streaks.pop(cell.name, None)

    def _check_opened(self, cell: Cell, epoch: int) -> None:
        """Whatever the store does, a pod does not go on asking what fails again and again."""
        last_epoch, count = self._streaks.get(cell.name, (epoch, 0))
        count = count + 1 if last_epoch == epoch else 1
        self._streaks[cell.name] = epoch, count
        enough = count >= self._facts.threshold
        opened = not enough or cell.current.state is not State.CLOSED
        self._require(opened, 17, f"{cell.name}: closed after {count} failures in a row")

    # What the pod believes

    def check(self) -> None:
        """Compare it with what is so: called after everything that the pod does."""
        ledger, is_alone = self.world.ledger, self.lane.is_alone
        if self._was_alone and not is_alone:
            self._facts.regained_ms = self.world.server.now_ms()
        for cell in self.cells.values():
            version = cell.record.version
            if version != self._versions[cell.name]:
                falls = version < self._versions[cell.name]
                self._require(not falls, 19, f"{cell.name}: {self._versions[cell.name]} {version}")
                self._versions[cell.name] = version
            if cell.current.epoch != self._before[cell.name].epoch:
                self._streaks.pop(cell.name, None)
            if is_alone and not self._was_alone:
                self._check_seeded(cell, self._before[cell.name])
            if cell.grant and cell.own is None:
                key = ProbeKey(cell.name, cell.epoch, cell.grant.token)
                self._require(key in ledger.granted, 7, f"{key} is not of this epoch")
            self._before[cell.name] = cell.current
        self._desertions += is_alone and not self._was_alone
        self._was_alone = is_alone
        if self.line.pods_heard and self.world.checks_clocks:
            ahead_ms = self.lane.now_ms() - self.world.server.now_ms()
            self._require(ahead_ms <= TOLERANCE_MS, 4, f"{ahead_ms} ms ahead of the store")

    def _check_seeded(self, cell: Cell, before: Record) -> None:
        """Alone it goes on with what it knew."""
        after = cell.current
        self._require(after.state is before.state, 17, f"{cell.name}: forgot that it is open")
        later = after.until_ms >= before.until_ms
        self._require(later, 17, f"{cell.name}: alone it waits for less")
        mine = all(slot.pod == self.name for slot in after.leases) or after is cell.record
        self._require(mine, 17, f"{cell.name}: alone with leases of others")

    def _check_grant_heard(self, new: Record, swap: Swap) -> None:
        """A lease whose asking was answered is known here a moment later."""
        cell, record = self.cells[new.name], swap.record
        asked = {slot.token for slot in new.leases} - {slot.token for slot in cell.record.leases}
        for token in asked:
            slot = record.slot(token) if record else None
            if record and slot and slot.pod == self.name and self._is_worth_it(slot):
                key = ProbeKey(new.name, record.epoch, token)
                loop, context = self.world.loop, self.process.context
                loop.call_later(HEARD_S, self._check_known, key, context=context)

    def _is_worth_it(self, slot: Slot) -> bool:
        """Whether it lasts for longer than the asking can have taken."""
        return slot.until_ms - self.world.server.now_ms() > ASKED_MS

    def _check_known(self, key: ProbeKey) -> None:
        cell = self.cells[key.name]
        is_over = cell.epoch != key.epoch or cell.own is not None
        if self.is_gone or is_over or self.world.has_like_leases:
            return
        kept = cell.grant is not None and cell.grant.token == key.token
        self._require(kept or key in self.world.ledger.probes, 9, f"{key} came and is not known")

    def _report(self, event: Event) -> None:
        if not isinstance(event, BreakerMoved):
            return
        self._tell(f"{event.breaker} {event.from_state}>{event.to_state} {event.origin}")
        key = (event.breaker, event.epoch)
        cell = self.cells[event.breaker]
        if event.origin is Origin.SELF and cell.own is None:
            made = self.world.ledger.epochs.get(key)
            mine = made is not None and made.why is not None and made.why.pod == self.name
            self._require(mine, 20, f"{key} is no move of its own")
            self._require(key not in self.told, 20, f"{key} is told twice")
            self.told.add(key)

    def _tell(self, what: str) -> None:
        now_s = self.world.loop.time()
        self.world.ledger.tell(f"{now_s:9.3f} {self.name}: {what}")

    def _require(self, holds: bool, number: int, rule: str) -> None:
        self.world.ledger.require(holds, number, f"{self.name}: {rule}")
