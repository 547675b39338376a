"""What the status page is told of each breaker."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.core.events import State
from sidecar.core.outcome import SkipReason
from sidecar.core.tally import error_ratio, failures_in_a_row
from sidecar.fleet.cell import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldStatus:
    """An operator's hold; `until_unix_s` is `None` where it lasts until released."""

    mode: State
    until_unix_s: float | None
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AsideStatus:
    """What is passed over: a model, or (empty) all that the breaker guards.

    `reason` is the outcome that led to it, empty where another pod met it.
    """

    model: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStatus:
    """One breaker at one moment. `cause` is that of its last move, empty before the first."""

    name: str
    provider: str
    state: State
    since_unix_s: float
    epoch: int
    cause: str
    open_until_unix_s: float | None
    retry_in_s: float | None
    consecutive_failures: int
    error_ratio: float
    held: HoldStatus | None
    parked: tuple[AsideStatus, ...] = ()
    cooldown_s: tuple[AsideStatus, ...] = ()


def status_of(cell: Cell, now_ms: int, now_s: float) -> BreakerStatus:
    """`cell` at this moment; `now_s` is monotonic."""
    record = cell.current
    state = cell.state_at(now_ms)
    until_ms = record.until_ms if cell.hold_is_over(now_ms) else record.opens_up_ms
    if state is not State.OPEN:
        until_ms = None
    return BreakerStatus(
        name=cell.name,
        provider=cell.provider,
        state=state,
        since_unix_s=record.since_ms / 1000,
        epoch=record.epoch,
        cause=record.why.cause.value if record.why else "",
        open_until_unix_s=None if until_ms is None else until_ms / 1000,
        retry_in_s=None if until_ms is None else max(0.0, (until_ms - now_ms) / 1000),
        consecutive_failures=failures_in_a_row(cell.tally, cell.policy, now_s),
        error_ratio=error_ratio(cell.tally, cell.policy, now_s),
        held=_held(cell, now_ms),
        parked=_asides(cell, SkipReason.PARKED, now_ms),
        cooldown_s=_asides(cell, SkipReason.COOLDOWN, now_ms),
    )


def _held(cell: Cell, now_ms: int) -> HoldStatus | None:
    hold = cell.current.hold
    if hold is None or cell.hold_is_over(now_ms):
        return None
    until_unix_s = None if hold.until_ms is None else hold.until_ms / 1000
    return HoldStatus(mode=hold.mode, until_unix_s=until_unix_s, by=hold.by, reason=hold.reason)


def _asides(cell: Cell, reason: SkipReason, now_ms: int) -> tuple[AsideStatus, ...]:
    return tuple(
        AsideStatus(
            model=scope,
            reason=aside.outcome.value if aside.outcome else "",
            seconds=(aside.until_ms - now_ms) / 1000,
        )
        for (skipped_for, scope), aside in tuple(cell.asides.items())  # may be another thread's
        if skipped_for is reason and aside.until_ms > now_ms
    )
