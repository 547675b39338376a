"""Plays the whole table: side by side, because most of it is waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sidecar.clock import SystemClock
from sidecar.drill.promise import Sight
from sidecar.drill.stage import set_stage
from sidecar.drill.table import Scenario
from sidecar.observe.logs import silence

BUSY_AT_ONCE = 20  # each has its sidecar and providers in this process: more would be late
PATIENT_AT_ONCE = 36  # these only wait, but each holds a dozen sockets
PATIENT_S = 5.0
APART_S = 0.03  # to set a stage takes half of it, and keeps everybody else waiting
LOOK_S = 0.02  # how often to see whether this process has to wait for the machine …
LAG_S = 0.1  # … and how long is too long, for clocks run out meanwhile that should not
AGAIN_AT_ONCE = (6, 1)  # what is doubtful is played beside few others, and then alone


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a scenario. `again`: the machine was too busy; this is how it went alone.

    `lag_s` is how long this process once had to wait for the machine meanwhile.
    """

    scenario: Scenario
    sight: Sight
    again: bool = False
    lag_s: float = 0.0

    @property
    def is_doubtful(self) -> bool:
        """Whether what is wrong may be this machine's fault."""
        return not self.sight.held and (self.sight.only_late or self.lag_s > LAG_S)


Progress = Callable[[Result], None]


async def run(scenarios: Sequence[Scenario], progress: Progress) -> list[Result]:
    """Play all of them; the results are in the same order. Long ones begin first.

    What keeps the process busy comes last and alone. After it what is doubtful is played again: it
    may have been for want of time on this machine.
    """
    with silence():
        results = dict(await side_by_side(scenarios, progress))
        for number, scenario in enumerate(scenarios):
            if scenario.row.busy:
                results[number] = await watched(scenario)
                note(results[number], progress)
        for at_once in AGAIN_AT_ONCE:
            for number, result in await again(results, at_once):
                results[number] = result
                note(result, progress)
        for number in doubtful(results):  # and is broken, whatever the machine did
            progress(results[number])
    return [results[number] for number in range(len(scenarios))]


def note(result: Result, progress: Progress) -> None:
    """Tell of a result, unless it is to be played again."""
    if not result.is_doubtful:
        progress(result)


def doubtful(results: Mapping[int, Result]) -> list[int]:
    """Which of them are to be played again."""
    return [number for number, result in sorted(results.items()) if result.is_doubtful]


async def again(results: Mapping[int, Result], at_once: int) -> list[tuple[int, Result]]:
    """Play what is doubtful once more; what keeps the process busy is left for when it is alone."""
    gate = asyncio.Semaphore(at_once)

    async def one(number: int, scenario: Scenario) -> tuple[int, Result]:
        async with gate:
            return number, replace(await watched(scenario), again=True)

    scenarios = ((number, results[number].scenario) for number in doubtful(results))
    now = [pair for pair in scenarios if at_once == 1 or not pair[1].row.busy]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number, scenario)) for number, scenario in now]
    return [task.result() for task in tasks]


async def watched(scenario: Scenario) -> Result:
    """Play one scenario, and see how long this process has to wait for the machine."""
    lags_s = [0.0]
    watching = asyncio.create_task(look_at(lags_s))
    try:
        sight = await play(scenario)
    finally:
        watching.cancel()
        await asyncio.wait((watching,))
    return Result(scenario, sight, lag_s=max(lags_s))


async def look_at(lags_s: list[float]) -> None:
    """Note how late the event loop comes round."""
    while True:
        due_s = SystemClock.monotonic() + LOOK_S
        await SystemClock.sleep(LOOK_S)
        lags_s.append(SystemClock.monotonic() - due_s)


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
            result = await watched(scenario)
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
