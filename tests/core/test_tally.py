from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.events import Cause
from sidecar.core.outcome import Verdict
from sidecar.core.policies import BreakerPolicy, Slow
from sidecar.core.tally import (
    SLICES,
    Tally,
    accuse,
    count,
    count_slow,
    error_ratio,
    failures_in_a_row,
)

POLICY = BreakerPolicy()
STREAK_ONLY = replace(POLICY, min_requests=10**6)
RATIO_ONLY = replace(POLICY, failure_threshold=1000)
MARKS = {"x": Verdict.FAILURE, "+": Verdict.SUCCESS, "-": Verdict.VOID}


def run(
    marks: str, policy: BreakerPolicy = POLICY, *, every_s: float = 1.0, attested: bool = False
) -> Tally:
    """Count `marks`, one at a time from zero on.

    `x` failed, `+` went well, `s` went well but was slow to begin, `-` said nothing.
    """
    tally = Tally()
    for index, mark in enumerate(marks):
        now_s, failed = index * every_s, mark == "x"
        if mark == "s":
            tally = count_slow(tally, policy, now_s)
        else:
            tally = count(tally, policy, MARKS[mark], now_s, attested=attested and failed)
    return tally


def cause(marks: str, policy: BreakerPolicy = POLICY, *, every_s: float = 1.0) -> Cause | None:
    accusation = accuse(run(marks, policy, every_s=every_s), policy, (len(marks) - 1) * every_s)
    return accusation.cause if accusation else None


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("xx", None),
        ("xxx", Cause.FAILURES),
        ("xx+x", None),
        ("x-x--x", Cause.FAILURES),
        ("+++xxx", Cause.FAILURES),
    ],
)
def test_failures_in_a_row_are_too_much(marks: str, expected: Cause | None) -> None:
    assert cause(marks, STREAK_ONLY) is expected


def test_failures_older_than_the_window_are_no_part_of_the_streak() -> None:
    assert cause("xxx", STREAK_ONLY, every_s=30.1) is None


def test_failures_as_old_as_the_window_are_part_of_the_streak() -> None:
    assert cause("xxx", STREAK_ONLY, every_s=30.0) is Cause.FAILURES


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("+x" * 5, Cause.RATIO),
        ("+x" * 4 + "x", None),
        ("++x" * 5, None),
        ("+x-" * 5, Cause.RATIO),
    ],
    ids=["half of ten", "nine are too few", "a third", "void calls are not counted"],
)
def test_half_of_the_calls_failing_is_too_much(marks: str, expected: Cause | None) -> None:
    assert cause(marks, RATIO_ONLY) is expected


def test_calls_before_the_ratio_window_are_forgotten() -> None:
    tally = run("+x" * 5, RATIO_ONLY)

    assert accuse(tally, RATIO_ONLY, 10.0 + POLICY.ratio_window_s) is None


def test_a_success_ends_the_streak() -> None:
    assert failures_in_a_row(run("xx+"), POLICY, 3.0) == 0


def test_a_void_verdict_changes_nothing() -> None:
    tally = run("xx")

    assert count(tally, POLICY, Verdict.VOID, 9.0) is tally


@pytest.mark.parametrize("attested", [True, False])
def test_a_streak_is_attested_if_the_provider_owned_up_to_one_failure(attested: bool) -> None:
    tally = count(Tally(), POLICY, Verdict.FAILURE, 0.0, attested=attested)
    for at in (1.0, 2.0):
        tally = count(tally, POLICY, Verdict.FAILURE, at)

    accusation = accuse(tally, POLICY, 2.0)

    assert accusation
    assert accusation.attested is attested


def test_what_the_provider_owned_up_to_before_a_success_does_not_attest_the_streak() -> None:
    tally = count(Tally(), STREAK_ONLY, Verdict.FAILURE, 0.0, attested=True)
    tally = count(tally, STREAK_ONLY, Verdict.SUCCESS, 1.0)
    for at in (2.0, 3.0, 4.0):
        tally = count(tally, STREAK_ONLY, Verdict.FAILURE, at)

    accusation = accuse(tally, STREAK_ONLY, 4.0)

    assert accusation
    assert not accusation.attested


def test_the_error_ratio_is_that_of_the_window() -> None:
    assert error_ratio(run("x+++"), POLICY, 4.0) == 0.25


def test_no_calls_are_no_errors() -> None:
    assert error_ratio(Tally(), POLICY, 0.0) == 0.0


# --- slow


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ("+s" * 5, Cause.SLOW),
        ("+s" * 4 + "s", None),
        ("++s" * 5, None),
        ("s+s-" * 5, Cause.SLOW),
        ("++++" + "xss" * 2, Cause.SLOW),
        ("sx" * 5, Cause.RATIO),
        ("+x" * 4 + "s" * 3, Cause.SLOW),
    ],
    ids=[
        *("half of ten", "nine are too few", "a third", "void calls are not counted"),
        *("together with failures", "failures alone are enough", "failures alone are too few"),
    ],
)
def test_half_of_the_calls_slow_or_failing_is_too_much(marks: str, expected: Cause | None) -> None:
    assert cause(marks, RATIO_ONLY) is expected


def test_slow_calls_have_a_share_of_their_own() -> None:
    patient = replace(RATIO_ONLY, slow=Slow(ratio=0.8))

    assert [cause("+++" + "s" * slow, patient) for slow in (7, 11, 12)] == [None, None, Cause.SLOW]


def test_failures_without_a_slow_call_are_judged_by_their_own_share() -> None:
    strict = replace(RATIO_ONLY, slow=Slow(ratio=0.1))

    assert cause("+++++++xx+x", strict) is None


def test_slow_calls_before_the_ratio_window_are_forgotten() -> None:
    tally = run("+s" * 5, RATIO_ONLY)

    assert accuse(tally, RATIO_ONLY, 10.0 + POLICY.ratio_window_s) is None


def test_a_slow_call_ends_the_streak() -> None:
    assert failures_in_a_row(run("xxs"), POLICY, 3.0) == 0


def test_a_slow_call_is_no_error() -> None:
    assert error_ratio(run("xsss"), POLICY, 4.0) == 0.25


@pytest.mark.parametrize("attested", [True, False])
def test_slowness_is_attested_by_what_the_provider_owned_up_to_in_the_window(
    attested: bool,
) -> None:
    accusation = accuse(run("++++xsssss", RATIO_ONLY, attested=attested), RATIO_ONLY, 9.0)

    assert accusation
    assert accusation.attested is attested


def test_what_the_provider_owned_up_to_before_the_window_does_not_attest_slowness() -> None:
    tally = count(Tally(), RATIO_ONLY, Verdict.FAILURE, 0.0, attested=True)
    for at in range(31, 41):
        tally = count_slow(tally, RATIO_ONLY, float(at))

    accusation = accuse(tally, RATIO_ONLY, 40.0)

    assert accusation
    assert not accusation.attested


@given(
    st.text("xs+-", max_size=40),
    st.floats(0.05, 1),
    st.floats(0.05, 1),
    st.integers(1, 20),
)
def test_within_the_window_the_shares_are_exact(
    marks: str, failure_ratio: float, slow_ratio: float, min_requests: int
) -> None:
    policy = replace(
        RATIO_ONLY,
        failure_ratio=failure_ratio,
        min_requests=min_requests,
        slow=Slow(ratio=slow_ratio),
    )
    failures, slow = marks.count("x"), marks.count("s")
    calls = failures + slow + marks.count("+")
    expected = None
    if calls >= min_requests:
        if slow and failures + slow >= slow_ratio * calls:
            expected = Cause.SLOW
        if failures >= failure_ratio * calls:
            expected = Cause.RATIO

    assert cause(marks, policy, every_s=0.1) is expected


@given(st.lists(st.tuples(st.sampled_from("xs+"), st.floats(0, 100)), max_size=60))
def test_the_memory_is_bounded(calls: list[tuple[str, float]]) -> None:
    tally, now_s = Tally(), 0.0
    for mark, pause_s in calls:
        now_s += pause_s
        if mark == "s":
            tally = count_slow(tally, POLICY, now_s)
        else:
            tally = count(tally, POLICY, MARKS[mark], now_s)

    assert len(tally.slices) <= SLICES
    assert len(tally.streak) <= POLICY.failure_threshold
