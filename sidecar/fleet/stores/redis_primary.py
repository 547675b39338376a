"""The Redis server that takes writes: found, asked, and listened to. It never tries anything twice.

Commands go through two connections at most, and each change is listened to on one more. A server
alone and the nodes of a Cluster are gone through in turn, one after every failure; which node
of a Cluster has the keys, the wrong one says itself. Sentinels are all asked at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha1
from itertools import cycle
from typing import Any

from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import MovedError, NoScriptError, RedisError

from sidecar.core.redis_url import Address, Login, Place
from sidecar.fleet.stores.base import StoreUnavailable
from sidecar.fleet.stores.names import Names
from sidecar.fleet.stores.redis_connection import PlainConnection, TlsConnection
from sidecar.fleet.stores.trust import trust

CONNECTIONS = 2  # for commands: one for what moves breakers, one for the regular look at all
FAILURES = (RedisError, OSError, ValueError)  # the last of who does not speak Redis
LEFT_TO_THE_CLIENT = ("", "?")  # hosts in a redirection by who does not know its own name
QUIET_S = 2.0  # without a change for so long: is anybody there? And once more for the answer

Argument = str | int | bytes


@dataclass(frozen=True, slots=True)
class Script:
    """A program for the server, which knows it by its hash once it has run it."""

    text: str
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha", sha1(self.text.encode(), usedforsecurity=False).hexdigest())


class Primary:
    """The server behind `place`. An answer may take `timeout_s`, with all that it takes to ask.

    Raises `ValueError` if the certificates that `place` names cannot be read, and later on
    `StoreUnavailable` for everything else.
    """

    def __init__(self, place: Place, timeout_s: float) -> None:
        self._place = place
        self._timeout_s = timeout_s
        self._tls = place.tls and trust(place.tls)
        self._names = Names()
        self._turns = cycle(place.addresses)
        self._at: Address | None = None
        self._left: Address | None = None  # where the last operation failed
        self._room = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[Connection] = []
        self._listening: set[Connection] = set()

    async def run(self, script: Script, keys: Sequence[str], *arguments: Argument) -> Any:
        """What `script` answers. Whether it ran is unknown if this fails or is cancelled."""
        command = (len(keys), *keys, *arguments)
        try:
            async with asyncio.timeout(self._timeout_s), self._room:
                answer = await self._run(script, command)
        except FAILURES as error:
            await self._leave()
            raise self._unavailable(error) from None  # a server's words may repeat what was sent
        except asyncio.CancelledError:
            await self._leave()
            raise
        self._left = None
        return answer

    async def listen(self, channel: str) -> AsyncGenerator[list[Any] | None, None]:
        """What is said on `channel`: `[b"subscribe", …]` first, then `[b"message", channel, what]`.

        Comes from the server that is asked at the time, if any is. `None` is two seconds of
        silence; a server that has died without a word is noticed within four.
        """
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._connect(await self._locate(), self._place.login)
                self._listening.add(connection)
                await connection.send_command("SUBSCRIBE", channel)
                heard: list[Any] | None = await connection.read_response()
            while True:
                yield heard
                heard = await _hear(connection, was_silent=heard is None)
        except FAILURES as error:
            raise self._unavailable(error) from None
        finally:
            if connection:
                self._listening.discard(connection)
                await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Let go of every connection."""
        await self._leave()
        for connection in tuple(self._listening):
            await connection.disconnect(nowait=True)

    async def _leave(self) -> None:
        """Look for the server anew: by now another may be behind the same name or address."""
        self._left, self._at = self._at or self._left, None
        while self._idle:
            await self._idle.pop().disconnect(nowait=True)

    async def _run(self, script: Script, command: Sequence[Argument]) -> Any:
        address = await self._locate()
        try:
            return await self._evaluate(address, script, command)
        except MovedError as moved:  # it was not run, so this is its first time
            host = address.host if moved.host in LEFT_TO_THE_CLIENT else moved.host
            self._at = Address(host, moved.port)
            return await self._evaluate(self._at, script, command)

    async def _evaluate(self, at: Address, script: Script, command: Sequence[Argument]) -> Any:
        try:
            return await self._ask(at, "EVALSHA", script.sha, *command)
        except NoScriptError:
            return await self._ask(at, "EVAL", script.text, *command)

    async def _ask(self, at: Address, *command: Argument) -> Any:
        connection = await self._take(at)
        try:
            await connection.send_command(*command)
            return await connection.read_response()
        finally:
            # what was cancelled or failed is closed by now: no late answer can be taken for another
            if connection.is_connected:
                self._idle.append(connection)

    async def _take(self, at: Address) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            is_there = (connection.host, connection.port) == (at.host, at.port)
            if is_there and not await connection.can_read():  # the end of it can be read, too
                return connection
            await connection.disconnect(nowait=True)
        return await self._connect(at, self._place.login)

    async def _locate(self) -> Address:
        if self._at is None:
            self._at = await self._find()
        return self._at

    async def _find(self) -> Address:
        if self._place.service:
            return await self._ask_sentinels()
        return next(self._turns)

    async def _ask_sentinels(self) -> Address:
        asking = [asyncio.create_task(self._primary_by(one)) for one in self._place.addresses]
        try:
            return await self._choose(asking)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def _choose(self, asking: Sequence[asyncio.Task[Address]]) -> Address:
        """The first answer; but for half of the time rather one that is not where we come from.

        A Sentinel that is cut off from the others goes on to name a primary that is none any more.
        """
        said: list[Address] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as patience:
                return await self._elsewhere(asking, said, patience)
        return said[0]

    async def _elsewhere(
        self,
        asking: Sequence[asyncio.Task[Address]],
        said: list[Address],
        patience: asyncio.Timeout,
    ) -> Address:
        half_s = asyncio.get_running_loop().time() + self._timeout_s / 2
        problem: Exception = RedisError("there is no Sentinel")
        for answer in asyncio.as_completed(asking):
            try:
                said.append(await answer)
            except FAILURES as error:
                problem = error
                continue
            if said[-1] != self._left:
                return said[-1]
            patience.reschedule(half_s)
        if not said:
            raise problem
        return said[0]

    async def _primary_by(self, sentinel: Address) -> Address:
        connection = await self._connect(sentinel, self._place.sentinel_login, db=0)
        try:
            await connection.send_command(
                "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._place.service
            )
            found = await connection.read_response()
        finally:
            await connection.disconnect(nowait=True)
        if found is None:
            raise RedisError(f"the Sentinel does not know the service {self._place.service}")
        host, port = found
        return Address(host.decode(), int(port))

    async def _connect(self, at: Address, login: Login, db: int | None = None) -> Connection:
        """A connection whose reads know no time-out of their own: whoever asks sets one."""
        settings: dict[str, Any] = {
            "host": at.host,
            "port": at.port,
            "db": self._place.db if db is None else db,
            "username": login.user,
            "password": login.password,
            "protocol": 2,  # is all that is needed
            "driver_info": None,  # not everybody may say CLIENT SETINFO
            "retry": Retry(NoBackoff(), 0),
            "socket_connect_timeout": self._timeout_s,
            # with one it waits by `asyncio.wait_for`, which may lose a cancellation in Python 3.11
            "socket_timeout": None,
        }
        connection = (
            TlsConnection(self._tls, self._names, **settings)
            if self._tls
            else PlainConnection(self._names, **settings)
        )
        await connection.connect()  # type: ignore[no-untyped-call]  # it returns nothing
        return connection

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        text = str(error) or f"no answer within {self._timeout_s} s"
        text = text.partition(", with args beginning with")[0]
        for login in (self._place.login, self._place.sentinel_login):
            text = text.replace(login.password, "…") if login.password else text
        return StoreUnavailable(f"redis at {self._place}: {text}")


async def _hear(connection: Connection, *, was_silent: bool) -> list[Any] | None:
    heard: list[Any] | None = await connection.read_response(timeout=QUIET_S)
    if heard is None and was_silent:
        raise TimeoutError("nothing heard, not even an answer to PING")
    if heard is None:
        await connection.send_command("PING")
    return heard
