"""One life of a small fleet, made from a seed: the real breakers, a store, providers, calamities.

Everything that can go wrong does for a while; then all is healed, and the fleet has to come to
itself. The same seed and setting always make the same life.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from sidecar.core.breaker import Op, step
from sidecar.core.events import State
from sidecar.core.record import Record, Slot
from sidecar.fleet.board import Board
from sidecar.fleet.cell import Cell
from tests.fleet.calamities import CALAMITIES, thaw
from tests.fleet.invariants import Done, Nothing, Step, Violation, check_done
from tests.fleet.ledger import Ledger
from tests.fleet.simulated_fleet import LEASE_S, Fleet, Setting
from tests.fleet.simulated_loop import Process, SimulatedLoop
from tests.fleet.simulated_pod import SimulatedPod
from tests.fleet.simulated_store import FAIR

LANE = "sidecar.fleet.background_lane"
BOARD = "sidecar.fleet.board"

TROUBLED_S = 45.0  # so long calamities come
RETRY_S = 2.5  # so long a pod may stay away from a store that was gone
SYNC_S = 2.3 + 0.5  # by then a sync was due, and had its answer
LOOK_S = 0.25

Ask = Callable[[Board, Cell], None]


@dataclass(frozen=True, kw_only=True)
class Checks:
    """What is looked at besides what truly happens: every step by itself, and the pods' clocks."""

    steps: bool = True
    clocks: bool = True


@dataclass(frozen=True)
class Life:
    """How a life went that broke no invariant."""

    fleet: Fleet
    calls: int
    asked: int

    @property
    def story(self) -> str:
        """The last of what happened."""
        return "\n".join(self.fleet.ledger.lines)


EVERYTHING = Checks()


def live(setting: Setting, seed: int, rules: Step = step, checks: Checks = EVERYTHING) -> Life:
    """Live one life by these rules. Raises `Violation`, with the last of what happened."""
    state = random.getstate()
    random.seed(seed)
    loop = SimulatedLoop()
    course = Course(loop, setting, seed)
    course.world.checks_clocks = checks.clocks
    try:
        with _in_place(course, _watched(rules, course.ledger) if checks.steps else rules):
            loop.run_until_complete(course.run())
    except Violation as violation:
        story = "\n".join(course.ledger.lines)
        raise Violation(f"{violation}\nseed {seed} of {setting}\n{story}") from violation
    finally:
        random.setstate(state)
        loop.close()
    asked = sum(pod.line.asked for pod in course.pods)
    return Life(course, sum(pod.calls for pod in course.pods), asked)


class Course(Fleet):
    """How a life goes: trouble, then none, and whether all come to themselves."""

    def __init__(self, loop: SimulatedLoop, setting: Setting, seed: int) -> None:
        super().__init__(loop, setting, seed)
        self.ledger.on_violation = self.end
        self._end: asyncio.Future[None] = loop.create_future()
        loop.after_step = self._after_step
        loop.set_exception_handler(self._hear)

    async def run(self) -> None:
        """Live."""
        for _ in range(self.setting.pods):
            self.add_pod()
        self._come(self.chance.uniform(0.0, 2 * self.setting.every_s))
        self.later(TROUBLED_S, self._heal)
        try:
            await self._end
        finally:
            await self._clean_up()

    def end(self, error: BaseException | None = None) -> None:
        """End with `error`, or well."""
        if self._end.done():
            return
        if error:
            self._end.set_exception(error)
        else:
            self._end.set_result(None)

    def _after_step(self, process: Process) -> None:
        pod = self.by_process[process]
        if not pod.is_gone:
            with suppress(Violation):  # all ends with it in any case
                pod.check()

    def _hear(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.end(context.get("exception") or Violation(f"0: {context['message']}"))

    # Trouble

    def _come(self, pause_s: float) -> None:
        if self.now_s + pause_s < TROUBLED_S - 1.0:
            self.later(pause_s, self._befall)

    def _befall(self) -> None:
        kind = self.chance.choice(self.setting.trouble.split())
        calamity = self.chance.choice(CALAMITIES[kind])
        self.tell(f"calamity: {calamity.__name__}")
        calamity(self)
        self._come(self.chance.expovariate(1 / self.setting.every_s))

    def _heal(self) -> None:
        self.tell("all is healed")
        self.server.weather = FAIR
        self.server.start()
        self.server.thaw()
        for service in self.world.services.values():
            service.mode = "up"
        for pod in self.pods:
            pod.line.is_cut = False
            thaw(self, pod)
        if not self.alive:
            self.add_pod()
        self.later(RETRY_S, self._look_after)

    # The end of it

    def _look_after(self) -> None:
        self._look(self.now_s + self.setting.recovery_s + RETRY_S)

    def _look(self, until_s: float) -> None:
        """Wait for everybody to be well, and release what is held until that is confirmed."""
        for name, record in self.server.records.items():
            if record.hold:
                self.alive[0].order("release", name)
        ill = [f"{pod.name}: {name}" for pod in self.alive for name in self._ill(pod)]
        self.ledger.require(not ill or self.now_s < until_s, 10, f"no recovery: {ill}")
        if ill:
            self.later(LOOK_S, partial(self._look, until_s))
        else:
            self.tell("all are well")
            self.world.is_quiet = True
            self.later(LEASE_S + SYNC_S, self._compare)

    def _ill(self, pod: SimulatedPod) -> list[str]:
        stored = self.server.records.get
        return [
            name
            for name, cell in pod.cells.items()
            if (pod.has_egress and cell.state_at(pod.lane.now_ms()) is not State.CLOSED)
            or (stored(name) or cell.record).in_force is not State.CLOSED
            or pod.lane.is_alone
        ]

    def _compare(self) -> None:
        """Now everybody knows what the store knows, and it knows no less than anybody ever did."""
        for pod in self.alive:
            for name, cell in pod.cells.items():
                stored = self.server.records.get(name) or Record(name=name)
                known = cell.record if cell.record.rev else Record(name=name)
                self.ledger.require(known == stored, 18, f"{pod.name} knows {known}, not {stored}")
        self._count()
        self.end()

    def _count(self) -> None:
        """What the store was asked to write grows with what happened, not with the calls."""
        asked = sum(pod.line.asked for pod in self.pods)
        most = 20 + 4 * (self.server.writes + self.ledger.losses) * len(self.pods)
        self.ledger.require(asked <= most, 24, f"{asked} writes asked for, {most} at most")

    async def _clean_up(self) -> None:
        """End what still waits, also of the dead."""
        self.loop.after_step = lambda _: None
        self.world.is_quiet = True
        for pod in self.pods:
            pod.is_gone = True
            self.loop.resume(pod.process)
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _watched(rules: Step, ledger: Ledger) -> Step:
    """The same rules, with every step checked by itself."""

    def watched(record: Record, op: Op, now_ms: int) -> tuple[Record, Slot | None]:
        new, slot = rules(record, op, now_ms)
        idle = rules(record, Nothing(op.pod), now_ms)[0]
        try:
            check_done(rules, Done(record, op, now_ms, new, slot, idle))
        except Violation as violation:
            ledger.fail(Violation(f"{violation} ({op} at {now_ms} to {record})"))
        return new, slot

    return watched


@contextmanager
def _in_place(course: Course, rules: Step) -> Iterator[None]:
    """Have the real code go by these rules, and by chance that can be repeated."""
    secrets = SimpleNamespace(token_hex=course.token)
    ask: Ask = course.ask if course.setting.has_like_leases else Board.ask

    def of_board(board: Board, cell: Cell) -> None:
        ask(board, cell)

    with (
        patch(f"{LANE}.step", rules),
        patch(f"{BOARD}.step", rules),
        patch(f"{LANE}.secrets", secrets),
        patch(f"{BOARD}.secrets", secrets),
        patch.object(Board, "ask", of_board),
        patch(f"{LANE}.log", _Alarm(course)),
    ):
        yield


class _Alarm(logging.Logger):
    """The lane's log: an error that the lane has caught is one that it made."""

    def __init__(self, course: Course) -> None:
        super().__init__(LANE, logging.ERROR)
        self._course = course

    def handle(self, record: logging.LogRecord) -> None:
        """End with it."""
        error = record.exc_info[1] if record.exc_info else None
        self._course.end(error or Violation(f"0: {record.getMessage()}"))
