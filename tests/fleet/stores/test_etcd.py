"""What is etcd's alone, against real servers: members, leases, watches and users."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme

from sidecar.clock import SystemClock
from sidecar.core.events import State
from sidecar.core.policies import Fleet
from sidecar.core.record import Record
from sidecar.core.record_json import to_json_value
from sidecar.fleet.stores import open_store
from sidecar.fleet.stores.base import Guard, Lost, Store, StoreUnavailable, Unreadable
from sidecar.fleet.stores.etcd import EtcdStore
from sidecar.fleet.stores.etcd_leases import RECORD_REUSE_S
from tests.fleet.scene import FakeClock
from tests.fleet.stores import etcd_server
from tests.fleet.stores.etcd_line import line_to
from tests.fleet.stores.etcd_server import Member

NEW = Record(name="gemini", epoch=1, state=State.OPEN, until_ms=5)
LOG_IN = "/v3/auth/authenticate"
OP_TIMEOUT_S = 0.6  # the machine may be busy


@pytest.fixture
def server() -> Member:
    return etcd_server.shared()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Member]:
    member = Member("own", tmp_path)
    member.start()
    member.await_health()
    yield member
    member.kill()


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Member]]:
    with etcd_server.cluster(tmp_path_factory.mktemp("cluster")) as three:
        yield three


@pytest.fixture
def namespace() -> str:
    return etcd_server.namespace()


@asynccontextmanager
async def opened(
    where: str, namespace: str, timeout_s: float = OP_TIMEOUT_S, scheme: str = "etcd"
) -> AsyncIterator[EtcdStore]:
    fleet = Fleet(namespace=namespace, op_timeout_s=timeout_s)
    store = open_store(f"{scheme}://{where}", fleet, SystemClock())
    assert isinstance(store, EtcdStore)
    try:
        yield store
    finally:
        await store.close()


def key(namespace: str, what: str) -> str:
    return b64encode(f"llm-failover/{namespace}/{what}".encode()).decode()


def stored(server: Member, namespace: str, what: str) -> dict[str, Any]:
    answer = server.ask("kv/range", {"key": key(namespace, what)})
    kv: dict[str, Any] = answer["kvs"][0]
    return kv


def hosts(members: list[Member]) -> str:
    return ",".join(member.host for member in members)


# --- what it costs


async def test_a_synchronisation_is_two_requests(server: Member, namespace: str) -> None:
    async with line_to(server.port) as line, opened(line.host, namespace) as store:
        await store.sync(["gemini"], "a")
        first, line.asked = line.asked, []
        await store.sync(["gemini"], "a")

    assert first == ["/v3/lease/grant", "/v3/kv/txn"]
    assert line.asked == ["/v3/lease/keepalive", "/v3/kv/txn"]


async def test_a_write_is_one_request(server: Member, namespace: str) -> None:
    async with line_to(server.port) as line, opened(line.host, namespace) as store:
        await store.cas(0, NEW)
        first, line.asked = line.asked, []
        await store.cas(1, NEW)
        await store.cas(7, NEW)

    assert first == ["/v3/lease/grant", "/v3/kv/txn"]
    assert line.asked == ["/v3/kv/txn", "/v3/kv/txn"]


async def test_a_write_out_of_its_time_is_not_sent(server: Member, namespace: str) -> None:
    async with line_to(server.port) as line, opened(line.host, namespace) as store:
        await store.cas(0, NEW)
        line.asked.clear()
        swap = await store.cas(1, replace(NEW, epoch=2), Guard(not_after_ms=1))

    assert (swap.done, swap.record) == (False, replace(NEW, rev=1))
    assert line.asked == ["/v3/kv/range"]


async def test_a_synchronisation_writes_the_pods_key_once(server: Member, namespace: str) -> None:
    async with opened(server.host, namespace) as store:
        for _ in range(3):
            await store.sync([], "a")

    assert stored(server, namespace, "pod/a")["version"] == "1"


# --- leases


async def test_a_lease_whose_grant_was_not_heard_is_not_granted_twice(
    server: Member, namespace: str
) -> None:
    async with line_to(server.port) as line, opened(line.host, namespace, 0.25) as store:
        line.loses = "/v3/lease/grant"
        with pytest.raises(StoreUnavailable, match=r"does not answer|took too long"):
            await store.sync([], "a")
        line.loses = ""
        pods = (await store.sync([], "a")).pods

    assert pods == ("a",)
    assert line.asked == ["/v3/lease/grant", "/v3/lease/grant", "/v3/kv/txn"]


async def test_a_pod_whose_lease_ran_out_shows_itself_again(server: Member, namespace: str) -> None:
    async with opened(server.host, namespace) as store:
        await store.sync([], "a")
        server.ask("lease/revoke", {"ID": stored(server, namespace, "pod/a")["lease"]})

        assert (await store.sync([], "a")).pods == ("a",)


async def test_a_pod_that_comes_back_under_its_name_takes_its_key_over(
    server: Member, namespace: str
) -> None:
    async with opened(server.host, namespace) as one, opened(server.host, namespace) as two:
        await one.sync([], "a")
        before = stored(server, namespace, "pod/a")["lease"]
        await two.sync([], "a")

    assert stored(server, namespace, "pod/a")["lease"] != before


async def test_a_pods_key_lives_for_ten_seconds(server: Member, namespace: str) -> None:
    async with opened(server.host, namespace) as store:
        await store.sync([], "a")

    lease = stored(server, namespace, "pod/a")["lease"]
    assert server.ask("lease/timetolive", {"ID": lease})["grantedTTL"] == "10"


async def test_records_live_for_a_day_under_one_lease(server: Member, namespace: str) -> None:
    async with opened(server.host, namespace) as store:
        await store.cas(0, NEW)
        await store.cas(0, replace(NEW, name="other"))

    leases = {stored(server, namespace, f"breaker/{one}")["lease"] for one in ("gemini", "other")}
    assert len(leases) == 1
    assert server.ask("lease/timetolive", {"ID": leases.pop()})["grantedTTL"] == "90000"


async def test_after_an_hour_a_record_is_written_under_another_lease(
    server: Member, namespace: str
) -> None:
    clock = FakeClock()
    store = open_store(f"etcd://{server.host}", Fleet(namespace=namespace), clock)
    await store.cas(0, NEW)
    before = stored(server, namespace, "breaker/gemini")["lease"]
    clock.turn(RECORD_REUSE_S)
    await store.cas(1, NEW)
    await store.close()

    assert stored(server, namespace, "breaker/gemini")["lease"] != before


async def test_a_write_under_a_lease_that_is_gone_gets_another(
    server: Member, namespace: str
) -> None:
    async with opened(server.host, namespace) as store:
        await store.cas(0, NEW)
        server.ask("lease/revoke", {"ID": stored(server, namespace, "breaker/gemini")["lease"]})

        assert (await store.cas(0, NEW)).done


# --- races and broken-off operations


async def test_of_two_pods_one_writes_and_the_other_hears_of_it(
    server: Member, namespace: str
) -> None:
    async with opened(server.host, namespace) as one, opened(server.host, namespace) as two:
        swaps = await asyncio.gather(*(store.cas(0, NEW) for store in (one, two)))

    assert sorted(swap.done for swap in swaps) == [False, True]
    assert [swap.record and swap.record.rev for swap in swaps] == [1, 1]


async def test_a_record_counted_from_one_again_is_another(server: Member, namespace: str) -> None:
    async with opened(server.host, namespace) as one, opened(server.host, namespace) as two:
        await one.cas(0, NEW)
        server.ask("kv/deleterange", {"key": key(namespace, "breaker/gemini")})
        await two.cas(0, replace(NEW, epoch=2))

        assert not (await one.cas(1, replace(NEW, epoch=3))).done


async def test_an_operation_cancelled_in_the_middle_leaves_the_store_usable(
    server: Member, namespace: str
) -> None:
    async with opened(server.host, namespace) as store:
        await store.sync([], "a")
        for pause_s in (0.0, 0.0005, 0.001, 0.002):
            task = asyncio.create_task(store.cas(0, NEW, Guard(token="t")))
            await asyncio.sleep(pause_s)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        swap = await store.cas(0, NEW, Guard(token="t"))

    assert (swap.done, swap.record) == (True, replace(NEW, rev=1))


async def test_a_write_whose_answer_was_lost_is_known_again_by_the_next_member(
    server: Member, namespace: str
) -> None:
    async with (
        line_to(server.port) as one,
        line_to(server.port) as two,
        opened(f"{one.host},{two.host}", namespace) as store,
    ):
        await store.cas(0, NEW)
        one.loses = "/v3/kv/txn"
        swaps = [await store.cas(1, NEW)]
        one.loses, two.loses = "", "/v3/kv/txn"
        swaps.append(await store.cas(2, NEW))

    assert [swap.done for swap in swaps] == [True, True]
    assert [swap.record and swap.record.rev for swap in swaps] == [2, 3]


async def test_a_record_of_a_newer_version_is_left_out_and_left_alone(
    server: Member, namespace: str
) -> None:
    value = b64encode(orjson.dumps(to_json_value(NEW) | {"v": 2})).decode()
    server.ask("kv/put", {"key": key(namespace, "breaker/gemini"), "value": value})
    async with opened(server.host, namespace) as store:
        records = (await store.sync(["gemini"], "a")).records
        with pytest.raises(Unreadable, match="another version"):
            await store.cas(0, NEW)
        with pytest.raises(Unreadable, match="another version"):  # nor is it sent
            await store.cas(0, NEW, Guard(not_after_ms=1))

    assert records == ()
    assert stored(server, namespace, "breaker/gemini")["value"] == value


@pytest.mark.parametrize("value", ["", "[]", "1", '{"v": 1}', "\x00"])
async def test_what_is_no_record_is_left_out(server: Member, namespace: str, value: str) -> None:
    encoded = b64encode(value.encode()).decode()
    server.ask("kv/put", {"key": key(namespace, "breaker/gemini"), "value": encoded})
    async with opened(server.host, namespace) as store:
        assert (await store.sync(["gemini"], "a")).records == ()


async def test_names_and_namespaces_may_have_slashes(server: Member, namespace: str) -> None:
    new = replace(NEW, name="hugging/face/llama ü")
    async with (
        opened(server.host, f"{namespace}/breaker") as one,
        opened(server.host, namespace) as two,
    ):
        await one.cas(0, new)

        assert (await one.sync([new.name], "a/b")).records == (replace(new, rev=1),)
        assert (await two.sync([new.name], "a")).pods == ("a",)


# --- trouble


async def test_a_frozen_server_is_given_up_in_time(own_server: Member, namespace: str) -> None:
    async with opened(own_server.host, namespace, timeout_s=0.25) as store:
        await store.sync([], "a")
        own_server.freeze()
        took_s = []
        for operation in (store.sync([], "a"), store.cas(0, NEW)):
            began_s = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await operation
            took_s.append(time.monotonic() - began_s)
        own_server.thaw()
        await eventually_syncs(store)

    assert max(took_s) < 0.5


async def test_nobody_there_is_told_without_the_password(namespace: str) -> None:
    async with opened("pod:secret@127.0.0.1:1", namespace) as store:
        for operation in (store.sync([], "a"), store.cas(0, NEW), anext(store.changes())):
            with pytest.raises(StoreUnavailable) as raised:
                await operation
            assert "secret" not in f"{raised.value!r} {raised.value.__cause__!r}"


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, "<html>", "does not answer: status 200, not from etcd"),
        (302, "", "does not answer: status 302, not from etcd"),
        (200, "{}", "does not answer: status 200, not from etcd"),
        (200, "[]", "does not answer: status 200, not from etcd"),
        (503, '{"error": "no leader", "code": 14}', "does not answer: status 503: no leader"),
        (403, '{"error": "denied", "code": 7}', "refuses: denied"),
        (403, '{"message": "denied", "code": 7}', "refuses: denied"),
        (200, '{"error": {"message": "denied", "grpc_code": 7}}', "refuses: denied"),
        (200, '{"error": {"message": "denied", "code": 7}}', "refuses: denied"),
        (200, '{"error": {"message": "no leader", "code": 14}}', "status 200: no leader"),
    ],
    ids=[
        "page",
        "elsewhere",
        "empty",
        "list",
        "3.5",
        "3.5",
        "3.6",
        "3.5 in band",
        "3.6 in band",
        "in band",
    ],
)
async def test_an_answer_that_is_none_is_told(
    namespace: str, status: int, body: str, told: str
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        writer.write((head + body).encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, opened(f"127.0.0.1:{port}", namespace) as store:
        with pytest.raises(StoreUnavailable, match=told):
            await store.sync([], "a")


async def test_when_a_member_is_killed_the_others_are_asked(
    members: list[Member], namespace: str
) -> None:
    async with opened(hosts(members), namespace, timeout_s=2.0) as store:
        for rev, member in enumerate(members):
            member.kill()
            await eventually_syncs(store)  # they may have to choose another leader
            assert (await store.cas(rev, NEW)).done
            member.restart()


async def test_a_frozen_member_costs_half_an_operation_once(
    members: list[Member], namespace: str
) -> None:
    order = hosts(members)
    async with opened(order, namespace, timeout_s=2.0) as store:
        await eventually_syncs(store)
        follower = follower_of(members)
        for _ in members:  # whichever it prefers: all of them, one after the other
            if in_use(store) == follower.host:
                break
            store._gateway.move_on()
        follower.freeze()
        try:
            took_s = [await timed(store), await timed(store)]
        finally:
            follower.thaw()

    assert 0.8 < took_s[0] < 1.8
    assert took_s[1] < 0.8


async def test_a_member_that_is_cut_off_ends_the_watch(
    members: list[Member], namespace: str
) -> None:
    async with opened(members[0].host, namespace, timeout_s=2.0) as store:
        await eventually_syncs(store)
        async with aclosing(store.changes()) as changes:
            assert await anext(changes) == Lost()
            for other in members[1:]:
                other.freeze()
            try:
                with pytest.raises(StoreUnavailable):
                    async with asyncio.timeout(5.0):
                        await anext(changes)
            finally:
                for other in members[1:]:
                    other.thaw()


# --- the watch


async def test_a_pod_hears_what_another_writes(server: Member, namespace: str) -> None:
    async with (
        opened(server.host, namespace) as one,
        opened(server.host, namespace) as two,
        aclosing(one.changes()) as changes,
    ):
        assert await anext(changes) == Lost()
        await two.cas(0, NEW)
        change = await anext(changes)

    assert isinstance(change, Record)
    assert (change.name, change.epoch, change.rev) == ("gemini", 1, 1)


async def test_other_namespaces_pods_and_deletions_are_not_heard(
    server: Member, namespace: str
) -> None:
    async with (
        opened(server.host, namespace) as store,
        opened(server.host, namespace + "0") as other,
        aclosing(store.changes()) as changes,
    ):
        assert await anext(changes) == Lost()
        await other.cas(0, NEW)
        await store.sync([], "a")
        await store.cas(0, NEW)
        server.ask("kv/deleterange", {"key": key(namespace, "breaker/gemini")})
        await store.cas(0, replace(NEW, name="last"))
        names = [getattr(await anext(changes), "name", None) for _ in range(2)]

    assert names == ["gemini", "last"]


async def test_changes_that_were_compacted_away_are_lost(
    own_server: Member, namespace: str
) -> None:
    large = b64encode(b"x" * 1_000_000).decode()
    async with (
        opened(own_server.host, namespace) as store,
        aclosing(store.changes()) as changes,
    ):
        assert await anext(changes) == Lost()
        for _ in range(16):  # while nobody reads: more than the connection holds
            own_server.ask("kv/put", {"key": key(namespace, "breaker/big"), "value": large})
        for rev in range(200):  # and more than the server keeps ready for a slow reader
            await store.cas(rev, NEW)
        revision = stored(own_server, namespace, "breaker/gemini")["mod_revision"]
        own_server.ask("kv/compaction", {"revision": revision})
        async with asyncio.timeout(5.0):
            heard = 0
            while await anext(changes) != Lost():
                heard += 1
        await store.cas(200, NEW)
        assert getattr(await anext(changes), "rev", 0) == 201

    assert heard < 200


async def test_a_watch_that_died_in_silence_is_noticed(server: Member, namespace: str) -> None:
    async with (
        line_to(server.port) as line,
        opened(line.host, namespace) as one,
        opened(server.host, namespace) as two,
        aclosing(one.changes()) as changes,
    ):
        assert await anext(changes) == Lost()
        line.silence_watches()
        await two.cas(0, NEW)
        await one.sync(["gemini"], "a")
        async with asyncio.timeout(4.0):
            assert await anext(changes) == Lost()
        await two.cas(1, NEW)
        assert getattr(await anext(changes), "rev", 0) == 2


async def test_a_slow_listener_is_no_dead_watch(server: Member, namespace: str) -> None:
    async with (
        line_to(server.port) as line,
        opened(line.host, namespace) as store,
        aclosing(store.changes()) as changes,
    ):
        assert await anext(changes) == Lost()
        await store.cas(0, NEW)
        await asyncio.sleep(1.2)

        assert await anext(changes) == replace(NEW, rev=1)

    assert line.asked.count("/v3/watch") == 1


async def test_a_watch_moves_with_the_operations(server: Member, namespace: str) -> None:
    async with (
        line_to(server.port) as one,
        line_to(server.port) as two,
        opened(f"{one.host},{two.host}", namespace) as store,
        aclosing(store.changes()) as changes,
    ):
        assert await anext(changes) == Lost()
        store._gateway.move_on()
        async with asyncio.timeout(4.0):
            assert await anext(changes) == Lost()

    assert [line.asked for line in (one, two)] == [["/v3/watch"]] * 2


async def test_who_stops_listening_ends_the_watch(server: Member, namespace: str) -> None:
    async with line_to(server.port) as line, opened(line.host, namespace) as store:
        async with aclosing(store.changes()) as changes:
            assert await anext(changes) == Lost()
        await asyncio.wait_for(line.ended.wait(), 2.0)

    assert line.asked == ["/v3/watch"]


async def test_a_restarted_server_is_followed_again(own_server: Member, namespace: str) -> None:
    async with opened(own_server.host, namespace) as store:
        await store.cas(0, NEW)
        async with aclosing(store.changes()) as changes:
            assert await anext(changes) == Lost()
            own_server.restart()
            with pytest.raises(StoreUnavailable):
                await anext(changes)
        async with aclosing(store.changes()) as changes:
            assert await anext(changes) == Lost()
            await eventually_syncs(store)
            await store.cas(1, NEW)
            assert getattr(await anext(changes), "rev", 0) == 2


# --- users and TLS


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    folder = tmp_path_factory.mktemp("guarded")
    with etcd_server.guarded(folder, "llm-failover/mine/", token_ttl_s=1) as member:
        yield member


async def test_a_role_for_the_prefix_suffices(guarded: Member) -> None:
    async with (
        opened(f"pod:p%40ss@{guarded.host}", "mine") as store,
        aclosing(store.changes()) as changes,
    ):
        assert await anext(changes) == Lost()
        await store.cas(0, replace(NEW, name="role"))

        assert (await anext(changes)) == replace(NEW, name="role", rev=1)
        assert "a" in (await store.sync([], "a")).pods


async def test_another_namespace_is_refused(guarded: Member) -> None:
    async with opened(f"pod:p%40ss@{guarded.host}", "other") as store:
        for operation in (store.sync([], "a"), store.cas(0, NEW), anext(store.changes())):
            with pytest.raises(StoreUnavailable, match="permission denied"):
                await operation


async def test_a_wrong_password_is_refused_and_not_told(guarded: Member) -> None:
    async with opened(f"pod:secret@{guarded.host}", "mine") as store:
        for operation in (store.sync([], "a"), anext(store.changes())):
            with pytest.raises(StoreUnavailable, match="authentication failed") as raised:
                await operation
            assert "secret" not in str(raised.value)


async def test_operations_at_once_log_in_once(guarded: Member) -> None:
    async with (
        line_to(guarded.port) as line,
        opened(f"pod:p%40ss@{line.host}", "mine") as store,
    ):
        await asyncio.gather(*(store.cas(9, NEW) for _ in range(5)))

    assert line.asked.count(LOG_IN) == 1


async def test_a_member_that_is_silent_at_the_log_in_costs_half_an_operation(
    guarded: Member,
) -> None:
    async with (
        line_to(guarded.port) as one,
        line_to(guarded.port) as two,
        opened(f"pod:p%40ss@{one.host},{two.host}", "mine", timeout_s=2.0) as store,
    ):
        first, second = (one, two) if in_use(store) == one.host else (two, one)
        first.loses = LOG_IN

        assert "a" in (await store.sync([], "a")).pods

    assert (first.asked, second.asked[0]) == ([LOG_IN], LOG_IN)


async def test_log_ins_that_outlast_an_operation_are_there_for_the_next(guarded: Member) -> None:
    async with (
        line_to(guarded.port) as one,
        line_to(guarded.port) as two,
        opened(f"pod:p%40ss@{one.host},{two.host}", "mine") as store,
    ):
        guarded.freeze()
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await store.sync([], "a")
        guarded.thaw()
        await eventually_syncs(store)

    assert [line.asked.count(LOG_IN) for line in (one, two)] == [1, 1]


async def test_who_is_no_longer_known_logs_in_again(guarded: Member) -> None:
    async with (
        line_to(guarded.port) as line,
        opened(f"pod:p%40ss@{line.host}", "mine") as store,
    ):
        await store.sync([], "a")
        await asyncio.sleep(2.5)  # tokens here live for a second after their last use
        await store.sync([], "a")

        async with aclosing(store.changes()) as changes:
            assert await anext(changes) == Lost()

    assert line.asked.count(LOG_IN) == 2


async def test_a_watch_with_an_old_token_logs_in_the_next_time(guarded: Member) -> None:
    async with opened(f"pod:p%40ss@{guarded.host}", "mine") as store:
        await store.sync([], "a")
        root = guarded.ask("auth/authenticate", {"name": "root", "password": "r"})["token"]
        guarded.ask("auth/user/changepw", {"name": "pod", "password": "p@ss"}, root)
        with pytest.raises(StoreUnavailable, match="permission denied"):
            await anext(store.changes())
        async with aclosing(store.changes()) as changes:
            assert await anext(changes) == Lost()


async def test_tls_with_certificates_on_both_sides(tmp_path: Path, namespace: str) -> None:
    with etcd_server.encrypted(tmp_path, trustme.CA()) as member:
        client = f"&cert_file={tmp_path}/client.pem&key_file={tmp_path}/client.key"
        where = f"{member.host}?ca_file={tmp_path}/ca.pem"
        async with opened(where + client, namespace, scheme="etcds") as store:
            assert (await store.cas(0, NEW)).done
        async with opened(where, namespace, scheme="etcds") as nobody:
            with pytest.raises(StoreUnavailable):
                await nobody.sync([], "a")
        async with opened(member.host, namespace, scheme="etcds") as stranger:
            with pytest.raises(StoreUnavailable, match="certificate"):
                await stranger.sync([], "a")


# --- helpers


async def eventually_syncs(store: Store) -> None:
    """Synchronise, once the server does again."""
    async with asyncio.timeout(10.0):
        while True:
            with suppress(StoreUnavailable):
                await store.sync([], "a")
                return
            await asyncio.sleep(0.05)


async def timed(store: Store) -> float:
    began_s = time.monotonic()
    await store.sync([], "a")
    return time.monotonic() - began_s


def in_use(store: EtcdStore) -> str:
    """Host and port of the member that is asked."""
    return store._gateway._order[0].removeprefix("http://")


def follower_of(members: list[Member]) -> Member:
    """One whose loss costs no election."""
    for member in members:
        status = member.ask("maintenance/status", {})
        if status["leader"] != status["header"]["member_id"]:
            return member
    raise AssertionError("everybody leads")
