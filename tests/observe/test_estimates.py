"""Quantiles from buckets are as good as the buckets."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.observe.estimates import quantile

BOUNDS = (0.1, 1.0, 10.0, float("inf"))


@pytest.mark.parametrize(
    ("counts", "share", "estimate"),
    [
        ([0, 0, 0, 0], 0.5, None),
        ([10, 10, 10, 10], 0.5, 0.05),
        ([0, 10, 10, 10], 0.5, 0.55),
        ([0, 10, 20, 20], 0.95, 9.1),
        ([0, 10, 10, 10], 1.0, 1.0),
        ([0, 5, 5, 10], 0.9, 10.0),
        ([0, 10, 10, 10], 0.0, 0.1),
    ],
    ids=["nothing", "first", "middle", "third", "all", "beyond the bounds", "least"],
)
def test_values_lie_evenly_in_their_bucket(
    counts: list[int], share: float, estimate: float | None
) -> None:
    assert quantile(BOUNDS, counts, share) == estimate


@given(
    st.lists(st.floats(0.001, 9.9), min_size=1, max_size=50),
    st.sampled_from([0.5, 0.95, 0.99]),
)
def test_an_estimate_is_in_the_bucket_of_the_true_value(values: list[float], share: float) -> None:
    counts = [0] * len(BOUNDS)
    for value in values:
        counts[bisect_left(BOUNDS, value)] += 1
    true = sorted(values)[ceil(share * len(values)) - 1]
    place = bisect_left(BOUNDS, true)

    estimate = quantile(BOUNDS, list(accumulate(counts)), share)

    assert estimate is not None
    assert (0.0, *BOUNDS)[place] <= estimate <= BOUNDS[place]


@given(st.lists(st.integers(0, 9), min_size=4, max_size=4))
def test_a_higher_share_is_never_a_lower_value(buckets: list[int]) -> None:
    counts = list(accumulate(buckets))

    p50, p95, p99 = (quantile(BOUNDS, counts, share) or 0.0 for share in (0.5, 0.95, 0.99))

    assert p50 <= p95 <= p99
