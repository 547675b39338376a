"""Sidecars as they are run: processes of their own, that share a store and their providers."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from sidecar.faults.provider import ScriptedProvider

Json = dict[str, Any]

# Short ones make short leases: a probe may take the time to connect and to answer, 2.5 s.
CLOCKS = "{connect: 500ms, first_token: 1s, first_token_reasoning: 1s, answer: 2s, total: 10s}"
CONFIG = """
listen: 127.0.0.1:0
admin: 127.0.0.1:0
store: {store}
fleet: {{namespace: {namespace}, op_timeout: 1s, sync: {sync}}}
providers:
  first: {{kind: openai, base_url: "{first}", api_key: k}}
  second: {{kind: openai, base_url: "{second}", api_key: k}}
routes:
  - {{models: ["*"], chain: [first, second]}}
retry: {{attempts: 0}}
timeouts: {clocks}
"""
OP_TIMEOUT_S = 1.0
LEASE_S = 2.5
START_S = 30.0
PATIENCE_S = 20.0


class Heard(NamedTuple):
    """What an application heard, and how long it waited for that."""

    code: int
    attempts: str
    seconds: float


@dataclass(slots=True)
class Pod:
    """One sidecar. `log_file` has what it logs, a JSON object a line."""

    name: str
    process: Process
    http: aiohttp.ClientSession
    log_file: Path
    api: str = ""
    admin: str = ""

    async def chat(self, content: str = "Hello!", **fields: Any) -> Heard:
        """One call, and the whole answer."""
        call = {"model": "m", "messages": [{"role": "user", "content": content}], **fields}
        began_s = asyncio.get_running_loop().time()
        async with self.http.post(f"{self.api}/v1/chat/completions", json=call) as answer:
            await answer.read()
            took_s = asyncio.get_running_loop().time() - began_s
            return Heard(answer.status, answer.headers.get("x-sidecar-attempts", ""), took_s)

    async def status(self) -> Json:
        """All that `/status.json` says."""
        async with self.http.get(f"{self.admin}/status.json") as answer:
            told: Json = await answer.json()
            return told

    async def standing(self, provider: str = "first") -> Json:
        """What it says of a provider."""
        told = await self.status()
        return next(one for one in told["providers"] if one["name"] == provider)

    async def order(self, what: str, provider: str = "first", **fields: Any) -> int:
        """Have the operator's will done: `reset`, `hold` or `release`."""
        place = f"{self.admin}/-/breakers/{provider}/{what}"
        async with self.http.post(place, json=fields or None) as answer:
            return answer.status

    async def counted(self, metric: str, **labels: str) -> float:
        """The sum of a metric's series that have these labels."""
        async with self.http.get(f"{self.admin}/metrics") as answer:
            text = await answer.text()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f"llm_failover_{metric}" and labels.items() <= sample.labels.items()
        )

    def logged(self, message: str) -> list[Json]:
        """The log's lines with that message."""
        whole = self.log_file.read_text().rpartition("\n")[0]  # the last line may be half written
        lines = map(json.loads, whole.splitlines())
        return [line for line in lines if line["msg"] == message]

    async def until_it_serves(self) -> None:
        """Wait until it has told where it listens."""
        async with asyncio.timeout(START_S):
            while not (told := self.logged("sidecar is serving")):  # noqa: ASYNC110  a file has no event
                await asyncio.sleep(0.02)
        self.api, self.admin = f"http://{told[0]['api']}", f"http://{told[0]['admin']}"

    async def end(self) -> int:
        """Ask it to end; what it exits with."""
        if self.process.returncode is None:
            self.process.terminate()
        return await self.process.wait()


async def start_pod(name: str, text: str, folder: Path, http: aiohttp.ClientSession) -> Pod:
    """Run `sidecar serve` with the configuration `text`."""
    config, log = folder / f"{name}.yaml", folder / f"{name}.log"
    config.write_text(text)
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sidecar", "serve", "--config", str(config)),
            env={**os.environ, "HOSTNAME": name},
            stderr=sink,
        )
    return Pod(name, process, http, log)


@dataclass(slots=True)
class Fleet:
    """The pods, and the two providers whom they ask."""

    http: aiohttp.ClientSession
    folder: Path
    store: str
    first: ScriptedProvider
    second: ScriptedProvider
    namespace: str = field(default_factory=lambda: token_hex(8))
    pods: list[Pod] = field(default_factory=list)

    def text(self, **changes: str) -> str:
        """The configuration of a pod, with other words in `CONFIG`'s places by `changes`."""
        places = {"store": self.store, "first": self.first.base_url}
        places |= {"second": self.second.base_url, "namespace": self.namespace}
        places |= {"sync": "200ms", "clocks": CLOCKS}
        return CONFIG.format(**{**places, **changes})

    async def start(self, *texts: str) -> list[Pod]:
        """Have more pods, one for each of these configurations, and wait until they all serve."""
        begun = [
            await start_pod(f"pod-{number}", text, self.folder, self.http)
            for number, text in enumerate(texts, len(self.pods))
        ]
        self.pods += begun
        await asyncio.gather(*(pod.until_it_serves() for pod in begun))
        return begun

    async def until_all_are_seen(self) -> None:
        """Wait until every pod knows of every pod."""

        async def sees_all(pod: Pod) -> bool:
            return len((await pod.status())["store"]["pods"]) == len(self.pods)

        await self.until(sees_all)

    async def until(
        self, is_so: Callable[[Pod], Awaitable[bool]], pods: Iterable[Pod] = ()
    ) -> float:
        """Wait until it is so at all of `pods`, or at every pod. Returns the seconds it took."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        async with asyncio.timeout(PATIENCE_S):
            for pod in pods or self.pods:
                while not await is_so(pod):  # noqa: ASYNC110  it is another process
                    await asyncio.sleep(0.01)
        return loop.time() - began_s

    async def until_state(self, state: str, *pods: Pod) -> float:
        """Wait until the breaker of `first` is so at all of `pods`, or at every pod."""

        async def is_in_it(pod: Pod) -> bool:
            return bool((await pod.standing())["state"] == state)

        return await self.until(is_in_it, pods)

    async def until_all_follow(self) -> float:
        """Wait until the store's word stands at every pod."""

        async def follows(pod: Pod) -> bool:
            store = (await pod.status())["store"]
            return bool(store["up"] and not store["degraded"])

        return await self.until(follows)

    async def epochs(self) -> set[int]:
        """Of the breaker of `first`, as the pods know it."""
        return {(await pod.standing())["epoch"] for pod in self.pods}

    async def moves(self, **labels: str) -> float:
        """How many moves of the breaker of `first` the pods have counted, all together."""
        counts = [
            await pod.counted("breaker_transitions_total", provider="first", **labels)
            for pod in self.pods
        ]
        return sum(counts)


@asynccontextmanager
async def a_fleet(store: str, pods: int = 0, more: str = "") -> AsyncIterator[Fleet]:
    """So many pods at the store `store`, all alike; `more` is added to their configuration."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(ScriptedProvider("first"))
        second = await stack.enter_async_context(ScriptedProvider("second"))
        folder = Path(stack.enter_context(TemporaryDirectory()))
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        http = await stack.enter_async_context(
            aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        )
        fleet = Fleet(http, folder, store, first, second)
        stack.push_async_callback(_end, fleet)
        await fleet.start(*[fleet.text() + more] * pods)
        if pods:
            await fleet.until_all_are_seen()
        yield fleet


async def _end(fleet: Fleet) -> None:
    for pod in fleet.pods:
        if pod.process.returncode is None:
            pod.process.kill()
    await asyncio.gather(*(pod.process.wait() for pod in fleet.pods))
