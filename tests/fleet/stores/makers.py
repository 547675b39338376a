"""One of each kind of store, for the contract that all of them keep."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from secrets import token_hex

import trustme

from sidecar.clock import Clock
from sidecar.core.policies import Fleet
from sidecar.fleet.stores import open_store
from sidecar.fleet.stores.base import Store
from sidecar.fleet.stores.memory import MemoryStore
from tests.fleet.scene import FakeClock
from tests.fleet.stores import etcd_server
from tests.fleet.stores.redis_server import BINARIES, HOST, cluster, login, shared

Maker = Callable[[FakeClock], AbstractAsyncContextManager[Store]]


@asynccontextmanager
async def opened(
    url: str, namespace: str = "", op_timeout_s: float = 5.0, clock: Clock | None = None
) -> AsyncIterator[Store]:
    """The store at `url`, with a namespace of its own if none is given."""
    fleet = Fleet(namespace=namespace or token_hex(8), op_timeout_s=op_timeout_s)
    store = open_store(url, fleet, clock or FakeClock())
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def memory(clock: FakeClock) -> AsyncIterator[Store]:
    yield MemoryStore(clock)


@asynccontextmanager
async def etcd(clock: FakeClock) -> AsyncIterator[Store]:
    fleet = Fleet(namespace=etcd_server.namespace(), op_timeout_s=2.0)  # the machine may be busy
    store = open_store(f"etcd://{etcd_server.shared().host}", fleet, clock)
    yield store
    await store.close()


@asynccontextmanager
async def on_redis(_: FakeClock, binary: str) -> AsyncIterator[Store]:
    async with opened(shared(binary).url) as store:
        yield store


@asynccontextmanager
async def on_redis_by_tls(_: FakeClock) -> AsyncIterator[Store]:
    async with (
        tls_in_front_of(shared().port) as (port, ca_file),
        opened(f"rediss://{login()}@{HOST}:{port}?ca_file={ca_file}") as store,
    ):
        yield store


@asynccontextmanager
async def on_redis_cluster(_: FakeClock) -> AsyncIterator[Store]:
    nodes = ",".join(f"{HOST}:{node.port}" for node in cluster())
    async with opened(f"redis+cluster://{nodes}") as store:
        yield store


MAKERS: dict[str, Maker] = {
    "memory": memory,
    **{f"redis of {binary}": partial(on_redis, binary=binary) for binary in BINARIES},
    "rediss": on_redis_by_tls,
    "redis+cluster": on_redis_cluster,
    "etcd": etcd,
}


@asynccontextmanager
async def tls_in_front_of(port: int) -> AsyncIterator[tuple[int, Path]]:
    """Another port that speaks TLS, and whom to trust for that: Valkey's binary does not."""
    authority, ca_file = _authority()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(HOST).configure_cert(context)

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await _pass_on(reader, writer, port)

    async with serving(serve, context) as tls_port:
        yield tls_port, ca_file


@dataclass
class Service:
    """A port in front of others: new connections go `to` there, and stay where they once went."""

    port: int
    to: int


@asynccontextmanager
async def service(to: int) -> AsyncIterator[Service]:
    """One of Kubernetes', say."""
    front = Service(0, to)

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await _pass_on(reader, writer, front.to)

    async with serving(serve) as front.port:
        yield front


@asynccontextmanager
async def answering(said: bytes) -> AsyncIterator[int]:
    """A port where everything gets the same answer. `{port}` in it is the port itself."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        while await reader.read(65536):
            writer.write(said.replace(b"{port}", b"%d" % port))
        writer.close()

    async with serving(serve) as port:
        yield port


@asynccontextmanager
async def serving(
    serve: Callable[[StreamReader, StreamWriter], Awaitable[None]],
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """A port that serves until every client has gone."""
    clients: set[asyncio.Task[None]] = set()

    async def serve_one(reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        clients.add(task)
        await serve(reader, writer)

    async with await asyncio.start_server(serve_one, HOST, 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]
    if clients:
        await asyncio.wait(clients)


async def _pass_on(reader: StreamReader, writer: StreamWriter, port: int) -> None:
    far_reader, far_writer = await asyncio.open_connection(HOST, port)
    await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@cache
def _authority() -> tuple[trustme.CA, Path]:
    authority = trustme.CA()
    with tempfile.NamedTemporaryFile(suffix=".pem", delete=False) as file:
        file.write(authority.cert_pem.bytes())
    return authority, Path(file.name)
