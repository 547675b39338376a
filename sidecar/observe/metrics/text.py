"""The two text formats that Prometheus reads: its own (0.0.4), and OpenMetrics (1.0).

They differ in the head of a metric, and in exemplars, which OpenMetrics alone has. Labels are
sorted and numbers are Go's, as the Prometheus library writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import lru_cache

from prometheus_client.utils import floatToGoString

from sidecar.observe.series import Exemplar, Labels

LE = "le"
ENDS = {"counter": "_total", "info": "_info"}  # of the names of series, by kind of metric
WORDS = 1024  # pairs of label and word at hand: more than most configurations have

Examples = Mapping[int, tuple[float, Exemplar]]


class Format(Enum):
    """What a scrape asks for."""

    TEXT = "text"
    OPENMETRICS = "openmetrics"


def head(name: str, told: str, kind: str, form: Format) -> str:
    """The lines before the series of a metric.

    In OpenMetrics the ends of names belong to the series; the older text knows no info.
    """
    told = told.replace("\\", r"\\").replace("\n", r"\n")
    if form is Format.OPENMETRICS:
        name, told = name.removesuffix(ENDS.get(kind, "")), told.replace('"', r"\"")
    elif kind == "info":
        kind = "gauge"
    return f"# HELP {name} {told}\n# TYPE {name} {kind}\n"


def number_writer(name: str, labels: Sequence[str]) -> Callable[[Labels, float], str]:
    """What writes a series of a counter or a gauge."""
    places = in_order(labels)
    opening, closing = (f"{name}{{", "} ") if labels else (name, " ")

    def write(words: Labels, value: float) -> str:
        pairs = ",".join([pair(label, words[place]) for label, place in places])
        return f"{opening}{pairs}{closing}{number(value)}\n"

    return write


def histogram_writer(
    name: str, labels: Sequence[str], bounds: Sequence[float]
) -> Callable[[Labels, Sequence[int], float, Examples], str]:
    """What writes a series of a histogram. The last bound is infinite; counts are cumulated."""
    marks = [pair(LE, number(bound)) for bound in bounds]
    places = in_order(labels)
    first, last = [one for one in places if one[0] < LE], [one for one in places if one[0] > LE]

    def write(words: Labels, counts: Sequence[int], total: float, examples: Examples) -> str:
        before = [pair(label, words[place]) for label, place in first]
        after = [pair(label, words[place]) for label, place in last]
        opening = f"{name}_bucket{{{''.join([one + ',' for one in before])}"
        closing = f"{''.join([',' + one for one in after])}}} "
        ends = bucket_ends(counts, examples)
        buckets = [opening + mark + closing + end for mark, end in zip(marks, ends, strict=True)]
        pairs = ",".join(before + after)
        braces = f"{{{pairs}}}" if pairs else ""
        buckets.append(f"{name}_count{braces} {number(counts[-1])}\n")
        buckets.append(f"{name}_sum{braces} {number(total)}\n")
        return "".join(buckets)

    return write


def bucket_ends(counts: Sequence[int], examples: Examples) -> list[str]:
    """What follows the labels of each bucket. Many buckets have the count of the one before."""
    numbers = {count: number(count) for count in set(counts)}
    ends = [f"{numbers[count]}\n" for count in counts]
    for bucket, (value, exemplar) in examples.items():
        ends[bucket] = f"{numbers[counts[bucket]]}{example(value, exemplar)}\n"
    return ends


def example(value: float, exemplar: Exemplar) -> str:
    """What follows the count of a bucket that has an exemplar."""
    trace_id = escaped(exemplar.trace_id)
    return f' # {{trace_id="{trace_id}"}} {number(value)} {exemplar.unix_s}'


def in_order(labels: Sequence[str]) -> list[tuple[str, int]]:
    """Labels, sorted, each with its place among `labels`."""
    return sorted((label, place) for place, label in enumerate(labels))


@lru_cache(maxsize=WORDS)
def pair(label: str, word: str) -> str:
    """A label and what it is."""
    return f'{label}="{escaped(word)}"'


def escaped(word: str) -> str:
    """`word` as it may stand between quotes."""
    return word.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def number(value: float) -> str:
    """`value` as Go would write it."""
    if value == 0:
        return "0.0"  # most are: a series of everything exists from the start
    written: str = floatToGoString(value)  # type: ignore[no-untyped-call]  # the library has none
    return written
