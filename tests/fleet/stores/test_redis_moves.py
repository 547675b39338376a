"""The server that takes writes is another one now, and what names it may not say so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from sidecar.core.events import State
from sidecar.core.record import Record
from sidecar.fleet.stores import redis_primary
from sidecar.fleet.stores.base import Lost, Store, StoreUnavailable
from sidecar.fleet.stores.redis_lag import MOST, PATIENCE_S, Lag
from tests.fleet.scene import FakeClock
from tests.fleet.stores.makers import answering, opened, service
from tests.fleet.stores.redis_server import HOST, RedisServer, sentinel_of, wait_until
from tests.live.line import a_line

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


# Sentinels that name another one


def naming(server: RedisServer) -> bytes:
    """What a Sentinel answers that takes `server` for the primary."""
    port = str(server.port)
    return f"*2\r\n${len(HOST)}\r\n{HOST}\r\n${len(port)}\r\n{port}\r\n".encode()


@pytest.fixture
def sentinel(servers: tuple[RedisServer, RedisServer]) -> Iterator[RedisServer]:
    """One that takes the second server for the primary."""
    watcher = sentinel_of(servers[1])
    yield watcher
    watcher.remove()


async def test_a_sentinel_that_names_a_replica_is_believed_once(
    servers: tuple[RedisServer, RedisServer], sentinel: RedisServer
) -> None:
    demote(*servers)
    async with (
        answering(naming(servers[0])) as stale_port,
        a_line(sentinel.port) as slow,
        opened(f"redis+sentinel://{HOST}:{slow.port},{HOST}:{stale_port}/mymaster") as store,
    ):
        slow.delay_s = 0.1
        with pytest.raises(StoreUnavailable, match="read only replica"):
            await store.sync((), "a")

        assert (await store.sync((), "a")).pods == ("a",)


async def test_who_failed_is_asked_again_where_no_sentinel_names_another(
    servers: tuple[RedisServer, RedisServer], sentinel: RedisServer
) -> None:
    primary = servers[1]
    async with (
        answering(b"") as silent_port,
        opened(
            f"redis+sentinel://{HOST}:{silent_port},{HOST}:{sentinel.port}/mymaster",
            op_timeout_s=1.0,
        ) as store,
    ):
        await store.sync((), "a")
        primary.stop()
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await store.sync((), "a")
        primary.start()

        assert (await store.sync((), "a")).pods == ("a",)


# A subscription at a server that writes do not reach any more


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is silence after a moment."""
    monkeypatch.setattr(redis_primary, "QUIET_S", 0.05)


@pytest.mark.usefixtures("quickly")
async def test_who_listens_at_the_wrong_server_listens_to_the_right_one_from_then_on(
    servers: tuple[RedisServer, RedisServer], clock: FakeClock
) -> None:
    old, new = servers
    async with (
        service(old.port) as front,
        opened(f"redis://{HOST}:{front.port}", "mine", clock=clock) as store,
        opened(new.url, "mine") as other,
        aclosing(changes_of(store)) as changes,
    ):
        assert await anext(changes) == Lost()
        front.to = new.port
        await store.cas(0, NEW)
        await other.cas(1, NEW)
        await store.sync(["gemini"], "a")
        clock.turn(PATIENCE_S)

        async with asyncio.timeout(5.0):
            assert await anext(changes) == Lost()
        await other.cas(2, NEW)
        assert await anext(changes) == replace(NEW, rev=3)


@pytest.mark.usefixtures("quickly")
async def test_who_listens_slowly_is_not_at_the_wrong_server(
    servers: tuple[RedisServer, RedisServer], clock: FakeClock
) -> None:
    async with (
        opened(servers[0].url, clock=clock) as store,
        aclosing(changes_of(store)) as changes,
    ):
        await anext(changes)
        for rev in range(3):
            await store.cas(rev, NEW)
        clock.turn(10 * PATIENCE_S)

        assert [await anext(changes) for _ in range(3)] == [
            replace(NEW, rev=rev) for rev in (1, 2, 3)
        ]
        change = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0.2)  # silence
        await store.cas(3, NEW)
        assert await change == replace(NEW, rev=4)


def behind(lag: Lag, clock: FakeClock) -> tuple[bool, bool]:
    """Whether it is, now and after some patience."""
    now = lag.is_behind()
    clock.turn(PATIENCE_S)
    return now, lag.is_behind()


def seen(lag: Lag, clock: FakeClock, rev: int) -> None:
    lag.saw(replace(NEW, rev=rev), clock.monotonic())


def test_what_moves_between_two_looks_has_to_be_told(clock: FakeClock) -> None:
    lag = Lag(clock)
    seen(lag, clock, 1)
    assert behind(lag, clock) == (False, False)

    seen(lag, clock, 2)
    assert behind(lag, clock) == (False, True)

    seen(lag, clock, 3)
    lag.heard(replace(NEW, rev=2))
    assert behind(lag, clock) == (False, True)

    lag.heard(replace(NEW, rev=3))
    assert behind(lag, clock) == (False, False)


def test_a_higher_epoch_is_newer_than_a_higher_revision(clock: FakeClock) -> None:
    lag = Lag(clock)
    seen(lag, clock, 7)
    lag.saw(replace(NEW, epoch=2, rev=1), clock.monotonic())

    assert behind(lag, clock) == (False, True)


def test_what_was_told_before_it_is_seen_is_not_missing(clock: FakeClock) -> None:
    lag = Lag(clock)
    lag.heard(replace(NEW, rev=2))
    for rev in (1, 2):
        seen(lag, clock, rev)

    assert behind(lag, clock) == (False, False)


def test_what_was_asked_before_the_subscription_says_nothing_of_it(clock: FakeClock) -> None:
    lag = Lag(clock)
    asked_s = clock.monotonic()
    clock.turn(1)
    lag.begin()
    lag.saw(replace(NEW, rev=1), asked_s)
    seen(lag, clock, 2)

    assert behind(lag, clock) == (False, False)


def test_another_subscription_has_nothing_to_make_up_for(clock: FakeClock) -> None:
    lag = Lag(clock)
    for rev in (1, 2):
        seen(lag, clock, rev)
    lag.begin()

    assert behind(lag, clock) == (False, False)


def test_breakers_beyond_what_is_kept_in_mind_are_left_alone(clock: FakeClock) -> None:
    lag = Lag(clock)
    for number in range(MOST):
        lag.heard(replace(NEW, name=f"{number}"))
    for rev in (1, 2):
        seen(lag, clock, rev)

    assert behind(lag, clock) == (False, False)


async def changes_of(store: Store) -> AsyncGenerator[Record | Lost, None]:
    async for change in store.changes():
        yield change
