"""What is known of one breaker: the value that the pods of a fleet share.

All times are store time in milliseconds: what the store's clock says, whatever the pods' clocks do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from sidecar.core.events import Cause, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of one incident, frozen at its trip: pods with other settings agree while it lasts.

    It stays open for `open_ms`, times `multiplier` for every failed round, up to `max_ms`. A round
    of half-open lasts `round_ms` at most, each of its leases `lease_ms`.
    """

    open_ms: int = 60_000
    multiplier: float = 1.0
    max_ms: int = 600_000
    successes: int = 2
    probes: int = 2
    lease_ms: int = 65_000
    round_ms: int = 260_000

    def __post_init__(self) -> None:
        if min(self.open_ms, self.successes, self.probes, self.lease_ms) < 1:
            raise ValueError(f"a breaker's policy must be positive, got {self}")
        if self.round_ms < self.lease_ms:
            raise ValueError(f"a round must have room for a lease, got {self}")

    def open_for_ms(self, rounds: int) -> int:
        """How long to stay open after so many failed rounds."""
        try:
            grown = self.open_ms * self.multiplier**rounds
        except OverflowError:
            grown = self.max_ms
        return max(self.open_ms, int(min(grown, self.max_ms)))


@dataclass(frozen=True, slots=True)
class Slot:
    """A lease: leave for `pod` to probe until `until_ms`."""

    token: str
    pod: str
    until_ms: int


@dataclass(frozen=True, slots=True)
class Vote:
    """An accusation too weak to open the breaker alone; it stands until `until_ms`."""

    pod: str
    until_ms: int
    weight: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Why:
    """Why the epoch began, through which pod, and the HTTP status that tipped the scales (or 0)."""

    cause: Cause
    pod: str
    at_ms: int
    status: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """An operator's word: it stands above the state until `until_ms` (`None`: until released)."""

    mode: State
    until_ms: int | None
    by: str
    reason: str

    def is_over(self, now_ms: int) -> bool:
        """Whether its time has passed."""
        return self.until_ms is not None and self.until_ms <= now_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One breaker. The defaults are those of one that nobody has written yet.

    A new `epoch` begins with every change of state or hold; `rev` rises with every write.
    `until_ms` is the earliest half-open of an open breaker, and the end of the round of a half-open
    one. `rounds` counts failed rounds since it was closed; `succ`, `lost`, `leases` and `excluded`
    belong to the round. `cooldown` says until when a scope is passed over.
    """

    name: str
    epoch: int = 0
    rev: int = 0
    state: State = State.CLOSED
    since_ms: int = 0
    until_ms: int = 0
    rounds: int = 0
    succ: int = 0
    lost: int = 0
    leases: tuple[Slot, ...] = ()
    excluded: tuple[str, ...] = ()
    votes: tuple[Vote, ...] = ()
    policy: Policy = field(default_factory=Policy)
    why: Why | None = None
    hold: Held | None = None
    cooldown: tuple[tuple[str, int], ...] = ()

    @property
    def in_force(self) -> State:
        """The state as traffic meets it: the operator's word, if there is one."""
        return self.hold.mode if self.hold else self.state

    @property
    def opens_up_ms(self) -> int | None:
        """When the open state in force may end: `None` where it is not open, or nobody knows."""
        if self.in_force is not State.OPEN:
            return None
        return self.hold.until_ms if self.hold else self.until_ms

    @property
    def version(self) -> tuple[int, int]:
        """What orders two snapshots of the same breaker."""
        return self.epoch, self.rev

    def slot(self, token: str) -> Slot | None:
        """The lease of that token."""
        return next((slot for slot in self.leases if slot.token == token), None)

    def shifted(self, by_ms: int) -> Record:
        """The same, had it all happened so much later."""
        leases = tuple([Slot(one.token, one.pod, one.until_ms + by_ms) for one in self.leases])
        since_ms, until_ms = self.since_ms + by_ms, self.until_ms and self.until_ms + by_ms
        return replace(self, since_ms=since_ms, until_ms=until_ms, leases=leases)

    def window_ms(self, now_ms: int) -> tuple[int, int]:
        """Within which store times, from and before, a decision made at `now_ms` is the right one.

        0 where there is no bound. A store that guards a write with them makes up for a pod whose
        idea of the store's time is off.
        """
        passed = (at for at in self._deadlines() if at <= now_ms)
        ahead = (at for at in self._deadlines() if at > now_ms)
        return max(passed, default=0), min(ahead, default=0)

    def _deadlines(self) -> Iterator[int]:
        if self.state is not State.CLOSED:
            yield self.until_ms
        if self.hold and self.hold.until_ms is not None:
            yield self.hold.until_ms
        yield from (slot.until_ms for slot in self.leases)
