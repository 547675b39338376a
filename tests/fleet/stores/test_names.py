"""Names are looked up where nothing waits for it, whatever the name server does."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from sidecar.fleet.stores import names
from sidecar.fleet.stores.base import Store, StoreUnavailable
from sidecar.fleet.stores.names import Found, Names
from tests.fleet.stores import etcd_server
from tests.fleet.stores.makers import opened, tls_in_front_of
from tests.fleet.stores.redis_server import HOST, login, shared

SILENT = "store.invalid"  # a name that no name server is asked for, as the test answers itself
LOOPBACK = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (HOST, 0))]
REAL = socket.getaddrinfo
URLS = {
    "redis": f"redis://{SILENT}",
    "sentinel": f"redis+sentinel://{SILENT}/mymaster",
    "cluster": f"redis+cluster://{SILENT}",
    "etcd": f"etcd://{SILENT}",
    "etcd with a login": f"etcd://pod:secret@{SILENT}",
}


@dataclass
class NameServer:
    """Says nothing of `SILENT` before it `may_speak`; then it is here, unless there is `error`."""

    may_speak: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    error: Exception | None = None

    def look_up(self, host: str, *rest: Any, **options: Any) -> Any:
        """What `socket.getaddrinfo` says."""
        if host != SILENT:
            return REAL(host, *rest, **options)
        self.asked.append(host)
        self.may_speak.wait()
        if self.error:
            raise self.error
        return LOOPBACK


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", server.look_up)
    yield server
    server.may_speak.set()
    for thread in threading.enumerate():
        if thread.name == names.THREAD:
            thread.join()


async def fails(store: Store) -> str:
    """Why it cannot synchronise."""
    with pytest.raises(StoreUnavailable) as told:
        await store.sync((), "a")
    return str(told.value)


# Stores


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
async def test_a_silent_name_server_is_asked_once_and_holds_nobody_up(
    name_server: NameServer, url: str
) -> None:
    async with opened(url, op_timeout_s=0.01) as store:
        for _ in range(20):
            await fails(store)
        with pytest.raises(StoreUnavailable):
            await anext(store.changes())

        # of the event loop's own threads none is taken
        async with asyncio.timeout(5.0):
            assert await asyncio.to_thread(threading.current_thread)

    assert name_server.asked == [SILENT]
    assert not name_server.may_speak.is_set()


async def test_a_redis_is_found_by_an_answer_that_came_after_the_operation(
    name_server: NameServer,
) -> None:
    async with opened(f"redis://{SILENT}:{shared().port}", op_timeout_s=0.25) as store:
        assert "no answer within 0.25 s" in await fails(store)
        name_server.may_speak.set()

        assert (await store.sync((), "a")).pods == ("a",)
    assert name_server.asked == [SILENT]


async def test_an_etcd_is_found_by_an_answer_that_came_after_the_operation(
    name_server: NameServer,
) -> None:
    url = f"etcd://{SILENT}:{etcd_server.shared().port}"
    async with opened(url, op_timeout_s=0.5) as store:
        await fails(store)
        name_server.may_speak.set()

        assert (await store.sync((), "a")).pods == ("a",)
    assert name_server.asked == [SILENT]


@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
@pytest.mark.parametrize("error", [socket.gaierror(-2, "not known"), UnicodeError("too long")])
async def test_a_name_that_is_nobodys_is_an_unavailable_store(
    name_server: NameServer, url: str, error: Exception
) -> None:
    name_server.error = error
    name_server.may_speak.set()
    async with opened(url) as store:
        told = await fails(store)

    assert "store" in told or "etcd" in told
    assert "secret" not in told


async def test_each_address_of_a_name_is_tried(
    name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 0))
    monkeypatch.setattr(f"{__name__}.LOOPBACK", [nobody, *LOOPBACK])
    name_server.may_speak.set()
    async with opened(f"redis://{SILENT}:{shared().port}") as store:
        assert (await store.sync((), "a")).pods == ("a",)


async def test_a_certificate_is_compared_with_the_name(name_server: NameServer) -> None:
    name_server.may_speak.set()
    async with (
        tls_in_front_of(shared().port) as (port, ca_file),  # it is for the address
        opened(f"rediss://{login()}@{SILENT}:{port}?ca_file={ca_file}") as store,
    ):
        assert "Hostname mismatch" in await fails(store)


PROGRAM = """
import asyncio, socket, threading
from sidecar.clock import SystemClock
from sidecar.core.policies import Fleet
from sidecar.fleet.stores import open_store

socket.getaddrinfo = lambda *_, **__: threading.Event().wait()

async def main():
    store = open_store("{url}", Fleet(op_timeout_s=0.05), SystemClock())
    try:
        await store.sync((), "a")
    except ConnectionError as error:
        print("unavailable")
    await store.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("url", [URLS["redis"], URLS["etcd"]], ids=["redis", "etcd"])
def test_a_process_ends_while_a_name_is_looked_up(url: str) -> None:
    ended = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", PROGRAM.replace("{url}", url)],
        capture_output=True,
        timeout=20.0,
        check=False,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"unavailable\n", b"")


# Names


@pytest.mark.parametrize(
    ("host", "family"),
    [("10.1.2.3", socket.AF_INET), ("::1", socket.AF_INET6), ("fe80::1%lo", socket.AF_INET6)],
)
async def test_an_address_is_not_looked_up(name_server: NameServer, host: str, family: int) -> None:
    assert await Names().look_up(host) == [Found(family, host)]
    assert name_server.asked == []


async def test_an_answer_is_kept_for_a_while_and_an_error_is_not(
    name_server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "KEPT_S", 0.05)
    name_server.may_speak.set()
    looked_up = Names()
    for _ in range(3):
        assert await looked_up.look_up(SILENT) == [Found(socket.AF_INET, HOST)]
    assert name_server.asked == [SILENT]

    await asyncio.sleep(0.1)
    name_server.error = socket.gaierror(-2, "not known")
    for _ in range(2):
        with pytest.raises(OSError, match="not known"):
            await looked_up.look_up(SILENT)
        await asyncio.sleep(0)
    assert name_server.asked == [SILENT] * 3


async def test_names_that_are_looked_up_at_a_time_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    may_speak = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: may_speak.wait() and LOOPBACK)
    monkeypatch.setattr(names, "MOST", 2)
    looked_up = Names()
    asking = [asyncio.create_task(looked_up.look_up(name)) for name in ("a", "b")]
    await asyncio.sleep(0)

    with pytest.raises(OSError, match="2 names"):
        await looked_up.look_up("c")

    may_speak.set()
    assert await asyncio.gather(*asking) == [[Found(socket.AF_INET, HOST)]] * 2


async def test_a_thread_that_cannot_be_had_is_an_error_of_the_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    looked_up = Names()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="can't start new thread"):
            await looked_up.look_up("localhost")

    assert await looked_up.look_up("localhost")
