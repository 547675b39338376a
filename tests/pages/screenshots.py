"""Makes the pictures of the status page in docs/ anew: `python -m tests.pages.screenshots`.

What is seen is a real sidecar after a quarter of an hour of calls to scripted providers, of which
one fails in the end; only the clock is put forward.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from sidecar.app import Sidecar
from sidecar.core.policies import BreakerPolicy
from sidecar.core.settings import Entry, Provider, Route, Settings
from sidecar.faults.catalog import ok, status
from sidecar.faults.provider import ScriptedProvider
from sidecar.observe.traffic import SLICE_S, SLICES
from tests.pages.chromium import Tab, a_browser, a_tab
from tests.proxy.clouds import AheadClock
from tests.stories.world import ANYWHERE, CHAT

DOCS = Path(__file__).parent.parent.parent / "docs"
MODELS = {
    "gemini": "gemini-3-flash",
    "anthropic": "claude-haiku-5-5",
    "huggingface": "Llama-3.3-70B",
}
FIRST_S = {"gemini": 0.04, "anthropic": 0.07, "huggingface": 0.09}
POLICY = BreakerPolicy(failure_threshold=3, open_timeout_s=60.0)
OUTAGE = 12  # slices from the end
WIDTH = 1180


def settings_for(players: list[ScriptedProvider]) -> Settings:
    """Two routes: a long chain, and a short one that begins elsewhere."""
    known = {
        one.name: Provider(name=one.name, kind="openai", base_url=one.base_url, breaker=POLICY)
        for one in players
    }
    chain = [Entry(provider=known[name], model=model) for name, model in MODELS.items()]
    return Settings(
        providers=tuple(known.values()),
        routes=(
            Route(models=("gpt-4o*", "smart"), chain=tuple(chain)),
            Route(models=("*",), chain=(chain[2], chain[0])),
        ),
        listen=ANYWHERE,
        admin=ANYWHERE,
    )


async def call(http: aiohttp.ClientSession, api: str, number: int) -> None:
    """One call of an application; some are for the second route."""
    body = {**CHAT, "stream": True, "model": "cheap" if number % 4 == 0 else "gpt-4o"}
    headers = {"x-request-id": f"order-{number}"}
    async with http.post(f"{api}/v1/chat/completions", json=body, headers=headers) as answer:
        await answer.read()


async def live_a_while(players: list[ScriptedProvider], api: str, clock: AheadClock) -> None:
    """A quarter of an hour in which the load rises and falls, and then gemini fails."""
    number = 4100
    async with aiohttp.ClientSession() as http:
        for slice_ in range(SLICES):
            for player in players:
                slower = [1 + (slice_ * 3 + one * 7) % 11 / 12 for one in range(12)]
                first_s = [FIRST_S[player.name] * factor for factor in slower]
                player.plays(*[ok(first_after_s=one, delay_s=0.002) for one in first_s])
            if slice_ >= SLICES - OUTAGE:
                players[0].plays(status(503))
            calls = 4 + (slice_ * 5 % 7) + slice_ // 15
            if slice_ == SLICES - OUTAGE:
                for _ in range(3):
                    await call(http, api, number := number + 1)
            await asyncio.gather(*[call(http, api, number + one) for one in range(1, calls)])
            number += calls
            clock.ahead_s += SLICE_S
        await call(http, api, number)
        clock.ahead_s += SLICE_S


async def take(tab: Tab, admin: str) -> None:
    """The pictures: all of the page in light, its beginning in dark."""
    await tab.goto(f"{admin}/status")
    await tab.until("document.querySelectorAll('#requests .link').length > 0")
    await tab.js(
        "[...document.querySelectorAll('#failovers .link')].at(-1).click(), "
        "document.activeElement.blur()"
    )
    await tab.until("document.querySelectorAll('#request tbody tr').length > 1")
    await tab.js("document.activeElement.blur()")
    for scheme, most in (("light", 5000), ("dark", 900)):
        await tab.looks(scheme, WIDTH)
        height = await tab.js("document.documentElement.scrollHeight")
        await tab.looks(scheme, WIDTH, min(height, most))
        (DOCS / f"status-{scheme}.png").write_bytes(await tab.picture())


async def main(devtools: str) -> None:
    """Set the stage, live, and take the pictures."""
    async with AsyncExitStack() as stack:
        players = [await stack.enter_async_context(ScriptedProvider(name)) for name in MODELS]
        clock = AheadClock()
        sidecar = await stack.enter_async_context(Sidecar(settings_for(players), clock=clock))
        await live_a_while(players, f"http://{sidecar.api}", clock)
        await take(await stack.enter_async_context(a_tab(devtools)), f"http://{sidecar.admin}")


if __name__ == "__main__":
    with TemporaryDirectory() as profile, a_browser(Path(profile)) as address:
        asyncio.run(main(address))
