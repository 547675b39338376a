"""The breaker's rules as a graph: every record they can lead to, every step between them checked.

Time is relative, so that the graph is finite: `NOW` stands still and deadlines come nearer. All
records share one epoch; whether a step began a new one is noted on the edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

from sidecar.core.breaker import Cool, Hold, Lease, Op, Release, Reset, Settle, Trip
from sidecar.core.events import ProbeVerdict, State
from sidecar.core.record import Held, Policy, Record, Slot, Vote
from tests.fleet.invariants import Done, Nothing, Step, check_done

NOW = 1000
ROUNDS = 2  # more failed rounds than these change nothing in the policies of the tests
VERDICTS = tuple(verdict for verdict in ProbeVerdict if verdict is not ProbeVerdict.LOST)


@dataclass(frozen=True, kw_only=True)
class World:
    """What a walk is about. `epoch` may lie ahead of the store's time, as after a mishap."""

    policy: Policy
    pods: str = "ab"
    cools: bool = False
    holds: bool = False
    epoch: int = NOW - 500

    @cached_property
    def asks(self) -> tuple[Op, ...]:
        """Each pod asks for a lease; its token is its name."""
        return tuple(Lease(pod=pod, epoch=self.epoch, token=pod) for pod in self.pods)

    @cached_property
    def verdicts(self) -> tuple[tuple[Op, ...], ...]:
        """Each pod settles its lease, by every verdict."""
        return tuple(tuple(self._verdicts(pod, self.epoch)) for pod in self.pods)

    @cached_property
    def late_verdicts(self) -> tuple[tuple[Op, ...], ...]:
        """The first two of these, of an epoch that is over."""
        return tuple(tuple(self._verdicts(pod, self.epoch - 1))[:2] for pod in self.pods)

    @cached_property
    def trips(self) -> tuple[Op, ...]:
        """Doubtful accusations by each pod, a sound one, and one with a stated wait."""
        votes = (self._trip(pod, weight=1) for pod in self.pods)
        return (*votes, self._trip("a"), self._trip("a", retry_after_ms=1000))

    @cached_property
    def at_any_time(self) -> tuple[Op, ...]:
        """What may come whatever the state: late accusations, cooldowns, operators."""
        cools = (Cool(pod="a", scope="m", until_ms=NOW + wait) for wait in (1, 3))
        return (
            replace(self._trip("a"), epoch=self.epoch - 1),
            *(cools if self.cools else ()),
            *(self._operators() if self.holds else ()),
        )

    @cached_property
    def slowest_ms(self) -> int:
        """How long a newcomer waits at most for a lease, with everybody else dead."""
        policy = self.policy
        return policy.lease_ms + policy.round_ms + max(policy.max_ms, policy.open_ms)

    def _trip(self, pod: str, weight: int = 2, retry_after_ms: int = 0) -> Trip:
        return Trip(
            pod=pod,
            epoch=self.epoch,
            policy=self.policy,
            weight=weight,
            retry_after_ms=retry_after_ms,
        )

    def _verdicts(self, pod: str, epoch: int) -> Iterator[Op]:
        for verdict in VERDICTS:
            yield Settle(pod=pod, epoch=epoch, token=pod, verdict=verdict)

    def _operators(self) -> Iterator[Op]:
        yield Hold(pod="a", mode=State.OPEN, ttl_ms=2, by="", reason="")
        yield Hold(pod="a", mode=State.CLOSED, ttl_ms=None, by="", reason="")
        yield Release(pod="a")
        yield Reset(pod="a")


class Edge(NamedTuple):
    """Where a step leads: the record's number, whether a lease was had, whether an epoch began."""

    to: int
    granted: bool
    moved: bool


class Rules:
    """The graph, made as it is walked. Every edge is checked when it is made."""

    def __init__(self, step: Step, world: World) -> None:
        self.records: list[Record] = []
        self._step = step
        self._world = world
        self._numbers: dict[object, int] = {}
        self._edges: dict[tuple[int, int], Edge] = {}
        self._idles: dict[int, Record] = {}
        self._settled: dict[tuple[int, int], tuple[frozenset[Edge], tuple[Edge, ...]]] = {}
        self._later: dict[int, int] = {}
        self._waits_ms: dict[int, int] = {}
        self.start = self._number(Record(name="p", epoch=world.epoch, policy=world.policy))

    def apply(self, number: int, op: Op) -> Edge:
        """Do `op`, one of the world's own objects, to that record."""
        edge = self._edges.get((number, id(op)))
        if edge is None:
            edge = self._edges[number, id(op)] = self._make(number, op)
        return edge

    def settled(self, number: int, index: int) -> tuple[frozenset[Edge], tuple[Edge, ...]]:
        """What the verdicts of a pod lead to: those of an epoch that is over, and the present's."""
        edges = self._settled.get((number, index))
        if edges is None:
            late = frozenset(self.apply(number, op) for op in self._world.late_verdicts[index])
            now = tuple(self.apply(number, op) for op in self._world.verdicts[index])
            edges = self._settled[number, index] = (late, now)
        return edges

    def later(self, number: int) -> int:
        """The same record a millisecond later."""
        then = self._later.get(number)
        if then is None:
            then = self._later[number] = self._number(_aged(self.records[number]))
        return then

    def wait_ms(self, number: int) -> int:
        """How long a newcomer asks in vain, if nobody else does anything."""
        if number not in self._waits_ms:
            self._waits_ms[number] = self._wait_ms(number)
        return self._waits_ms[number]

    def _make(self, number: int, op: Op) -> Edge:
        old = self.records[number]
        new, slot = self._step(old, op, NOW)
        check_done(self._step, Done(old, op, NOW, new, slot, self._idle(number)))
        if new is old:
            return Edge(number, slot is not None, False)
        return Edge(self._number(new), slot is not None, new.epoch != old.epoch)

    def _idle(self, number: int) -> Record:
        if number not in self._idles:
            self._idles[number] = self._step(self.records[number], Nothing(), NOW)[0]
        return self._idles[number]

    def _number(self, record: Record) -> int:
        key = _key(record)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.records)
            self.records.append(_canonical(record, self._world))
        return number

    def _wait_ms(self, number: int) -> int:
        record = self.records[number]
        for _ in range(2):  # the first may find a round that is over, and a new one due
            if record.state is State.CLOSED or record.hold:
                return 0
            record, slot = self._step(record, Lease(pod="n", epoch=record.epoch, token="n"), NOW)
            if slot:
                return 0
        return 1 + self.wait_ms(self._number(_aged(record)))


def _key(record: Record) -> object:
    """What the rules look at, so that records that behave alike are one."""
    hold = record.hold
    return (
        record.state.value,
        record.until_ms,
        min(record.rounds, ROUNDS),
        record.succ,
        record.lost,
        tuple(sorted([(slot.token, slot.until_ms) for slot in record.leases])),
        tuple(sorted(record.excluded)),
        tuple(sorted([(vote.pod, vote.until_ms) for vote in record.votes])),
        hold and (hold.mode.value, hold.until_ms),
        record.cooldown,
    )


def _canonical(record: Record, world: World) -> Record:
    return replace(
        record,
        epoch=world.epoch,
        since_ms=0,
        why=None,
        rounds=min(record.rounds, ROUNDS),
        leases=tuple(sorted(record.leases, key=lambda slot: slot.token)),
        excluded=tuple(sorted(record.excluded)),
    )


def _aged(record: Record) -> Record:
    hold = record.hold
    return replace(
        record,
        until_ms=_nearer(record.until_ms),
        leases=tuple([Slot(s.token, s.pod, _nearer(s.until_ms)) for s in record.leases]),
        votes=tuple([Vote(v.pod, _nearer(v.until_ms), v.weight, v.cause) for v in record.votes]),
        hold=hold and Held(hold.mode, hold.until_ms and _nearer(hold.until_ms), "", ""),
        cooldown=tuple([(scope, _nearer(until_ms)) for scope, until_ms in record.cooldown]),
    )


def _nearer(at_ms: int) -> int:
    return max(NOW, at_ms - 1) if at_ms else 0
