"""Sentinels and a Cluster: the server that takes writes is found, and found again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from secrets import token_hex
from unittest.mock import ANY

import pytest
import redis

from sidecar.core.events import State
from sidecar.core.record import Record
from sidecar.fleet.stores.base import Lost, Store, StoreUnavailable, Swap
from tests.fleet.stores.makers import answering, opened
from tests.fleet.stores.redis_server import (
    HOST,
    RedisServer,
    cluster,
    free_port,
    sentinel_of,
    shared,
    wait_until,
)

NEW = Record(name="gemini", epoch=1, state=State.OPEN, until_ms=5)
ONCE = replace(NEW, rev=1)


@pytest.fixture
def pair() -> Iterator[tuple[RedisServer, RedisServer]]:
    """A primary and its replica."""
    primary, replica = (RedisServer("--repl-diskless-sync-delay", "0") for _ in range(2))
    replica.ask("REPLICAOF", HOST, primary.port)
    wait_until(lambda: replica.ask("INFO", "replication")["master_link_status"] == "up")
    yield primary, replica
    for server in (primary, replica):
        server.remove()


@pytest.fixture
def sentinel(pair: tuple[RedisServer, RedisServer]) -> Iterator[RedisServer]:
    """One that knows both."""
    watcher = sentinel_of(pair[0])
    wait_until(lambda: watcher.ask("SENTINEL REPLICAS", "mymaster"))
    yield watcher
    watcher.remove()


@pytest.fixture(scope="module")
def calm() -> Iterator[RedisServer]:
    """A Sentinel that sees no failure."""
    watcher = sentinel_of(shared())
    yield watcher
    watcher.remove()


# Sentinels


async def test_a_new_primary_is_found_when_the_old_one_dies(
    pair: tuple[RedisServer, RedisServer], sentinel: RedisServer
) -> None:
    async with opened(at_sentinels(sentinel), op_timeout_s=0.25) as store:
        await store.cas(0, NEW)
        wait_until(lambda: has_all_of(*pair))
        pair[0].stop()
        swap, failures = await written(store, 1)

    assert (swap.done, swap.record) == (True, replace(NEW, rev=2))
    assert failures


async def test_a_primary_that_was_demoted_is_left(
    pair: tuple[RedisServer, RedisServer], sentinel: RedisServer
) -> None:
    old, new = pair
    async with opened(at_sentinels(sentinel), op_timeout_s=0.25) as store:
        await store.cas(0, NEW)
        wait_until(lambda: has_all_of(old, new))
        wait_until(lambda: fails_over(sentinel))
        wait_until(lambda: not is_replica(new))
        old.ask("REPLICAOF", HOST, new.port)  # the Sentinel would, some seconds later
        wait_until(lambda: primary_by(sentinel) == new.port)

        assert await written(store, 1) == (ANY, 1)
        async with aclosing(changes_of(store)) as changes:
            assert await anext(changes) == Lost()
            await store.cas(2, NEW)
            assert await anext(changes) == replace(NEW, rev=3)


async def test_sentinels_that_are_gone_or_silent_do_not_matter(
    calm: RedisServer,
) -> None:
    async with answering(b"") as silent_port:
        url = f"redis+sentinel://{HOST}:{free_port()},{HOST}:{silent_port},{HOST}:{calm.port}"
        async with opened(f"{url}/mymaster", op_timeout_s=0.25) as store:
            assert (await store.cas(0, NEW)).record == ONCE


async def test_a_sentinel_that_wants_a_password_gets_it(calm: RedisServer) -> None:
    calm.ask("ACL SETUSER", "watcher", "on", ">s3cret", "+sentinel|get-master-addr-by-name")
    login = "sentinel_user=watcher&sentinel_password="

    async with opened(f"{at_sentinels(calm)}?{login}s3cret") as store:
        assert (await store.cas(0, NEW)).done
    async with opened(f"{at_sentinels(calm)}?{login}s3crot") as store:
        with pytest.raises(StoreUnavailable, match="invalid username-password") as told:
            await store.sync((), "a")
    assert "s3crot" not in str(told.value)


async def test_a_database_is_chosen_behind_sentinels(calm: RedisServer) -> None:
    namespace = token_hex(8)
    async with (
        opened(f"{at_sentinels(calm)}/1", namespace) as store,
        opened(f"{shared().url}/1", namespace) as direct,
    ):
        await store.cas(0, NEW)

        assert (await direct.sync(["gemini"], "a")).records == (ONCE,)


async def test_a_service_that_no_sentinel_knows_is_named(calm: RedisServer) -> None:
    async with opened(f"redis+sentinel://{HOST}:{calm.port}/other") as store:
        with pytest.raises(StoreUnavailable, match="does not know the service other"):
            await store.sync((), "a")
        with pytest.raises(StoreUnavailable, match="does not know the service other"):
            await anext(store.changes())


# A Cluster


@pytest.mark.parametrize("number", range(3))
async def test_from_any_node_the_right_one_is_found(number: int) -> None:
    async with opened(at_cluster(cluster()[number])) as store:
        for name in ("gemini", "anthropic", "openai"):
            assert (await store.cas(0, replace(NEW, name=name))).done

        assert len((await store.sync(("gemini", "anthropic", "openai"), "a")).records) == 3


async def test_the_right_node_is_asked_from_then_on() -> None:
    namespace = token_hex(8)
    owner, other, _ = by_slot_of(namespace)
    async with opened(at_cluster(other), namespace) as store:
        await store.sync((), "a")
        for node in cluster():
            node.ask("CONFIG RESETSTAT")
        for _ in range(5):
            await store.sync((), "a")

    assert [node.count().get("evalsha", 0) for node in (owner, other)] == [5, 0]


@pytest.mark.parametrize("listens_at", range(3))
async def test_a_change_is_heard_at_any_node(listens_at: int) -> None:
    namespace = token_hex(8)
    async with (
        opened(at_cluster(cluster()[listens_at]), namespace) as store,
        opened(at_cluster(*cluster()), namespace) as other,
        aclosing(changes_of(store)) as changes,
    ):
        assert await anext(changes) == Lost()
        await other.cas(0, NEW)

        assert await anext(changes) == ONCE


async def test_nodes_that_are_gone_or_silent_are_passed_over() -> None:
    async with answering(b"") as silent_port:
        url = f"redis+cluster://{HOST}:{free_port()},{HOST}:{silent_port},{HOST}:"
        async with opened(f"{url}{cluster()[0].port}", op_timeout_s=0.25) as store:
            swap, failures = await written(store, 0)

    assert swap.done
    assert failures == 2


async def test_a_node_where_who_asks_gave_up_is_passed_over() -> None:
    async with (
        answering(b"") as silent_port,
        opened(f"redis+cluster://{HOST}:{silent_port},{HOST}:{cluster()[0].port}") as store,
    ):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(store.sync((), "a"), 0.1)

        assert (await store.sync((), "a")).pods == ("a",)


@pytest.mark.parametrize("namespace", ["}", "{}", "a}b{c", "ü /\r\n"])
async def test_any_namespace_stays_on_one_node(namespace: str) -> None:
    async with opened(at_cluster(*cluster()), namespace) as store:
        assert (await store.sync(("gemini", "openai"), "a")).pods == ("a",)


async def test_a_redirection_without_a_host_stays_with_the_host() -> None:
    async with cluster_saying(f"MOVED 1 :{shared().port}") as store:
        assert (await store.cas(0, NEW)).done


async def test_a_redirection_is_followed_once() -> None:
    async with cluster_saying(f"MOVED 1 {HOST}:{{port}}") as store:
        with pytest.raises(StoreUnavailable):
            await store.sync((), "a")


@pytest.mark.parametrize("said", ["ASK 1 127.0.0.1:1", "CLUSTERDOWN The cluster is down"])
async def test_a_cluster_that_cannot_serve_is_unavailable(said: str) -> None:
    async with cluster_saying(said) as store:
        with pytest.raises(StoreUnavailable):
            await store.sync((), "a")


async def written(store: Store, seen_rev: int) -> tuple[Swap, int]:
    """The first write that was confirmed, and how many were not."""
    ends_s = time.monotonic() + 15
    failures = 0
    while True:
        try:
            return await store.cas(seen_rev, NEW), failures
        except StoreUnavailable:
            failures += 1
            assert time.monotonic() < ends_s
            await asyncio.sleep(0.05)


@asynccontextmanager
async def cluster_saying(said: str) -> AsyncIterator[Store]:
    """The store on a node that gives this error for everything. `{port}` is its own."""
    async with (
        answering(f"-{said}\r\n".encode()) as port,
        opened(f"redis+cluster://{HOST}:{port}") as store,
    ):
        yield store


async def changes_of(store: Store) -> AsyncGenerator[Record | Lost, None]:
    async for change in store.changes():
        yield change


def at_sentinels(*sentinels: RedisServer) -> str:
    return f"redis+sentinel://{','.join(f'{HOST}:{one.port}' for one in sentinels)}/mymaster"


def at_cluster(*nodes: RedisServer) -> str:
    return f"redis+cluster://{','.join(f'{HOST}:{node.port}' for node in nodes)}"


def by_slot_of(namespace: str) -> list[RedisServer]:
    """The nodes of the cluster; the one that keeps `namespace` comes first."""
    slot = cluster()[0].ask("CLUSTER KEYSLOT", f"llm-failover:{{{namespace}}}:pods")
    return sorted(cluster(), key=lambda node: cluster().index(node) != min(slot // 5461, 2))


def has_all_of(primary: RedisServer, replica: RedisServer) -> bool:
    key = next(iter(primary.ask("KEYS", "*:breaker:*")))
    return bool(replica.ask("EXISTS", key))


def fails_over(sentinel: RedisServer) -> bool:
    try:
        return bool(sentinel.ask("SENTINEL", "FAILOVER", "mymaster"))
    except redis.ResponseError:  # it does not think yet that the replica is fit
        return False


def primary_by(sentinel: RedisServer) -> int:
    return int(sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")[1])


def is_replica(server: RedisServer) -> bool:
    return bool(server.ask("INFO", "replication")["role"] == "slave")
