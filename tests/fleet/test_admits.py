"""Whether a call would be let in is answered as `admit` would, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.events import State
from sidecar.core.outcome import Outcome
from sidecar.core.permit import Ending, Permit
from tests.fleet.scene import (
    DOWN,
    HUNG_UP,
    OK,
    DistantStore,
    FakeClock,
    Pod,
    entry,
    limited,
    settled,
)

FLASH, PRO = entry(), entry(model="pro")
ENDINGS = (
    *(OK, DOWN, HUNG_UP, limited(7.0)),
    *(Ending(outcome=outcome, status=400) for outcome in (Outcome.AUTH, Outcome.MODEL_MISSING)),
)


class Driver:
    """Does to a pod what a test draws."""

    def __init__(self) -> None:
        self.pod = Pod(entries=[FLASH, PRO])
        self.under_way: list[Permit] = []

    def ask(self) -> None:
        """Begin a call, if it is let in."""
        answer = self.pod.admit(FLASH)
        if isinstance(answer, Permit):
            self.under_way.append(answer)

    def end(self, ending: Ending) -> None:
        """End the oldest call."""
        if self.under_way:
            self.pod.breakers.settle(self.under_way.pop(0), ending)


ACTS: st.SearchStrategy[Callable[[Driver], object]] = st.one_of(
    st.just(Driver.ask),
    st.sampled_from(ENDINGS).map(lambda ending: lambda driver: driver.end(ending)),
    st.sampled_from((1.0, 8.0, 61.0, 700.0)).map(
        lambda seconds: lambda driver: driver.pod.clock.turn(seconds)
    ),
    st.sampled_from(ENDINGS).map(
        lambda ending: (
            lambda driver: [
                act(driver) for _ in range(3) for act in (Driver.ask, lambda one: one.end(ending))
            ]
        )
    ),
)


@given(st.lists(ACTS, max_size=12))
def test_it_is_what_admit_would_answer(acts: list[Callable[[Driver], object]]) -> None:
    driver = Driver()
    for act in acts:
        act(driver)
    pod = driver.pod

    for one in (FLASH, PRO):
        before = pod.breakers.snapshot()
        admits = pod.breakers.admits(one)

        assert pod.breakers.snapshot() == before
        assert isinstance(pod.admit(one), Permit) is admits


@pytest.mark.parametrize("mode", [State.OPEN, State.CLOSED])
async def test_a_hold_counts_until_it_is_over(mode: State) -> None:
    pod = Pod()
    if mode is State.CLOSED:
        pod.calls(3, DOWN)
    await pod.breakers.hold("gemini", mode, 30.0, "me", "drill")
    held = pod.breakers.admits(pod.entry)
    pod.clock.turn(30.0)

    assert (held, pod.breakers.admits(pod.entry)) == (mode is State.CLOSED, mode is State.OPEN)


def test_a_round_that_is_over_makes_room_for_the_next() -> None:
    pod = Pod()
    pod.calls(3, DOWN)
    pod.clock.turn(60.0)
    pod.call(HUNG_UP)
    pod.clock.turn(600.0)

    assert pod.breakers.admits(pod.entry)


async def waiting_for_a_probe() -> Pod:
    """One whose store is somewhere else, its breaker due for half-open."""
    clock = FakeClock()
    pod = Pod(clock, DistantStore(clock))
    await pod.breakers.open()
    await settled()
    pod.calls(3, DOWN)
    await settled()
    clock.turn(61.0)
    return pod


async def test_with_a_distant_store_a_lease_has_to_be_there() -> None:
    pod = await waiting_for_a_probe()
    before = pod.breakers.admits(pod.entry)
    pod.admit()
    await settled()

    assert (before, pod.breakers.admits(pod.entry)) == (False, True)
    await pod.breakers.close()


async def test_a_lease_that_has_run_out_lets_nobody_in() -> None:
    pod = await waiting_for_a_probe()
    pod.admit()
    await settled()
    pod.clock.turn(200.0)

    assert not pod.breakers.admits(pod.entry)
    await pod.breakers.close()
