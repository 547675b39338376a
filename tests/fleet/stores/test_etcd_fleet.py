"""A fleet whose clocks are minutes apart, on a real etcd: who goes when is seen by a true clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from sidecar.core.outcome import SkipReason
from sidecar.core.permit import Permit
from sidecar.core.policies import Fleet
from sidecar.fleet.stores import open_store
from tests.fleet.scene import DOWN, OK, FakeClock, Pod, entry, with_policy
from tests.fleet.stores import etcd_server

OPEN_S = 0.7
POLICY = with_policy(open_timeout_s=OPEN_S)
MINUTES_APART_S = (0.0, 300.0, -420.0)


class Skewed(FakeClock):
    """The machine's clock, but for a belief of its own about the date, and another origin."""

    def __init__(self, ahead_s: float) -> None:
        super().__init__()
        self.ahead_s = ahead_s
        self._origin_s = 10_000 - 3 * ahead_s

    def monotonic(self) -> float:
        return time.monotonic() + self._origin_s

    def unix(self) -> float:
        return time.time() + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@pytest.fixture
async def pods() -> AsyncIterator[list[Pod]]:
    fleet = Fleet(namespace=etcd_server.namespace())
    where = f"etcd://{etcd_server.shared().host}"
    async with AsyncExitStack() as stack:
        pods = []
        for number, ahead_s in enumerate(MINUTES_APART_S):
            clock = Skewed(ahead_s)
            store = open_store(where, fleet, clock)
            pod = Pod(clock, store, [entry(policy=POLICY)], f"pod-{number}")
            stack.push_async_callback(pod.breakers.close)
            await pod.breakers.open()
            pods.append(pod)
        await asyncio.sleep(0.3)  # until everybody watches
        yield pods


@pytest.mark.parametrize("accuser", [0, 1, 2], ids=["true", "ahead", "behind"])
async def test_no_probe_comes_before_its_time_and_the_fleet_recovers(
    pods: list[Pod], accuser: int
) -> None:
    for _ in range(3):
        pods[accuser].call(DOWN)
    tripped_s = time.monotonic()
    await until(lambda: all(pod.refused() is SkipReason.OPEN for pod in pods))
    for pod in pods:
        assert isinstance(pod.clock, Skewed)
        pod.clock.ahead_s *= -2  # it steps

    good = 0
    first_s = 0.0
    while good < 2:
        assert time.monotonic() < tripped_s + OPEN_S + 3.0, "it does not recover"
        for pod in pods:
            permit = pod.admit()
            if isinstance(permit, Permit):
                first_s = first_s or time.monotonic()
                good += 1
                pod.breakers.settle(permit, OK)
        await asyncio.sleep(0.002)

    assert first_s >= tripped_s + OPEN_S
    await until(lambda: all(pod.refused() is None for pod in pods))
    moves = [move for pod in pods for move in pod.moves if move.endswith(" self")]
    assert sorted(moves) == [
        "closed>open failures self",
        "half_open>closed probes_succeeded self",
        "open>half_open open_timeout self",
    ]


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(2.0):
        while not happened():  # noqa: ASYNC110  no event tells of it
            await asyncio.sleep(0.002)
