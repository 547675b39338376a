"""Two pods at a store elsewhere, in step with it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fleet.scene import DistantStore, FakeClock, Pod
from tests.fleet.test_lane import ENTRIES, Pods


@pytest.fixture
async def pods() -> AsyncIterator[Pods]:
    fleet = Pods()
    fleet.clock = FakeClock()
    fleet.store = DistantStore(fleet.clock)
    fleet.extend(Pod(fleet.clock, fleet.store, entries=ENTRIES, name=name) for name in "ab")
    for pod in fleet:
        await pod.breakers.open()
    await fleet.turn(2.5)
    yield fleet
    fleet.store.gate.set()
    for pod in fleet:
        await pod.breakers.close()
