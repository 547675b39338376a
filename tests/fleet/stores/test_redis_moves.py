"""The server that takes writes is another one now, and what names it may not say so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sidecar.core.events import State
from sidecar.core.record import Record
from sidecar.fleet.stores.base import StoreUnavailable
from tests.fleet.stores.makers import opened, service
from tests.fleet.stores.redis_server import HOST, RedisServer, wait_until

NEW = Record(name="gemini", epoch=1, state=State.OPEN, until_ms=5)
ONCE = replace(NEW, rev=1)


@pytest.fixture
def servers() -> Iterator[tuple[RedisServer, RedisServer]]:
    """Two that know nothing of each other."""
    both = RedisServer(), RedisServer()
    yield both
    for server in both:
        server.remove()


def demote(old: RedisServer, new: RedisServer) -> None:
    """Make a replica of `old`."""
    old.ask("REPLICAOF", HOST, new.port)
    wait_until(lambda: old.ask("INFO", "replication")["master_link_status"] == "up")


async def test_behind_a_service_the_new_primary_is_found_though_the_old_one_lives(
    servers: tuple[RedisServer, RedisServer],
) -> None:
    old, new = servers
    async with service(old.port) as front, opened(f"redis://{HOST}:{front.port}") as store:
        await store.cas(0, NEW)
        demote(old, new)
        front.to = new.port
        with pytest.raises(StoreUnavailable, match="read only replica"):
            await store.sync((), "a")

        assert (await store.cas(0, NEW)).record == ONCE
