"""Every state that small fleets can reach keeps the invariants; rules with a known bug do not."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from sidecar.core.breaker import step
from sidecar.core.record import Policy
from tests.fleet.invariants import Step, Violation
from tests.fleet.model import Walk
from tests.fleet.rules import NOW, World
from tests.fleet.seeded_bugs import (
    close_on_first_success,
    early_half_open_by_a_fast_clock,
    lease_that_never_expires,
    no_deadline_of_the_round,
    non_idempotent_token,
    settle_ignoring_the_epoch,
    shorter_deadline_wins,
    succ_surviving_a_reopen,
    unfenced_trip,
    unlimited_half_open,
)


def policy(open_ms: int, growth: str, good: str, times: str) -> Policy:
    """`growth` is multiplier/max, `good` is successes/probes, `times` is lease/round, in ms."""
    (multiplier, max_ms), (successes, probes), (lease_ms, round_ms) = (
        map(int, pair.split("/")) for pair in (growth, good, times)
    )
    return Policy(
        open_ms=open_ms,
        multiplier=multiplier,
        max_ms=max_ms,
        successes=successes,
        probes=probes,
        lease_ms=lease_ms,
        round_ms=round_ms,
    )


TWO_OF_THREE = World(policy=policy(2, "2/4", "2/2", "2/5"), pods="abc")
OPERATED = World(policy=policy(1, "1/2", "1/1", "1/2"), cools=True, holds=True)
# With how many states each has: a change of the rules shows here.
WORLDS = {
    "one probe of five pods": (World(policy=policy(1, "1/4", "1/1", "2/4"), pods="abcde"), 35_603),
    "two of four, store's clock behind": (
        World(policy=policy(2, "1/4", "2/2", "1/2"), pods="abcd", epoch=NOW + 500),
        19_299,
    ),
    "two of three, with back-off": (TWO_OF_THREE, 16_478),
    "everybody probes": (World(policy=policy(3, "1/4", "3/3", "2/4"), pods="abc"), 22_964),
    "long leases, short openings": (World(policy=policy(1, "2/2", "3/2", "3/6")), 5_642),
    "holds, resets and cooldowns": (OPERATED, 2_275),
    "cooldowns": (World(policy=policy(1, "1/2", "2/1", "1/2"), cools=True), 3_312),
    "holds of three pods": (
        World(policy=policy(1, "1/2", "2/2", "1/2"), pods="abc", holds=True),
        4_878,
    ),
}


@pytest.fixture(autouse=True)
def _no_garbage_collection() -> Iterator[None]:
    """A walk makes many values and no cycles: looking for some costs a fifth of its time."""
    gc.disable()
    yield
    gc.enable()


@cache
def visited(name: str) -> int:
    """How many states a walk through that world has visited."""
    return Walk(step, WORLDS[name][0]).run()


@pytest.mark.parametrize("name", WORLDS)
def test_no_order_of_events_breaks_an_invariant(name: str) -> None:
    assert visited(name) == WORLDS[name][1]


def test_more_than_a_hundred_thousand_states_are_visited() -> None:
    assert sum(map(visited, WORLDS)) > 100_000


def everywhere(_: World) -> bool:
    return True


def where_one_success_is_not_enough(world: World) -> bool:
    return world.policy.successes > 1


def where_there_are_cooldowns(world: World) -> bool:
    return world.cools


# With the invariants that may be the first to break, and the worlds in which it can show.
BUGS: dict[str, tuple[Step, str, Callable[[World], bool]]] = {
    "unfenced trip": (unfenced_trip, "8", everywhere),
    "unlimited half-open": (unlimited_half_open, "3|6", everywhere),
    "close on first success": (close_on_first_success, "5", where_one_success_is_not_enough),
    "lease that never expires": (lease_that_never_expires, "12", everywhere),
    "settle ignoring the epoch": (settle_ignoring_the_epoch, "7", everywhere),
    "non-idempotent token": (non_idempotent_token, "9", everywhere),
    "early half-open by a fast clock": (early_half_open_by_a_fast_clock, "4", everywhere),
    "no deadline of the round": (no_deadline_of_the_round, "11", everywhere),
    "shorter deadline wins": (shorter_deadline_wins, "25", where_there_are_cooldowns),
    "succ surviving a reopen": (succ_surviving_a_reopen, "5", where_one_success_is_not_enough),
}


SHOWING = [
    (bug, name)
    for bug, (_, _, shows_in) in BUGS.items()
    for name, (world, _) in WORLDS.items()
    if shows_in(world)
]


@pytest.mark.parametrize(("bug", "name"), SHOWING)
def test_the_walk_finds_a_seeded_bug(bug: str, name: str) -> None:
    buggy, invariants, _ = BUGS[bug]

    with pytest.raises(Violation, match=f"^({invariants}):"):
        Walk(buggy, WORLDS[name][0]).run()


@pytest.mark.parametrize("bug", BUGS)
def test_each_seeded_bug_is_looked_for_in_two_worlds_at_least(bug: str) -> None:
    assert [one for one, _ in SHOWING].count(bug) >= 2
