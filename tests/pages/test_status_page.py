"""The status page in a real browser, in front of a real sidecar that goes through an outage."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from sidecar.core.policies import BreakerPolicy, Fleet
from sidecar.core.settings import Secret
from sidecar.faults.catalog import ok, status
from sidecar.proxy.admin import Admin
from sidecar.proxy.feed import MAX_LISTENERS
from tests.pages.chromium import ZONE, Tab
from tests.stories.world import CHAT, World, a_world

AXE = (Path(__file__).parent.parent / "vendor" / "axe-core" / "axe.min.js").read_text()
VIOLATIONS = "axe.run().then(all => all.violations.map(one => [one.id, one.nodes[0].html]))"
TOKEN = "open sesame"
ELSEWHERE = "10.0.0.7"

QUICK = BreakerPolicy(failure_threshold=3, success_threshold=2, open_timeout_s=2.0)
LONG = BreakerPolicy(failure_threshold=3, open_timeout_s=600.0)


async def look_at(tab: Tab, world: World) -> None:
    """Open the page, and wait until it is live."""
    await tab.goto(f"{world.admin}/status")
    await tab.until("document.getElementById('live').textContent === 'live'")


async def fail(world: World, calls: int = 3) -> None:
    """The first provider is in trouble, and the application calls."""
    world.first.plays(status(503))
    for _ in range(calls):
        assert (await world.chat(stream=True)).status == 200


async def headline(tab: Tab, pattern: str) -> str:
    """The sentence once it is like `pattern`."""
    regex = "/" + pattern.replace("/", r"\/") + "/"
    await tab.until(f"{regex}.test(document.getElementById('headline').textContent)")
    return str(await tab.js("document.getElementById('headline').textContent"))


async def texts(tab: Tab, selector: str) -> list[str]:
    """What is written in the elements."""
    all_texts = f"[...document.querySelectorAll('{selector}')].map(one => one.innerText)"
    return list(await tab.js(all_texts))


async def chain(tab: Tab) -> list[str]:
    """The places of the first route after the application, each by its role and its state."""
    seats = "[...document.querySelectorAll('.route:first-child li')].slice(1)"
    told = f"{seats}.map(one => `${{one.className}}: ${{one.querySelector('.word').textContent}}`)"
    return list(await tab.js(told))


async def bars(tab: Tab, kind: str) -> list[int]:
    """How many bars of a kind each provider's plots show."""
    cards = "[...document.querySelectorAll('article')]"
    return list(await tab.js(f"{cards}.map(one => one.querySelectorAll('{kind}').length)"))


async def click(tab: Tab, name: str) -> None:
    """Press the button that is called so, by keyboard."""
    button = (
        "[...document.querySelectorAll('button')]"
        f".find(one => (one.ariaLabel || one.textContent) === '{name}' && one.checkVisibility())"
    )
    await tab.until(f"{button} !== undefined")
    await tab.js(f"{button}.focus()")
    await tab.press("Enter")


async def buttons(tab: Tab) -> list[str]:
    """What can be done to providers."""
    found = "[...document.querySelectorAll('article button')]"
    return list(await tab.js(f"{found}.map(one => one.ariaLabel)"))


async def provider(world: World, name: str) -> dict[str, Any]:
    """What the status says of a provider."""
    async with world.http.get(f"{world.admin}/status.json") as answer:
        providers = (await answer.json())["providers"]
    return next(one for one in providers if one["name"] == name)


async def test_an_outage_is_seen_from_its_first_failover_to_its_end(tab: Tab) -> None:
    async with a_world(policy=QUICK) as world:
        await look_at(tab, world)
        await world.chat(stream=True)
        assert await headline(tab, "first is serving") == "first is serving."
        assert await chain(tab) == ["served: serving", "spare: ready"]
        await tab.until("document.querySelectorAll('.plot .middle').length === 1")

        await fail(world)
        told = await headline(tab, "next probe in")
        since = datetime.fromtimestamp((await provider(world, "first"))["away_since"], ZONE)
        assert re.fullmatch(
            rf"second is serving since {since:%H:%M}\. "
            r"first is open \(503 ×3\), next probe in [12] s\.",
            told,
        )
        assert await chain(tab) == ["passed: open", "served: serving"]
        assert await bars(tab, ".errors") == [1, 0]
        assert await bars(tab, ".middle") == [1, 1]
        reasons = await texts(tab, "#failovers tbody td:last-child")
        assert reasons == ["overloaded"] * 3
        assert (await tab.js("document.title")).startswith("▲ second is serving")

        world.first.plays("ok")
        await headline(tab, "first is open .*, the next call probes")
        await world.chat()
        await headline(tab, "second is serving since .* first is half open, being probed")
        await world.chat()
        await headline(tab, r"^first is serving since \d\d:\d\d\.$")
        assert await chain(tab) == ["served: serving", "spare: ready"]
        assert tab.errors == []


async def test_a_request_is_shown_as_a_waterfall_by_its_id(tab: Tab) -> None:
    async with a_world() as world:
        world.first.plays(status(503))
        world.second.plays(ok(first_after_s=0.1))
        async with world.http.post(
            f"{world.api}/v1/chat/completions",
            json={**CHAT, "stream": True},
            headers={"x-request-id": "order.17"},
        ) as answer:
            await answer.read()
        await look_at(tab, world)

        await tab.js("document.getElementById('find-id').focus()")
        await tab.type("order.17")
        await tab.press("Enter")
        await tab.until("document.querySelectorAll('#request tbody tr').length === 3")

        assert await texts(tab, "#request tbody th") == ["request", "first", "second"]
        assert await texts(tab, "#request tbody td:nth-child(2)") == [
            *("failover success", "overloaded (503)", "ok (200)"),
        ]
        bar = "[...document.querySelectorAll('#request .bar rect:nth-child(2)')]"
        whole, first, second = await tab.js(f"{bar}.map(one => Number(one.getAttribute('x')))")
        assert whole <= first < second
        assert await tab.js("location.hash") == "#request=order.17"
        assert tab.errors == []


async def test_a_breaker_is_held_with_a_reason_for_a_while_and_released(tab: Tab) -> None:
    async with a_world() as world:
        await look_at(tab, world)

        await click(tab, "Hold first")
        await tab.until("document.getElementById('change').open")
        await tab.js("document.getElementById('hold-reason').focus()")
        await tab.type("new keys")
        await tab.press("Enter")
        await headline(tab, "first is held open .new keys., for another 15 min")

        held = (await provider(world, "first"))["held"]
        assert (held["mode"], held["reason"]) == ("open", "new keys")
        assert await world.state_of("first") == "open"
        await click(tab, "Release first")
        await click(tab, "Release")
        await headline(tab, "^first is serving")
        assert (await provider(world, "first"))["held"] is None
        assert tab.errors == []


async def test_a_hold_without_a_reason_is_not_sent(tab: Tab) -> None:
    async with a_world() as world:
        await look_at(tab, world)

        await click(tab, "Hold first")
        await click(tab, "Hold")

        assert await tab.js("document.querySelector('#hold-reason:invalid') !== null")
        assert await tab.js("document.getElementById('change').open")
        assert (await provider(world, "first"))["held"] is None


async def test_a_breaker_is_reset(tab: Tab) -> None:
    async with a_world(policy=LONG) as world:
        await look_at(tab, world)
        await fail(world)
        await headline(tab, "first is open")

        await click(tab, "Reset first")
        await click(tab, "Reset")

        await headline(tab, "^first is serving since")
        assert await world.state_of("first") == "closed"
        assert tab.errors == []


async def test_the_focus_stays_while_the_page_goes_on(tab: Tab) -> None:
    async with a_world() as world:
        await fail(world, calls=1)
        await look_at(tab, world)
        await tab.until("document.querySelectorAll('#requests .link').length === 1")
        await tab.js("document.querySelector('#requests .link').focus()")

        await fail(world, calls=2)
        await tab.until("document.querySelectorAll('#requests .link').length === 3")

        assert await tab.js("document.activeElement.closest('tr').rowIndex") == 3


async def test_from_elsewhere_nothing_can_be_changed_without_the_token(
    tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = Admin.handle

    async def from_elsewhere(admin: Admin, request: web.BaseRequest) -> web.StreamResponse:
        return await handle(admin, request.clone(remote=ELSEWHERE))

    monkeypatch.setattr(Admin, "handle", from_elsewhere)
    async with a_world(admin_token=Secret(TOKEN)) as world:
        await look_at(tab, world)
        await tab.until("!document.getElementById('rights').hidden")
        assert await buttons(tab) == []

        for typed, done in (("wrong", False), (TOKEN, True)):
            await click(tab, "Enter admin token") if not done else None
            await tab.js("document.getElementById('token-value').select()")
            await tab.type(typed)
            await tab.press("Enter")
            await tab.until(f"document.getElementById('token').open === {str(not done).lower()}")
        await tab.until("document.querySelectorAll('article button').length > 0")

        assert await buttons(tab) == ["Hold first", "Reset first", "Hold second", "Reset second"]
        await click(tab, "Hold first")
        await tab.js("document.getElementById('hold-reason').focus()")
        await tab.type("from afar")
        await tab.press("Enter")
        await headline(tab, "first is held open .from afar.")
        assert tab.errors == []


async def test_where_too_many_listen_the_page_asks_instead(tab: Tab) -> None:
    async with a_world() as world, AsyncExitStack() as stack:
        for _ in range(MAX_LISTENERS):
            await stack.enter_async_context(world.http.get(f"{world.admin}/status/events"))

        await tab.goto(f"{world.admin}/status")
        await tab.until("document.getElementById('live').textContent === 'live, every 2 s'")
        await fail(world)

        assert await headline(tab, "first is open")


async def test_a_page_that_nobody_sees_listens_no_more(tab: Tab) -> None:
    hide = "Object.defineProperty(document, 'hidden', {{value: {}, configurable: true}})"
    changed = "document.dispatchEvent(new Event('visibilitychange'))"
    async with a_world() as world, AsyncExitStack() as stack:
        await look_at(tab, world)
        for _ in range(MAX_LISTENERS - 1):
            await stack.enter_async_context(world.http.get(f"{world.admin}/status/events"))

        async def may_listen() -> bool:
            async with world.http.get(f"{world.admin}/status/events") as answer:
                return answer.status == 200

        assert not await may_listen()
        await tab.js(f"{hide.format('true')}, {changed}")
        async with asyncio.timeout(5.0):
            while not await may_listen():  # noqa: ASYNC110  a peer's doing
                await asyncio.sleep(0.01)
        await fail(world)
        await tab.js(f"{hide.format('false')}, {changed}")

        assert await headline(tab, "first is open")
        assert tab.errors == []


async def test_a_sidecar_that_is_gone_is_told_as_such(tab: Tab) -> None:
    async with a_world() as world:
        await look_at(tab, world)

    await tab.until("!document.getElementById('lost').hidden")

    assert "No answer from the sidecar since" in await tab.js("document.body.innerText")


async def test_a_pod_that_decides_alone_says_so(tab: Tab) -> None:
    async with a_world(store="redis://127.0.0.1:1/0", fleet=Fleet(sync_s=0.1)) as world:
        await look_at(tab, world)

        await tab.until("!document.getElementById('alone').hidden")

        assert "deciding alone" in await tab.js("document.getElementById('alone').textContent")
        assert "reachable\nno" in "\n".join(await texts(tab, "#store"))
        assert tab.errors == []


async def test_everybody_can_use_it(tab: Tab) -> None:
    async with a_world(policy=LONG) as world:
        await fail(world, calls=4)
        await look_at(tab, world)
        await headline(tab, "first is open")
        await tab.js(AXE)
        await tab.js("document.querySelector('#requests .link').click()")
        await tab.until("document.querySelectorAll('#request tbody tr').length > 1")

        for scheme, width in (("light", 1280), ("dark", 1280), ("light", 360)):
            await tab.looks(scheme, width)
            assert await tab.js(VIOLATIONS) == [], (scheme, width)
            assert await tab.js("document.documentElement.scrollWidth") <= width
        for scheme in ("light", "dark"):
            await tab.looks(scheme)
            await click(tab, "Hold second")
            assert await tab.js(VIOLATIONS) == [], f"dialog, {scheme}"
            await tab.press("Escape")
        assert tab.errors == []


async def test_axe_finds_what_is_wrong(tab: Tab) -> None:
    async with a_world() as world:
        await look_at(tab, world)
        await tab.js(AXE)
        await tab.js("document.querySelector('label').remove()")

        assert [one for one, _ in await tab.js(VIOLATIONS)] == ["label"]


async def test_nothing_that_a_caller_says_becomes_markup(tab: Tab) -> None:
    async with a_world() as world:
        name = "<img src=x onerror=alert(1)>"
        async with world.http.post(
            f"{world.admin}/-/breakers/first/hold", json={"mode": "open", "reason": name}
        ) as answer:
            assert answer.status == 200
        await look_at(tab, world)
        await headline(tab, "<img src=x")

        assert await tab.js("document.querySelectorAll('img').length") == 0
        assert tab.errors == []
