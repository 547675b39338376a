"""Playing: what was late is played again alone, what cannot be played hides nothing else."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace

import pytest

from sidecar.drill import running
from sidecar.drill.place import Mode
from sidecar.drill.promise import Promise, Sight
from sidecar.drill.row import Row
from sidecar.drill.running import Result, play, run
from sidecar.drill.stage import Stage
from sidecar.drill.stand_ins import Cast
from sidecar.drill.table import Scenario
from sidecar.faults.catalog import OK
from sidecar.observe.logs import silence
from tests.drill.settings import place_of

QUICK = Promise(endings=frozenset(), within_s=1.0)
GOOD = Sight(saw="all well", seconds=0.1, hits={})
LATE = replace(GOOD, late="9.00 s")
WRONG = replace(GOOD, wrongs=("a lie",))


class Told:
    """Rows that see what a test tells them to, one after the other."""

    def __init__(self, *sights: Sight) -> None:
        self.sights = list(sights)
        self.noted: list[Result] = []

    async def look(self, _stage: Stage, _promise: Promise) -> Sight:
        return self.sights.pop(0)

    def scenario(self, *, busy: bool = False) -> Scenario:
        row = Row(
            id="a",
            does="b",
            promise=lambda *_: QUICK,
            cast=lambda _: Cast(faults=(OK,)),
            play=self.look,
            busy=busy,
        )
        return Scenario(row=row, place=place_of(), mode=Mode.STREAM, promise=QUICK)

    async def run(self, **changes: bool) -> Result:
        [result] = await run([self.scenario(**changes)], self.noted.append)
        return result


async def test_what_is_seen_is_the_result() -> None:
    told = Told(GOOD)

    result = await told.run()

    assert (result.sight, result.again) == (GOOD, False)
    assert told.noted == [result]


@pytest.mark.parametrize("busy", [False, True])
async def test_what_was_only_late_is_played_again(busy: bool) -> None:
    told = Told(LATE, GOOD)

    result = await told.run(busy=busy)

    assert (result.sight, result.again) == (GOOD, True)
    assert len(told.noted) == 1


async def test_what_is_late_again_and_again_is_late() -> None:
    told = Told(LATE, LATE, LATE)

    result = await told.run()

    assert not result.sight.held
    assert told.noted == [result]


async def test_what_is_wrong_is_not_played_again() -> None:
    result = await Told(WRONG, GOOD).run()

    assert result.sight == WRONG


def busy_machine(monkeypatch: pytest.MonkeyPatch, *lags_s: float) -> None:
    """The event loop comes round that late, scenario by scenario."""
    left_s = list(lags_s)

    async def look(lags: list[float]) -> None:
        lags.append(left_s.pop(0))

    monkeypatch.setattr(running, "look_at", look)
    monkeypatch.setattr(Told, "look", slowly)


async def slowly(told: Told, _stage: Stage, _promise: Promise) -> Sight:
    await asyncio.sleep(0)
    return told.sights.pop(0)


@pytest.mark.parametrize(
    ("sights", "lags_s", "seen"),
    [
        ((WRONG, GOOD), (0.3, 0.0), GOOD),
        ((WRONG, WRONG, GOOD), (0.3, 0.3, 0.3), GOOD),
        ((WRONG, WRONG, GOOD), (0.3, 0.0), WRONG),
        ((WRONG, WRONG, WRONG), (0.3, 0.3, 0.3), WRONG),
    ],
    ids=["once more", "twice more", "believed at once", "believed in the end"],
)
async def test_what_is_wrong_on_a_busy_machine_is_played_again(
    sights: tuple[Sight, ...],
    lags_s: tuple[float, ...],
    seen: Sight,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    busy_machine(monkeypatch, *lags_s)

    result = await Told(*sights).run()

    assert (result.sight, result.again) == (seen, True)


async def test_it_is_noticed_when_this_process_has_to_wait() -> None:
    lags_s = [0.0]
    looking = asyncio.create_task(running.look_at(lags_s))

    await asyncio.sleep(0)
    time.sleep(0.15)  # noqa: ASYNC251  it is to keep the loop waiting
    await asyncio.sleep(0.01)
    looking.cancel()

    assert max(lags_s) > running.LAG_S


async def test_the_results_are_in_order_whoever_is_first() -> None:
    told = Told(*[GOOD] * 3)
    scenarios = [told.scenario(busy=True), told.scenario(), told.scenario(busy=True)]

    results = await run(scenarios, told.noted.append)

    assert [result.scenario for result in results] == scenarios


async def test_what_cannot_be_played_says_why() -> None:
    def impossible(_: object) -> Cast:
        raise OSError(24, "Too many open files")

    scenario = Told().scenario()
    row = replace(scenario.row, cast=impossible)

    sight = await play(replace(scenario, row=row))

    assert sight.wrongs == ("OSError: [Errno 24] Too many open files",)


def test_nothing_is_logged_meanwhile(caplog: pytest.LogCaptureFixture) -> None:
    with silence():
        logging.getLogger("sidecar").error("not to be seen")
    logging.getLogger("sidecar").error("to be seen")

    assert [record.message for record in caplog.records] == ["to be seen"]


def test_most_of_what_only_waits_is_played_at_once() -> None:
    assert running.PATIENT_AT_ONCE > running.BUSY_AT_ONCE
