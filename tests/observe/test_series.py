"""Numbers by label values stay right and stay few."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.outcome import Outcome
from sidecar.observe.series import Numbers, Spreads

KNOWN = [("gemini", "ok"), ("gemini", "auth"), ("local", "ok")]


def test_known_labels_exist_with_zero_before_anything_is_counted() -> None:
    assert Numbers(KNOWN).rows() == [(labels, 0.0) for labels in KNOWN]


def test_an_enum_counts_in_the_series_of_its_word() -> None:
    numbers = Numbers(KNOWN)

    numbers.add(("gemini", Outcome.OK))

    assert numbers.rows()[0] == (("gemini", "ok"), 1.0)


def test_a_combination_of_known_words_gets_its_series_at_first_use() -> None:
    numbers = Numbers(KNOWN)

    numbers.add(("local", "auth"), 2)

    assert numbers.rows()[-1] == (("local", "auth"), 2.0)


def test_words_announced_besides_make_no_series_of_their_own() -> None:
    assert len(Numbers(KNOWN, also=[("gemini", "warming")]).rows()) == len(KNOWN)


def test_words_announced_besides_are_not_other() -> None:
    numbers = Numbers(KNOWN, also=[("gemini", "warming")])

    numbers.add(("local", "warming"))

    assert numbers.rows()[-1] == (("local", "warming"), 1.0)


def test_a_value_that_is_set_replaces_the_one_before() -> None:
    numbers = Numbers(KNOWN)
    numbers.set(("local", "ok"), 3)

    numbers.set(("local", "ok"), 2)

    assert numbers.rows()[2] == (("local", "ok"), 2)


@given(st.lists(st.tuples(st.text(), st.text())))
def test_whatever_words_come_the_series_are_bounded(words: list[tuple[str, str]]) -> None:
    numbers = Numbers(KNOWN)

    for labels in words:
        numbers.add(labels)

    assert len(numbers.rows()) <= 3 * 3  # two known words or `other`, in each of two places


@given(st.lists(st.tuples(st.text(), st.text())))
def test_whatever_words_come_nothing_is_lost(words: list[tuple[str, str]]) -> None:
    numbers = Numbers(KNOWN)

    for labels in words:
        numbers.add(labels)

    assert sum(number for _, number in numbers.rows()) == len(words)


def test_labels_are_other_where_nothing_at_all_is_known() -> None:
    numbers = Numbers([])

    numbers.add(("a", "b"))

    assert numbers.rows() == [(("other", "other"), 1.0)]


def test_a_value_on_a_bound_falls_below_it() -> None:
    spreads = Spreads([("a",)], (1, 2))

    spreads.observe(("a",), 1.0)

    assert spreads.rows() == [(("a",), [1, 1, 1], 1.0)]


def test_a_value_beyond_all_bounds_falls_into_the_last_bucket() -> None:
    spreads = Spreads([("a",)], (1, 2))

    spreads.observe(("a",), 5.0)

    assert spreads.rows() == [(("a",), [0, 0, 1], 5.0)]


def test_a_negative_value_counts_as_zero() -> None:
    spreads = Spreads([("a",)], (1, 2))

    spreads.observe(("a",), -5.0)

    assert spreads.rows() == [(("a",), [1, 1, 1], 0.0)]


def test_values_of_unknown_labels_share_one_histogram() -> None:
    spreads = Spreads([("a",)], (1,))

    for name in ("b", "c", "d"):
        spreads.observe((name,), 0.5)

    assert spreads.rows()[1:] == [(("other",), [3, 3], 1.5)]


@given(st.lists(st.floats(min_value=0, max_value=1e6)))
def test_every_value_is_in_exactly_one_bucket(values: list[float]) -> None:
    spreads = Spreads([()], (0.5, 10, 1000))

    for value in values:
        spreads.observe((), value)

    (_, counts, _), *_ = spreads.rows()
    assert counts == [sum(value <= bound for value in values) for bound in spreads.bounds]
