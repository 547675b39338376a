"""A sidecar between a real client and scripted providers, all on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import openai

from sidecar.app import Sidecar
from sidecar.core.events import Event, RequestEnded
from sidecar.core.policies import BreakerPolicy, RetryPolicy, Timeouts
from sidecar.core.settings import Address, Entry, Limits, Provider, Route, Secret, Settings
from sidecar.dialects.presets import PRESETS
from sidecar.faults.provider import ScriptedProvider
from tests.stories.voices import openai_at

ANYWHERE = Address(host="127.0.0.1", port=0)
QUICK = Timeouts(
    connect_s=1.0, first_token_s=0.4, first_token_reasoning_s=0.8, answer_s=0.6, idle_s=0.3
)
# So that what was asked can be counted; others are told of in test_retries.py.
ONE_TRY = RetryPolicy(attempts=0)
ALL_OPENAI: Mapping[str, str] = {}
MODEL = "gpt-4o"
MODELS = {"gemini": "gemini-3-flash", "anthropic": "claude-haiku-5-5"}
MESSAGES: list[Any] = [{"role": "user", "content": "Say hello."}]
CHAT: dict[str, Any] = {"model": MODEL, "messages": MESSAGES}


@dataclass(slots=True)
class World:
    """What a story has at hand. `first` and `second` are the chain."""

    first: ScriptedProvider
    second: ScriptedProvider
    sidecar: Sidecar
    openai: openai.AsyncOpenAI
    http: aiohttp.ClientSession
    events: list[Event] = field(default_factory=list)

    @property
    def api(self) -> str:
        return f"http://{self.sidecar.api}"

    @property
    def admin(self) -> str:
        return f"http://{self.sidecar.admin}"

    async def chat(self, **fields: Any) -> aiohttp.ClientResponse:
        """One call without an SDK."""
        return await self.http.post(f"{self.api}/v1/chat/completions", json={**CHAT, **fields})

    async def state_of(self, provider: str) -> str:
        """What the status says of a breaker."""
        async with self.http.get(f"{self.admin}/status.json") as answer:
            providers = (await answer.json())["providers"]
        return str(next(one["state"] for one in providers if one["name"] == provider))

    def requests(self) -> list[RequestEnded]:
        """What was reported of whole requests so far."""
        return [event for event in self.events if isinstance(event, RequestEnded)]


def settings_for(
    *providers: ScriptedProvider,
    policy: BreakerPolicy | None = None,
    timeouts: Timeouts = QUICK,
    retry: RetryPolicy = ONE_TRY,
    models: tuple[str, ...] = ("*",),
    kinds: Mapping[str, str] = ALL_OPENAI,
    **changes: Any,
) -> Settings:
    """Settings with one route along `providers`, of kind openai unless `kinds` has their name."""
    known = tuple(
        Provider(
            name=one.name,
            kind=kinds.get(one.name, "openai"),
            cannot=PRESETS[kinds.get(one.name, "openai")].beyond,
            base_url=one.base_url,
            api_key=Secret(f"key-of-{one.name}"),
            breaker=policy or BreakerPolicy(),
            timeouts=timeouts,
            retry=retry,
        )
        for one in providers
    )
    chain = tuple(
        Entry(provider=one, model=model_of(one), timeouts=timeouts, cannot=one.cannot)
        for one in known
    )
    route = Route(models=models, chain=chain, total_s=timeouts.total_s)
    return Settings(
        **{
            "routes": (route,),
            "providers": known,
            "listen": ANYWHERE,
            "admin": ANYWHERE,
            "limits": Limits(request_body_bytes=256 * 1024),
            **changes,
        }
    )


def model_of(provider: Provider) -> str:
    """A name by which the dialects can tell what a model of its kind can do."""
    return MODELS.get(provider.kind, f"{provider.name}-model")


async def eventually(holds: Callable[[], bool], within_s: float = 5.0) -> None:
    """Return once `holds`; it is an error if it does not in time."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  what is watched lies outside of this loop's events
            await asyncio.sleep(0.005)


@asynccontextmanager
async def a_world(**changes: Any) -> AsyncIterator[World]:
    """Two providers, a sidecar in front, and clients to ask it. `changes` are those of settings."""
    async with a_world_of(lambda *providers: settings_for(*providers, **changes)) as world:
        yield world


@asynccontextmanager
async def a_world_of(
    settings_of: Callable[..., Settings], first: ScriptedProvider | None = None
) -> AsyncIterator[World]:
    """The same with whatever settings are made of the two providers."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(first or ScriptedProvider("first"))
        second = await stack.enter_async_context(ScriptedProvider("second"))
        events: list[Event] = []
        settings = settings_of(first, second)
        sidecar = await stack.enter_async_context(Sidecar(settings, reports=(events.append,)))
        client = openai_at(f"http://{sidecar.api}")
        stack.push_async_callback(client.close)
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield World(first, second, sidecar, client, http, events)
