"""Stores of our own, real servers, for stories in which something happens to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from tests.fleet.stores.etcd_server import Member
from tests.fleet.stores.redis_server import BINARIES, RedisServer


class Shelf(Protocol):
    """A server that can be had to fail. `start` lets it begin again, with nothing."""

    port: int

    @property
    def url(self) -> str: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...
    def stop(self) -> None: ...
    def start(self) -> None: ...


class Etcd:
    """One member."""

    def __init__(self, folder: Path) -> None:
        self._member = Member("own", folder)
        self._member.start()
        self._member.await_health()
        self.port = self._member.port
        self.freeze, self.thaw = self._member.freeze, self._member.thaw

    @property
    def url(self) -> str:
        """Without a login."""
        return f"etcd://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it at once, and all that it had written."""
        self._member.kill()
        self._member.forget()

    def start(self) -> None:
        """Begin with nothing, on the same port as before."""
        self._member.restart()

    def remove(self) -> None:
        """End it for good."""
        self._member.kill()


@contextmanager
def on_redis(binary: str) -> Iterator[Shelf]:
    server = RedisServer(binary=binary)
    try:
        yield server
    finally:
        server.remove()


@contextmanager
def on_etcd() -> Iterator[Shelf]:
    with TemporaryDirectory() as folder:
        server = Etcd(Path(folder))
        try:
            yield server
        finally:
            server.remove()


SHELVES: dict[str, Callable[[], AbstractContextManager[Shelf]]] = {
    **{binary: partial(on_redis, binary) for binary in BINARIES},
    "etcd": on_etcd,
}
