"""Numbers by label values: counters, gauges and histograms as plain dictionaries.

They are cheap enough for every request, and closed: a word that nobody announced is counted as
`other`, so no request can make a series of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate, zip_longest
from typing import NamedTuple

OTHER = "other"
NOTHING: frozenset[str] = frozenset()

Labels = tuple[str, ...]


class Vocabulary:
    """The words that each place of a label tuple may hold."""

    __slots__ = ("_words",)

    def __init__(self, known: Iterable[Labels]) -> None:
        self._words = tuple(frozenset(column) for column in zip(*known, strict=True))

    def closed(self, labels: Labels) -> Labels:
        """`labels` with every unknown word replaced by `other`."""
        pairs = zip_longest(labels, self._words, fillvalue=NOTHING)
        return tuple(str(word) if word in words else OTHER for word, words in pairs)


class Numbers:
    """What a counter or a gauge is made of.

    The `known` label tuples exist from the start; `also` holds words that may come up later.
    """

    __slots__ = ("_values", "_vocabulary")

    def __init__(self, known: Iterable[Labels], also: Iterable[Labels] = ()) -> None:
        self._values = dict.fromkeys(known, 0.0)
        self._vocabulary = Vocabulary((*self._values, *also))

    def add(self, labels: Labels, amount: float = 1.0) -> None:
        """Count `amount` more."""
        try:
            self._values[labels] += amount
        except KeyError:
            labels = self._vocabulary.closed(labels)
            self._values[labels] = self._values.get(labels, 0.0) + amount

    def set(self, labels: Labels, value: float) -> None:
        """Let `value` be what is shown."""
        self._values[labels if labels in self._values else self._vocabulary.closed(labels)] = value

    def rows(self) -> list[tuple[Labels, float]]:
        """Everything there is, as of now. Safe in another thread."""
        return list(self._values.items())


class Exemplar(NamedTuple):
    """The trace that a value was observed in, and when."""

    trace_id: str
    unix_s: float


class Spread:
    """One histogram: how many values fell into each bucket, and their sum.

    `examples` are the last value of each bucket that has an exemplar, and that.
    """

    __slots__ = ("counts", "examples", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.total = 0.0
        self.examples: dict[int, tuple[float, Exemplar]] = {}


class Spreads:
    """What a histogram metric is made of. `bounds` rise; a last bucket without bound is added."""

    __slots__ = ("_spreads", "_vocabulary", "bounds")

    def __init__(self, known: Iterable[Labels], bounds: Sequence[float]) -> None:
        self.bounds = (*bounds, float("inf"))
        self._spreads = {labels: Spread(len(self.bounds)) for labels in known}
        self._vocabulary = Vocabulary(self._spreads)

    def observe(self, labels: Labels, value: float, exemplar: Exemplar | None = None) -> None:
        """Note one value; a negative one, which only a stepping clock can make, counts as 0."""
        spread = self._spreads.get(labels) or self._unknown(labels)
        value = max(value, 0.0)
        bucket = bisect_left(self.bounds, value)
        spread.counts[bucket] += 1
        spread.total += value
        if exemplar:
            spread.examples[bucket] = value, exemplar

    def _unknown(self, labels: Labels) -> Spread:
        return self._spreads.setdefault(self._vocabulary.closed(labels), Spread(len(self.bounds)))

    def rows(self) -> list[tuple[Labels, list[int], float]]:
        """Labels, how many values were at most each bound, their sum. Safe in another thread."""
        return [
            (labels, list(accumulate(spread.counts)), spread.total)
            for labels, spread in list(self._spreads.items())
        ]

    def examples(self, labels: Labels) -> dict[int, tuple[float, Exemplar]]:
        """A value and its exemplar, by the bucket. Safe in another thread."""
        return self._spreads[labels].examples.copy()
