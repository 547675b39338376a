"""Deadlines where the store has no clock, and the pods' clocks disagree by minutes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import orjson
import pytest

from sidecar.core.breaker import Cool, Hold, Lease, Op, Settle, Trip, step
from sidecar.core.events import Cause, ProbeVerdict, State
from sidecar.core.record import Policy, Record, Slot, Vote
from sidecar.fleet.stores.etcd_time import KEPT, Reckoning, Version
from tests.fleet.scene import UNIX_S, FakeClock

POLICY = Policy(open_ms=60_000, successes=2, probes=2, lease_ms=10_000, round_ms=40_000)
MINUTES_APART_S = (0.0, 300.0, -420.0)
OPEN = Record(
    name="gemini",
    epoch=7,
    state=State.OPEN,
    until_ms=1_060_000,
    leases=(Slot("t", "a", 1_010_000),),
    votes=(Vote("a", 1_020_000, 1, Cause.FAILURES),),
    cooldown=(("flash", 1_030_000),),
)


class Ticking(FakeClock):
    """A pod's clock, which is ahead of the true one and has another origin."""

    def __init__(self, true: FakeClock, ahead_s: float) -> None:
        super().__init__()
        self._true = true
        self.unix_ahead_s = ahead_s
        self._origin_s = 77_777.0 - ahead_s

    def monotonic(self) -> float:
        return self._true.monotonic() + self._origin_s

    def unix(self) -> float:
        return self._true.unix() + self.unix_ahead_s


@dataclass
class Shelf:
    """What etcd keeps of one breaker."""

    value: dict[str, Any] | None = None
    writes: int = 0
    revision: int = 100
    records: list[tuple[float, Record]] = field(default_factory=list)  # as their writers meant them

    @property
    def version(self) -> Version:
        """Of what is there."""
        return Version(self.writes, self.revision)


class Pod:
    """Reads and writes the shelf, on a clock of its own."""

    def __init__(self, name: str, true: FakeClock, shelf: Shelf, ahead_s: float) -> None:
        self.name = name
        self.clock = Ticking(true, ahead_s)
        self.reckoning = Reckoning(self.clock)
        self.known = Record(name="gemini")
        self._true = true
        self._shelf = shelf

    def read(self) -> Record:
        """See what is there."""
        if self._shelf.value is not None:
            value = orjson.loads(orjson.dumps(self._shelf.value))
            read = self.reckoning.from_stored("gemini", value, self._shelf.version)
            if read.version > self.known.version:
                self.known = read
        return self.known

    def write(self, record: Record) -> None:
        """Put it there, whatever was there."""
        shelf = self._shelf
        shelf.value = self.reckoning.to_stored(record)
        shelf.writes, shelf.revision = shelf.writes + 1, shelf.revision + 3
        shelf.records.append((self._true.now_s, record))
        self.read()

    def do(self, op: Op) -> None:
        """Do it, if nobody else has written since this pod looked."""
        new, _ = step(self.known, op, self.reckoning.now_ms())
        if new is not self.known and self.known.rev == self._shelf.writes:
            self.write(new)
        self.read()


def fleet(*aheads_s: float) -> tuple[FakeClock, list[Pod]]:
    true, shelf = FakeClock(), Shelf()
    return true, [Pod(f"pod-{n}", true, shelf, ahead) for n, ahead in enumerate(aheads_s)]


def trip(pod: Pod) -> Trip:
    return Trip(pod=pod.name, epoch=pod.known.epoch, policy=POLICY)


def lease(pod: Pod) -> Lease:
    return Lease(pod=pod.name, epoch=pod.known.epoch, token=f"{pod.name}{pod.clock.monotonic()}")


def test_store_time_is_unix_time_at_the_start() -> None:
    assert Reckoning(FakeClock()).now_ms() == UNIX_S * 1000


def test_a_stepping_wall_clock_moves_nothing() -> None:
    clock = FakeClock()
    reckoning = Reckoning(clock)
    clock.unix_s += 600

    clock.now_s += 1.0

    assert reckoning.now_ms() == (UNIX_S + 1) * 1000


@pytest.mark.parametrize("ahead_s", [300.0, -300.0])
def test_every_time_is_moved_into_the_readers(ahead_s: float) -> None:
    _, (one, two) = fleet(0.0, ahead_s)
    one.write(OPEN)

    seen = two.read()

    by_ms = round(ahead_s * 1000)
    assert seen.until_ms == OPEN.until_ms + by_ms
    assert seen.leases[0].until_ms == OPEN.leases[0].until_ms + by_ms
    assert seen.votes[0].until_ms == OPEN.votes[0].until_ms + by_ms
    assert dict(seen.cooldown)["flash"] == dict(OPEN.cooldown)["flash"] + by_ms


def test_what_a_pod_wrote_itself_is_not_moved() -> None:
    true, (one,) = fleet(0.0)
    one.write(OPEN)
    one.known = Record(name="gemini")

    true.turn(5.0)

    assert replace(one.read(), rev=0) == OPEN


def test_no_deadline_is_no_deadline_for_the_reader() -> None:
    _, (one, two) = fleet(0.0, 300.0)
    one.write(Record(name="gemini", epoch=1))

    assert two.read().until_ms == 0


def test_a_hold_without_an_end_has_none_for_the_reader() -> None:
    _, (one, two) = fleet(0.0, 300.0)
    one.do(Hold(pod="pod-0", mode=State.OPEN, ttl_ms=None, by="me", reason=""))

    hold = two.read().hold
    assert hold
    assert hold.until_ms is None


def test_a_hold_ends_for_the_reader_when_it_does_for_the_writer() -> None:
    _, (one, two) = fleet(0.0, 300.0)
    one.do(Hold(pod="pod-0", mode=State.OPEN, ttl_ms=5000, by="me", reason=""))

    hold = two.read().hold
    assert hold
    assert hold.until_ms == two.reckoning.now_ms() + 5000


def test_a_pod_that_comes_late_measures_for_itself() -> None:
    true, (one, two) = fleet(0.0, 300.0)
    one.do(trip(one))

    true.turn(59.0)

    assert two.read().until_ms == two.reckoning.now_ms() + 60_000


def test_it_measures_from_when_it_saw_it_first() -> None:
    true, (one, two) = fleet(0.0, 300.0)
    one.do(trip(one))
    two.read()
    true.turn(59.0)
    two.known = Record(name="gemini")

    assert two.read().until_ms == two.reckoning.now_ms() + 1000


def test_a_lease_does_not_get_longer_by_being_read_again() -> None:
    true, (one, two) = fleet(0.0, 300.0)
    one.write(OPEN)
    leases = two.read().leases
    true.turn(5.0)
    two.known = Record(name="gemini")

    assert two.read().leases == leases


def test_a_pod_that_comes_late_learns_more_from_one_that_was_there() -> None:
    true, (one, two, three) = fleet(*MINUTES_APART_S)
    one.do(trip(one))
    two.read()
    true.turn(50.0)
    two.do(Cool(pod="pod-1", scope="flash", until_ms=two.reckoning.now_ms() + 5000))

    assert three.read().until_ms == three.reckoning.now_ms() + 10_000


def test_a_pod_that_comes_late_does_not_move_the_deadline() -> None:
    true, (one, two) = fleet(0.0, 300.0)
    one.do(trip(one))
    until_ms = one.known.until_ms
    true.turn(50.0)
    two.read()

    two.do(Cool(pod="pod-1", scope="flash", until_ms=two.reckoning.now_ms() + 5000))

    assert one.read().cooldown
    assert one.known.until_ms == until_ms


def test_a_deadline_does_not_creep_from_hand_to_hand() -> None:
    true, pods = fleet(*MINUTES_APART_S)
    pods[0].do(trip(pods[0]))
    until_ms = pods[0].known.until_ms
    for turn in range(20):
        for pod in pods:
            true.turn(0.05)
            pod.read()
            pod.do(Cool(pod=pod.name, scope=f"model-{turn}", until_ms=pod.reckoning.now_ms() + 99))

    assert pods[0].read().until_ms == until_ms


def test_old_news_do_not_delay_a_later_epoch() -> None:
    true, (one, two) = fleet(0.0, 300.0)
    one.write(OPEN)
    old, version = one._shelf.value, one._shelf.version
    assert old
    one.write(replace(OPEN, epoch=8))
    until_ms = two.read().until_ms
    true.turn(5.0)
    two.reckoning.from_stored("gemini", old, version)
    two.known = Record(name="gemini")

    assert two.read().until_ms == until_ms


def test_of_an_older_epoch_the_version_is_remembered() -> None:
    # a store that was set back would else refuse every write of a pod that knew more
    _, (one, two) = fleet(0.0, 0.0)
    one.write(OPEN)
    two.read()

    two.reckoning.from_stored(
        "gemini", one.reckoning.to_stored(replace(OPEN, epoch=1)), Version(1, 9)
    )

    assert two.reckoning.revision_of("gemini", 1) == 9


def test_a_version_that_is_gone_has_no_revision() -> None:
    _, (one,) = fleet(0.0)
    one.write(OPEN)

    assert one.reckoning.revision_of("gemini", 2) is None
    assert one.reckoning.revision_of("other", 1) is None


def test_what_is_remembered_is_bounded() -> None:
    _, (one,) = fleet(0.0)
    for number in range(KEPT + 1):
        record = replace(OPEN, name=f"breaker-{number}")
        one.reckoning.from_stored(record.name, one.reckoning.to_stored(record), Version(1, 1))

    assert one.reckoning.revision_of("breaker-0", 1) is None
    assert one.reckoning.revision_of("breaker-1", 1) == 1


@pytest.mark.parametrize("key", ["by", "now", "epoch_now"])
def test_a_record_without_times_of_writing_is_none(key: str) -> None:
    _, (one,) = fleet(0.0)
    value = one.reckoning.to_stored(OPEN)
    del value[key]

    with pytest.raises(ValueError, match="no times of writing"):
        one.reckoning.from_stored("gemini", value, Version(1, 1))


@pytest.mark.parametrize("seed", range(12))
def test_a_fleet_on_clocks_minutes_apart_is_never_early_and_never_stuck(seed: int) -> None:
    """Random pods do random things after random delays; they see each other's writes late."""
    chance = random.Random(seed)
    true, pods = fleet(*MINUTES_APART_S)
    for _ in range(2000):
        true.turn(chance.choice((0.001, 0.02, 0.3, 2.0)))
        pod = chance.choice(pods)
        pod.clock.unix_ahead_s += chance.choice((0, 0, 0, 0, 120, -120))  # steps
        if chance.random() < 0.01:
            pod.reckoning = Reckoning(pod.clock)  # starts anew
            pod.known = Record(name="gemini")
        if chance.random() < 0.7:
            pod.read()
        pod.do(_some_op(pod, chance))

    moves = _moves(pods[0]._shelf)
    opened_s = 0.0
    for at_s, state in moves:
        if state is State.HALF_OPEN:
            assert at_s - opened_s >= POLICY.open_ms / 1000
        opened_s = at_s if state is State.OPEN else opened_s
    states = [state for _, state in moves]
    assert states.count(State.CLOSED) > 3  # it recovers again and again
    longest_s = max(b[0] - a[0] for a, b in pairwise(moves))
    assert longest_s < 2 * (POLICY.open_ms + POLICY.round_ms) / 1000


def _some_op(pod: Pod, chance: random.Random) -> Op:
    record = pod.known
    own = next((slot for slot in record.leases if slot.pod == pod.name), None)
    if record.state is State.CLOSED:
        return trip(pod)
    if own and chance.random() < 0.3:
        verdict = chance.choice((*[ProbeVerdict.SUCCESS] * 4, *ProbeVerdict))
        return Settle(pod=pod.name, epoch=record.epoch, token=own.token, verdict=verdict)
    if chance.random() < 0.05:
        return Cool(pod=pod.name, scope="flash", until_ms=pod.reckoning.now_ms() + 5000)
    return lease(pod)


def _moves(shelf: Shelf) -> list[tuple[float, State]]:
    """When the state changed by the true clock."""
    moves: list[tuple[float, State]] = []
    for at_s, record in shelf.records:
        if not moves or moves[-1][1] is not record.state:
            moves.append((at_s, record.state))
    return moves
