"""What is tried again at the same provider, and how much of that there may be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.failover import Failure
from sidecar.core.outcome import Outcome
from sidecar.core.policies import RetryBudget, RetryPolicy
from sidecar.core.rejection import read_failure
from sidecar.core.retry import Bucket, wait_before_retry

POLICY = RetryPolicy()
PATIENT = RetryPolicy(attempts=3)
LOST = Failure(outcome=Outcome.TRANSPORT)
CHANCES = st.floats(0, 1, exclude_max=True)


def refused(status: int, wait_s: float | None = None, **error: Any) -> Failure:
    headers = {} if wait_s is None else {"retry-after": str(wait_s)}
    return read_failure(status, headers, {"error": {"message": "?", **error}}, 0.0)


def wait_s(
    failure: Failure,
    tries: int = 0,
    policy: RetryPolicy = POLICY,
    *,
    pooled: bool = False,
    chance: float = 0.0,
) -> float | None:
    return wait_before_retry(failure, tries, policy, pooled=pooled, chance=chance)


@pytest.mark.parametrize(
    ("status", "said_nothing", "said_a_second"),
    [
        (0, None, None),
        (200, None, None),
        (400, None, None),
        (401, None, None),
        (402, None, None),
        (403, None, None),
        (404, None, None),
        (408, None, None),
        (409, 0.05, 1.0),
        (413, None, None),
        (422, None, None),
        (424, None, None),
        (425, None, None),
        (429, None, 1.0),
        (499, None, None),
        (500, 0.05, 1.0),
        (501, None, None),
        (502, 0.05, 1.0),
        (503, None, 1.0),
        (504, None, None),
        (524, None, None),
        (529, None, None),
    ],
)
def test_only_what_a_moment_can_cure_is_tried_again(
    status: int, said_nothing: float | None, said_a_second: float | None
) -> None:
    assert wait_s(refused(status)) == said_nothing
    assert wait_s(refused(status, 1.0)) == said_a_second


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.TRANSPORT}))
def test_without_a_status_only_a_lost_connection_is_tried_again(outcome: Outcome) -> None:
    assert wait_s(Failure(outcome=outcome, wait_s=1.0), pooled=True) is None


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((429, one) for one in (Outcome.QUOTA_EXHAUSTED, Outcome.AUTH, Outcome.BAD_REQUEST)),
        (503, Outcome.TIMEOUT_UPSTREAM),
        (503, Outcome.MODEL_MISSING),
        *((500, one) for one in (Outcome.GENERATION_FAILED, Outcome.TIMEOUT_UPSTREAM)),
        (502, Outcome.CONTENT_FILTER),
        (500, Outcome.RATE_LIMIT),
    ],
)
def test_what_the_body_says_goes_before_the_status(status: int, outcome: Outcome) -> None:
    assert wait_s(Failure(outcome=outcome, status=status, wait_s=1.0)) is None


@pytest.mark.parametrize("outcome", [Outcome.RATE_LIMIT, Outcome.WARMING, Outcome.OVERLOADED])
@pytest.mark.parametrize("status", [429, 503])
def test_a_short_stated_wait_is_waited_for(status: int, outcome: Outcome) -> None:
    assert wait_s(Failure(outcome=outcome, status=status, wait_s=1.5)) == 1.5


def test_a_used_up_quota_is_not_cured_by_a_moment() -> None:
    assert wait_s(refused(429, 1.0, code="insufficient_quota")) is None


@pytest.mark.parametrize("status", [409, 429, 500, 502, 503])
def test_a_stated_wait_longer_than_the_longest_is_not_waited_for(status: int) -> None:
    assert wait_s(refused(status, 2.0)) == 2.0
    assert wait_s(refused(status, 2.1)) is None


def test_who_says_that_no_wait_is_needed_is_asked_at_once() -> None:
    assert wait_s(refused(429, 0.0), chance=0.9) == 0.0


def test_a_stated_wait_is_waited_for_as_often_as_the_policy_says() -> None:
    waits = [wait_s(refused(429, 1.0), tries, PATIENT) for tries in range(5)]

    assert waits == [1.0, 1.0, 1.0, None, None]


@pytest.mark.parametrize("status", [409, 500, 502])
def test_a_stumble_is_forgiven_once_however_many_tries_there_are(status: int) -> None:
    assert wait_s(refused(status), 1, PATIENT) is None


def test_a_pooled_connection_that_is_lost_is_replaced_once() -> None:
    assert [wait_s(LOST, tries, PATIENT, pooled=True) for tries in (0, 1)] == [0.0, None]


def test_a_new_connection_that_is_lost_is_not_replaced() -> None:
    assert wait_s(LOST) is None


def test_a_connection_that_is_lost_after_a_status_is_not_replaced() -> None:
    assert wait_s(replace(LOST, status=200), pooled=True) is None


@pytest.mark.parametrize("failure", [refused(500), refused(429, 1.0), LOST], ids=str)
def test_nothing_is_tried_again_where_the_policy_says_so(failure: Failure) -> None:
    assert wait_s(failure, policy=RetryPolicy(attempts=0), pooled=True) is None


@pytest.mark.parametrize("failure", [refused(500), refused(429, 1.0), LOST], ids=str)
def test_what_is_asked_again_with_a_change_is_no_matter_of_waiting(failure: Failure) -> None:
    assert wait_s(replace(failure, again=True), pooled=True) is None


def test_a_wait_that_nobody_stated_is_not_waited_for() -> None:
    assert wait_s(replace(refused(429, 1.0), guessed=True)) is None


@given(CHANCES, st.floats(0, 60))
def test_a_stated_wait_is_never_cut_short_and_hardly_prolonged(
    chance: float, stated_s: float
) -> None:
    policy = RetryPolicy(max_wait_s=60.0)
    failure = Failure(outcome=Outcome.RATE_LIMIT, status=429, wait_s=stated_s)

    waited_s = wait_s(failure, policy=policy, chance=chance)

    assert waited_s is not None
    assert stated_s <= waited_s <= stated_s + min(0.05 * stated_s, 0.1)


@given(CHANCES)
def test_a_stumble_is_given_50_to_150_ms(chance: float) -> None:
    waited_s = wait_s(refused(500), chance=chance)

    assert waited_s is not None
    assert 0.05 <= waited_s <= 0.15


@given(CHANCES)
def test_a_lost_connection_is_replaced_within_20_ms(chance: float) -> None:
    waited_s = wait_s(LOST, pooled=True, chance=chance)

    assert waited_s is not None
    assert 0 <= waited_s <= 0.02


# --- the budget


def spent(bucket: Bucket) -> int:
    """How many extra tries it still grants."""
    count = 0
    while bucket.spend():
        count += 1
    return count


def filled(budget: RetryBudget, first_tries: int) -> Bucket:
    """One that was empty before so many first tries."""
    bucket = Bucket(budget)
    spent(bucket)
    for _ in range(first_tries):
        bucket.first_try()
    return bucket


def test_a_bucket_starts_with_its_floor() -> None:
    assert spent(Bucket(RetryBudget(floor=10))) == 10


@pytest.mark.parametrize(
    ("ratio", "first_tries", "expected"),
    [(0.2, 4, 0), (0.2, 5, 1), (0.2, 10, 2), (0.1, 10, 1), (0.7, 10, 7), (1.0, 1, 1), (0, 99, 0)],
)
def test_first_tries_fill_it_each_by_the_ratio(
    ratio: float, first_tries: int, expected: int
) -> None:
    assert spent(filled(RetryBudget(ratio=ratio, floor=10), first_tries)) == expected


@pytest.mark.parametrize(("floor", "most"), [(0, 1), (1, 1), (10, 10)])
def test_it_holds_no_more_than_its_floor_and_at_least_one(floor: int, most: int) -> None:
    assert spent(filled(RetryBudget(ratio=1.0, floor=floor), 1000)) == most


@given(
    st.floats(0, 1),
    st.integers(0, 20),
    st.lists(st.booleans(), max_size=300),
)
def test_it_never_grants_more_than_the_floor_and_a_share_of_the_first_tries(
    ratio: float, floor: int, firsts: list[bool]
) -> None:
    bucket = Bucket(RetryBudget(ratio=ratio, floor=floor))
    extra = 0
    for is_first in firsts:
        if is_first:
            bucket.first_try()
        else:
            extra += bucket.spend()

    assert extra <= floor + ratio * sum(firsts) + 1e-6
