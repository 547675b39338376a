"""One of each kind of store, for the contract that all of them keep."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sidecar.fleet.stores.base import Store
from sidecar.fleet.stores.memory import MemoryStore
from tests.fleet.scene import FakeClock

Maker = Callable[[FakeClock], AbstractAsyncContextManager[Store]]


@asynccontextmanager
async def memory(clock: FakeClock) -> AsyncIterator[Store]:
    yield MemoryStore(clock)


MAKERS: dict[str, Maker] = {"memory": memory}
