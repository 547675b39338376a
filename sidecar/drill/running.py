"""Plays the whole table: side by side, because most of it is waiting."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sidecar.drill.promise import Sight
from sidecar.drill.stage import set_stage
from sidecar.drill.table import Scenario

BUSY_AT_ONCE = 12  # each has its sidecar and providers in this process: more would be late
PATIENT_AT_ONCE = 36  # these only wait, but each holds a dozen sockets
PATIENT_S = 5.0
APART_S = 0.03  # to set a stage takes half of it, and keeps everybody else waiting


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a scenario. `again`: it was late, and this is how it went alone."""

    scenario: Scenario
    sight: Sight
    again: bool = False


Progress = Callable[[Result], None]


async def run(scenarios: Sequence[Scenario], progress: Progress) -> list[Result]:
    """Play all of them; the results are in the same order. Long ones begin first.

    What keeps the process busy comes last and alone. So does what was late and nothing else, once
    more: that may have been for want of time on this machine.
    """
    with silence():
        results = dict(await side_by_side(scenarios, progress))
        for number, scenario in enumerate(scenarios):
            if scenario.row.busy:
                results[number] = Result(scenario, await play(scenario))
                note(results[number], progress)
        for number, result in sorted(results.items()):
            if result.sight.only_late:
                sight = await play(result.scenario)
                results[number] = Result(result.scenario, sight, again=True)
                progress(results[number])
    return [results[number] for number in range(len(scenarios))]


def note(result: Result, progress: Progress) -> None:
    """Tell of a result, unless it is to be played again."""
    if not result.sight.only_late:
        progress(result)


async def side_by_side(
    scenarios: Sequence[Scenario], progress: Progress
) -> list[tuple[int, Result]]:
    """Play what can be played beside something else."""
    busy, patient = asyncio.Semaphore(BUSY_AT_ONCE), asyncio.Semaphore(PATIENT_AT_ONCE)
    entrance = asyncio.Lock()

    async def one(number: int, scenario: Scenario) -> tuple[int, Result]:
        async with patient if scenario.lasts_s > PATIENT_S else busy:
            async with entrance:
                await asyncio.sleep(APART_S)
            result = Result(scenario, await play(scenario))
        note(result, progress)
        return number, result

    numbered = [pair for pair in enumerate(scenarios) if not pair[1].row.busy]
    numbered.sort(key=lambda pair: -pair[1].lasts_s)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number, scenario)) for number, scenario in numbered]
    return [task.result() for task in tasks]


async def play(scenario: Scenario) -> Sight:
    """Play one scenario on a stage of its own."""
    row, place = scenario.row, scenario.place
    try:
        async with set_stage(place, scenario.mode, row.cast(place)) as stage:
            return await row.play(stage, scenario.promise)
    except Exception as error:  # one that cannot be played must not hide what the others show
        wrong = f"{type(error).__name__}: {error}"
        return Sight(saw="could not be played", seconds=0.0, hits={}, wrongs=(wrong,))


@contextmanager
def silence() -> Iterator[None]:
    """No log: what goes wrong here is meant to."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
