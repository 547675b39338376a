"""A pod without a way out: the fleet's breakers never move, and it comes back to itself."""

from __future__ import annotations

import asyncio

from tests.fleet.stores import redis_server
from tests.live.line import a_line
from tests.live.load import a_load
from tests.live.measured import note
from tests.live.pods import Fleet, Pod, a_fleet

CALLS = 300
BREAKER = "breaker: {open_timeout: 1s}\n"


async def states(fleet: Fleet, provider: str) -> list[str]:
    return [(await pod.standing(provider))["state"] for pod in fleet.pods]


async def test_a_pod_whose_network_is_a_black_hole_moves_nobody_elses_breaker() -> None:
    async with (
        a_fleet(redis_server.shared().url) as fleet,
        a_line(fleet.first.port) as to_first,
        a_line(fleet.second.port) as to_second,
    ):
        ways = {
            "first": f"http://127.0.0.1:{to_first.port}/v1",
            "second": f"http://127.0.0.1:{to_second.port}/v1",
        }
        well = fleet.text() + BREAKER
        *others, bad = await fleet.start(well, well, well, fleet.text(**ways) + BREAKER)
        await fleet.until_all_are_seen()
        assert (await bad.chat()).code == 200

        to_first.silent = to_second.silent = True
        async with a_load(others, pause_s=0.01) as load:
            cut_off = await asyncio.gather(*(bad.chat() for _ in range(6)))
            await load.more(CALLS)

        assert {heard.attempts.partition(";")[2][:2] for heard in load.heard.values()} == {"ok"}
        assert {heard.code for heard in cut_off} <= {502, 503, 504}
        for provider in ("first", "second"):
            assert (await states(fleet, provider))[:-1] == ["closed"] * len(others)
        moves = [await pod.counted("breaker_transitions_total") for pod in others]
        assert moves == [0.0] * len(others)

        to_first.silent = to_second.silent = False

        async def is_served(pod: Pod) -> bool:
            return (await pod.chat()).code == 200

        await fleet.until(is_served)
        note("a pod is black-holed", f"{sum(moves):.0f} moves at {len(others)} others")
