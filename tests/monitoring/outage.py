"""An outage as Prometheus saw it: three pods at one store, their providers, what befell them.

Minutes are told in seconds: the windows of the rules are shorter here, and nothing waits before it
fires. The rules as they are shipped are for promtool, in deploy/prometheus/rules_test.yaml.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

import pytest
import yaml

from sidecar.faults.answer import Answer
from sidecar.faults.catalog import status
from tests.fleet.stores.redis_server import RedisServer
from tests.monitoring.prometheus import ROOT, STEP_S, Json, Prometheus
from tests.stories.desk import Desk, a_desk

PODS = ("pod-a", "pod-b", "pod-c")  # nobody asks the last one but where it is said
NAMES = ("first", "second", "third")
CONFIG = """
store: {url}
fleet: {{op_timeout: 1s, sync: 500ms}}
providers:
  first: {{kind: openai, base_url: "${{FIRST}}", api_keys: [one, another]}}
  second: {{kind: openai, base_url: "${{SECOND}}", api_key: k}}
  third: {{kind: openai, base_url: "${{THIRD}}", api_key: k}}
routes:
  - {{models: [odd], chain: [third/big, second/large]}}
  - {{models: ["*"], chain: [first/small, second/large]}}
prices:
  first/small: {{input: 2.0, output: 10.0}}
breaker: {{open_timeout: 1s, success_threshold: 3}}
"""
SLOW = Answer(first_after_s=0.4)  # so that a probe takes longer than a scrape is away
PAUSE_S = 0.05
PATIENCE_S = 30.0

OVERHEAD = "LLMFailoverOverheadHigh"  # tells of this machine, which may be busy
CALM = f'absent(ALERTS{{alertname!="{OVERHEAD}"}})'
SEEN = "count(sum by (pod) (rate(llm_failover_attempts_total[2s])) > 0) == 2"

WINDOWS = {"[5m]": "[2s]", "[30m]": "[3s]"}
LONGER = "[3s]"
LATE = ("time() - 300", "time() - 3")


class Told(NamedTuple):
    """The outage is over; Prometheus remembers it."""

    prometheus: Prometheus
    began_s: float
    ended_s: float
    metrics: str
    rules: list[Json]

    def course(self, expr: str) -> Any:
        """What an expression came to meanwhile."""
        return self.prometheus.course(expr, self.began_s, self.ended_s)


def shipped_rules() -> Json:
    """The rules as they are."""
    rules: Json = yaml.safe_load((ROOT / "deploy/prometheus/rules.yaml").read_text())
    return rules


def quickened(rules: Json) -> Json:
    """The same rules for seconds in place of minutes."""
    text = yaml.safe_dump(rules)
    text = re.sub(r"\[\d+[mhd]\]", lambda found: WINDOWS.get(found[0], LONGER), text)
    text = re.sub(r"^ +for: .*\n", "", text, flags=re.MULTILINE).replace(*LATE)
    quick: Json = yaml.safe_load(text)
    return quick


def config_for(desks: list[Desk]) -> Json:
    """Scrapes the desks with the labels that the Prometheus Operator gives to pods."""
    monitor = yaml.safe_load((ROOT / "deploy/k8s/monitoring/podmonitor.yaml").read_text())
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    targets = [
        {
            "targets": [str(desk.sidecar.admin)],
            "labels": {"namespace": "apps", "pod": pod, "endpoint": endpoint["port"]},
        }
        for pod, desk in zip(PODS, desks, strict=True)
    ]
    scrape = {
        "job_name": "llm-failover",
        "metrics_path": endpoint["path"],
        "static_configs": targets,
        "relabel_configs": endpoint["relabelings"],
    }
    every = f"{STEP_S * 1000:.0f}ms"
    timing = {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every}
    return {"global": timing, "scrape_configs": [scrape]}


async def ask_on(desk: Desk) -> None:
    """An application that never stops asking: streams, whole answers, now and then the odd one."""
    turn = 0
    while True:
        turn += 1
        await desk.chat(model="odd" if turn % 5 == 0 else "usual", stream=turn % 2 == 0)
        await asyncio.sleep(PAUSE_S)


async def until(prometheus: Prometheus, *exprs: str) -> None:
    """Wait until Prometheus has a result for each of them at once."""
    ends_s = time.monotonic() + PATIENCE_S
    while missing := [expr for expr in exprs if not await asyncio.to_thread(prometheus.has, expr)]:
        assert time.monotonic() < ends_s, f"Prometheus never saw: {missing}"
        await asyncio.sleep(STEP_S)


def fires(name: str) -> str:
    return f'ALERTS{{alertname="LLMFailover{name}", alertstate="firing"}}'


def quiet(name: str) -> str:
    return f"absent({fires(name)})"


def failing(is_so: str) -> str:
    return f"namespace_job:llm_failover_requests_failed:ratio_rate5m {is_so}"


def closed(provider: str) -> str:
    state = f'llm_failover_breaker_state{{provider="{provider}", state="closed"}}'
    return f"sum({state}) == {len(PODS)}"


@asynccontextmanager
async def pods(store: RedisServer) -> AsyncIterator[list[Desk]]:
    """At that store, each with providers of its own that play the same parts."""
    async with AsyncExitStack() as stack:
        desks = []
        for pod in PODS:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("HOSTNAME", pod)
                text = CONFIG.format(url=store.url)
                desks.append(await stack.enter_async_context(a_desk(text, *NAMES)))
        yield desks


@asynccontextmanager
async def applications(desks: list[Desk]) -> AsyncIterator[None]:
    """They ask on as long as this is entered."""
    asking = [asyncio.create_task(ask_on(desk)) for desk in desks]
    try:
        yield
    finally:
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def tell(prometheus: Prometheus, desks: list[Desk]) -> None:
    """One provider fails, then all; each step once Prometheus has seen the one before."""
    for desk in desks:
        desk["third"].plays("bad_key")
    await until(prometheus, *map(closed, NAMES), fires("ProviderParked"), failing("== 0"), SEEN)

    for desk in desks:
        desk["first"].plays(status(503))
    await until(prometheus, fires("ProviderDown"), fires("OnBackup"))
    for desk in desks:
        desk["second"].plays(status(503))
    await until(
        prometheus, fires("AllBreakersOpen"), fires("ErrorBudgetBurnFast"), failing("> 0.5")
    )

    for desk in desks:
        desk["first"].answer = SLOW
        desk["first"].plays()
        desk["second"].plays()
    await until(prometheus, closed("first"))
    for desk in desks:
        desk["first"].answer = Answer()
    await until(prometheus, closed("second"))  # it is asked as long as the third has a bad key
    for desk in desks:
        desk["third"].plays()
        await desk.ask("/reset")
    await until(prometheus, *map(quiet, ("ProviderParked", "ProviderDown", "OnBackup")))


async def tell_of_one_alone(prometheus: Prometheus, desk: Desk) -> None:
    """One pod is cut off from all providers, for a while. No other pod is."""
    for name in NAMES:
        desk[name].plays("refuse")
    async with applications([desk]):
        await until(prometheus, fires("PodAccusesAlone"))
        for names in (("first", "second"), ("third",)):  # who is well first is asked no more
            for name in names:
                desk[name].plays()
                await desk[name].listen()
            await until(prometheus, *map(closed, names))
        await until(prometheus, quiet("PodAccusesAlone"))


async def tell_of_the_store(prometheus: Prometheus, store: RedisServer) -> None:
    """It is gone, and comes back empty."""
    store.stop()
    await until(prometheus, fires("StoreDegraded"))
    store.start()
    await until(prometheus, CALM, failing("== 0"), "min(llm_failover_store_up) == 1")


async def run(stack: AsyncExitStack) -> Told:
    """Live through it once. Prometheus stays until `stack` is left."""
    store = RedisServer()
    stack.callback(store.remove)
    async with pods(store) as desks:
        config = config_for(desks)
        prometheus = stack.enter_context(Prometheus(config, quickened(shipped_rules())))
        began_s = time.time()
        async with applications(desks[:2]):
            await tell(prometheus, desks)
            await tell_of_one_alone(prometheus, desks[2])
            await tell_of_the_store(prometheus, store)
        metrics = await desks[0].page("/metrics")
        rules = await asyncio.to_thread(prometheus.rules)
        return Told(prometheus, began_s, time.time(), metrics, rules)
