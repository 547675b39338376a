"""The breaker's rules: `step` takes a record and an operation to the next record.

The same rules serve every store: they are told the store's time and keep none of their own. Every
operation is fenced by the epoch it was made in, and done twice it is done once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from sidecar.core.events import Cause, ProbeVerdict, State
from sidecar.core.record import Held, Policy, Record, Slot, Vote, Why

QUORUM = 2  # the weight that opens a breaker: one sound accusation, or two pods' doubtful ones
COOL_STEP_MS = 250  # by less than that no cooldown is prolonged
LOST_PER_PROBE = 2  # a round ends once so many times its probes never came back


class Op(Protocol):
    """Something that `pod` wants done to a breaker."""

    @property
    def pod(self) -> str:
        """Who asks."""
        ...

    def apply(self, record: Record, now_ms: int) -> Record:
        """The next record, where time has already brought what it brings."""
        ...


def step(record: Record, op: Op, now_ms: int) -> tuple[Record, Slot | None]:
    """Do `op` at `now_ms`: the next record, and the lease that `op` asked for if it has it now.

    The very same record comes back where nothing changes. `rev` is left to the store.
    """
    record = op.apply(_overdue(record, op.pod, now_ms), now_ms)
    return record, record.slot(op.token) if isinstance(op, Lease) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """Accuse the provider of what happened in `epoch`, which must be the present, closed one.

    A `weight` of `QUORUM` opens the breaker; less is kept as a vote for `policy.open_ms`.
    """

    pod: str
    epoch: int
    policy: Policy
    weight: int = QUORUM
    cause: Cause = Cause.FAILURES
    status: int = 0
    retry_after_ms: int = 0

    def apply(self, record: Record, now_ms: int) -> Record:
        if record.state is not State.CLOSED or record.hold or record.epoch != self.epoch:
            return record
        votes = (*self._others(record, now_ms), self._vote(record, now_ms))
        if sum(vote.weight for vote in votes) < QUORUM:
            return replace(record, votes=votes)
        stay_ms = max(self.policy.open_for_ms(0), min(self.retry_after_ms, self.policy.max_ms))
        return replace(
            _new_epoch(record, Why(self.cause, self.pod, now_ms, self.status)),
            state=State.OPEN,
            until_ms=now_ms + stay_ms,
            policy=self.policy,
        )

    def _others(self, record: Record, now_ms: int) -> list[Vote]:
        return [vote for vote in record.votes if vote.pod != self.pod and vote.until_ms > now_ms]

    def _vote(self, record: Record, now_ms: int) -> Vote:
        own = (vote.until_ms for vote in record.votes if vote.pod == self.pod)
        until_ms = max((now_ms + self.policy.open_ms, *own))
        return Vote(self.pod, until_ms, self.weight, self.cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Ask for a probe. The first to ask after an open breaker's deadline makes it half-open."""

    pod: str
    epoch: int
    token: str

    def apply(self, record: Record, now_ms: int) -> Record:
        if record.epoch != self.epoch or record.hold:
            return record
        if record.state is State.OPEN and record.until_ms <= now_ms:
            return self._half_open(record, now_ms)
        if record.state is State.HALF_OPEN:
            return self._join(record, now_ms)
        return record

    def _half_open(self, record: Record, now_ms: int) -> Record:
        return replace(
            _new_epoch(record, Why(Cause.OPEN_TIMEOUT, self.pod, now_ms)),
            state=State.HALF_OPEN,
            until_ms=now_ms + record.policy.round_ms,
            leases=(self._slot(record, now_ms),),
        )

    def _join(self, record: Record, now_ms: int) -> Record:
        if self.pod in record.excluded and self._is_left_alone(record, now_ms):
            return _reopen(record, self.pod, now_ms)
        if now_ms + record.policy.lease_ms > record.until_ms:  # too late for another probe
            return record if record.leases else _reopen(record, self.pod, now_ms)
        free = min(record.policy.probes, record.policy.successes - record.succ)
        if len(record.leases) >= free or self.pod in _barred(record):
            return record
        return replace(record, leases=(*record.leases, self._slot(record, now_ms)))

    def _is_left_alone(self, record: Record, now_ms: int) -> bool:
        """Whether those who may probe had the open time to do so, and nobody does."""
        return not record.leases and now_ms >= record.since_ms + record.policy.open_ms

    def _slot(self, record: Record, now_ms: int) -> Slot:
        return Slot(self.token, self.pod, now_ms + record.policy.lease_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Hand a lease back with what the probe showed. One that has run out is no lease any more."""

    pod: str
    epoch: int
    token: str
    verdict: ProbeVerdict

    def apply(self, record: Record, now_ms: int) -> Record:
        slot = record.slot(self.token)
        if slot is None or slot.pod != self.pod or record.epoch != self.epoch:
            return record
        others = tuple([other for other in record.leases if other is not slot])
        return self._judge(replace(record, leases=others), now_ms)

    def _judge(self, record: Record, now_ms: int) -> Record:
        if self.verdict is ProbeVerdict.FAILURE:
            return _reopen_failed(record, self.pod, now_ms)
        if self.verdict is ProbeVerdict.INCONCLUSIVE:
            return replace(record, excluded=(*record.excluded, self.pod))
        if self.verdict is not ProbeVerdict.SUCCESS:
            return record
        if record.succ + 1 < record.policy.successes:
            return replace(record, succ=record.succ + 1)
        return _close(record, Why(Cause.PROBES_SUCCEEDED, self.pod, now_ms))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bury:
    """Take the leases of `dead` pods for lost, long before they run out.

    One that only seemed dead has no say any more, but may be probing still.
    """

    pod: str
    epoch: int
    dead: frozenset[str]

    def apply(self, record: Record, now_ms: int) -> Record:
        kept = tuple([slot for slot in record.leases if slot.pod not in self.dead])
        lost = len(record.leases) - len(kept)
        if record.epoch != self.epoch or not lost:
            return record
        return _sweep(replace(record, leases=kept, lost=record.lost + lost), self.pod, now_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cool:
    """Pass `scope` over until `until_ms`, or longer if that was known already.

    Pods that are told the same a moment apart need not write it all.
    """

    pod: str
    scope: str
    until_ms: int

    def apply(self, record: Record, now_ms: int) -> Record:
        cooling = {scope: until for scope, until in record.cooldown if until > now_ms}
        known_ms = cooling.get(self.scope, 0)
        if self.until_ms - known_ms >= COOL_STEP_MS:
            cooling[self.scope] = self.until_ms
        cooldown = tuple(sorted(cooling.items()))
        return record if cooldown == record.cooldown else replace(record, cooldown=cooldown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An operator's word, whatever the provider does, for `ttl_ms` or (`None`) until released.

    The state underneath stays as it is, but for a round of half-open: that is called off.
    """

    pod: str
    mode: State
    ttl_ms: int | None
    by: str
    reason: str

    def apply(self, record: Record, now_ms: int) -> Record:
        until_ms = None if self.ttl_ms is None else now_ms + self.ttl_ms
        hold = Held(self.mode, until_ms, self.by, self.reason)
        if record.hold == hold:
            return record
        held = replace(_new_epoch(record, Why(Cause.HOLD, self.pod, now_ms)), hold=hold)
        if record.state is not State.HALF_OPEN:
            return held
        return replace(held, state=State.OPEN, until_ms=now_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """End an operator's hold; traffic meets the state underneath again."""

    pod: str

    def apply(self, record: Record, now_ms: int) -> Record:
        return _release(record, self.pod, now_ms) if record.hold else record


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """Close it and forget all that was held against the provider. A hold stays."""

    pod: str

    def apply(self, record: Record, now_ms: int) -> Record:
        why = Why(Cause.RESET, self.pod, now_ms)
        return record if record.why == why else replace(_close(record, why), cooldown=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Give back to a store that lost its data what a pod had adopted of it: the `snapshot`.

    The higher epoch wins. A round of half-open is called off, for nobody knows who still probes;
    and no deadline reaches further than the policy of the incident allows.
    """

    pod: str
    snapshot: Record

    def apply(self, record: Record, now_ms: int) -> Record:
        snapshot = self.snapshot
        if snapshot.version <= record.version:
            return record
        why = Why(Cause.MERGE, self.pod, now_ms)
        merged = replace(
            _new_epoch(snapshot, why),
            rev=record.rev,
            hold=None if snapshot.hold and snapshot.hold.is_over(now_ms) else snapshot.hold,
            cooldown=self._cooling(record),
        )
        if snapshot.state is State.CLOSED:
            return replace(merged, until_ms=0)
        stays_ms = snapshot.policy.open_for_ms(snapshot.rounds)
        until_ms = now_ms if snapshot.state is State.HALF_OPEN else snapshot.until_ms
        return replace(merged, state=State.OPEN, until_ms=min(until_ms, now_ms + stays_ms))

    def _cooling(self, record: Record) -> tuple[tuple[str, int], ...]:
        cooling = dict(record.cooldown)
        for scope, until_ms in self.snapshot.cooldown:
            cooling[scope] = max(until_ms, cooling.get(scope, 0))
        return tuple(sorted(cooling.items()))


def _overdue(record: Record, pod: str, now_ms: int) -> Record:
    """What time alone brings: the end of a hold, of leases and of their round."""
    if record.hold and record.hold.is_over(now_ms):
        return _release(record, pod, now_ms)
    return _sweep(record, pod, now_ms) if record.state is State.HALF_OPEN else record


def _sweep(record: Record, pod: str, now_ms: int) -> Record:
    live = tuple([slot for slot in record.leases if slot.until_ms > now_ms])
    lost = record.lost + len(record.leases) - len(live)
    if lost > record.lost:
        record = replace(record, leases=live, lost=lost)
    if record.until_ms <= now_ms or lost >= LOST_PER_PROBE * record.policy.probes:
        return _reopen(record, pod, now_ms)
    return record


def _reopen(record: Record, pod: str, now_ms: int) -> Record:
    """End a round without a verdict. If it only saw too few calls, a new one may begin at once."""
    nobody_asked = not record.lost and not record.excluded
    stay_ms = 0 if nobody_asked else record.policy.open_for_ms(record.rounds)
    return replace(
        _new_epoch(record, Why(Cause.PROBES_LOST, pod, now_ms)),
        state=State.OPEN,
        until_ms=now_ms + stay_ms,
    )


def _reopen_failed(record: Record, pod: str, now_ms: int) -> Record:
    rounds = record.rounds + 1
    return replace(
        _new_epoch(record, Why(Cause.PROBE_FAILED, pod, now_ms)),
        state=State.OPEN,
        until_ms=now_ms + record.policy.open_for_ms(rounds),
        rounds=rounds,
    )


def _close(record: Record, why: Why) -> Record:
    return replace(_new_epoch(record, why), state=State.CLOSED, until_ms=0, rounds=0)


def _release(record: Record, pod: str, now_ms: int) -> Record:
    return replace(_new_epoch(record, Why(Cause.RELEASE, pod, now_ms)), hold=None)


def _new_epoch(record: Record, why: Why) -> Record:
    # the store's time keeps epochs rising even after the store has lost its data
    return replace(
        record,
        epoch=max(record.epoch + 1, why.at_ms),
        since_ms=why.at_ms,
        why=why,
        succ=0,
        lost=0,
        leases=(),
        excluded=(),
        votes=(),
    )


def _barred(record: Record) -> tuple[str, ...]:
    """The pods that may not probe: they do already, or may have no way out themselves."""
    return *record.excluded, *(slot.pod for slot in record.leases)
