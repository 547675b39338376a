"""What a fleet asks of its store, and how soon all its pods know of an outage.

bench/fleet.py             twenty pods on a Valkey of its own, about two minutes
bench/fleet.py --pods 4    fewer of them
bench/fleet.py --store U   on a Redis of yours, which nothing else may use meanwhile

Needs what `make test` installs. Every pod is a process of its own, and all traffic is on loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory

import aiohttp
import redis
from prometheus_client.parser import text_string_to_metric_families

from sidecar.faults.catalog import status
from sidecar.faults.provider import ScriptedProvider
from tests.fleet.stores.redis_server import RedisServer

CONFIG = """
store: {store}
fleet: {{namespace: {namespace}}}
listen: 127.0.0.1:0
admin: 127.0.0.1:0
providers:
  first: {{kind: openai, base_url: "{first}", api_key: k}}
  second: {{kind: openai, base_url: "{second}", api_key: k}}
routes:
  - {{models: ["*"], chain: [first, second]}}
"""
CALL = {"model": "any", "messages": [{"role": "user", "content": "Hello!"}]}
ASKED = ("evalsha", "eval", "fcall")  # the commands that carry an operation
WATCHED_S = 10.0
START_S = 20.0
CALLS = 10_000
AT_ONCE = 16
OUTAGES = 20
SPREAD_S = 0.1  # until all should know
HISTOGRAM = "llm_failover_propagation_seconds_bucket"


@dataclass(frozen=True, slots=True)
class Pod:
    """Where one sidecar listens."""

    api: str
    admin: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """The pods, whom they ask, and the store's administrator."""

    http: aiohttp.ClientSession
    pods: list[Pod]
    first: ScriptedProvider
    store: redis.Redis

    def operations(self) -> int:
        """How many the store has done so far."""
        stats = self.store.info("commandstats")
        return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ASKED)

    async def ask(self, pod: Pod) -> None:
        """One call, which has to be answered."""
        async with self.http.post(f"{pod.api}/v1/chat/completions", json=CALL) as answer:
            await answer.read()
            answer.raise_for_status()

    async def reset(self) -> None:
        """Close every breaker, everywhere."""
        async with self.http.post(f"{self.pods[0].admin}/-/breakers/first/reset") as answer:
            answer.raise_for_status()
        await asyncio.sleep(SPREAD_S)

    async def propagations(self) -> Counter[float]:
        """How many moves took at most how many seconds to reach another pod, all pods together."""
        counted = Counter[float]()
        for pod in self.pods:
            async with self.http.get(f"{pod.admin}/metrics") as answer:
                text = await answer.text()
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    if sample.name == HISTOGRAM:
                        counted[float(sample.labels["le"])] += int(sample.value)
        return counted


@asynccontextmanager
async def a_pod(name: str, config: Path) -> AsyncIterator[Pod]:
    """A `sidecar serve`, as long as the context lasts."""
    log = config.with_name(f"{name}.log")
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sidecar", "serve", "--config", str(config)),
            env={**os.environ, "HOSTNAME": name},
            stderr=sink,
        )
    try:
        async with asyncio.timeout(START_S):
            while b"\n" not in (said := log.read_bytes()):  # noqa: ASYNC110  a file has no event
                await asyncio.sleep(0.02)
        started = json.loads(said.splitlines()[0])
        yield Pod(f"http://{started['api']}", f"http://{started['admin']}")
    finally:
        process.terminate()
        await process.wait()


async def idle(fleet: Fleet) -> float:
    """Operations a second while nothing is asked."""
    before, began_s = fleet.operations(), time.monotonic()
    await asyncio.sleep(WATCHED_S)
    return (fleet.operations() - before) / (time.monotonic() - began_s)


async def busy(fleet: Fleet) -> tuple[float, float]:
    """Operations a second, and calls a second, while calls are answered and nothing moves."""
    before, began_s = fleet.operations(), time.monotonic()
    left = iter(range(CALLS))

    async def ask_on() -> None:
        for number in left:
            await fleet.ask(fleet.pods[number % len(fleet.pods)])

    await asyncio.gather(*(ask_on() for _ in range(AT_ONCE)))
    took_s = time.monotonic() - began_s
    return (fleet.operations() - before) / took_s, CALLS / took_s


async def outages(fleet: Fleet) -> tuple[list[int], list[int]]:
    """For each: calls to the provider that is down, of the pod that finds out and of the others."""
    own, others = list[int](), list[int]()
    for number in range(OUTAGES):
        finder, *rest = (
            fleet.pods[number % len(fleet.pods) :] + fleet.pods[: number % len(fleet.pods)]
        )
        fleet.first.plays(status(503))
        fleet.first.hits = 0
        for _ in range(4):
            await fleet.ask(finder)
        own.append(fleet.first.hits)
        await asyncio.sleep(SPREAD_S)
        await asyncio.gather(*map(fleet.ask, rest))
        others.append(fleet.first.hits - own[-1])
        fleet.first.plays("ok")
        await fleet.reset()
    return own, others


def quantile(counted: Counter[float], share: float) -> float:
    """The smallest bound of the histogram that holds this share; infinity above the last."""
    return min(
        (bound for bound, count in counted.items() if count >= share * counted[math.inf]),
        default=math.inf,
    )


async def measure(fleet: Fleet) -> None:
    """Measure all of it, and print it."""
    pods = len(fleet.pods)
    print(f"{pods} pods; a pod reads the store once in 2 s: {pods / 2:.0f} operations/s expected")
    print(f"idle                    {await idle(fleet):8.1f} operations/s")
    operations, calls = await busy(fleet)
    print(f"{CALLS} calls, no move   {operations:8.1f} operations/s at {calls:.0f} calls/s")
    before = await fleet.propagations()
    own, others = await outages(fleet)
    counted = await fleet.propagations() - before
    print(f"{OUTAGES} outages: calls to the provider that is down, each: at most")
    print(
        f"    {max(own)} of who finds out, {max(others)} of all others together, {SPREAD_S} s later"
    )
    print(
        f"propagation, of {counted[math.inf]} moves heard of: p50 ≤ {quantile(counted, 0.5)} s,"
        f" p99 ≤ {quantile(counted, 0.99)} s"
    )


async def run(pods: int, url: str) -> None:
    """Start a fleet, measure it, and end it."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        first = await stack.enter_async_context(ScriptedProvider("first"))
        second = await stack.enter_async_context(ScriptedProvider("second"))
        config = folder / "sidecar.yaml"
        places = {"first": first.base_url, "second": second.base_url}
        config.write_text(CONFIG.format(store=url, namespace=token_hex(8), **places))
        entered = [
            await stack.enter_async_context(a_pod(f"pod-{number}", config))
            for number in range(pods)
        ]
        http = await stack.enter_async_context(aiohttp.ClientSession())
        store = stack.enter_context(closing(redis.Redis.from_url(url)))
        await asyncio.sleep(3.0)  # until all have read the store once
        await measure(Fleet(http, entered, first, store))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pods", type=int, default=20)
    parser.add_argument("--store", default="")
    options = parser.parse_args()
    asyncio.run(run(options.pods, options.store or RedisServer().url))


if __name__ == "__main__":
    main()
