"""The operator's way to a running sidecar, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pytest_aiohttp import AiohttpRawServer

from sidecar import remote as remote_module
from sidecar.clock import SystemClock
from sidecar.config import ConfigError
from sidecar.core.settings import Address, Secret
from sidecar.proxy.admin import Admin, AdminPorts
from sidecar.proxy.change_body import HoldRequest
from sidecar.remote import Remote, RemoteError, find_remote, reachable

Json = dict[str, Any]

STATUS: Json = {
    "sentence": "gemini is serving.",
    "providers": [{"name": "gemini"}, {"name": "hf/meta-llama/Llama"}],
    "routes": [],
}
REPORT: Json = {"providers": [], "suggestions": []}
TOKEN = "open sesame"


class Running:
    """A sidecar's admin listener, and what it was made to do."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.failure: Exception | None = None
        self.requests: list[web.BaseRequest] = []
        self.peer = "127.0.0.1"
        self.admin = Admin(
            AdminPorts(
                ready=lambda: True,
                all_open=lambda: False,
                metrics=lambda accept: (b"", accept),
                status=lambda: STATUS,
                status_page=lambda: b"",
                request=lambda _: None,
                report=lambda: REPORT,
                config=dict,
                version=dict,
                hold=self.hold,
                release=self.release,
                reset=self.reset,
                drain=lambda: None,
                set_log_level=self.done.append,
                duration_s=lambda text: float(text.removesuffix("m")) * 60,
                clock=SystemClock(),
                token=Secret(TOKEN),
            )
        )

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        return await self.admin.handle(request.clone(remote=self.peer))

    async def hold(self, name: str, hold: HoldRequest) -> Json:
        self.done.append((name, hold))
        return {"state": "closed"}

    async def release(self, name: str) -> Json:
        return await self.reset(name)

    async def reset(self, name: str) -> Json:
        if self.failure:
            raise self.failure
        self.done.append(name)
        return {"state": "closed"}


@pytest.fixture
def running() -> Running:
    return Running()


@pytest.fixture
async def remote(running: Running, aiohttp_raw_server: AiohttpRawServer) -> Remote:
    return await at(aiohttp_raw_server, running.handle)


async def at(serve: AiohttpRawServer, handle: Any) -> Remote:
    server = await serve(handle)
    return Remote(address=Address(host=str(server.host), port=int(server.port or 0)))


@pytest.fixture
def nowhere() -> Iterator[Address]:
    """Where nobody listens, and nobody can begin to."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        yield Address(host="127.0.0.1", port=taken.getsockname()[1])


async def failure_of(remote: Remote) -> str:
    with pytest.raises(RemoteError) as caught:
        await asyncio.to_thread(remote.change, "gemini", "reset")
    return str(caught.value)


async def test_the_report_is_fetched(remote: Remote) -> None:
    assert await asyncio.to_thread(remote.report) == REPORT


async def test_the_status_is_fetched(remote: Remote) -> None:
    assert await asyncio.to_thread(remote.status) == STATUS


async def test_every_breaker_is_known_by_name(remote: Remote) -> None:
    assert await asyncio.to_thread(remote.breakers) == ["gemini", "hf/meta-llama/Llama"]


async def test_a_hold_arrives_whole(remote: Remote, running: Running) -> None:
    words = {"mode": "open", "for": "10m", "reason": "drill: ünïcode"}

    await asyncio.to_thread(lambda: remote.change("gemini", "hold", **words))

    hold = HoldRequest(mode="open", for_s=600.0, reason="drill: ünïcode")
    assert running.done == [("gemini", hold)]


@pytest.mark.parametrize("name", ["gemini", "hf/meta-llama/Llama", "a b", "100%", "a?b#c", "ä"])
async def test_a_breaker_of_any_name_is_reached(
    remote: Remote, running: Running, name: str
) -> None:
    await asyncio.to_thread(remote.change, name, "reset")

    assert running.done == [name]


async def test_no_proxy_is_asked(
    remote: Remote, monkeypatch: pytest.MonkeyPatch, nowhere: Address
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{nowhere}")

    assert await asyncio.to_thread(remote.status) == STATUS


async def test_the_token_opens_a_door_on_another_machine(remote: Remote, running: Running) -> None:
    running.peer = "10.0.0.7"
    bearing = Remote(address=remote.address, token=Secret(TOKEN))

    await asyncio.to_thread(bearing.change, "gemini", "reset")

    assert running.done == ["gemini"]


async def test_without_the_token_it_says_what_is_missing(remote: Remote, running: Running) -> None:
    running.peer = "10.0.0.7"

    failure = await failure_of(remote)

    assert failure.startswith(f"{remote.address} refuses the change: ")
    assert "admin token" in failure


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (KeyError("gemini"), "no breaker named 'gemini'"),
        (ConnectionError(), "store did not confirm"),
        (RuntimeError(), "answered 500"),
    ],
    ids=["unknown provider", "store down", "a fault"],
)
async def test_a_refusal_is_told_in_one_line(
    remote: Remote, running: Running, cause: Exception, words: str
) -> None:
    running.failure = cause

    failure = await failure_of(remote)

    assert words in failure
    assert "\n" not in failure


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b"", "set SIDECAR_ADMIN_TOKEN"),
        (404, b"<h1>Not Found</h1>", "does not say why"),
        (502, b'{"error": "bad gateway"}', "answered 502"),
        (200, b"hello", "not as a sidecar's"),
        (200, b"[]", "not as a sidecar's"),
        (200, b"{}", "not as a sidecar's"),
        (403, b'{"error": {"message": "two\\nlines \\u001b[2J"}}', "two lines ?[2J"),
    ],
    ids=["a token", "a page", "a proxy", "text", "a list", "nothing", "orders for a terminal"],
)
async def test_somebody_else_is_not_taken_for_a_sidecar(
    aiohttp_raw_server: AiohttpRawServer, status: int, body: bytes, words: str
) -> None:
    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, body=body)

    failure = await failure_of(await at(aiohttp_raw_server, handle))

    assert words in failure
    assert failure.isprintable()


@pytest.fixture
async def garbage() -> AsyncIterator[Address]:
    """A server that speaks no HTTP."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail ready\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        yield Address(host="127.0.0.1", port=server.sockets[0].getsockname()[1])


async def test_a_server_of_another_kind_is_told_apart(garbage: Address) -> None:
    with pytest.raises(RemoteError, match="not as a sidecar's"):
        await asyncio.to_thread(Remote(address=garbage).status)


async def test_nobody_there_is_one_clear_line(nowhere: Address) -> None:
    failure = await failure_of(Remote(address=nowhere, doubt=" (a guess)"))

    assert failure == f"no sidecar answers at {nowhere} (a guess): Connection refused"


async def test_a_silent_sidecar_is_not_waited_for_long(
    aiohttp_raw_server: AiohttpRawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.Event()

    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        await answered.wait()
        return web.Response()

    monkeypatch.setattr(remote_module, "TIMEOUT_S", 0.05)

    failure = await failure_of(await at(aiohttp_raw_server, handle))

    answered.set()
    assert failure.endswith(": timed out")


def test_a_name_that_no_resolver_takes_is_one_clear_line() -> None:
    with pytest.raises(RemoteError, match=r"no sidecar answers at a\.\.b:1"):
        Remote(address=Address(host="a..b", port=1)).status()


@pytest.mark.parametrize("token", ["se\ncret", "se\x00cret", "secr\u20act"], ids=repr)
def test_a_token_that_no_header_can_carry_is_not_shown(nowhere: Address, token: str) -> None:
    with pytest.raises(RemoteError) as caught:
        Remote(address=nowhere, token=Secret(token)).status()

    assert "SIDECAR_ADMIN_TOKEN" in str(caught.value)
    assert "cret" not in str(caught.value)


# Which sidecar is meant

HERE = Address(host="10.0.0.5", port=1)
CONFIG = """\
admin: 127.0.0.1:7777
providers: {local: {kind: openai, base_url: "http://127.0.0.1:8000/v1"}}
routes: [{models: ["*"], chain: [local]}]
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "sidecar.yaml"
    path.write_text(CONFIG)
    return str(path)


def test_the_command_line_goes_before_all(config: str) -> None:
    found = find_remote(HERE, config, {"SIDECAR_ADMIN": "127.0.0.1:2"})

    assert found.address == HERE


def test_the_environment_goes_before_the_configuration(config: str) -> None:
    found = find_remote(None, config, {"SIDECAR_ADMIN": "127.0.0.1:2"})

    assert found.address == Address(host="127.0.0.1", port=2)


def test_the_configuration_says_where_its_sidecar_is(config: str) -> None:
    assert find_remote(None, config, {}).address == Address(host="127.0.0.1", port=7777)


def test_the_environment_says_which_configuration(config: str) -> None:
    found = find_remote(None, None, {"SIDECAR_CONFIG": config})

    assert found.address == Address(host="127.0.0.1", port=7777)


def test_a_broken_configuration_leaves_the_default_and_a_doubt(tmp_path: Path) -> None:
    found = find_remote(None, str(tmp_path / "missing.yaml"), {})

    assert found.address == Address(host="127.0.0.1", port=9464)
    assert "configuration cannot be loaded" in found.doubt


def test_a_variable_that_is_no_address_is_said_to_be_wrong() -> None:
    with pytest.raises(ConfigError, match=r"SIDECAR_ADMIN.*9464"):
        find_remote(None, None, {"SIDECAR_ADMIN": "9464"})


@pytest.mark.parametrize(
    ("variable", "token"),
    [("secret", Secret("secret")), (" secret\n", Secret("secret")), (" ", None), ("", None)],
    ids=["plain", "with white space", "only white space", "empty"],
)
def test_the_token_is_taken_from_the_environment(variable: str, token: Secret | None) -> None:
    assert find_remote(HERE, None, {"SIDECAR_ADMIN_TOKEN": variable}).token == token


@pytest.mark.parametrize(
    ("bound", "called"),
    [
        ("0.0.0.0", "127.0.0.1"),  # noqa: S104  nobody binds here
        ("::", "::1"),
        ("10.0.0.5", "10.0.0.5"),
        ("sidecar.internal", "sidecar.internal"),
    ],
)
def test_all_addresses_are_called_as_loopback(bound: str, called: str) -> None:
    assert reachable(Address(host=bound, port=1)) == Address(host=called, port=1)
