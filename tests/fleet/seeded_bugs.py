"""Known mistakes, to be made on purpose: whoever looks for broken invariants has to find them.

Those of the rules are functions around `step`; those of the lane and the board are patches of the
real code for as long as a context lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from sidecar.core.breaker import Cool, Lease, Op, Settle, Trip, step
from sidecar.core.events import State
from sidecar.core.record import Record, Slot
from sidecar.fleet.asking import Asking
from sidecar.fleet.background_lane import BackgroundLane
from sidecar.fleet.board import Board
from sidecar.fleet.cell import Cell, Grant
from sidecar.fleet.evidence import Evidence
from tests.fleet.invariants import Step
from tests.fleet.simulated_store import Server

Answer = tuple[Record, Slot | None]

LANE = "sidecar.fleet.background_lane"
FAST_MS = 500


def unfenced_trip(record: Record, op: Op, now_ms: int) -> Answer:
    return step(record, replace(op, epoch=record.epoch) if isinstance(op, Trip) else op, now_ms)


def unlimited_half_open(record: Record, op: Op, now_ms: int) -> Answer:
    generous = replace(record, policy=replace(record.policy, probes=99, successes=99))
    new, slot = step(generous if isinstance(op, Lease) else record, op, now_ms)
    return replace(new, policy=record.policy), slot


def close_on_first_success(record: Record, op: Op, now_ms: int) -> Answer:
    hasty = replace(record, policy=replace(record.policy, successes=1))
    new, slot = step(hasty if isinstance(op, Settle) else record, op, now_ms)
    return replace(new, policy=record.policy), slot


def lease_that_never_expires(record: Record, op: Op, now_ms: int) -> Answer:
    leases = tuple(replace(one, until_ms=max(one.until_ms, now_ms + 1)) for one in record.leases)
    return step(replace(record, leases=leases), op, now_ms)


def settle_ignoring_the_epoch(record: Record, op: Op, now_ms: int) -> Answer:
    return step(record, replace(op, epoch=record.epoch) if isinstance(op, Settle) else op, now_ms)


def non_idempotent_token(record: Record, op: Op, now_ms: int) -> Answer:
    if isinstance(op, Lease) and record.slot(op.token):
        return record, None
    return step(record, op, now_ms)


def early_half_open_by_a_fast_clock(record: Record, op: Op, now_ms: int) -> Answer:
    return step(record, op, now_ms + isinstance(op, Lease))


def no_deadline_of_the_round(record: Record, op: Op, now_ms: int) -> Answer:
    if record.state is State.HALF_OPEN:
        until_ms = max(record.until_ms, now_ms + record.policy.lease_ms)
        record = replace(record, until_ms=until_ms)
    return step(record, op, now_ms)


def shorter_deadline_wins(record: Record, op: Op, now_ms: int) -> Answer:
    return step(replace(record, cooldown=()) if isinstance(op, Cool) else record, op, now_ms)


def succ_surviving_a_reopen(record: Record, op: Op, now_ms: int) -> Answer:
    new, slot = step(record, op, now_ms)
    survives = new.state is not State.CLOSED and new.epoch != record.epoch
    return replace(new, succ=record.succ) if survives else new, slot


@dataclass(frozen=True, kw_only=True)
class Bug:
    """A mistake: other rules, or a patch of the fleet's code.

    `numbers` are those of the invariants that may be the first to show it, with a bar between them.
    """

    numbers: str
    rules: Step = step
    patch: Callable[[], AbstractContextManager[Any]] = nullcontext
    is_seen_by_clocks: bool = True


@contextmanager
def _fast_clock() -> Iterator[None]:
    """Its guard would have the store refuse what comes too early."""
    now_ms = Asking.now_ms
    with (
        patch.object(Asking, "now_ms", lambda self: now_ms(self) + FAST_MS),
        patch.object(Server, "is_guarded", new=False),
    ):
        yield


@contextmanager
def _stale_evidence() -> Iterator[None]:
    """Mostly it would be dropped, too, because the pod has found out better meanwhile."""
    with (
        patch(f"{LANE}.STALE_S", 1e9),
        patch(f"{LANE}.FRESH_S", 1e9),
        patch.object(Board, "is_avoided", lambda *_: True),
    ):
        yield


def _learn_whatever_comes(cell: Cell, record: Record) -> bool:
    if record == cell.record:
        return False
    moved = record.epoch != cell.record.epoch
    cell.record = record
    if moved:
        cell.own = None
        cell._restart()
    return moved


@contextmanager
def _kept_lease() -> Iterator[None]:
    restart = Cell._restart

    def keep(cell: Cell) -> None:
        grant = getattr(cell, "grant", None)
        restart(cell)
        cell.grant = grant

    with patch.object(Cell, "_restart", keep):
        yield


def _whole_lease(board: Board, record: Record, slot: Slot, asked_s: float) -> None:
    cell = board.cells[record.name]
    if record.epoch == cell.epoch and cell.current.slot(slot.token):
        cell.grant = Grant(slot.token, board._clock.monotonic() + record.policy.lease_ms / 1000)


def _forget_it_is_open(board: Board) -> None:
    for cell in board.cells.values():
        if cell.own is None and cell.record.state is not State.CLOSED:
            cell.go_alone(replace(cell.record, state=State.CLOSED, epoch=cell.epoch + 1))


@contextmanager
def _counted_revisions() -> Iterator[None]:
    swap = Server.swap

    def count(server: Server, asked: Any, seen_rev: int, new: Record, guard: Any) -> Any:
        return swap(server, asked, seen_rev, replace(new, rev=0), guard)

    with patch.object(Server, "swap", count):
        yield


@contextmanager
def _alone_is_the_only_one() -> Iterator[None]:
    live = property(lambda asking: 1 if asking.degraded else asking._live)
    with patch.object(Asking, "live_pods", live):
        yield


@contextmanager
def _own_clock_until_told_otherwise() -> Iterator[None]:
    begin = Asking.__init__

    def believe(asking: Asking, *args: Any) -> None:
        begin(asking, *args)
        asking.is_in_time = True

    with patch.object(Asking, "__init__", believe):
        yield


@contextmanager
def _every_return_is_a_move() -> Iterator[None]:
    tell = Board._tell

    def forget(board: Board, cell: Cell) -> None:
        cell.told_epoch = 0
        tell(board, cell)

    with patch.object(Board, "_tell", forget):
        yield


def _patch(target: Any, name: str, new: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: patch.object(target, name, new)


# The mistakes that the design asks to be made.
OF_THE_RULES = {
    "unfenced trip": Bug(numbers="8", rules=unfenced_trip),
    "unlimited half-open": Bug(numbers="3|6|14", rules=unlimited_half_open),
    "close on first success": Bug(numbers="5", rules=close_on_first_success),
    "lease that never expires": Bug(numbers="12|25|10", rules=lease_that_never_expires),
    "settle ignoring the epoch": Bug(numbers="7", rules=settle_ignoring_the_epoch),
    "non-idempotent token": Bug(numbers="9", rules=non_idempotent_token),
    "early half-open by a fast clock": Bug(numbers="4", patch=_fast_clock, is_seen_by_clocks=False),
    "no deadline of the round": Bug(numbers="11|25", rules=no_deadline_of_the_round),
    "shorter deadline wins": Bug(numbers="25", rules=shorter_deadline_wins),
    "succ surviving a reopen": Bug(numbers="5", rules=succ_surviving_a_reopen),
}

OF_THE_FLEET = {
    "no merge after data loss": Bug(
        numbers="18|10", patch=_patch(BackgroundLane, "_restore_what_is_lost", lambda *_: None)
    ),
    "stale evidence replayed": Bug(numbers="8", patch=_stale_evidence),
    "a push adopted although older": Bug(
        numbers="19", patch=_patch(Cell, "learn", _learn_whatever_comes)
    ),
    "a lease kept after the epoch moved": Bug(numbers="7|14", patch=_kept_lease),
    "a lease counted from the answer": Bug(
        numbers="12", patch=_patch(Board, "granted", _whole_lease)
    ),
    "no breaker when alone": Bug(numbers="17", patch=_patch(Board, "deserted", _forget_it_is_open)),
    "revisions that begin anew": Bug(numbers="1|2|4|7", patch=_counted_revisions),
    "every pod trusts its own network": Bug(
        numbers="15", patch=_patch(Evidence, "_has_way_out", lambda *_: True)
    ),
    "alone means the only one": Bug(numbers="15", patch=_alone_is_the_only_one),
    "an opening of its own above an open store": Bug(
        numbers="10", patch=_patch(BackgroundLane, "_may_open", lambda *_: True)
    ),
    "its own clock before the store's": Bug(
        numbers="4|10|25", patch=_own_clock_until_told_otherwise
    ),
    "a store that ignores the guard": Bug(
        numbers="4|11|12", patch=_patch(Server, "is_guarded", False)
    ),
    "moves told again after an outage": Bug(numbers="20", patch=_every_return_is_a_move),
}
