from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.recent import ENOUGH, KEPT, Recent


def noted(times_s: list[float]) -> Recent:
    recent = Recent()
    for seconds in times_s:
        recent.note(seconds)
    return recent


@pytest.mark.parametrize("count", [0, 1, 19])
def test_fewer_than_twenty_say_nothing(count: int) -> None:
    assert noted([1.0] * count).p95() is None


@pytest.mark.parametrize(
    ("count", "expected"), [(20, 19.0), (21, 20.0), (40, 38.0), (99, 95.0), (100, 95.0)]
)
def test_it_is_what_nineteen_of_twenty_did_not_exceed(count: int, expected: float) -> None:
    assert noted([float(one) for one in range(1, count + 1)]).p95() == expected


def test_one_slow_answer_in_twenty_does_not_move_it() -> None:
    assert noted([9.0, *[0.5] * 19]).p95() == 0.5


def test_what_was_a_hundred_answers_ago_is_forgotten() -> None:
    assert noted([9.0] * 100 + [0.5] * 100).p95() == 0.5


@given(st.lists(st.floats(0, 100), min_size=ENOUGH, max_size=3 * KEPT))
def test_it_is_one_of_the_last_hundred_and_of_the_right_rank(times_s: list[float]) -> None:
    last = sorted(times_s[-KEPT:])

    assert noted(times_s).p95() == last[ceil(len(last) * 19 / 20) - 1]
