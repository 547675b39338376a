"""One of each kind of store, for the contract that all of them keep."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from sidecar.core.policies import Fleet
from sidecar.fleet.stores import open_store
from sidecar.fleet.stores.base import Store
from sidecar.fleet.stores.memory import MemoryStore
from tests.fleet.scene import FakeClock
from tests.fleet.stores import etcd_server

Maker = Callable[[FakeClock], AbstractAsyncContextManager[Store]]


@asynccontextmanager
async def memory(clock: FakeClock) -> AsyncIterator[Store]:
    yield MemoryStore(clock)


@asynccontextmanager
async def etcd(clock: FakeClock) -> AsyncIterator[Store]:
    fleet = Fleet(namespace=etcd_server.namespace(), op_timeout_s=2.0)  # the machine may be busy
    store = open_store(f"etcd://{etcd_server.shared().host}", fleet, clock)
    yield store
    await store.close()


MAKERS: dict[str, Maker] = {"memory": memory, "etcd": etcd}
