"""What holds for Redis alone: losses, silence, rights, secrets, and what an operation costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from secrets import token_hex

import orjson
import pytest

from sidecar.core.events import State
from sidecar.core.record import Record
from sidecar.core.record_json import to_json_value
from sidecar.fleet.stores import redis_primary
from sidecar.fleet.stores.base import Guard, Lost, Store, StoreUnavailable, Unreadable
from tests.fleet.stores.makers import answering, opened, tls_in_front_of
from tests.fleet.stores.redis_server import (
    HOST,
    RIGHTS,
    RedisServer,
    free_port,
    login,
    shared,
    wait_until,
)

NEW = Record(name="gemini", epoch=1, state=State.OPEN, until_ms=5)
ONCE = replace(NEW, rev=1)
NAMES = ("gemini",)


@pytest.fixture
def namespace() -> str:
    return token_hex(8)


@pytest.fixture
async def store(namespace: str) -> AsyncIterator[Store]:
    async with opened(shared().url, namespace) as one:
        yield one


@pytest.fixture(scope="module")
def own_server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.remove()


@pytest.fixture
def server(own_server: RedisServer) -> Iterator[RedisServer]:
    """One that may be frozen, ended, and burdened."""
    yield own_server
    own_server.thaw()
    own_server.lock("")
    own_server.ask("REPLICAOF", "NO", "ONE")
    own_server.ask("FLUSHALL")


@pytest.fixture
async def hasty(server: RedisServer, namespace: str) -> AsyncIterator[Store]:
    """A store on `server` that waits for a quarter of a second, as in production."""
    async with opened(server.url, namespace, op_timeout_s=0.25) as one:
        yield one


# What the server may lose


async def test_a_write_survives_a_flush_of_the_scripts(store: Store) -> None:
    await store.cas(0, NEW)
    shared().ask("SCRIPT FLUSH")

    assert (await store.cas(1, NEW)).done


async def test_a_sync_survives_a_flush_of_the_scripts(store: Store) -> None:
    await store.sync((), "a")
    shared().ask("SCRIPT FLUSH")

    assert (await store.sync((), "a")).pods == ("a",)


async def test_what_was_flushed_is_written_from_revision_zero(store: Store) -> None:
    await store.cas(0, NEW)
    shared().ask("FLUSHALL")

    assert await lost_race(store, 1) == (False, None)
    assert (await store.cas(0, NEW)).record == ONCE


async def test_what_another_pod_wrote_after_a_flush_is_not_written_over(store: Store) -> None:
    known = (await store.cas(0, replace(NEW, rev=1_800_000_000_000))).record
    assert known
    shared().ask("FLUSHALL")
    other = (await store.cas(0, replace(NEW, rev=1_800_000_000_001))).record

    assert await lost_race(store, known.rev) == (False, other)


async def test_a_server_that_comes_back_empty_is_asked_at_once(
    hasty: Store, server: RedisServer
) -> None:
    await hasty.cas(0, NEW)
    server.stop()
    server.start()
    await asyncio.sleep(0.01)  # for the end of the connection to be heard of

    assert (await hasty.sync(NAMES, "a")).records == ()


async def test_nothing_is_read_while_the_server_is_gone(hasty: Store, server: RedisServer) -> None:
    await hasty.cas(0, NEW)
    server.stop()
    await asyncio.sleep(0.01)
    try:
        with pytest.raises(StoreUnavailable, match=rf"^redis at {HOST}:{server.port}: .*111"):
            await hasty.sync(NAMES, "a")
    finally:
        server.start()


async def test_a_server_that_starts_later_is_found() -> None:
    port = free_port()
    async with opened(f"redis://{HOST}:{port}", op_timeout_s=0.25) as store:
        with pytest.raises(StoreUnavailable):
            await store.sync((), "a")
        server = RedisServer(port=port)

        assert (await store.sync((), "a")).pods == ("a",)
        server.remove()


# Silence


async def test_a_frozen_server_is_given_up_in_time(hasty: Store, server: RedisServer) -> None:
    await hasty.sync((), "a")
    server.freeze()
    began_s = time.monotonic()

    with pytest.raises(StoreUnavailable, match=r"no answer within 0\.25 s"):
        await hasty.sync((), "a")

    assert 0.2 < time.monotonic() - began_s < 0.6


async def test_connecting_to_a_frozen_server_is_given_up_in_time(
    hasty: Store, server: RedisServer
) -> None:
    server.freeze()
    began_s = time.monotonic()

    with pytest.raises(StoreUnavailable):
        await hasty.sync((), "a")

    assert time.monotonic() - began_s < 0.6


async def test_a_late_answer_is_not_taken_for_the_next_one(
    hasty: Store, server: RedisServer
) -> None:
    await hasty.sync((), "a")
    server.freeze()
    with pytest.raises(StoreUnavailable):
        await hasty.cas(0, NEW)
    server.thaw()

    assert (await hasty.sync((), "a")).pods == ("a",)


async def test_a_cancelled_operation_leaves_no_answer_behind(
    hasty: Store, server: RedisServer
) -> None:
    await hasty.sync((), "a")
    server.freeze()
    asking = asyncio.create_task(hasty.cas(0, NEW))
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    server.thaw()

    assert (await hasty.sync((), "a")).pods == ("a",)


async def test_operations_cancelled_at_any_moment_leave_a_store_that_works(store: Store) -> None:
    for delay in range(40):
        asking = asyncio.create_task(store.sync((), "a"))
        for _ in range(delay):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

        assert (await store.sync(NAMES, "a")).records == ()
        assert await lost_race(store, 7) == (False, None)


async def test_a_frozen_server_is_noticed_by_who_listens(
    hasty: Store, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_primary, "QUIET_S", 0.1)
    async with changes_of(hasty) as changes:
        await anext(changes)
        server.freeze()

        with pytest.raises(StoreUnavailable, match="not even an answer to PING"):
            await anext(changes)


async def test_who_listens_outlasts_the_silence_of_a_server_that_lives(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_primary, "QUIET_S", 0.02)
    async with changes_of(store) as changes:
        await anext(changes)
        change = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0.2)
        await store.cas(0, NEW)

        assert await change == ONCE


# Changes


async def test_a_lost_subscription_is_told_and_begins_anew(store: Store) -> None:
    async with changes_of(store) as changes:
        await anext(changes)
        shared().ask("CLIENT KILL", "TYPE", "pubsub")
        with pytest.raises(StoreUnavailable, match="closed"):
            await anext(changes)

    async with changes_of(store) as changes:
        assert await anext(changes) == Lost()


async def test_a_subscription_at_a_frozen_server_is_given_up_in_time(
    hasty: Store, server: RedisServer
) -> None:
    server.freeze()
    began_s = time.monotonic()
    async with changes_of(hasty) as changes:
        with pytest.raises(StoreUnavailable):
            await anext(changes)

    assert time.monotonic() - began_s < 0.6


async def test_a_change_is_pushed_within_a_tenth_of_a_second(store: Store) -> None:
    delays_s = []
    async with changes_of(store) as changes:
        await anext(changes)
        for seen in range(20):
            began_s = time.monotonic()
            await store.cas(seen, NEW)
            await anext(changes)
            delays_s.append(time.monotonic() - began_s)

    assert sorted(delays_s)[10] < 0.1


async def test_changes_of_another_namespace_are_not_heard(store: Store) -> None:
    async with changes_of(store) as changes, opened(shared().url) as other:
        await anext(changes)
        await other.cas(0, replace(NEW, name="other"))
        await store.cas(0, NEW)

        assert await anext(changes) == ONCE


async def test_changes_of_another_database_are_not_heard(store: Store, namespace: str) -> None:
    async with (
        changes_of(store) as changes,
        opened(f"{shared().url}/1", namespace) as other,
    ):
        await anext(changes)
        assert (await other.cas(0, replace(NEW, name="other"))).done
        await store.cas(0, NEW)

        assert await anext(changes) == ONCE


async def test_whoever_listens_is_let_go_on_closing(namespace: str) -> None:
    async with opened(shared().url, namespace) as store:
        changes = store.changes()
        await anext(changes)
        await store.close()

        with pytest.raises(StoreUnavailable):
            await anext(changes)


# Records


async def test_of_pods_that_race_on_a_revision_one_wins(store: Store, namespace: str) -> None:
    async with opened(shared().url, namespace) as other:
        swaps = await asyncio.gather(
            *(one.cas(0, replace(NEW, epoch=n)) for n in range(10) for one in (store, other))
        )

    assert sum(swap.done for swap in swaps) == 1
    assert len({swap.record for swap in swaps}) == 1


async def test_a_record_is_kept_for_a_day(store: Store, namespace: str) -> None:
    await store.cas(0, NEW)

    kept_ms = shared().ask("PTTL", key_of("gemini", namespace))
    assert 86_390_000 < kept_ms <= 86_400_000


async def test_a_refused_write_does_not_keep_a_record_longer(store: Store, namespace: str) -> None:
    await store.cas(0, NEW)
    shared().ask("PEXPIRE", key_of("gemini", namespace), 1000)

    await store.cas(0, NEW)
    await store.sync(NAMES, "a")

    assert shared().ask("PTTL", key_of("gemini", namespace)) <= 1000


async def test_a_pod_that_was_not_seen_for_ten_seconds_is_dead(
    store: Store, namespace: str
) -> None:
    now_ms = (await store.sync((), "a")).now_ms
    pods = f"llm-failover:{{{namespace}}}:pods"
    shared().ask("ZADD", pods, now_ms - 10_001, "dead", now_ms - 9_000, "quiet")

    assert set((await store.sync((), "a")).pods) == {"a", "quiet"}


async def test_any_name_of_a_namespace_keeps_apart(store: Store) -> None:
    async with opened(shared().url, "}:breaker") as odd, opened(shared().url, "{}/ü") as other:
        await odd.cas(0, NEW)

        assert (await other.sync(NAMES, "a")).records == ()
        assert (await odd.sync(NAMES, "a")).records == (ONCE,)


UNREADABLE = {
    "newer": orjson.dumps({"name": "gemini", **to_json_value(ONCE), "v": 2}).decode(),
    "not a record": '{"name": "gemini", "v": 1}',
    "without a name": '{"v": 1}',
    "not JSON": "?",
    "not an object": "[1]",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
async def test_what_cannot_be_read_is_left_out(store: Store, namespace: str, text: str) -> None:
    await store.cas(0, replace(NEW, name="other"))
    shared().ask("HSET", key_of("gemini", namespace), "rev", 1, "v", 2, "data", text)

    assert [one.name for one in (await store.sync(("gemini", "other"), "a")).records] == ["other"]


@pytest.mark.parametrize("seen", [0, 1], ids=["unknown", "known before the store lost it"])
async def test_a_newer_record_is_not_written_over(store: Store, namespace: str, seen: int) -> None:
    key = key_of("gemini", namespace)
    shared().ask("HSET", key, "rev", 1, "v", 2, "data", UNREADABLE["newer"])

    with pytest.raises(Unreadable, match="breaker gemini: what is stored cannot be read"):
        await store.cas(seen, NEW)

    assert shared().ask("HGET", key, "data").decode() == UNREADABLE["newer"]


async def test_messages_that_cannot_be_read_are_passed_over_with_one_warning(
    store: Store, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with changes_of(store) as changes:
        await anext(changes)
        for text in UNREADABLE.values():
            shared().ask("PUBLISH", f"llm-failover:{{{namespace}}}:changes:0", text)
        await store.cas(0, NEW)

        assert await anext(changes) == ONCE
    assert [record.message for record in caplog.records] == ["a breaker's record cannot be read"]


# Rights and secrets


async def use(store: Store) -> None:
    """Everything there is."""
    shared().ask("SCRIPT FLUSH")
    async with changes_of(store) as changes:
        await anext(changes)
        assert (await store.cas(0, NEW)).done
        assert await anext(changes) == ONCE
        assert (await store.sync(NAMES, "a")).records == (ONCE,)


async def test_a_user_with_the_rights_told_needs_no_more(
    namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_primary, "QUIET_S", 0.01)
    shared().ask("ACL LOG", "RESET")
    async with opened(f"redis://{login()}@{HOST}:{shared().port}", namespace) as store:
        await use(store)
        async with changes_of(store) as changes:
            await anext(changes)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(changes), 0.1)  # `PING`s are sent

    assert shared().ask("ACL LOG") == []


@pytest.mark.parametrize("right", [one for one in RIGHTS if one != "+ping"])
async def test_each_right_is_needed(namespace: str, right: str) -> None:
    shared().admit(*(one for one in RIGHTS if one != right))
    try:
        async with opened(f"redis://{login()}@{HOST}:{shared().port}", namespace) as store:
            with pytest.raises(StoreUnavailable, match=r"ermission|ACL|can.t run"):
                await use(store)
    finally:
        shared().admit(*RIGHTS)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("", "Authentication required"),
        (login("wr0ng-s3cret"), "invalid username-password pair"),
        (login("wr0ng-s3cret", user="somebody"), "invalid username-password pair"),
    ],
    ids=["nobody", "a wrong password", "a stranger"],
)
async def test_who_is_not_let_in_is_told_without_the_password(
    server: RedisServer, given: str, problem: str
) -> None:
    server.admit(*RIGHTS)
    server.lock("the administrator's")
    async with opened(f"redis://{given}@{HOST}:{server.port}".replace("//@", "//")) as store:
        with pytest.raises(StoreUnavailable, match=problem) as told:
            await store.sync((), "a")
        with pytest.raises(StoreUnavailable, match=problem):
            await anext(store.changes())

    assert "s3cret" not in str(told.value)
    assert told.value.__cause__ is None


@pytest.mark.parametrize(
    "said",
    [
        b"-ERR unknown command 'AUTH', with args beginning with: 'me' 's3c'\r\n",
        b"-ERR who says s3cret is not let in\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"*what\r\n",
        b"",
    ],
    ids=["truncated", "repeated", "HTTP", "nonsense", "nothing"],
)
async def test_whatever_a_stranger_says_is_told_without_the_password(said: bytes) -> None:
    async with (
        answering(said) as port,
        opened(f"redis://me:s3cret@{HOST}:{port}", op_timeout_s=0.25) as store,
    ):
        with pytest.raises(StoreUnavailable) as told:
            await store.sync((), "a")

    assert "s3c" not in str(told.value)


async def test_a_server_that_nobody_vouches_for_is_not_asked() -> None:
    async with (
        tls_in_front_of(shared().port) as (port, _),
        opened(f"rediss://{HOST}:{port}") as store,
    ):
        with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await store.sync((), "a")


@pytest.mark.parametrize(
    "options",
    ["ca_file=/not/there.pem", f"ca_file={__file__}", f"cert_file={__file__}&key_file={__file__}"],
    ids=["missing", "no authority", "no certificate"],
)
async def test_certificates_that_cannot_be_read_are_told_at_the_start(options: str) -> None:
    with pytest.raises(ValueError, match=r"store: cannot read the certificates, got /.*\.p"):
        async with opened(f"rediss://{HOST}?{options}"):
            pass


# A replica in the place of the primary


async def test_a_replica_is_not_read(hasty: Store, server: RedisServer) -> None:
    await hasty.cas(0, NEW)
    server.ask("REPLICAOF", HOST, shared().port)
    wait_until(lambda: server.ask("INFO", "replication")["role"] == "slave")

    for asking in (hasty.sync(NAMES, "a"), hasty.cas(1, NEW)):
        with pytest.raises(StoreUnavailable, match="read only replica"):
            await asking


# What it costs


async def test_a_write_is_one_command(hasty: Store, server: RedisServer) -> None:
    await hasty.cas(0, NEW)
    server.ask("CONFIG RESETSTAT")

    await hasty.cas(1, NEW, Guard(token="t"))

    script = {"hmget": 1, "time": 1, "hset": 1, "pexpire": 1, "publish": 1}
    assert cost_of(server) == {"evalsha": 1, **script}


async def test_a_refused_write_is_a_look(hasty: Store, server: RedisServer) -> None:
    await hasty.cas(0, NEW)
    server.ask("CONFIG RESETSTAT")

    await hasty.cas(0, NEW)

    assert cost_of(server) == {"evalsha": 1, "hmget": 1, "time": 1}


async def test_a_sync_is_one_command(hasty: Store, server: RedisServer) -> None:
    await hasty.sync((), "a")
    server.ask("CONFIG RESETSTAT")

    await hasty.sync(("a", "b", "c"), "a")

    pods = {"time": 1, "zadd": 1, "zremrangebyscore": 1, "pexpire": 1, "zrange": 1}
    assert cost_of(server) == {"evalsha": 1, "hmget": 3, **pods}


async def test_many_operations_at_once_share_two_connections(server: RedisServer) -> None:
    async with opened(server.url) as store, changes_of(store) as changes:
        await anext(changes)
        await asyncio.gather(*(store.sync(NAMES, "a") for _ in range(50)))

        assert len(server.ask("CLIENT LIST")) == 1 + 2 + 1  # who listens, who asks, who counts


async def test_no_connection_outlives_the_store(server: RedisServer) -> None:
    async with opened(server.url) as store, changes_of(store) as changes:
        await anext(changes)
        await asyncio.gather(store.sync((), "a"), store.sync((), "a"))

    await asyncio.sleep(0.05)
    assert len(server.ask("CLIENT LIST")) == 1


@asynccontextmanager
async def changes_of(store: Store) -> AsyncIterator[AsyncGenerator[Record | Lost, None]]:
    async def read() -> AsyncGenerator[Record | Lost, None]:
        async for change in store.changes():
            yield change

    async with aclosing(read()) as changes:
        yield changes


async def lost_race(store: Store, seen: int) -> tuple[bool, Record | None]:
    swap = await store.cas(seen, NEW)
    return swap.done, swap.record


def key_of(name: str, namespace: str) -> str:
    return f"llm-failover:{{{namespace}}}:breaker:{name}"


def cost_of(server: RedisServer) -> dict[str, int]:
    ours = ("config|resetstat", "info", "ping")
    return {name: calls for name, calls in server.count().items() if name not in ours}
