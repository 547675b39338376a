from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sidecar.core.events import Cause, State
from sidecar.core.record import Held, Policy, Record, Slot, Vote, Why
from sidecar.core.record_json import from_json_value, to_json_value

T0 = 1_700_000_000_000
POLICY = Policy(open_ms=60_000, lease_ms=10_000, round_ms=40_000)
DUE = T0 + 60_000
LEASED, OVER = DUE + POLICY.lease_ms, DUE + POLICY.round_ms

NEW = Record(name="gemini")
OPEN = replace(
    NEW,
    epoch=T0,
    rev=1,
    state=State.OPEN,
    since_ms=T0,
    until_ms=DUE,
    policy=POLICY,
    why=Why(Cause.FAILURES, "pod-a", T0, 503),
)
PROBING = replace(
    OPEN,
    epoch=DUE,
    state=State.HALF_OPEN,
    until_ms=OVER,
    leases=(Slot("0123456789abcdef", "pod-a", LEASED), Slot("fedcba9876543210", "b", LEASED)),
)


@pytest.mark.parametrize(
    ("rounds", "open_ms"),
    [(0, 60_000), (1, 120_000), (2, 240_000), (4, 600_000), (10**6, 600_000)],
)
def test_each_failed_round_lengthens_the_open_time_up_to_the_maximum(
    rounds: int, open_ms: int
) -> None:
    assert replace(POLICY, multiplier=2.0).open_for_ms(rounds) == open_ms


def test_the_maximum_does_not_shorten_a_longer_open_time() -> None:
    assert Policy(open_ms=900_000, max_ms=600_000).open_for_ms(0) == 900_000


def test_a_policy_needs_room_for_a_lease_in_its_round() -> None:
    with pytest.raises(ValueError, match="room for a lease"):
        Policy(lease_ms=10, round_ms=9)


@pytest.mark.parametrize(
    ("record", "now_ms", "window"),
    [
        (NEW, T0, (0, 0)),
        (OPEN, T0, (0, DUE)),
        (OPEN, DUE, (DUE, 0)),
        (PROBING, DUE, (0, LEASED)),
        (PROBING, LEASED, (LEASED, OVER)),
    ],
    ids=["closed", "open", "due", "probing", "lease lost"],
)
def test_a_decision_holds_between_the_deadlines_around_it(
    record: Record, now_ms: int, window: tuple[int, int]
) -> None:
    assert record.window_ms(now_ms) == window


RECORDS = {
    "new": NEW,
    "doubted": replace(NEW, votes=(Vote("pod-a", DUE, 1, Cause.RATIO),)),
    "half-open": replace(PROBING, succ=1, lost=1, rounds=2, excluded=("pod-c",)),
    "held": replace(OPEN, hold=Held(State.CLOSED, DUE, "me", "drill")),
    "held for good": replace(OPEN, hold=Held(State.OPEN, None, "me", "")),
    "cooling": replace(NEW, cooldown=(("flash", DUE), ("pro", T0))),
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_a_record_survives_json(record: Record) -> None:
    text = json.dumps(to_json_value(record))

    assert from_json_value("gemini", json.loads(text)) == record


def test_a_record_is_small() -> None:
    assert len(json.dumps(to_json_value(PROBING), separators=(",", ":"))) < 600


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"v": 2},
        {"v": 1},
        to_json_value(NEW) | {"state": "ajar"},
        to_json_value(NEW) | {"leases": {"t": ["a"]}},
        to_json_value(NEW) | {"policy": {}},
    ],
    ids=["empty", "other version", "no fields", "unknown state", "half a lease", "no policy"],
)
def test_what_is_not_a_record_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="gemini"):
        from_json_value("gemini", value)
