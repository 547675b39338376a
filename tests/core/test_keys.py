"""Which key is asked with, and for how long one is passed over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.cooldown import WHOLE_PROVIDER
from sidecar.core.keys import BAD_KEY, MOST_MODELS, OF_THE_KEY, KeyPool
from sidecar.core.outcome import Outcome

M = "flash"
LIMITED = Outcome.RATE_LIMIT
NOT_OF_THE_KEY = sorted(set(Outcome) - OF_THE_KEY)


def test_the_same_key_is_asked_again_and_again() -> None:
    pool = KeyPool(3)

    assert [pool.pick(M, float(now_s)) for now_s in range(5)] == [0] * 5


def test_the_next_key_has_its_turn_when_one_is_set_aside() -> None:
    pool = KeyPool(3)
    pool.set_aside(0, M, until_s=10.0)

    assert pool.pick(M, 0.0) == 1


def test_a_key_that_is_back_waits_for_its_turn() -> None:
    pool = KeyPool(3)
    pool.set_aside(0, M, until_s=10.0)
    pool.pick(M, 0.0)

    assert pool.pick(M, 10.0) == 1


def test_after_the_last_key_comes_the_first() -> None:
    pool = KeyPool(2)
    for index in (0, 1):
        pool.set_aside(index, M, until_s=10.0 * (index + 1))
        pool.pick(M, 9.0)

    assert pool.pick(M, 15.0) == 0


def test_where_all_are_set_aside_the_one_that_is_back_soonest_is_asked() -> None:
    pool = KeyPool(3)
    for index, until_s in enumerate((30.0, 10.0, 20.0)):
        pool.set_aside(index, M, until_s)

    assert (pool.pick(M, 0.0), pool.soonest_s(M, 4.0)) == (1, 6.0)


def test_a_rate_limit_concerns_its_model_alone() -> None:
    pool = KeyPool(2)
    pool.ended(0, M, LIMITED, 7.0, 0.0)

    assert (pool.pick(M, 0.0), pool.pick("pro", 0.0)) == (1, 0)


@pytest.mark.parametrize("outcome", [Outcome.AUTH, Outcome.QUOTA_EXHAUSTED])
def test_a_key_that_is_no_good_is_so_for_every_model(outcome: Outcome) -> None:
    pool = KeyPool(2)
    pool.ended(0, M, outcome, None, 0.0)

    assert (pool.pick("pro", 599.0), pool.aside(599.0), pool.aside(600.0)) == (1, 1, 0)


def test_a_model_that_a_key_may_not_use_says_nothing_of_the_others() -> None:
    pool = KeyPool(2)
    pool.ended(0, M, Outcome.FORBIDDEN, None, 0.0)

    assert (pool.pick(M, 599.0), pool.pick("pro", 599.0)) == (1, 0)


@pytest.mark.parametrize("outcome", sorted(OF_THE_KEY))
def test_the_provider_is_worth_asking_again_with_another_key(outcome: Outcome) -> None:
    assert KeyPool(2).ended(0, M, outcome, None, 0.0)


def test_it_is_not_worth_it_once_no_key_is_left() -> None:
    pool = KeyPool(2)
    pool.ended(0, M, LIMITED, 7.0, 0.0)

    assert not pool.ended(1, M, LIMITED, 7.0, 0.0)


def ended_one_by_one(*outcomes: Outcome) -> KeyPool:
    """A pool whose keys were all set aside, each a moment after the one before."""
    pool = KeyPool(len(outcomes))
    for index, outcome in enumerate(outcomes):
        pool.ended(index, M, outcome, None, now_s=index / 100)
    return pool


@pytest.mark.parametrize("outcome", sorted(BAD_KEY))
def test_keys_that_are_all_bad_wait_for_the_operator(outcome: Outcome) -> None:
    assert not ended_one_by_one(outcome, Outcome.AUTH, outcome).cures_itself(M, now_s=1.0)


@pytest.mark.parametrize("outcome", sorted(BAD_KEY))
def test_a_limited_key_among_bad_ones_comes_back_by_itself(outcome: Outcome) -> None:
    assert ended_one_by_one(outcome, LIMITED, outcome).cures_itself(M, now_s=1.0)


def test_a_limited_key_that_is_bad_as_well_does_not_come_back_by_itself() -> None:
    pool = ended_one_by_one(LIMITED, Outcome.AUTH)
    pool.ended(0, M, Outcome.AUTH, None, now_s=1.0)

    assert not pool.cures_itself(M, now_s=1.0)


def test_a_shorter_limit_after_a_longer_one_is_still_a_limit() -> None:
    pool = ended_one_by_one(Outcome.AUTH, LIMITED)
    for stated_s in (30.0, 2.0):
        pool.ended(1, M, LIMITED, stated_s, now_s=1.0)

    assert pool.cures_itself(M, now_s=1.0)


@pytest.mark.parametrize("outcome", NOT_OF_THE_KEY)
def test_what_has_nothing_to_do_with_the_key_leaves_it_its_turn(outcome: Outcome) -> None:
    pool = KeyPool(2)

    assert (pool.ended(0, M, outcome, 7.0, 0.0), pool.pick(M, 0.0)) == (False, 0)


@pytest.mark.parametrize(("stated_s", "back_s"), [(7.0, 7.0), (0.1, 1.0), (1e6, 600.0)])
def test_a_stated_wait_is_believed_within_bounds(stated_s: float, back_s: float) -> None:
    pool = KeyPool(2)
    for index in (0, 1):
        pool.ended(index, M, LIMITED, stated_s, 0.0)

    assert pool.soonest_s(M, 0.0) == back_s


def unstated_waits(pool: KeyPool, *outcomes: Outcome) -> list[float]:
    """How long both keys of `pool` are away after each; what was set aside is back by the next."""
    waits = []
    for turn, outcome in enumerate(outcomes):
        now_s = 1000.0 * turn
        for index in (0, 1):
            pool.ended(index, M, outcome, None, now_s)
        waits.append(pool.soonest_s(M, now_s))
    return waits


def test_unstated_waits_grow() -> None:
    assert unstated_waits(KeyPool(2), LIMITED, LIMITED, LIMITED) == [2.0, 4.0, 8.0]


def test_a_success_ends_the_growth() -> None:
    assert unstated_waits(KeyPool(2), LIMITED, LIMITED, Outcome.OK, LIMITED)[-1] == 2.0


def test_answers_to_calls_that_were_under_way_together_count_once() -> None:
    pool = KeyPool(2)
    for now_s in (0.0, 0.1, 0.2):
        pool.ended(0, M, LIMITED, None, now_s)
    pool.set_aside(1, M, until_s=100.0)

    assert pool.soonest_s(M, 0.2) == pytest.approx(2.0)


def test_a_shorter_wait_does_not_shorten_a_longer_one() -> None:
    pool = KeyPool(2)
    pool.ended(0, M, LIMITED, 30.0, 0.0)
    pool.ended(0, M, LIMITED, 2.0, 0.0)

    assert pool.pick(M, 29.0) == 1


def test_a_late_answer_does_not_bring_a_key_back() -> None:
    pool = KeyPool(2)
    pool.ended(0, M, LIMITED, 30.0, 0.0)
    pool.ended(0, M, Outcome.OK, None, 1.0)

    assert pool.pick(M, 2.0) == 1


@pytest.mark.parametrize("outcome", sorted(OF_THE_KEY))
def test_a_key_that_answers_although_it_was_set_aside_is_back(outcome: Outcome) -> None:
    pool = KeyPool(2)
    for index in (0, 1):
        pool.ended(index, M, outcome, None, 0.0)
    asked = pool.pick(M, 1.0)
    pool.ended(asked, M, Outcome.OK, None, 2.0)

    assert (pool.available(M, 2.0), pool.pick(M, 2.0)) == (True, asked)


@pytest.mark.parametrize("outcome", sorted(OF_THE_KEY))
def test_a_key_that_failed_again_is_not_brought_back_by_a_late_answer(outcome: Outcome) -> None:
    pool = KeyPool(2)
    for index in (0, 1):
        pool.ended(index, M, outcome, None, 0.0)
    tried = pool.pick(M, 1.0)
    pool.ended(tried, M, outcome, None, 1.0)
    pool.ended(tried, M, Outcome.OK, None, 1.5)

    assert not pool.available(M, 1.5)


@pytest.mark.parametrize("outcome", sorted(OF_THE_KEY))
def test_a_key_that_came_back_is_set_aside_like_any_other(outcome: Outcome) -> None:
    pool = KeyPool(2)
    for index in (0, 1):
        pool.ended(index, M, outcome, None, 0.0)
    tried = pool.pick(M, 1.0)
    for last in (Outcome.OK, outcome, Outcome.OK):
        pool.ended(tried, M, last, None, 1.5)

    assert not pool.available(M, 1.5)


def test_a_late_answer_does_not_end_the_growth() -> None:
    pool = KeyPool(2)
    pool.set_aside(1, M, until_s=2000.0)
    pool.ended(0, M, LIMITED, None, 0.0)
    pool.ended(0, M, Outcome.OK, None, 1.0)
    pool.ended(0, M, LIMITED, None, 1000.0)

    assert pool.soonest_s(M, 1000.0) == 4.0


def test_a_model_of_which_something_becomes_known_goes_on_with_the_key_of_all() -> None:
    pool = KeyPool(3)
    pool.ended(0, M, Outcome.AUTH, None, 0.0)
    pool.pick(M, 0.0)
    pool.ended(1, M, LIMITED, None, 700.0)

    assert pool.pick(M, 700.0) == 2


@pytest.mark.parametrize(("size", "is_lone"), [(1, True), (2, False)])
def test_one_key_is_a_lone_one(*, size: int, is_lone: bool) -> None:
    assert KeyPool(size).is_lone is is_lone


@pytest.mark.parametrize("outcome", sorted(Outcome))
def test_a_lone_key_is_never_set_aside(outcome: Outcome) -> None:
    pool = KeyPool(1)
    again = pool.ended(0, M, outcome, 60.0, 0.0)

    assert (again, pool.available(M, 0.0), pool.aside(0.0)) == (False, True, 0)


def test_models_beyond_the_limit_share_what_is_known() -> None:
    pool = KeyPool(2)
    for number in range(MOST_MODELS + 1):
        pool.set_aside(0, f"model-{number}", until_s=10.0)

    assert (pool.pick("never heard of", 0.0), len(pool._models)) == (1, MOST_MODELS)


SCOPES = st.sampled_from((M, "pro", WHOLE_PROVIDER))
TIMES = st.integers(0, 100).map(float)


@given(
    size=st.integers(1, 5),
    asides=st.lists(st.tuples(st.integers(0, 4), SCOPES, TIMES), max_size=12),
    now_s=TIMES,
)
def test_no_key_that_is_set_aside_is_asked_while_another_is_available(
    size: int, asides: list[tuple[int, str, float]], now_s: float
) -> None:
    pool = KeyPool(size)
    away = set()
    for index, scope, until_s in asides:
        pool.set_aside(index % size, scope, until_s)
        if size > 1 and scope in (M, WHOLE_PROVIDER) and until_s > now_s:
            away.add(index % size)

    assert pool.available(M, now_s) is (len(away) < size)
    assert pool.pick(M, now_s) not in away or len(away) == size


@given(size=st.integers(2, 6), now_s=TIMES, away_s=st.floats(1, 600))
def test_every_key_gets_its_turn(size: int, now_s: float, away_s: float) -> None:
    pool = KeyPool(size)
    picked = []
    for _ in range(size):
        picked.append(pool.pick(M, now_s))
        pool.ended(picked[-1], M, LIMITED, away_s, now_s)

    assert picked == list(range(size))


@given(
    size=st.integers(2, 6),
    fate=st.lists(st.tuples(st.sampled_from(sorted(Outcome)), st.floats(0, 1000)), max_size=40),
)
def test_no_key_starves(size: int, fate: list[tuple[Outcome, float]]) -> None:
    """Whatever happened, each key is asked within one round once all are back."""
    pool = KeyPool(size)
    now_s = 0.0
    for outcome, seconds in fate:
        pool.ended(pool.pick(M, now_s), M, outcome, seconds, now_s)
        now_s += seconds
    now_s += 100_000.0

    picked = set()
    for _ in range(size):
        picked.add(index := pool.pick(M, now_s))
        pool.ended(index, M, LIMITED, 60.0, now_s)

    assert picked == set(range(size))
