"""The way to etcd: its JSON gateway, the next member where one does not answer, and logging in.

Bytes are base64 and 64-bit integers are strings in both directions; what is zero, false or empty
is left out of answers. Requests are in camel case, answers in snake case.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import orjson

from sidecar.core.etcd_address import Address
from sidecar.fleet.stores.base import StoreUnavailable
from sidecar.fleet.stores.etcd_session import open_session
from sidecar.fleet.stores.trust import trust

TICK_S = 1.0  # how often a silent stream lets its reader look around
SILENCES = 3  # after so many questions without an answer in a row another token is tried
LOG_IN_S = 5.0  # etcd hashes passwords slowly on purpose: one log-in may outlast an operation
MAX_BYTES = 32 * 2**20  # of one answer: a thousand breakers and pods are below one MiB
MAX_REASON = 200  # characters of etcd's words that are kept
STALE_TOKENS = (
    "etcdserver: invalid auth token",
    "etcdserver: revision of auth store is old",
    "etcdserver: user name is empty",  # of a token from before authentication was enabled
)
ETCDS = {"header", "result", "error", "message"}  # one of them is in each of its answers
# of gRPC: invalid argument, not found, permission denied, exhausted, precondition, unauthenticated
REFUSALS = (3, 5, 7, 8, 9, 16)

# StoreUnavailable and TimeoutError are OSErrors; UnicodeError comes from names no resolver takes
FOREIGN = (aiohttp.ClientError, OSError, UnicodeError)

Json = Mapping[str, Any]


class Refused(StoreUnavailable):
    """etcd has understood and says no: `reason` is its word. Another member would say the same."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"etcd refuses: {reason}")
        self.reason = reason


class Gateway:
    """Asks one member as long as it answers, and the others in turn when it does not.

    A member that failed is the last to be asked from then on.
    """

    def __init__(self, address: Address, timeout_s: float) -> None:
        self._address = address
        self._trust = trust(address.tls) if address.tls else None
        self._timeout_s = timeout_s
        self._order = random.sample(address.endpoints, len(address.endpoints))  # spread the load
        self._session: aiohttp.ClientSession | None = None
        self._token = ""
        self._log_ins: dict[str, asyncio.Task[str]] = {}  # under way, by the endpoint
        self._unanswered = 0  # questions in a row that were called off before an answer came

    async def ask(self, path: str, body: Json, by_s: float) -> Json:
        """The answer to `body`, by `by_s` of the event loop's time.

        While there are others, a member has half of the time that is left. Raises
        `StoreUnavailable`; then it is not known whether it was done.
        """
        loop = asyncio.get_running_loop()
        failure: Exception | None = None
        for position, endpoint in enumerate(tuple(self._order), 1):
            left_s = by_s - loop.time()
            if left_s <= 0:
                break
            try:
                async with asyncio.timeout(left_s if position == len(self._order) else left_s / 2):
                    return await self._ask_logged_in(endpoint, path, body)
            except Refused:
                raise
            except (TimeoutError, StoreUnavailable) as error:
                failure = error
                self._pass_over(endpoint)
        raise StoreUnavailable(f"etcd does not answer: {_told(failure)}") from failure

    async def stream(self, path: str, body: Json) -> AsyncGenerator[Json | None, None]:
        """Each message of an endless answer, and `None` after a second of silence.

        Ends when operations have moved on to another member; raises `StoreUnavailable` when it
        breaks. Where the reader is slow, the member waits.
        """
        endpoint = self._order[0]
        try:
            async with aclosing(self._messages(endpoint, path, body)) as messages:
                async for message in messages:
                    yield message
        except Refused:
            self.forget_token()
            raise
        except FOREIGN as error:
            self._pass_over(endpoint)
            raise StoreUnavailable(f"etcd's stream broke: {_told(error)}") from error

    def move_on(self) -> None:
        """Ask another member from now on: the present one answers, but does not do its work."""
        self._pass_over(self._order[0])

    def forget_token(self) -> None:
        """Log in again before the next question."""
        self._token = ""

    async def close(self) -> None:
        """Let go of all connections."""
        log_ins = tuple(self._log_ins.values())
        for log_in in log_ins:
            log_in.cancel()
        await asyncio.gather(*log_ins, return_exceptions=True)
        if self._session:
            await self._session.close()

    async def _messages(
        self, endpoint: str, path: str, body: Json
    ) -> AsyncGenerator[Json | None, None]:
        async with self._open_stream(endpoint, path, body) as answer:
            async for line in _lines(answer.content):
                yield None if line is None else _judge(answer.status, line)
                if endpoint != self._order[0]:
                    return

    @asynccontextmanager
    async def _open_stream(
        self, endpoint: str, path: str, body: Json
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        async with asyncio.timeout(self._timeout_s):
            answer = await self._post(endpoint, path, body, await self._credentials(endpoint))
        try:
            yield answer
        finally:
            answer.close()  # there is no other way to call it off

    def _pass_over(self, endpoint: str) -> None:
        self._order.remove(endpoint)
        self._order.append(endpoint)

    async def _ask_logged_in(self, endpoint: str, path: str, body: Json) -> Json:
        headers = await self._credentials(endpoint)
        try:
            return await self._ask(endpoint, path, body, headers)
        except Refused as refused:
            if not headers or refused.reason not in STALE_TOKENS:
                raise
        if headers == await self._credentials(endpoint):  # else another question found out before
            self.forget_token()
        return await self._ask(endpoint, path, body, await self._credentials(endpoint))

    async def _credentials(self, endpoint: str) -> dict[str, str]:
        if not self._address.user:
            return {}
        if self._unanswered >= SILENCES:
            # an etcd that lost its data has old tokens wait for the write they were made after
            self._unanswered = 0
            self.forget_token()
        return {"Authorization": self._token or await self._log_in(endpoint)}

    async def _log_in(self, endpoint: str) -> str:
        """A token, which holds good at every member.

        One log-in at a member at a time: if it outlasts this question it is there for the next one.
        """
        task = self._log_ins.get(endpoint)
        if task is None:
            task = self._log_ins[endpoint] = asyncio.create_task(self._authenticate(endpoint))
            task.add_done_callback(partial(self._logged_in, endpoint))
        return await asyncio.shield(task)

    async def _authenticate(self, endpoint: str) -> str:
        me = {"name": self._address.user, "password": self._address.password}
        async with asyncio.timeout(LOG_IN_S):
            answer = await self._ask(endpoint, "/v3/auth/authenticate", me, {})
        return str(answer["token"])

    def _logged_in(self, endpoint: str, task: asyncio.Task[str]) -> None:
        del self._log_ins[endpoint]
        if not task.cancelled() and not task.exception():
            self._token = task.result()

    async def _ask(self, endpoint: str, path: str, body: Json, headers: dict[str, str]) -> Json:
        self._unanswered += 1
        try:
            async with await self._post(endpoint, path, body, headers) as answer:
                text = await _read(answer.content)
        except FOREIGN as error:
            self._unanswered = 0
            raise StoreUnavailable(f"{endpoint}: {_told(error)}") from error
        self._unanswered = 0
        return _judge(answer.status, text)

    async def _post(
        self, endpoint: str, path: str, body: Json, headers: dict[str, str]
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = open_session(self._trust)
        return await self._session.post(
            endpoint + path, data=orjson.dumps(body), headers=headers, allow_redirects=False
        )


async def _read(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > MAX_BYTES:
            raise StoreUnavailable("an answer is too long")
    return bytes(body)


async def _lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes | None, None]:
    rest = b""
    while True:
        try:
            async with asyncio.timeout(TICK_S):
                chunk = await content.readany()
        except TimeoutError:
            yield None
            continue
        if not chunk or len(rest) > MAX_BYTES:
            raise StoreUnavailable("it ended" if not chunk else "a message is too long")
        *lines, rest = (rest + chunk).split(b"\n")
        for line in filter(None, lines):
            yield line


def _judge(status: int, text: bytes) -> Json:
    """What an answer says. Errors may come under any status, also in a stream that began well.

    They look differently in etcd 3.6, whose gateway is another version.
    """
    answer = _parse(text)
    if not ETCDS & answer.keys():
        raise StoreUnavailable(f"status {status}, not from etcd")
    if "error" not in answer and status == 200:
        return answer
    error = answer.get("error")
    told = error if isinstance(error, dict) else answer
    reason = str(told.get("message") or error)[:MAX_REASON]
    if told.get("grpc_code", told.get("code")) in REFUSALS:
        raise Refused(reason)
    raise StoreUnavailable(f"status {status}: {reason}")


def _parse(text: bytes) -> Json:
    """The object that `text` is, or else an empty one."""
    try:
        answer = orjson.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _told(error: Exception | None) -> str:
    """The words of our own errors and the system's, and only the kind of foreign ones."""
    if isinstance(error, StoreUnavailable):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__ if error else "no time left"
