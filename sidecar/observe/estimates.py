"""Quantiles estimated from the buckets of a histogram, as PromQL's histogram_quantile does it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def quantile(bounds: Sequence[float], counts: Sequence[float], share: float) -> float | None:
    """The value that `share` of the values do not exceed; `None` of nothing.

    `counts` are how many values were at most each of the `bounds`, of which the last is infinite.
    Within a bucket the values are taken to lie evenly; what lies beyond the last bound that is
    finite is told as that bound.
    """
    wanted = share * counts[-1]
    if not counts[-1]:
        return None
    edges = pairwise([(0.0, 0.0), *zip(bounds[:-1], counts[:-1], strict=True)])
    for (low, below), (high, until) in edges:
        if until >= wanted and until > below:
            return round(low + (high - low) * max(0.0, wanted - below) / (until - below), 4)
    return bounds[-2]
