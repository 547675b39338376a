"""Figures and times as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.terminal.words import percent, rate, seconds, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-3, "0s"),
        (0.4, "0s"),
        (59.4, "59s"),
        (60, "1m"),
        (3600, "1h"),
        (7384, "2h 3m"),
        (90000, "1d 1h"),
    ],
)
def test_a_time_is_told_in_two_units_at_most(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0008, "0.8ms"),
        (0.0099, "9.9ms"),
        (0.00996, "10ms"),
        (0.841, "841ms"),
        (0.9994, "999ms"),
        (0.9996, "1.00s"),
        (12.345, "12.35s"),
    ],
)
def test_a_latency_below_a_second_is_told_in_milliseconds(value: float | None, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, "-"),
        (0.0, "0%"),
        (1.0, "100%"),
        (0.5, "50%"),
        (0.034, "3.4%"),
        (0.0001, "<0.1%"),
        (0.97, "97.0%"),
        (0.9993, "99.93%"),
        (0.999999, ">99.99%"),
    ],
)
def test_a_share_is_told_in_percent(ratio: float | None, text: str) -> None:
    assert percent(ratio) == text


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_a_share_is_never_told_as_all_or_nothing_where_it_is_neither(ratio: float) -> None:
    assert percent(ratio) not in {"0%", "0.0%", "0.00%", "100%", "100.0%", "100.00%"}


@pytest.mark.parametrize(("per_s", "text"), [(0.0, "0/min"), (0.2, "12/min"), (12.34, "12.3/s")])
def test_a_rate_is_told_by_the_second_or_the_minute(per_s: float, text: str) -> None:
    assert rate(per_s) == text
