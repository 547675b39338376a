"""All breakers of this pod: asks the store, learns what it says, reports the moves."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import replace
from functools import partial
from random import random

from sidecar.clock import Clock
from sidecar.core.breaker import QUORUM, Lease, Op, Settle, Trip, step
from sidecar.core.events import BreakerMoved, Cause, Origin, ProbeVerdict, State
from sidecar.core.permit import Permit
from sidecar.core.record import Record, Slot, Why
from sidecar.core.settings import Entry
from sidecar.fleet.background_lane import BackgroundLane
from sidecar.fleet.cell import Cell, Grant
from sidecar.fleet.lane import Lane, Member
from sidecar.fleet.local_lane import LocalLane
from sidecar.fleet.stores.base import LocalStore, Store

JITTER = 0.1  # of the open time
TOLD_S = 7.0  # after which the store has heard of it, or will not any more
_OPERATORS = frozenset((Cause.HOLD, Cause.RELEASE, Cause.RESET))


class Board:
    """The cells by the names of their breakers, and their way to the store.

    With a store in this process an operation has been done, and learned of, when it was sent.
    """

    def __init__(
        self, entries: Iterable[Entry], store: Store, clock: Clock, member: Member
    ) -> None:
        guarded: defaultdict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            guarded[entry.breaker_name].append(entry)
        self.pod = member.pod
        self._mark = f"{secrets.token_hex(4)}-"  # of this process: its pod may have a namesake
        self._clock = clock
        self._report = member.report
        self.lane: Lane
        self._at_once = isinstance(store, LocalStore)
        if isinstance(store, LocalStore):
            self.lane = LocalLane(store, clock, self, self.pod)
            stored = {name: store.read_now(name) for name in guarded}
        else:
            self.lane = BackgroundLane(store, clock, self, guarded, member)
            stored = {}
        since_ms = self.lane.now_ms()
        self.cells = {
            name: Cell(guards, stored.get(name) or Record(name=name, since_ms=since_ms))
            for name, guards in guarded.items()
        }

    def ask(self, cell: Cell) -> None:
        """Ask for a lease; it comes to `cell.grant`."""
        token = self._mark + secrets.token_hex(8)
        self._note(cell, token)
        self._send(cell, Lease(pod=self.pod, epoch=cell.epoch, token=token))

    def would_grant(self, cell: Cell) -> bool:
        """Whether a call would have a lease now, without asking for one."""
        if cell.grant:
            return self._clock.monotonic() < cell.grant.deadline_s
        if cell.own is None and not self._at_once:
            return False
        record = cell.current
        for _ in range(2):  # the first may find a round or a hold that is over
            ask = Lease(pod=self.pod, epoch=record.epoch, token="")
            record, slot = step(record, ask, self.lane.now_ms())
            if slot:
                return True
        return False

    def settle(self, cell: Cell, permit: Permit, verdict: ProbeVerdict) -> None:
        """Hand back the lease of `permit`."""
        self._settle(cell, permit.epoch, permit.token, verdict)

    def trip(self, cell: Cell, trip: Trip) -> None:
        """Open at once for this pod, and propose it for the fleet."""
        self.lane.put(cell.name, trip)
        if cell.current.state is State.CLOSED:
            sure = replace(trip, epoch=cell.epoch, weight=QUORUM)
            cell.go_alone(step(cell.current, sure, self.lane.now_ms())[0])
        if self.lane.is_alone:
            self._tell(cell)

    def known(self, name: str) -> Record:
        """What the store last said."""
        return self.cells[name].record

    def is_avoided(self, name: str) -> bool:
        """Whether this pod opened it on its own account, and has not closed it since."""
        own = self.cells[name].own
        return own is not None and own.state is not State.CLOSED

    def learn(self, record: Record) -> None:
        """Take over the store's word; other pods may have breakers that this one has not."""
        if cell := self.cells.get(record.name):
            moved = cell.learn(record)
            self._tell(cell)
            self._hand_back_strays(cell)
            if moved and record.state is State.OPEN:
                wait_s = (record.until_ms - self.lane.now_ms()) / 1000
                self.lane.later(max(0.0, wait_s), partial(self._due, cell, record.epoch))

    def granted(self, record: Record, slot: Slot, asked_s: float) -> None:
        """Keep a lease for the next call, unless it came too late for what is in force here."""
        cell = self.cells[record.name]
        if record.epoch == cell.epoch and cell.current.slot(slot.token):
            # counted from before it was asked for, so that it ends here before it does in the store
            left_ms = slot.until_ms - self.lane.now_ms()
            cell.grant = Grant(slot.token, asked_s + left_ms / 1000)
            self._note(cell, slot.token, left_ms / 1000)

    def unused(self, name: str, token: str) -> None:
        """Give a lease back, if no call has taken it."""
        cell = self.cells[name]
        if cell.grant and cell.grant.token == token:
            cell.grant = None
            cell.is_missed = True
            self._settle(cell, cell.epoch, token, ProbeVerdict.VOID)

    def dropped(self, name: str) -> None:
        """Without the store's word, what this pod did alone is its own move."""
        self._tell(self.cells[name])

    def clock_set(self, by_ms: int) -> None:
        """Until now times were this machine's: bring what was decided by them to the store's."""
        for cell in self.cells.values():
            cell.shift(by_ms)

    def deserted(self) -> None:
        """Decide alone from here, by the same rules, with what was last known."""
        now_ms = self.lane.now_ms()
        for cell in self.cells.values():
            if cell.own is None and (cell.record.state is not State.CLOSED or cell.record.hold):
                cell.go_alone(alone(cell.record, self.pod, now_ms, random()))
            self._tell(cell)

    def regained(self, proposed: Container[str]) -> None:
        """The store's word stands again; what is `proposed` to it is open here until it moves."""
        for cell in self.cells.values():
            if cell.name not in proposed:
                cell.follow()
            self._tell(cell)

    def _hand_back_strays(self, cell: Cell) -> None:
        """Give back leases that nobody here knows of: the answer that brought them was lost."""
        now_s = self._clock.monotonic()
        for slot in cell.record.leases:
            if slot.token.startswith(self._mark) and cell.tokens.get(slot.token, 0.0) < now_s:
                self._note(cell, slot.token)
                stray = Settle(
                    pod=self.pod,
                    epoch=cell.record.epoch,
                    token=slot.token,
                    verdict=ProbeVerdict.VOID,
                )
                self.lane.put(cell.name, stray)

    def _note(self, cell: Cell, token: str, lasts_s: float = 0.0) -> None:
        """Remember that something becomes of that lease, for so long and as long as it is told."""
        now_s = self._clock.monotonic()
        cell.tokens = {known: until_s for known, until_s in cell.tokens.items() if until_s > now_s}
        cell.tokens[token] = now_s + lasts_s + TOLD_S

    def _settle(self, cell: Cell, epoch: int, token: str, verdict: ProbeVerdict) -> None:
        self._note(cell, token)
        self._send(cell, Settle(pod=self.pod, epoch=epoch, token=token, verdict=verdict))

    def _due(self, cell: Cell, epoch: int) -> None:
        """Ask for a lease at the very deadline, so that the next call finds it."""
        if cell.is_wanted and cell.record.epoch == epoch and cell.own is None:
            self.ask(cell)

    def _send(self, cell: Cell, op: Op) -> None:
        """Have `op` done to the record in force: the store's, or this pod's own."""
        if cell.own is None:
            self.lane.put(cell.name, op)
            return
        asked_s = self._clock.monotonic()
        record, slot = step(cell.own, op, self.lane.now_ms())
        cell.go_alone(record)
        self._tell(cell)
        if slot:
            self.granted(record, slot, asked_s)

    def _tell(self, cell: Cell) -> None:
        """Report a move, once it is known whose it was."""
        record, state = cell.current, cell.current.in_force
        if state is cell.told or record.why is None:
            return
        moved = BreakerMoved(
            breaker=cell.name,
            from_state=cell.told,
            to_state=state,
            cause=record.why.cause,
            epoch=record.epoch,
            origin=self._origin(record.why) if record.epoch > cell.told_epoch else Origin.FLEET,
            until_unix_s=(record.opens_up_ms or 0) / 1000,
        )
        cell.told = state
        if cell.own is None:
            cell.told_epoch = max(record.epoch, cell.told_epoch)
        self._report(moved)

    def _origin(self, why: Why) -> Origin:
        if why.cause in _OPERATORS:
            return Origin.OPERATOR
        return Origin.SELF if why.pod == self.pod else Origin.FLEET


def alone(record: Record, pod: str, now_ms: int, chance: float) -> Record:
    """What a pod goes on with when it has to decide alone: one probe, and none at the same moment.

    `chance` in [0, 1) keeps pods apart that know of the same deadline.
    """
    policy = replace(record.policy, probes=1)
    if record.state is State.CLOSED:  # and held
        return record
    if record.state is State.HALF_OPEN:
        leases = tuple(slot for slot in record.leases if slot.pod == pod)
        return replace(record, policy=policy, leases=leases, excluded=())
    jitter_ms = round(chance * JITTER * policy.open_ms)
    return replace(record, policy=policy, until_ms=max(record.until_ms, now_ms) + jitter_ms)
