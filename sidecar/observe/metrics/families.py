"""A metric as a row of a table, and as what the Prometheus library writes out.

Labels are words with a space between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from sidecar.observe.series import Numbers, Spreads

PREFIX = "llm_failover_"  # of every name

Bucket = tuple[str, float] | tuple[str, float, Exemplar]
Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily | InfoMetricFamily


class Counter(NamedTuple):
    """A metric that only rises."""

    name: str
    help: str
    labels: str
    numbers: Numbers

    def family(self) -> Family:
        """It as it stands."""
        labels = self.labels.split()
        return filled(CounterMetricFamily(PREFIX + self.name, self.help, labels=labels), self)


class Gauge(NamedTuple):
    """A metric that rises and falls."""

    name: str
    help: str
    labels: str
    numbers: Numbers

    def family(self) -> Family:
        """It as it stands."""
        labels = self.labels.split()
        return filled(GaugeMetricFamily(PREFIX + self.name, self.help, labels=labels), self)


class Histogram(NamedTuple):
    """A metric of how values are spread."""

    name: str
    help: str
    labels: str
    spreads: Spreads

    def family(self) -> Family:
        """It as it stands."""
        labels, bounds = self.labels.split(), self.spreads.bounds[:-1]
        marks = [*(str(float(bound)) for bound in bounds), "+Inf"]
        metric = HistogramMetricFamily(PREFIX + self.name, self.help, labels=labels)
        for values, counts, total in self.spreads.rows():
            buckets: list[Bucket] = list(zip(marks, counts, strict=True))
            for at, (value, (trace_id, unix_s)) in self.spreads.examples(values).items():
                example = Exemplar({"trace_id": trace_id}, value, unix_s)
                buckets[at] = (marks[at], counts[at], example)
            metric.add_metric(values, buckets, total)
        return metric


class Info(NamedTuple):
    """A metric of facts that do not change; its name gets `_info`."""

    name: str
    help: str
    facts: Mapping[str, str]

    def family(self) -> Family:
        """It as it stands."""
        return InfoMetricFamily(PREFIX + self.name, self.help, value=dict(self.facts))


Row = Counter | Gauge | Histogram | Info
Rows = tuple[Row, ...]


class Catalogue(Collector):
    """A table of metrics, in the form that a registry collects."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def collect(self) -> Iterator[Family]:
        """Every metric as it stands."""
        return (row.family() for row in self._rows)


def filled(metric: CounterMetricFamily | GaugeMetricFamily, row: Counter | Gauge) -> Family:
    """`metric` with a series for each number of `row`."""
    for values, number in row.numbers.rows():
        metric.add_metric(values, number)
    return metric
