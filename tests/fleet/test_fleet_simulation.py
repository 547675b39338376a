"""Fleets in every kind of trouble keep the breaker's invariants; those with known bugs do not.

Each life is made from a seed: a failure names it with the setting, and
`live(SETTINGS[name], seed)` lives it again. How many are lived is said by the environment:
`SIDECAR_LIVES=1000 pytest tests/fleet/test_fleet_simulation.py` for some twenty minutes.
"""

from __future__ import annotations

import os
from collections import Counter
from functools import cache

import pytest

from sidecar.core.events import Cause, ProbeVerdict
from tests.fleet.calamities import ROUGH, SLOW, STORMY
from tests.fleet.invariants import Violation
from tests.fleet.seeded_bugs import OF_THE_FLEET, OF_THE_RULES, Bug
from tests.fleet.simulated_fleet import Setting
from tests.fleet.simulated_store import Weather
from tests.fleet.simulation import Checks, Life, live

LIVES = int(os.environ.get("SIDECAR_LIVES", "10"))  # of each setting
TRIES = 60  # lives in which a bug has to show

TWICE = Weather(repeated=0.7, late_pushes=0.5, late_s=0.3)
FLAPPING = Weather(late=0.5, late_s=0.6, lost_pushes=0.5)

SETTINGS = {
    "two probes of four pods": Setting(),
    "one probe of five pods": Setting(pods=5, probes=1, successes=1, open_s=2.0, max_s=2.0),
    "three good probes, with back-off": Setting(
        pods=3, successes=3, open_s=1.0, multiplier=2.0, max_s=4.0
    ),
    "a pod without egress": Setting(is_egressless=True),
    "a rolling deployment": Setting(
        thresholds=(3, 5, 2), open_s=2.0, trouble="provider join operator weather"
    ),
    "leases named alike": Setting(
        pods=3,
        has_like_leases=True,
        open_s=0.3,
        max_s=0.3,
        trouble="fitful operator line",
        every_s=1.5,
    ),
    "leases named alike, three at a time": Setting(
        pods=3,
        probes=3,
        successes=3,
        has_like_leases=True,
        calls_per_s=5.0,
        open_s=0.1,
        max_s=0.1,
        trouble="fitful",
        every_s=0.8,
    ),
    "a crowd on a slow network": Setting(
        pods=5,
        probes=3,
        successes=3,
        thresholds=(1, 2),
        calls_per_s=5.0,
        open_s=0.5,
        max_s=0.5,
        weather=SLOW,
        trouble="down down operator join limited",
        every_s=0.8,
    ),
    "one pod": Setting(pods=1, trouble="provider outage loss weather", every_s=1.5),
    "one pod with an unsteady store": Setting(
        pods=1,
        thresholds=(1,),
        calls_per_s=6.0,
        open_s=0.5,
        max_s=0.5,
        trouble="outage fitful down",
        every_s=1.0,
    ),
    "writes that arrive twice": Setting(
        open_s=0.5,
        max_s=0.5,
        weather=TWICE,
        trouble="down fitful",
        every_s=1.0,
    ),
    "foul weather": Setting(weather=STORMY, every_s=1.5),
    "a store that loses its data": Setting(
        probes=1, trouble="loss down freeze provider limited", every_s=1.0
    ),
    "a store that loses its data again and again": Setting(
        pods=5, open_s=0.5, max_s=0.5, weather=FLAPPING, trouble="loss down limited", every_s=0.7
    ),
    "a store that comes and goes": Setting(
        pods=3, open_s=1.0, max_s=1.0, weather=FLAPPING, trouble="down fitful", every_s=1.5
    ),
    "operators": Setting(
        pods=3, open_s=1.0, trouble="operator operator provider weather pod", every_s=1.0
    ),
    "networks that fail": Setting(pods=3, trouble="network network provider outage", every_s=1.0),
    "pods cut off in an outage": Setting(
        pods=3, open_s=6.0, trouble="outage egress egress", every_s=1.5
    ),
    "late and cut off in an outage": Setting(
        thresholds=(5,), open_s=6.0, trouble="outage egress egress", every_s=1.0
    ),
    "long outages": Setting(pods=3, trouble="blackout down", every_s=2.0),
    "long outages, now and then": Setting(pods=3, trouble="blackout down down", every_s=4.0),
    "what freezes": Setting(
        pods=3, thresholds=(1,), weather=SLOW, trouble="freeze down", every_s=0.7
    ),
    "newcomers": Setting(
        open_s=1.0, max_s=1.0, weather=ROUGH, trouble="join limited down", every_s=0.7
    ),
}


@cache
def lives(name: str) -> list[Life]:
    return [live(SETTINGS[name], seed) for seed in range(LIVES)]


@pytest.mark.parametrize("name", SETTINGS)
def test_no_trouble_breaks_an_invariant(name: str) -> None:
    assert len(lives(name)) == LIVES


def test_all_that_a_breaker_can_do_happens() -> None:
    fleets = [life.fleet for name in SETTINGS for life in lives(name)]
    causes = Counter(cause for fleet in fleets for cause in fleet.ledger.causes.elements())
    kinds = Counter(kind for fleet in fleets for kind in fleet.ledger.kinds.elements())
    probes = Counter(probe.verdict for fleet in fleets for probe in fleet.ledger.probes.values())

    assert causes.keys() == set(Cause)
    assert kinds.keys() == {"settle", "lease", "vote", "cool", "lost"}
    assert probes.keys() >= set(ProbeVerdict)


def test_the_same_seed_makes_the_same_life() -> None:
    first, second = (live(SETTINGS["foul weather"], 1) for _ in range(2))

    assert first.story == second.story
    assert first.story


def test_calls_without_trouble_write_nothing() -> None:
    life = live(Setting(calls_per_s=50.0, every_s=1e9), 0)

    assert life.calls > 5000
    assert life.asked == 0


# Bugs


def shows(bug: Bug, setting: Setting) -> Violation | None:
    """The first violation that is its own, or another, in so many lives; no step is watched."""
    checks, other = Checks(steps=False, clocks=bug.is_seen_by_clocks), None
    for seed in range(TRIES):
        try:
            with bug.patch():
                live(setting, seed, bug.rules, checks)
        except Violation as violation:
            if str(violation).partition(":")[0] in bug.numbers.split("|"):
                return violation
            other = violation
    return other


BUGS = OF_THE_RULES | OF_THE_FLEET
CROWD, ALIKE = "a crowd on a slow network", "leases named alike"
LOSING, UNSTEADY = "a store that loses its data again and again", "one pod with an unsteady store"

# The settings in which it is looked for: what hides it in one may be missing in another.
SHOWS_IN: dict[str, tuple[str, ...]] = {
    "unfenced trip": (CROWD, "newcomers"),
    "unlimited half-open": ("one probe of five pods", "operators", "foul weather"),
    "close on first success": ("two probes of four pods", "newcomers", ALIKE),
    "lease that never expires": ("one probe of five pods", "what freezes", "one pod"),
    "settle ignoring the epoch": (ALIKE, "leases named alike, three at a time"),
    "non-idempotent token": (CROWD, "writes that arrive twice"),
    "early half-open by a fast clock": ("two probes of four pods", "one pod", "foul weather"),
    "no deadline of the round": ("a rolling deployment", "one pod", "foul weather"),
    "shorter deadline wins": (CROWD, LOSING, "three good probes, with back-off"),
    "succ surviving a reopen": ("foul weather", "networks that fail", UNSTEADY),
    "no merge after data loss": ("one probe of five pods", "one pod", LOSING),
    "stale evidence replayed": ("long outages", "long outages, now and then"),
    "a push adopted although older": ("one pod", "newcomers", "operators"),
    "a lease kept after the epoch moved": ("a rolling deployment", ALIKE, "operators"),
    "a lease counted from the answer": ("one pod", "two probes of four pods"),
    "no breaker when alone": ("one pod", "networks that fail", CROWD),
    "revisions that begin anew": (LOSING, "foul weather"),
    "every pod trusts its own network": ("a pod without egress", "networks that fail"),
    "alone means the only one": ("pods cut off in an outage", "late and cut off in an outage"),
    "an opening of its own above an open store": (UNSTEADY,),
    "its own clock before the store's": (CROWD, "newcomers"),
    "a store that ignores the guard": ("what freezes", "a store that comes and goes"),
    "moves told again after an outage": ("one pod", "networks that fail"),
}


@pytest.mark.parametrize(
    ("bug", "name"), [(bug, name) for bug, names in SHOWS_IN.items() for name in names]
)
def test_a_seeded_bug_is_found(bug: str, name: str) -> None:
    violation = shows(BUGS[bug], SETTINGS[name])

    assert violation
    assert str(violation).partition(":")[0] in BUGS[bug].numbers.split("|")


def test_every_seeded_bug_is_looked_for() -> None:
    assert SHOWS_IN.keys() == BUGS.keys()
    assert all(len(SHOWS_IN[bug]) >= 2 for bug in OF_THE_RULES)
