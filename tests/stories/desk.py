"""The operator's desk: a sidecar made from a configuration file, and all that it lets be seen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from sidecar.app import Sidecar
from sidecar.config.loading import read_settings
from sidecar.faults.catalog import Effect, Fault
from sidecar.faults.fault import reply
from sidecar.faults.provider import ScriptedProvider
from sidecar.faults.speech import data
from sidecar.observe.logs import LogReporter
from tests.observe.logbook import Log, a_log
from tests.proxy.clouds import AheadClock
from tests.stories.world import CHAT

Json = dict[str, Any]

# One try each, so that what was asked can be counted; others are told of in test_retries.py.
ONE_TRY = "retry: {attempts: 0}\n"
LISTENERS = "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\n"
PAGES = (
    *("/metrics", "/status.json", "/status", "/status/rights", "/report.json"),
    *("/config", "/version", "/healthz", "/readyz"),
)
FIRST_AND_SECOND = ("first", "second")
NOTHING: Mapping[str, str] = {}
WORD: Json = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]}


class Heard(NamedTuple):
    """What an application heard."""

    code: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def attempts(self) -> list[str]:
        """Who was asked and what became of it, without the seconds."""
        told = self.headers["x-sidecar-attempts"].split(", ")
        return [one.rpartition(";")[0] for one in told]

    @property
    def everything(self) -> str:
        return f"{dict(self.headers)} {self.text}"


@dataclass(slots=True)
class Desk:
    """One sidecar, the providers behind it, and a clock that can be put forward."""

    providers: Mapping[str, ScriptedProvider]
    sidecar: Sidecar
    http: aiohttp.ClientSession
    clock: AheadClock
    log: Log

    def __getitem__(self, name: str) -> ScriptedProvider:
        return self.providers[name]

    async def ask(self, path: str, **fields: Any) -> Heard:
        """One call, by POST."""
        async with self.http.post(f"http://{self.sidecar.api}{path}", json=fields) as answer:
            return Heard(answer.status, answer.headers, await answer.text())

    async def chat(self, **fields: Any) -> Heard:
        """One chat completion."""
        return await self.ask("/v1/chat/completions", **{**CHAT, **fields})

    async def page(self, path: str) -> str:
        """A page of the admin listener."""
        async with self.http.get(f"http://{self.sidecar.admin}{path}") as answer:
            assert answer.status == 200
            return await answer.text()

    async def standing(self, provider: str) -> Json:
        """What the status says of a provider."""
        providers: list[Json] = json.loads(await self.page("/status.json"))["providers"]
        return next(one for one in providers if one["name"] == provider)

    async def counted(self, metric: str, **labels: str) -> float:
        """The sum of a metric's series that have these labels."""
        lines = (await self.page("/metrics")).splitlines(keepends=True)
        own = "".join(line for line in lines if line.startswith(f"llm_failover_{metric}{{"))
        samples = [
            sample
            for family in text_string_to_metric_families(own)
            for sample in family.samples
            if labels.items() <= sample.labels.items()
        ]
        assert samples, f"no series of {metric} with {labels}"
        return sum(sample.value for sample in samples)

    def logged(self, message: str) -> list[Json]:
        """The log's lines with that message."""
        return [line for line in self.log.lines if line["msg"] == message]

    async def shown(self) -> str:
        """Everything that the sidecar says of itself."""
        requests = json.loads(await self.page("/status.json"))["requests"]
        single = [f"/status/request?id={one['id']}" for one in requests]
        return "\n".join([*[await self.page(path) for path in (*PAGES, *single)], self.log.text])


@asynccontextmanager
async def a_desk(
    text: str, *names: str, environ: Mapping[str, str] = NOTHING, retry: str = ONE_TRY
) -> AsyncIterator[Desk]:
    """A sidecar of the file `text`, in which `${FIRST}` stands for the address of `first`.

    `names` are those of the scripted providers; `environ` is more that the file may refer to.
    """
    async with AsyncExitStack() as stack:
        providers = {
            name: await stack.enter_async_context(ScriptedProvider(name))
            for name in names or FIRST_AND_SECOND
        }
        addresses = {name.upper(): one.base_url for name, one in providers.items()}
        settings = read_settings(LISTENERS + retry + text, "sidecar.yaml", {**addresses, **environ})
        log, clock = stack.enter_context(a_log()), AheadClock()
        sidecar = Sidecar(settings, reports=(LogReporter(log.handler, clock).report,), clock=clock)
        await stack.enter_async_context(sidecar)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Desk(providers, sidecar, http, clock, log)


def speaks(*events: Json) -> Fault:
    """A stream of these events, and nothing after them."""
    script = reply(200, b"".join(map(data, events)), "text/event-stream", {})
    return Fault("speaks", "says just this", Effect.FAILS_OVER, script)
