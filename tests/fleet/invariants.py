"""The invariants of one operation on one record, by their numbers in the design of the breaker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sidecar.core.breaker import LOST_PER_PROBE, Hold, Lease, Merge, Op, Reset, Settle, Trip
from sidecar.core.events import State
from sidecar.core.record import Record, Slot

Step = Callable[[Record, Op, int], tuple[Record, Slot | None]]

MOVES = frozenset(
    (
        (State.CLOSED, State.OPEN),
        (State.OPEN, State.HALF_OPEN),
        (State.HALF_OPEN, State.CLOSED),
        (State.HALF_OPEN, State.OPEN),
    )
)


class Violation(AssertionError):
    """An invariant does not hold; its number comes first."""


def require(holds: bool, number: int, rule: str) -> None:
    """Raise where an invariant does not hold."""
    if not holds:
        raise Violation(f"{number}: {rule}")


@dataclass(frozen=True, slots=True)
class Nothing:
    """An operation that shows what time alone brings."""

    pod: str = "a"

    def apply(self, record: Record, _: int) -> Record:
        return record


@dataclass(frozen=True, slots=True)
class Done:
    """What was done at `now_ms`: `old`, the operation and its answer; `idle` had nobody asked."""

    old: Record
    op: Op
    now_ms: int
    new: Record
    slot: Slot | None
    idle: Record


def check_done(step: Step, done: Done) -> None:
    """All of them, but for what the whole fleet has to tell."""
    check_answer(done)
    if done.new is not done.old:
        check_change(done)
        again = step(done.new, done.op, done.now_ms)
        require(again == (done.new, done.slot), 9, "twice is once")


def check_answer(done: Done) -> None:
    """Those that compare with what time alone brings."""
    old, op, now_ms, idle = done.old, done.op, done.now_ms, done.idle
    if isinstance(op, Settle) and not _is_live(old, op, now_ms):
        expired = op.epoch == old.epoch and old.slot(op.token) is not None
        require(_alike(done.new, idle), 12 if expired else 7, "without a lease it is void")
    if isinstance(op, Trip) and op.epoch != old.epoch:
        require(_alike(done.new, idle), 8, "a trip of another epoch is void")
    if isinstance(op, Lease) and op.epoch == old.epoch and _has_room(done):
        require(done.slot is not None, 13, "dead leases block nobody")
    if old.state is State.HALF_OPEN and old.until_ms <= now_ms:
        require(done.new.epoch > old.epoch, 11, "no round outlives its deadline")


def check_change(done: Done) -> None:
    """Those of a change, as far as the record shows them."""
    old, new = done.old, done.new
    moved = old.state is not new.state or old.hold != new.hold
    require(new.epoch > old.epoch if moved else new.epoch >= old.epoch, 1, "epochs rise")
    require(len(new.leases) <= new.policy.probes, 3, "no more leases than probes")
    require(not new.leases or new.state is State.HALF_OPEN, 3, "leases only in half-open")
    if old.state is not new.state:
        _check_move(done)
    elif new.epoch == old.epoch:
        _check_deadlines(done)
    if old.cooldown and not isinstance(done.op, Reset):
        _check_cooldown(done)


def _check_move(done: Done) -> None:
    old, op, new = done.old, done.op, done.new
    if isinstance(op, Merge):
        return
    if not isinstance(op, Hold | Reset):
        require((old.state, new.state) in MOVES, 2, f"{old.state} to {new.state}")
    if new.state is State.HALF_OPEN:
        require(old.until_ms <= done.now_ms, 4, "half-open only after the deadline")
    if new.state is State.CLOSED and not isinstance(op, Reset):
        live = isinstance(op, Settle) and _is_live(old, op, done.now_ms)
        require(live, 5, "only a live lease closes it")


def _check_deadlines(done: Done) -> None:
    old, new = done.old, done.new
    require(new.until_ms >= old.until_ms, 25, "no deadline is shortened")
    for slot in old.leases:
        kept = new.slot(slot.token)
        require(kept is None or kept.until_ms >= slot.until_ms, 25, "no lease is shortened")
    votes = {vote.pod: vote.until_ms for vote in new.votes}
    for vote in old.votes:
        lasts = vote.until_ms <= done.now_ms or votes.get(vote.pod, 0) >= vote.until_ms
        require(lasts, 25, "no vote is shortened")


def _check_cooldown(done: Done) -> None:
    cooldown = dict(done.new.cooldown)
    for scope, until_ms in done.old.cooldown:
        kept = until_ms <= done.now_ms or cooldown.get(scope, 0) >= until_ms
        require(kept, 25, "no cooldown is shortened")


def _is_live(record: Record, op: Settle, now_ms: int) -> bool:
    """Whether `op` hands back a lease of this epoch, neither it nor the round having run out."""
    slot = record.slot(op.token)
    live = slot is not None and slot.pod == op.pod and slot.until_ms > now_ms
    return live and op.epoch == record.epoch and record.until_ms > now_ms


def _has_room(done: Done) -> bool:
    """Whether a probe of that pod is due, going by what has not run out."""
    record, now_ms = done.old, done.now_ms
    if record.state is not State.HALF_OPEN or record.hold or done.idle.epoch != record.epoch:
        return False
    policy = record.policy
    live = [slot.pod for slot in record.leases if slot.until_ms > now_ms]
    return (
        done.op.pod not in (*record.excluded, *live)
        and record.until_ms - now_ms >= policy.lease_ms
        and record.lost + len(record.leases) - len(live) < LOST_PER_PROBE * policy.probes
        and len(live) < min(policy.probes, policy.successes - record.succ)
    )


def _alike(one: Record, other: Record) -> bool:
    """Whether they differ at most in who brought them about."""
    return one is other or replace(one, why=other.why) == other
