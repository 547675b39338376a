"""What a pod has still to tell its store: one operation of a kind for each breaker."""

from __future__ import annotations

from typing import NamedTuple

from sidecar.core.breaker import QUORUM, Cool, Lease, Op, Settle, Trip
from sidecar.core.record import Record

Key = tuple[str, ...]


class Waiting(NamedTuple):
    """An operation that waits, since `since_s`, to be done: to `seen`, if that is said."""

    name: str
    op: Op
    since_s: float
    seen: Record | None = None

    @property
    def key(self) -> Key:
        """What it has in common with those whose place it takes."""
        kind = type(self.op).__name__
        match self.op:
            case Settle(token=what) | Cool(scope=what):
                return self.name, kind, what
        return self.name, kind


class Pending:
    """Operations in the order in which they came; a newer one of its kind takes another's place.

    The one under way is not among them. What the store did not answer to is kept apart until it is
    put back; and so is what is to be proposed to a store that is away.
    """

    def __init__(self) -> None:
        self._waiting: dict[Key, Waiting] = {}
        self._unanswered: dict[Key, Waiting] = {}
        self._proposed: dict[str, tuple[Trip, float]] = {}  # and since when
        self._under_way: Key = ()
        self._takes_leases = True

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, waiting: Waiting) -> None:
        """Have it done; a lease only once at a time."""
        is_lease = isinstance(waiting.op, Lease)
        if not is_lease or (self._takes_leases and waiting.key != self._under_way):
            self._waiting[waiting.key] = waiting

    def next(self) -> Waiting:
        """The oldest, which is under way from now on."""
        self._under_way = next(iter(self._waiting))
        return self._waiting.pop(self._under_way)

    def ended(self) -> None:
        """Nothing is under way."""
        self._under_way = ()

    def take(self, name: str, kind: type[Op]) -> Waiting | None:
        """The waiting operation of that kind, out of its turn."""
        return self._waiting.pop((name, kind.__name__), None)

    def keep(self, waiting: Waiting) -> None:
        """Keep what the store did not answer to."""
        self._unanswered[waiting.key] = waiting

    def put_back(self, key: Key) -> None:
        """Have it done after all, unless it was asked for anew meanwhile."""
        waiting = self._unanswered.pop(key, None)
        if waiting and key not in self._waiting:
            self.put(waiting)

    def refuse_leases(self) -> None:
        """Keep no lease, and put back the rest: what is to be done at the end."""
        self._takes_leases = False
        self._waiting = {
            key: waiting
            for key, waiting in (self._unanswered | self._waiting).items()
            if not isinstance(waiting.op, Lease)
        }

    def clear(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def desert(self) -> None:
        """The store is away: of what waits, openings are proposed when it is back."""
        for waiting in (*self._unanswered.values(), *self._waiting.values()):
            self.propose(waiting)
        self._unanswered.clear()
        self._waiting.clear()

    def propose(self, waiting: Waiting) -> None:
        """Keep an opening, if it is sure, for a store that is away; nothing else."""
        if isinstance(waiting.op, Trip):
            self._proposed.pop(waiting.name, None)
            if waiting.op.weight >= QUORUM:
                self._proposed[waiting.name] = waiting.op, waiting.since_s

    def proposals(self, fresh_s: float) -> dict[str, Trip]:
        """What was to be proposed, once, by its breaker; nothing from before `fresh_s`."""
        proposed, self._proposed = self._proposed, {}
        return {name: trip for name, (trip, since_s) in proposed.items() if since_s >= fresh_s}
