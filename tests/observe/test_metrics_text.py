"""The texts that we write are those of the Prometheus library, whatever was kept before."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import generate_latest as library_text
from prometheus_client.openmetrics.exposition import generate_latest as library_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar as LibraryExemplar
from prometheus_client.utils import floatToGoString

from sidecar.core.events import Cause, Event, State
from sidecar.core.outcome import Outcome
from sidecar.observe.metrics import Build, Metrics, registry
from sidecar.observe.metrics.families import (
    PREFIX,
    Counter,
    Gauge,
    Histogram,
    Info,
    Kept,
    Row,
    Rows,
    written,
)
from sidecar.observe.metrics.text import Format
from sidecar.observe.series import Exemplar, Numbers, Spreads
from tests.observe.scene import (
    SETTINGS,
    StillClock,
    attempt_ended,
    breaker_moved,
    failed_over,
    request_ended,
)

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
END = b"# EOF\n"
STRANGE = ('quo"te', "back\\slash", "new\nline", '\\"\n', "", "ümlaut", "brace}", "a,b=c")
VALUES = (
    *(0.0, 1.0, -1.0, 0.1, 999_999.0, 1e6, 1_234_567.0, 1_760_000_000.25, 1e15, 1.5e16, 1e300),
    *(5, 1e-7, -1e9, float("inf"), float("-inf"), float("nan")),
)
BOUNDS = (0.0001, 0.5, 1, 10, 300, 1e6, 1e7)
WORDS = [(word, word) for word in STRANGE]


class Described(Collector):
    """A table of metrics, as the library is told of them."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def collect(self) -> Iterator[Metric]:
        return map(described, self._rows)


class Read(Collector):
    """Metrics that the library's parser has read."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def described(row: Row) -> Metric:
    name = PREFIX + row.name
    if isinstance(row, Info):
        return InfoMetricFamily(name.removesuffix("_info"), row.help, value=dict(row.facts))
    labels = row.labels.split()
    if isinstance(row, Histogram):
        return described_histogram(row, HistogramMetricFamily(name, row.help, labels=labels))
    kind = CounterMetricFamily if isinstance(row, Counter) else GaugeMetricFamily
    metric = kind(name, row.help, labels=labels)
    for words, value in row.numbers.rows():
        metric.add_metric(words, value)
    return metric


def described_histogram(row: Histogram, metric: HistogramMetricFamily) -> Metric:
    marks: list[str] = [floatToGoString(bound) for bound in row.spreads.bounds]  # type: ignore[no-untyped-call]  # the library has none
    for words, counts, total in row.spreads.rows():
        examples = {
            bucket: LibraryExemplar({"trace_id": exemplar.trace_id}, value, exemplar.unix_s)
            for bucket, (value, exemplar) in row.spreads.examples(words).items()
        }
        buckets = [
            (mark, count, examples[at]) if at in examples else (mark, count)
            for at, (mark, count) in enumerate(zip(marks, counts, strict=True))
        ]
        metric.add_metric(words, buckets, total)
    return metric


def of_library(rows: Rows, form: Format) -> bytes:
    registry = CollectorRegistry()
    registry.register(Described(rows))
    if form is Format.TEXT:
        return library_text(registry)
    text: bytes = library_openmetrics(registry)  # type: ignore[no-untyped-call]  # the library has none
    return text.removesuffix(END)


def numbers() -> Numbers:
    values = {(word, f"{value}"): value for word in STRANGE for value in VALUES}
    filled = Numbers(values)
    for labels, value in values.items():
        filled.set(labels, value)
    return filled


def spreads() -> Spreads:
    filled = Spreads([*WORDS, ("seldom", "")], BOUNDS)
    for place, labels in enumerate(WORDS):
        for number in range(place * 4):
            value = 10.0 ** (number % 12 - 5) * 1.25
            traced = Exemplar(f'{number:032x}"\\', 1_760_000_000.25 + number)
            filled.observe(labels, value, traced if number % 3 else None)
    return filled


def table() -> Rows:
    """Something of everything; `z` and `a` stand on both sides of a bucket's `le`."""
    bare = Spreads([()], BOUNDS)
    bare.observe((), 0.5)
    number = Numbers([()])
    number.set((), 1_760_000_000.25)
    return (
        Counter("things_total", 'Of `those` \\ and "these".\nAnd more.', "z a", numbers()),
        Gauge("standing", 'How "it" stands.', "a z", numbers()),
        Gauge("bare", "Without a label.", "", number),
        Gauge("unborn", "Without a series.", "a", Numbers(())),
        Histogram("spread_seconds", "How values are spread.", "z a", spreads()),
        Histogram("bare_seconds", "The same without a label.", "", bare),
        Info("facts_info", "What does not change.", {"version": '1"\\', "also": "2\n"}),
    )


@pytest.mark.parametrize("form", Format)
def test_every_byte_is_the_librarys(form: Format) -> None:
    rows = table()

    assert written([Kept(row) for row in rows], form) == of_library(rows, form)


@given(st.data())
def test_what_was_kept_is_never_out_of_date(data: st.DataObject) -> None:
    counted = Numbers([("a",), ("b",)], also=[("c",), ("d",)])
    spread = Spreads([("a",), ("b",)], BOUNDS)
    rows = (Counter("n_total", "N.", "x", counted), Histogram("s", "S.", "x", spread))
    kept = [Kept(row) for row in rows]

    labels, values = st.sampled_from([("a",), ("b",), ("c",), ("d",), ("strange",)]), st.floats(0)
    exemplars = st.none() | st.just(Exemplar("0af7", 1.5)) | st.just(Exemplar("b7ad", 2.5))
    for _ in range(data.draw(st.integers(1, 6))):
        match data.draw(st.sampled_from(["add", "set", "observe"])):
            case "add":
                counted.add(data.draw(labels), data.draw(values))
            case "set":
                counted.set(data.draw(labels), data.draw(values))
            case _:
                spread.observe(data.draw(labels), data.draw(values), data.draw(exemplars))
        form = data.draw(st.sampled_from(Format))

        assert written(kept, form) == of_library(rows, form)


def test_only_what_has_changed_is_written_anew() -> None:
    counted = Numbers([("a",), ("b",)])
    kept = Kept(Gauge("n", "N.", "x", counted))
    _, *before = kept.texts(Format.TEXT)

    counted.add(("b",))
    _, *after = kept.texts(Format.OPENMETRICS)

    assert after[0] is before[0]
    assert (before[1], after[1]) == ('llm_failover_n{x="b"} 0.0\n', 'llm_failover_n{x="b"} 1.0\n')


def told() -> Metrics:
    """Real metrics, of a day with everything in it."""
    metrics = Metrics(SETTINGS, StillClock(), Build("0.1.0", "c0ffee"))
    events: list[Event] = [
        *(attempt_ended(outcome=outcome) for outcome in Outcome),
        attempt_ended(provider="strange", dropped=("seed",)),
        failed_over(to_provider="local"),
        breaker_moved(State.OPEN, Cause.FAILURES, until_unix_s=1_760_000_060.5),
        *(request_ended(duration_s=seconds) for seconds in VALUES[:9]),
    ]
    for event in events:
        metrics.handlers[type(event)](event)
    return metrics


def test_the_library_reads_the_text_and_writes_it_again_the_same() -> None:
    body, _ = told().render("")

    assert library_text(Read(list(parse_text(body.decode())))) == body


def test_the_library_reads_openmetrics_and_writes_its_series_again_the_same() -> None:
    body, _ = told().render(OPENMETRICS)

    read = Read(list(parse_openmetrics(body.decode())))  # type: ignore[no-untyped-call]  # the library has none
    again: bytes = library_openmetrics(read)  # type: ignore[no-untyped-call]  # the library has none
    assert series_of(again) == series_of(body)
    assert body.endswith(END)
    assert body.count(END) == 1


def series_of(body: bytes) -> list[str]:
    """Its lines without exemplars, whose times the parser reads to the nanosecond."""
    return [line.partition(" # {")[0] for line in body.decode().splitlines()]


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that take turns after a few steps each, so that they meet amid everything."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual_s)


@pytest.mark.usefixtures("hasty_threads")
def test_one_scrape_writes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, steps = told(), list[str]()
    scrapes: list[Future[tuple[bytes, str]]] = []

    def writing(kept: list[Kept], form: Format) -> bytes:
        steps.append("begins")
        if len(steps) == 1:
            scrapes.append(threads.submit(metrics.render, ""))
        for _ in range(100_000):  # turns enough for the other to come in, if it could
            scrapes[0].done()
        steps.append("ends")
        return written(kept, form)

    monkeypatch.setattr(registry, "written", writing)
    with ThreadPoolExecutor(1) as threads:
        metrics.render("")
        scrapes[0].result()

    assert steps == ["begins", "ends", "begins", "ends"]


@pytest.mark.usefixtures("hasty_threads")
def test_scrapes_at_once_while_requests_are_counted_are_each_whole() -> None:
    metrics, chance = told(), random.Random(1)
    outcomes = list(Outcome)

    with ThreadPoolExecutor(4) as threads:
        scrapes = [threads.submit(metrics.render, accept) for accept in ("", OPENMETRICS) * 20]
        while not all(one.done() for one in scrapes):
            event = attempt_ended(outcome=chance.choice(outcomes), duration_s=chance.random())
            metrics.handlers[type(event)](event)

    assert len({frozenset(series_names(*one.result())) for one in scrapes}) == 1
    last, _ = metrics.render("")
    assert last == library_text(Read(list(parse_text(last.decode()))))


def series_names(body: bytes, content_type: str) -> list[str]:
    """Every series that was read from a scrape, by its name and labels."""
    parse = parse_text if content_type.startswith("text/plain") else parse_openmetrics
    return [
        f"{sample.name} {sorted(sample.labels.items())}"
        for family in parse(body.decode())
        for sample in family.samples
    ]
