"""The store freezes, slows down, dies, comes back empty: no call waits, none is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import pytest

from sidecar.faults.catalog import status
from tests.live.line import Line, a_line
from tests.live.load import a_load
from tests.live.measured import note, quantile
from tests.live.pods import OP_TIMEOUT_S, Fleet, Pod, a_fleet
from tests.live.shelves import SHELVES, Shelf

PODS = 3
AGREE_S = 5.0  # 3 s are promised, on a machine that does nothing else
CALLS = 200
SLOW_S = 2.0


class Trouble(NamedTuple):
    """What befalls a store, and what ends it."""

    begin: Callable[[Shelf, Line], None]
    end: Callable[[Shelf, Line], None]


def slow_down(_: Shelf, line: Line) -> None:
    line.delay_s = SLOW_S


def speed_up(_: Shelf, line: Line) -> None:
    line.delay_s = 0.0


TROUBLES = {
    "frozen": Trouble(lambda shelf, _: shelf.freeze(), lambda shelf, _: shelf.thaw()),
    "slow": Trouble(slow_down, speed_up),
    "back empty": Trouble(lambda shelf, _: shelf.stop(), lambda shelf, _: shelf.start()),
}


async def is_alone(pod: Pod) -> bool:
    return bool((await pod.status())["store"]["degraded"])


async def until_all_agree(fleet: Fleet) -> float:
    """Wait until the store's word stands everywhere, and is the same. Returns the seconds."""
    began_s = asyncio.get_running_loop().time()
    async with asyncio.timeout(20):
        await fleet.until_all_follow()
        while len(await fleet.epochs()) > 1:  # noqa: ASYNC110  they are other processes
            await asyncio.sleep(0.01)
    return asyncio.get_running_loop().time() - began_s


class Lived(NamedTuple):
    """What became of the calls: seconds each, and how often one was asked, if not once."""

    before_s: list[float]
    during_s: list[float]
    codes: set[int]
    not_once: dict[str, int]
    found_out_alone: float
    agree_s: float


async def live_through(trouble: str, kind: str) -> Lived:
    """One outage of a store of that kind."""
    begin, end = TROUBLES[trouble]
    with SHELVES[kind]() as shelf:
        async with (
            a_line(shelf.port) as line,
            a_fleet(shelf.url.replace(str(shelf.port), str(line.port)), PODS) as fleet,
            a_load(fleet.pods) as load,
        ):
            before_s = await load.more(CALLS)
            await asyncio.to_thread(begin, shelf, line)
            during_s = await load.more(CALLS)
            await fleet.until(is_alone)
            during_s += await load.more(CALLS)
            not_once = load.not_asked_once(fleet.first, fleet.second)
            fleet.first.plays(status(503))
            await fleet.until_state("open")
            found_out_alone = await fleet.moves(to_state="open", origin="self")
            await asyncio.to_thread(end, shelf, line)
            agree_s = await until_all_agree(fleet)
            await fleet.until_state("open")
    codes = {heard.code for heard in load.heard.values()}
    return Lived(before_s, during_s, codes, not_once, found_out_alone, agree_s)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_no_call_waits_for_the_store_and_all_agree_when_it_is_back(trouble: str) -> None:
    lives = await asyncio.gather(*(live_through(trouble, kind) for kind in SHELVES))

    for kind, lived in zip(SHELVES, lives, strict=True):
        assert not lived.not_once
        assert lived.codes == {200}
        assert max(lived.during_s) < max(OP_TIMEOUT_S, *lived.before_s)
        assert lived.found_out_alone == PODS
        assert lived.agree_s < AGREE_S
        before_ms, during_ms = (1000 * quantile(s, 0.99) for s in (lived.before_s, lived.during_s))
        note(
            f"{kind} {trouble}",
            f"request p99 {before_ms:.0f} ms before and {during_ms:.0f} ms without it;"
            f" all agree {lived.agree_s:.1f} s after its return",
        )
