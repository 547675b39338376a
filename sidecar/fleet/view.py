"""This pod's view of its breakers: admits and settles calls from local memory, without waiting."""

from __future__ import annotations

from collections.abc import Container, Iterable

from sidecar.clock import Clock
from sidecar.core import cooldown
from sidecar.core.breaker import QUORUM, Hold, Op, Release, Reset, Trip
from sidecar.core.events import ProbeEnded, ProbeVerdict, State
from sidecar.core.outcome import ATTESTED, SkipReason, Verdict
from sidecar.core.permit import Ending, Permit, Refusal
from sidecar.core.settings import Entry
from sidecar.core.tally import accuse, count, count_slow
from sidecar.fleet.asides import Asides
from sidecar.fleet.board import Board
from sidecar.fleet.cell import Cell
from sidecar.fleet.evidence import Evidence
from sidecar.fleet.lane import Member, StoreStatus
from sidecar.fleet.status import BreakerStatus, status_of
from sidecar.fleet.stores.base import Store

LEASE_LOOKS, LEASE_LOOK_S = 10, 0.005  # together as long as a call may wait for one
PROBING_RETRY_S = 1.0  # when to ask again while others probe
TEXT = 200  # characters of an operator's words that are kept


class FleetBreakers:
    """One breaker in front of each provider (or model), in step with the other pods."""

    def __init__(
        self, entries: Iterable[Entry], store: Store, clock: Clock, member: Member
    ) -> None:
        self._clock = clock
        self._report = member.report
        self._board = Board(entries, store, clock, member)
        self._cells = self._board.cells
        self._lane = self._board.lane
        self._asides = Asides(self._board, member.report)
        self._evidence = Evidence(self._lane)
        self._probes: set[Permit] = set()  # under way

    async def open(self) -> None:
        """Begin to listen to the store."""
        await self._lane.open()

    async def close(self) -> None:
        """Hand back all leases and stop."""
        await self._lane.stop()
        for cell in self._cells.values():
            if cell.grant:
                self._board.unused(cell.name, cell.grant.token)
        for permit in self._probes:
            self._board.settle(self._cell_of(permit), permit, ProbeVerdict.VOID)
        await self._lane.close()

    def admit(self, entry: Entry, *, despite: Container[SkipReason] = ()) -> Permit | Refusal:
        """Ask for leave to make one attempt at `entry` now, `despite` its being set aside."""
        cell = self._cells[entry.breaker_name]
        now_s = self._clock.monotonic()
        if cell.plain:
            return Permit(entry=entry, epoch=cell.epoch, granted_s=now_s)
        if cell.hold_is_over(self._lane.now_ms()):
            self._board.ask(cell)  # whatever is asked ends the hold
        epoch = cell.epoch
        leave = self._admit_guarded(cell, entry, now_s, despite)
        if leave is None and cell.epoch != epoch:  # asking ended a round: the next may be due
            leave = self._admit_guarded(cell, entry, now_s, despite)
        return leave or Refusal(SkipReason.HALF_OPEN, PROBING_RETRY_S)

    def admits(self, entry: Entry) -> bool:
        """Whether a call at `entry` would be let in now. Changes nothing."""
        cell = self._cells[entry.breaker_name]
        if cell.plain:
            return True
        now_ms = self._lane.now_ms()
        if cell.refusal(entry.model_label, now_ms):
            return False
        return cell.state_at(now_ms) is State.CLOSED or self._board.would_grant(cell)

    def is_worth_a_wait(self, entry: Entry) -> bool:
        """Whether calls come so seldom that a lease was gone again before the next of them."""
        return self._cells[entry.breaker_name].is_missed

    async def ready(self, entry: Entry) -> None:
        """Wait for a lease that the store may grant, 50 ms at most."""
        cell = self._cells[entry.breaker_name]
        for _ in range(LEASE_LOOKS):
            if cell.grant or not self._waits_for_a_lease(cell, entry):
                return
            self._board.ask(cell)
            await self._clock.sleep(LEASE_LOOK_S)
        cell.is_missed = False  # others probe: the next call need not wait as well

    def _waits_for_a_lease(self, cell: Cell, entry: Entry) -> bool:
        now_ms = self._lane.now_ms()
        is_shut = cell.refusal(entry.model_label, now_ms) is not None
        return not is_shut and cell.state_at(now_ms) is not State.CLOSED and cell.own is None

    def all_open(self) -> bool:
        """Whether every breaker refuses calls; one past its deadline lets a probe through."""
        now_ms = self._lane.now_ms()
        return all(cell.is_shut(now_ms) for cell in self._cells.values())

    def settle(self, permit: Permit, ending: Ending) -> None:
        """Hand back `permit` with what became of it. A second call for the same is ignored."""
        if permit.settled:
            return
        permit.settled = True
        cell = self._cell_of(permit)
        now_s = self._clock.monotonic()
        self._evidence.heed(cell, ending, now_s)
        self._asides.heed(cell, permit, ending, now_s)  # true in whatever epoch it was asked
        if permit.token:
            self._settle_probe(cell, permit, ending, now_s)
        elif permit.epoch == cell.epoch and not cell.current.hold:
            self._count(cell, ending, now_s)

    async def hold(self, name: str, mode: State, ttl_s: float | None, by: str, reason: str) -> None:
        """Hold a breaker open or closed for `ttl_s`, or (`None`) until it is released.

        `KeyError` for an unknown name, `StoreUnavailable` where the store does not confirm.
        """
        if mode is State.HALF_OPEN or (ttl_s is not None and ttl_s <= 0):
            raise ValueError(f"a hold is open or closed and takes time, got {mode}, {ttl_s} s")
        ttl_ms = None if ttl_s is None else round(ttl_s * 1000)
        pod = self._board.pod
        await self._run(
            name, Hold(pod=pod, mode=mode, ttl_ms=ttl_ms, by=by[:TEXT], reason=reason[:TEXT])
        )

    async def release(self, name: str) -> None:
        """End a hold. Errors as for `hold`."""
        await self._run(name, Release(pod=self._board.pod))

    async def reset(self, name: str | None) -> None:
        """Close a breaker and pass over nothing any more. Errors as for `hold`.

        `name` may be a provider's: that is all its breakers. `None` is all there are.
        """
        for each in self._named(name):
            await self._run(each, Reset(pod=self._board.pod))

    def snapshot(self) -> list[BreakerStatus]:
        """All breakers at this moment."""
        now_ms, now_s = self._lane.now_ms(), self._clock.monotonic()
        return [status_of(cell, now_ms, now_s) for cell in self._cells.values()]

    def store_status(self) -> StoreStatus:
        """The store at this moment."""
        return self._lane.status()

    def _named(self, name: str | None) -> list[str]:
        if name in self._cells:
            return [name]
        cells = self._cells.values()
        named = [cell.name for cell in cells if name is None or cell.provider == name]
        if not named:
            raise KeyError(name)
        return named

    def _cell_of(self, permit: Permit) -> Cell:
        return self._cells[permit.entry.breaker_name]

    async def _run(self, name: str, op: Op) -> None:
        await self._lane.run(self._cells[name].name, op)

    def _admit_guarded(
        self,
        cell: Cell,
        entry: Entry,
        now_s: float,
        despite: Container[SkipReason],
    ) -> Permit | Refusal | None:
        now_ms = self._lane.now_ms()
        refusal = cell.refusal(entry.model_label, now_ms)
        if refusal and refusal.reason not in despite:
            return refusal
        if cell.state_at(now_ms) is State.CLOSED:
            return Permit(entry=entry, epoch=cell.epoch, granted_s=now_s)
        return self._probe(cell, entry, now_s)

    def _probe(self, cell: Cell, entry: Entry, now_s: float) -> Permit | None:
        if cell.grant is None:
            self._board.ask(cell)
        grant = cell.take(now_s)
        if grant is None:
            return None
        permit = Permit(
            entry=entry,
            epoch=cell.epoch,
            granted_s=now_s,
            token=grant.token,
            deadline_s=grant.deadline_s,
        )
        self._probes.add(permit)
        return permit

    def _settle_probe(self, cell: Cell, permit: Permit, ending: Ending, now_s: float) -> None:
        self._probes.remove(permit)
        verdict = self._evidence.of_probe(cell, permit, ending, now_s)
        self._report(ProbeEnded(breaker=cell.name, verdict=verdict))
        if verdict is not ProbeVerdict.LOST:
            self._board.settle(cell, permit, verdict)

    def _count(self, cell: Cell, ending: Ending, now_s: float) -> None:
        verdict, attested = ending.verdict, ending.outcome in ATTESTED
        slow = cell.slow_s is not None and ending.is_slow(cell.slow_s)
        if slow:
            cell.tally = count_slow(cell.tally, cell.policy, now_s)
        else:
            cell.tally = count(cell.tally, cell.policy, verdict, now_s, attested=attested)
        bad = slow or verdict is Verdict.FAILURE
        accusation = bad and accuse(cell.tally, cell.policy, now_s)
        if not accusation:
            return
        sound = self._evidence.is_sound(cell, accusation, now_s)
        trip = Trip(
            pod=self._board.pod,
            epoch=cell.record.epoch,
            policy=cell.terms,
            weight=QUORUM if sound else 1,
            cause=accusation.cause,
            status=ending.status,
            retry_after_ms=_stated_ms(ending.wait_s),
        )
        self._board.trip(cell, trip)


def _stated_ms(wait_s: float | None) -> int:
    return 0 if wait_s is None else round(cooldown.believed_s(wait_s) * 1000)
