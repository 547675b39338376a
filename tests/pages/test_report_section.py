"""The report on the status page, in a real browser."""

from __future__ import annotations

from tests.pages.chromium import Tab
from tests.pages.test_status_page import AXE, LONG, VIOLATIONS, fail, look_at, texts
from tests.stories.world import a_world


async def test_what_failover_gave_and_cost_is_shown_with_advice(tab: Tab) -> None:
    async with a_world(policy=LONG) as world:
        await world.chat(stream=True)
        await fail(world, calls=2)
        await look_at(tab, world)
        await tab.until("document.querySelectorAll('#lives tr').length === 2")

        first, second = [row.split("\t") for row in await texts(tab, "#lives tr")]
        assert first[:3] == ["first/first-model", "3", "33.33 %"]
        assert second[:3] == ["second/second-model", "2", "100 %"]
        told = dict(zip(await texts(tab, "#life dt"), await texts(tab, "#life dd"), strict=True))
        assert told["requests served"] == "3 of 3 (100 % of those that could be)"
        assert told["saved by failover"] == "2"
        assert told["extra spend"] == "not known; 20 tokens without a price"
        lines = await texts(tab, "#advice code")
        assert lines[0] == "prices: {first/first-model: {input: INPUT_USD, output: OUTPUT_USD}}"
        await tab.js(AXE)
        for scheme, width in (("light", 1280), ("dark", 1280), ("light", 360)):
            await tab.looks(scheme, width)
            assert await tab.js(VIOLATIONS) == [], (scheme, width)
            assert await tab.js("document.documentElement.scrollWidth") <= width
        assert tab.errors == []
