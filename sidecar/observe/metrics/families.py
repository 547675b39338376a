"""A metric as a row of a table, and the text of it that is kept between scrapes.

Labels are words with a space between. A state is one series as it stands: its label values, and
what else its writer has to know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import compress, count, starmap, zip_longest
from operator import ne
from typing import Any, NamedTuple

from sidecar.observe.metrics.text import Format, head, histogram_writer, number_writer
from sidecar.observe.series import Numbers, Spreads

PREFIX = "llm_failover_"  # of every name

State = tuple[Any, ...]
Write = Callable[..., str]


class Counter(NamedTuple):
    """A metric that only rises. Its name ends in `_total`."""

    name: str
    help: str
    labels: str
    numbers: Numbers

    def head(self, form: Format) -> str:
        """The lines before its series."""
        return head(PREFIX + self.name, self.help, "counter", form)

    def writer(self) -> Write:
        """What writes a state of it."""
        return number_writer(PREFIX + self.name, self.labels.split())

    def states(self, _: Format) -> list[State]:
        """Every series."""
        return [*self.numbers.rows()]


class Gauge(NamedTuple):
    """A metric that rises and falls."""

    name: str
    help: str
    labels: str
    numbers: Numbers

    def head(self, form: Format) -> str:
        """The lines before its series."""
        return head(PREFIX + self.name, self.help, "gauge", form)

    def writer(self) -> Write:
        """What writes a state of it."""
        return number_writer(PREFIX + self.name, self.labels.split())

    def states(self, _: Format) -> list[State]:
        """Every series."""
        return [*self.numbers.rows()]


class Histogram(NamedTuple):
    """A metric of how values are spread."""

    name: str
    help: str
    labels: str
    spreads: Spreads

    def head(self, form: Format) -> str:
        """The lines before its series."""
        return head(PREFIX + self.name, self.help, "histogram", form)

    def writer(self) -> Write:
        """What writes a state of it."""
        return histogram_writer(PREFIX + self.name, self.labels.split(), self.spreads.bounds)

    def states(self, form: Format) -> list[State]:
        """Every series. Only OpenMetrics has exemplars."""
        if form is Format.TEXT:
            return [(*row, {}) for row in self.spreads.rows()]
        return [(*row, self.spreads.examples(row[0])) for row in self.spreads.rows()]


class Info(NamedTuple):
    """A metric of facts that do not change; its name ends in `_info`."""

    name: str
    help: str
    facts: Mapping[str, str]

    def head(self, form: Format) -> str:
        """The lines before its series."""
        return head(PREFIX + self.name, self.help, "info", form)

    def writer(self) -> Write:
        """What writes a state of it."""
        return number_writer(PREFIX + self.name, [*self.facts])

    def states(self, _: Format) -> list[State]:
        """The one series."""
        return [(tuple(self.facts.values()), 1.0)]


Row = Counter | Gauge | Histogram | Info
Rows = tuple[Row, ...]


class Kept:
    """The text of a metric, of which a scrape writes anew only what has changed since the last.

    Series neither go nor change their order, so that each has its place. Not for two threads.
    """

    def __init__(self, row: Row) -> None:
        self._row = row
        self._write = row.writer()
        self._states: list[State] = []
        self._series: list[str] = []

    def texts(self, form: Format) -> list[str]:
        """The pieces of its text as it stands."""
        states = self._row.states(form)
        self._series += [""] * (len(states) - len(self._series))
        changed = starmap(ne, zip_longest(states, self._states))
        for at in compress(count(), changed):
            self._series[at] = self._write(*states[at])
        self._states = states
        return [self._row.head(form), *self._series]


def written(metrics: list[Kept], form: Format) -> bytes:
    """All of `metrics`, without the end that OpenMetrics asks for."""
    return "".join([text for kept in metrics for text in kept.texts(form)]).encode()
