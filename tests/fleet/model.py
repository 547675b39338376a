"""Walks through everything that a small fleet can do to a breaker, in every order, and checks it.

The pods know what truly happened, which the record does not: who holds a lease, who died with one,
and how many probes of the round went well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from sidecar.core.breaker import Op
from sidecar.core.events import ProbeVerdict, State
from tests.fleet.invariants import Step, require
from tests.fleet.rules import VERDICTS, Edge, Rules, World

# What a pod is at. With a lease it is LIVE plus the milliseconds that it still has; a pod that died
# with one and came back without memory is DEAD plus them: that lease still counts.
IDLE = 0
LATE = 1  # its verdict is still to come, but the lease or the epoch is over
LIVE = 10
DEAD = 20
END = 30

_AGED = {
    IDLE: IDLE,
    LATE: LATE,
    **{pod: pod - 1 if pod > LIVE + 1 else LATE for pod in range(LIVE + 1, DEAD)},
    **{pod: pod - 1 if pod > DEAD + 1 else IDLE for pod in range(DEAD + 1, END)},
}
_OF_A_NEW_EPOCH = {pod: LATE if LATE <= pod < DEAD else IDLE for pod in range(END)}


class Fleet(NamedTuple):
    """One state: the record's number, the good probes of the round, and what each pod is at."""

    number: int
    good: int
    pods: tuple[int, ...]


class Walk:
    """A breadth-first walk through `world` by the rules of `step`."""

    def __init__(self, step: Step, world: World) -> None:
        self.world = world
        self.rules = Rules(step, world)

    def run(self) -> int:
        """Visit every state; how many there were. Raises `Violation`."""
        start = Fleet(self.rules.start, 0, (IDLE,) * len(self.world.pods))
        seen = {start}
        queue = deque(seen)
        while queue:
            for fleet in self._after(queue.popleft()):
                if fleet not in seen:
                    seen.add(fleet)
                    queue.append(fleet)
        return len(seen)

    def _after(self, fleet: Fleet) -> Iterator[Fleet]:
        number, good, pods = fleet
        wait_ms = self.rules.wait_ms(number)
        require(wait_ms <= self.world.slowest_ms, 10, "a newcomer gets a lease in the end")
        yield Fleet(self.rules.later(number), good, tuple([_AGED[pod] for pod in pods]))
        for op in self._anybody(number):
            yield _moved(self.rules.apply(number, op), good, pods)
        for index, pod in enumerate(pods):
            if pod == IDLE or pod > DEAD:
                yield self._ask(fleet, index)
            elif pod == LATE:
                yield from self._settle_late(fleet, index)
            else:
                yield Fleet(number, good, _with(pods, index, pod + DEAD - LIVE))
                yield from self._settle(fleet, index)

    def _anybody(self, number: int) -> Iterator[Op]:
        if self.rules.records[number].state is State.CLOSED:
            yield from self.world.trips
        yield from self.world.at_any_time

    def _ask(self, fleet: Fleet, index: int) -> Fleet:
        edge = self.rules.apply(fleet.number, self.world.asks[index])
        number, good, pods = _moved(edge, fleet.good, fleet.pods)
        if edge.granted and pods[index] < DEAD:
            pods = _with(pods, index, LIVE + self.world.policy.lease_ms)
        self._check_grants(good, pods)
        return Fleet(number, good, pods)

    def _settle_late(self, fleet: Fleet, index: int) -> Iterator[Fleet]:
        late, now = self.rules.settled(fleet.number, index)
        for edge in {*late, *now}:
            require(not self._closes(fleet.number, edge), 12, "a late verdict closes nothing")
            yield _moved(edge, fleet.good, _with(fleet.pods, index, IDLE))

    def _settle(self, fleet: Fleet, index: int) -> Iterator[Fleet]:
        number, good, pods = fleet
        late, now = self.rules.settled(number, index)
        for edge in late:  # an older verdict arrives, and the pod goes on
            yield _moved(edge, good, pods)
        for verdict, edge in zip(VERDICTS, now, strict=True):
            proven = good + (verdict is ProbeVerdict.SUCCESS)
            if self._closes(number, edge):
                enough = proven >= self.world.policy.successes
                require(enough, 5, "closed only by enough good probes of this round")
            yield _moved(edge, proven, _with(pods, index, IDLE))

    def _closes(self, number: int, edge: Edge) -> bool:
        old, new = self.rules.records[number], self.rules.records[edge.to]
        return old.state is State.HALF_OPEN and new.state is State.CLOSED

    def _check_grants(self, good: int, pods: tuple[int, ...]) -> None:
        live = sum(pod > LIVE for pod in pods)
        policy = self.world.policy
        require(live <= policy.probes, 3, "no more probes at once than allowed")
        require(live + good <= policy.successes, 6, "no more grants than are needed")


def _moved(edge: Edge, good: int, pods: tuple[int, ...]) -> Fleet:
    """The fleet after a step: with a new epoch all leases are over, and nothing is proven."""
    if edge.moved:
        return Fleet(edge.to, 0, tuple([_OF_A_NEW_EPOCH[pod] for pod in pods]))
    return Fleet(edge.to, good, pods)


def _with(pods: tuple[int, ...], index: int, pod: int) -> tuple[int, ...]:
    return *pods[:index], pod, *pods[index + 1 :]
