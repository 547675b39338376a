"""What a fleet asks of its store, and how soon all its pods know of an outage.

bench/fleet.py                     5, 10 and 20 pods on a Valkey of its own, about two minutes
bench/fleet.py --store etcd        the same on an etcd of its own
bench/fleet.py --store U           on a store of yours
bench/fleet.py --pods 4            as many pods as that, and no others

Needs what `make test` installs. Every pod is a process of its own, and all traffic is on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from sidecar.faults.catalog import status
from tests.live.pods import Fleet, Pod, a_fleet
from tests.live.shelves import SHELVES

PODS = (5, 10, 20)
WATCHED_S = 10.0
CALLS = 10_000
AT_ONCE = 16
OUTAGES = 20
SPREAD_S = 0.1  # until all should know
DEFAULTS = {"sync": "2s", "clocks": "{}"}  # in place of the short ones of the tests
HISTOGRAM = "llm_failover_propagation_seconds_bucket"


class Row(NamedTuple):
    """What was seen of one fleet."""

    pods: int
    idle: float
    busy: float
    calls: float
    operations_each: float
    own: int
    others: int
    p50_s: float
    p99_s: float


async def operations(fleet: Fleet) -> float:
    """How many the store has answered so far, as the pods count them."""
    return sum([await pod.counted("store_operations_total") for pod in fleet.pods])


async def propagations(fleet: Fleet) -> Counter[float]:
    """How many moves took at most how many seconds to reach another pod, all pods together."""
    counted = Counter[float]()
    for pod in fleet.pods:
        async with fleet.http.get(f"{pod.admin}/metrics") as answer:
            text = await answer.text()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == HISTOGRAM:
                    counted[float(sample.labels["le"])] += int(sample.value)
    return counted


async def idle(fleet: Fleet) -> float:
    """Operations a second while nothing is asked."""
    before, began_s = await operations(fleet), time.monotonic()
    await asyncio.sleep(WATCHED_S)
    return (await operations(fleet) - before) / (time.monotonic() - began_s)


async def busy(fleet: Fleet) -> tuple[float, float]:
    """Operations a second, and calls a second, while calls are answered and nothing moves."""
    before, began_s = await operations(fleet), time.monotonic()
    left = iter(range(CALLS))

    async def ask_on() -> None:
        for number in left:
            await ask(fleet.pods[number % len(fleet.pods)])

    await asyncio.gather(*(ask_on() for _ in range(AT_ONCE)))
    took_s = time.monotonic() - began_s
    return (await operations(fleet) - before) / took_s, CALLS / took_s


async def ask(pod: Pod) -> None:
    """One call, which has to be answered."""
    heard = await pod.chat()
    if heard.code != 200:
        raise RuntimeError(f"{pod.name} answered {heard.code}")


async def outages(fleet: Fleet) -> tuple[float, list[int], list[int]]:
    """Operations for each, besides the regular reading; calls to the provider that is down.

    These are those of the pod that finds out, and those of all others 0.1 s later.
    """
    own, others = list[int](), list[int]()
    before, began_s = await operations(fleet), time.monotonic()
    for number in range(OUTAGES):
        at = number % len(fleet.pods)
        finder, *rest = fleet.pods[at:] + fleet.pods[:at]
        fleet.first.plays(status(503))
        fleet.first.hits = 0
        for _ in range(4):
            await ask(finder)
        own.append(fleet.first.hits)
        await asyncio.sleep(SPREAD_S)
        await asyncio.gather(*map(ask, rest))
        others.append(fleet.first.hits - own[-1])
        fleet.first.plays("ok")
        await finder.order("reset")
        await asyncio.sleep(SPREAD_S)
    regular = (time.monotonic() - began_s) * len(fleet.pods) / 2
    return (await operations(fleet) - before - regular) / OUTAGES, own, others


def quantile(counted: Counter[float], share: float) -> float:
    """The smallest bound of the histogram that holds this share; infinity above the last."""
    return min(
        (bound for bound, count in counted.items() if count >= share * counted[math.inf]),
        default=math.inf,
    )


async def measure(url: str, pods: int) -> Row:
    """Start so many pods, measure them, and end them."""
    async with a_fleet(url) as fleet:
        await fleet.start(*[fleet.text(**DEFAULTS)] * pods)
        await fleet.until_all_are_seen()
        idle_ops = await idle(fleet)
        busy_ops, calls = await busy(fleet)
        before = await propagations(fleet)
        each, own, others = await outages(fleet)
        counted = await propagations(fleet) - before
        p50_s, p99_s = (quantile(counted, share) for share in (0.5, 0.99))
        return Row(pods, idle_ops, busy_ops, calls, each, max(own), max(others), p50_s, p99_s)


@contextmanager
def store_of(kind: str) -> Iterator[str]:
    """The URL of a store: of a new one, or of the one that is named."""
    with ExitStack() as stack:
        yield stack.enter_context(SHELVES[kind]()).url if kind in SHELVES else kind


HEAD = ("pods", "idle", "with calls", "calls/s", "each outage", "finder", "others", "p50", "p99")


def show(*cells: object) -> None:
    """One line of the table."""
    print(
        "".join(f"{cell:>12.4g}" if isinstance(cell, float) else f"{cell!s:>12}" for cell in cells)
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pods", type=int, default=0)
    parser.add_argument("--store", default="valkey", help="valkey, etcd, or a URL")
    options = parser.parse_args()
    with store_of(options.store) as url:
        print(
            f"{options.store}: operations a second idle and with calls (pods / 2 expected) and for"
        )
        print(
            "each outage; calls to the provider that is down, by who finds out and by all others;"
        )
        print("seconds until another pod knows")
        show(*HEAD)
        for pods in (options.pods,) if options.pods else PODS:
            show(*asyncio.run(measure(url, pods)))


if __name__ == "__main__":
    main()
