"""What this pod knows of one breaker: the store's word, its own, and whom to pass over meanwhile.

`_ms` is store time as this pod reckons it, never ahead of the store; `_s` is monotonic.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sidecar.core.cooldown import WHOLE_PROVIDER, Unstated
from sidecar.core.events import Cause, State
from sidecar.core.outcome import Outcome, SkipReason
from sidecar.core.permit import Refusal
from sidecar.core.policies import BreakerPolicy, Timeouts
from sidecar.core.record import Policy, Record
from sidecar.core.settings import Entry
from sidecar.core.tally import Tally


class Aside(NamedTuple):
    """Until when something is passed over, and the outcome that set it aside (if it came here).

    `since_s` is when that was (monotonic); what comes from other pods never began here.
    """

    until_ms: int
    outcome: Outcome | None = None
    since_s: float = float("inf")


class Grant(NamedTuple):
    """A lease that waits for a call to use it."""

    token: str
    deadline_s: float


class Cell:
    """One breaker as this pod sees it.

    `record` is the store's; `own` stands above it from the moment this pod opens the breaker on its
    own account until the store moves. `told` is the state that was last reported, `told_epoch` the
    store's latest of these. `slow_s`: a first token that takes longer is slow.
    """

    def __init__(self, entries: list[Entry], record: Record) -> None:
        self.name = record.name
        self.provider = entries[0].provider.name
        self.policy = entries[0].provider.breaker
        self.slow_s = self.policy.slow.first_token_s
        self.terms = terms_of(self.policy, (entry.timeouts for entry in entries))
        self.record = record
        self.own: Record | None = None
        self.told = record.in_force
        self.told_epoch = 0
        self.grant: Grant | None = None
        self.tokens: dict[str, float] = {}  # of its leases, until when something becomes of them
        self.is_wanted = False  # whether a call was refused since it opened
        self.is_missed = False  # whether a lease went back for want of a call
        self.tally = Tally()
        self.unstated: dict[str, Unstated] = {}
        self.asides: dict[tuple[SkipReason, str], Aside] = {}
        self._restart()
        self._take_over_cooldowns()

    @property
    def current(self) -> Record:
        """The record in force here."""
        return self.own or self.record

    def learn(self, record: Record) -> bool:
        """Take over the store's record, unless it is old news; whether a new epoch began."""
        if record.version <= self.record.version:
            return False
        moved = record.epoch != self.record.epoch
        self.record = record
        if moved:
            self.own = None
            self._restart()
            if record.why and record.why.cause is Cause.RESET:
                self.forget_asides()
        self._take_over_cooldowns()
        return moved

    def follow(self) -> None:
        """Let nothing stand above the store's record any more."""
        if self.own is not None:
            self.own = None
            self._restart()

    def go_alone(self, record: Record) -> None:
        """Let `record` stand above the store's until that moves."""
        moved = record.epoch != self.current.epoch
        self.own = record
        if moved:
            self._restart()

    def shift(self, by_ms: int) -> None:
        """Move by so much what was decided here by a clock that was so far behind the store's."""
        if self.own is not None:
            self.own = self.own.shifted(by_ms)
        self.asides = {
            key: aside._replace(until_ms=aside.until_ms + by_ms)
            for key, aside in self.asides.items()
        }

    def set_aside(self, reason: SkipReason, scope: str, aside: Aside) -> None:
        """Pass `scope` over for `reason`; a shorter time never shortens a longer one."""
        old = self.asides.get((reason, scope))
        if old is None or aside.until_ms > old.until_ms:
            self.asides[reason, scope] = aside
        self._simplify()

    def warm_up(self, model: str, granted_s: float) -> None:
        """End a cooldown of `model` that began before leave was given for what now is answered."""
        cooling = self.asides.get((SkipReason.COOLDOWN, model))
        if cooling and cooling.since_s < granted_s:
            del self.asides[SkipReason.COOLDOWN, model]
            self._simplify()

    def unpark(self, model: str) -> None:
        """Ask `model` again, and its provider; a cooldown goes on."""
        for scope in (WHOLE_PROVIDER, model):
            self.asides.pop((SkipReason.PARKED, scope), None)
        self._simplify()

    def forget_asides(self) -> None:
        """Pass nothing over any more but what the breaker refuses."""
        self.asides.clear()
        self.unstated.clear()
        self._simplify()

    def hold_is_over(self, now_ms: int) -> bool:
        """Whether there is a hold whose time has passed."""
        hold = self.current.hold
        return hold is not None and hold.is_over(now_ms)

    def state_at(self, now_ms: int) -> State:
        """The state as traffic meets it, without a hold whose time has passed."""
        return self.current.state if self.hold_is_over(now_ms) else self.current.in_force

    def is_shut(self, now_ms: int) -> bool:
        """Whether it refuses every call: open, or held open, and the time for that not over."""
        record = self.current
        until_ms = record.until_ms if self.hold_is_over(now_ms) else record.opens_up_ms
        is_open = self.state_at(now_ms) is State.OPEN
        return is_open and (until_ms is None or until_ms > now_ms)

    def refusal(self, model: str, now_ms: int) -> Refusal | None:
        """Why calls for `model` are passed over; `None`: they pass, or may ask for a lease."""
        record = self.current
        if record.hold and not self.hold_is_over(now_ms):
            if record.hold.mode is State.CLOSED:
                return None
            return _refusal(SkipReason.HELD, record.hold.until_ms, now_ms)
        if record.state is State.OPEN and record.until_ms > now_ms:
            self.is_wanted = True
            return _refusal(SkipReason.OPEN, record.until_ms, now_ms)
        return self._aside(model, now_ms) if self.asides else None

    def take(self, now_s: float) -> Grant | None:
        """The lease that waits to be used, once."""
        grant, self.grant = self.grant, None
        return grant if grant and now_s < grant.deadline_s else None

    def _aside(self, model: str, now_ms: int) -> Refusal | None:
        self.asides = {key: aside for key, aside in self.asides.items() if aside.until_ms > now_ms}
        self._simplify()
        for reason in (SkipReason.PARKED, SkipReason.COOLDOWN):
            for scope in (WHOLE_PROVIDER, model):
                if aside := self.asides.get((reason, scope)):
                    return _refusal(reason, aside.until_ms, now_ms)
        return None

    def _restart(self) -> None:
        """A new epoch: what was counted and granted belongs to the last one.

        The count that led to an opening stays to be seen until the breaker closes.
        """
        if self.current.state is State.CLOSED:
            self.tally = Tally()
        self.grant = None
        self.is_wanted = self.is_missed = False
        self._simplify()

    def _take_over_cooldowns(self) -> None:
        for scope, until_ms in self.record.cooldown:
            self.set_aside(SkipReason.COOLDOWN, scope, Aside(until_ms))

    def _simplify(self) -> None:
        """Note for the hot path what it has to know of all this."""
        current = self.current
        self.epoch = current.epoch
        self.plain = current.state is State.CLOSED and not current.hold and not self.asides


def _refusal(reason: SkipReason, until_ms: int | None, now_ms: int) -> Refusal:
    return Refusal(reason, None if until_ms is None else (until_ms - now_ms) / 1000)


def terms_of(policy: BreakerPolicy, clocks: Iterable[Timeouts]) -> Policy:
    """What this pod would freeze into a trip.

    A lease is long enough for the first content of any entry, which of an answer that is not
    streamed is the whole answer; a round is long enough for its good probes in single file, and
    two that were lost.
    """
    lease_s = max(
        one.connect_s + max(one.first_token_s, one.first_token_reasoning_s, one.answer_s)
        for one in clocks
    )
    return Policy(
        open_ms=_ms(policy.open_timeout_s),
        multiplier=policy.open_backoff.multiplier,
        max_ms=_ms(policy.open_backoff.max_s),
        successes=policy.success_threshold,
        probes=policy.half_open_probes,
        lease_ms=_ms(lease_s),
        round_ms=_ms(lease_s) * (policy.success_threshold + 2),
    )


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
