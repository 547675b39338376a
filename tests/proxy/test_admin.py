"""The admin listener over real sockets."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp import AiohttpClient, AiohttpRawServer

from sidecar.clock import SystemClock
from sidecar.core.settings import Secret
from sidecar.observe.page import status_page
from sidecar.proxy.admin import Admin, AdminPorts, page_policy
from sidecar.proxy.change_body import HoldRequest
from sidecar.proxy.feed import MAX_LISTENERS

Json = dict[str, Any]
Client = TestClient[web.BaseRequest, None]

ELSEWHERE = "10.0.0.7"
TOKEN = "open sesame"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAGES = (
    *(
        "/healthz",
        "/readyz",
        "/metrics",
        "/status",
        "/status.json",
        "/status/rights",
        "/report.json",
    ),
    *("/config", "/version"),
)
CHANGES = (
    *("/-/breakers/gemini/hold", "/-/breakers/gemini/release", "/-/breakers/gemini/reset"),
    *("/-/drain", "/-/log-level"),
)
PAGE = b"<!doctype html><title>up</title><style>p {}</style><script>\n'use strict';</script>"
BODIES: dict[str, Json] = {
    "/-/breakers/gemini/hold": {"mode": "open"},
    "/-/log-level": {"level": "debug"},
}


@dataclass
class Sidecar:
    """Everything that the listener is given, and what it was made to do."""

    ready: bool = True
    all_open: bool = False
    done: list[Any] = field(default_factory=list)
    requests: dict[str, Json] = field(default_factory=dict)
    failure: Exception | None = None

    def ports(self) -> AdminPorts:
        return AdminPorts(
            ready=lambda: self.ready,
            all_open=lambda: self.all_open,
            metrics=lambda accept: (f"# for {accept}\n".encode(), "text/plain; version=0.0.4"),
            status=lambda: {"version": "1.2.3", "providers": []},
            status_page=lambda: PAGE,
            request=self.requests.get,
            report=lambda: {"providers": []},
            config=lambda: {"admin_token": "***"},
            version=lambda: {"version": "1.2.3"},
            hold=self.hold,
            release=self.move("release"),
            reset=self.move("reset"),
            drain=lambda: self.done.append("drain"),
            set_log_level=self.done.append,
            duration_s=minutes,
            clock=SystemClock(),
            token=Secret(TOKEN),
            hosts=frozenset({"admin.internal"}),
        )

    async def hold(self, provider: str, hold: HoldRequest) -> Json:
        self.done.append((provider, hold))
        return {"name": provider, "held": hold.mode}

    def move(self, word: str) -> Callable[[str], Awaitable[Json]]:
        async def moved(provider: str) -> Json:
            if self.failure:
                raise self.failure
            self.done.append((word, provider))
            return {"name": provider, "state": "closed"}

        return moved


def minutes(text: str) -> float:
    return float(text.removesuffix("m")) * 60


@pytest.fixture
def sidecar() -> Sidecar:
    return Sidecar()


@pytest.fixture
def peer() -> str:
    return "127.0.0.1"


@pytest.fixture
async def client(
    sidecar: Sidecar, peer: str, aiohttp_raw_server: AiohttpRawServer, aiohttp_client: AiohttpClient
) -> Client:
    admin = Admin(sidecar.ports())

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await admin.handle(request.clone(remote=peer))

    return await aiohttp_client(await aiohttp_raw_server(handle))


async def code_of(answer: aiohttp.ClientResponse) -> str:
    error = (await answer.json())["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    return str(error["code"])


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("peer", [ELSEWHERE])
async def test_everybody_may_read(client: Client, path: str) -> None:
    answer = await client.get(path, headers={"Host": "evil.example", "Origin": "http://x"})

    assert answer.status == 200


@pytest.mark.parametrize("path", PAGES)
async def test_head_says_what_get_would_without_a_body(client: Client, path: str) -> None:
    got, head = await client.get(path), await client.head(path)

    assert (head.status, await head.read()) == (200, b"")
    assert head.headers["Content-Type"] == got.headers["Content-Type"]
    assert head.headers["Content-Length"] == got.headers["Content-Length"]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_cannot_be_posted_to(client: Client, path: str) -> None:
    answer = await client.post(path)

    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert await code_of(answer) == "method_not_allowed"


@pytest.mark.parametrize("path", PAGES)
async def test_no_answer_is_kept_or_guessed_at(client: Client, path: str) -> None:
    answer = await client.get(path)

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/healthz/", "/statusx", "/-/", "/-/reboot", "/-/breakers", "/-/breakers/"),
        *("/-/breakers//hold", "/-/breakers/gemini", "/-/breakers/gemini/trip", "/v1/models"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_there_is_nothing_elsewhere(client: Client, method: str, path: str) -> None:
    answer = await client.request(method, path)

    assert answer.status == 404
    assert await code_of(answer) == "not_found"


async def test_while_draining_it_is_alive_but_not_ready(client: Client, sidecar: Sidecar) -> None:
    sidecar.ready = False

    health, readiness = await client.get("/healthz"), await client.get("/readyz")

    assert (health.status, readiness.status) == (200, 503)
    assert await code_of(readiness) == "draining"


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 200), ("?providers=0", 200), ("?providers=1", 503)],
    ids=["not asked", "asked not to", "asked"],
)
async def test_open_breakers_matter_to_readiness_only_on_request(
    client: Client, sidecar: Sidecar, query: str, status: int
) -> None:
    sidecar.all_open = True

    answer = await client.get(f"/readyz{query}")

    assert answer.status == status


async def test_metrics_come_in_the_form_that_was_asked_for(client: Client) -> None:
    answer = await client.get("/metrics", headers={"Accept": "application/openmetrics-text"})

    assert await answer.text() == "# for application/openmetrics-text\n"
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4"


async def test_the_status_page_may_load_nothing_from_elsewhere(client: Client) -> None:
    answer = await client.get("/status")

    assert answer.content_type == "text/html"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(("kind", "text"), [("style", b"p {}"), ("script", b"\n'use strict';")])
async def test_the_status_page_may_use_its_own(client: Client, kind: str, text: bytes) -> None:
    answer = await client.get("/status")

    own = f"{kind}-src 'sha256-{b64encode(sha256(text).digest()).decode()}'"
    assert own in answer.headers["Content-Security-Policy"].split("; ")


@pytest.mark.parametrize("kind", ["style", "script"])
def test_the_policy_knows_what_the_real_page_brings(kind: str) -> None:
    assert f"{kind}-src 'sha256-" in page_policy(status_page())


@pytest.mark.parametrize(
    ("path", "payload"),
    [
        ("/status.json", {"version": "1.2.3", "providers": []}),
        ("/report.json", {"providers": []}),
        ("/config", {"admin_token": "***"}),
        ("/version", {"version": "1.2.3"}),
    ],
)
async def test_what_is_shown_is_what_was_given(client: Client, path: str, payload: Json) -> None:
    answer = await client.get(path)

    assert (answer.content_type, await answer.json()) == ("application/json", payload)


async def test_a_fault_of_our_own_is_told_without_its_details(
    client: Client, sidecar: Sidecar, caplog: pytest.LogCaptureFixture
) -> None:
    sidecar.failure = RuntimeError("api_key=hunter2")

    answer = await client.post("/-/breakers/gemini/reset")

    assert answer.status == 500
    assert "hunter2" not in await answer.text()
    assert [record.message for record in caplog.records] == ["admin request failed"]


async def test_the_status_is_told_as_events(client: Client) -> None:
    async with client.get("/status/events") as answer:
        event = await answer.content.readuntil(b"\n\n")

    assert answer.content_type == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    assert event == b'data: {"version":"1.2.3","providers":[]}\n\n'


@pytest.mark.parametrize("method", ["HEAD", "POST"])
async def test_events_can_only_be_got(client: Client, method: str) -> None:
    answer = await client.request(method, "/status/events")

    assert (answer.status, answer.headers["Allow"]) == (405, "GET")


async def test_no_more_than_a_few_may_listen_until_one_hangs_up(client: Client) -> None:
    answers = [await client.get("/status/events") for _ in range(MAX_LISTENERS)]

    refused = await client.get("/status/events")
    answers.pop().close()

    assert (refused.status, await code_of(refused)) == (503, "too_many_listeners")
    async with asyncio.timeout(5.0):
        while (await client.get("/status/events")).status == 503:  # noqa: ASYNC110  a peer's doing
            await asyncio.sleep(0.01)  # until the sidecar has seen that it hung up


async def test_a_request_that_is_remembered_is_told(client: Client, sidecar: Sidecar) -> None:
    sidecar.requests["req.1"] = {"id": "req.1"}

    answer = await client.get("/status/request?id=req.1")

    assert await answer.json() == {"id": "req.1"}


@pytest.mark.parametrize("query", ["", "?id=", "?id=req-2", "?id=a&id=b", "?ID=req-1"])
async def test_a_request_that_nobody_remembers_is_not_found(client: Client, query: str) -> None:
    answer = await client.get(f"/status/request{query}")

    assert (answer.status, await code_of(answer)) == (404, "request_not_found")


@pytest.mark.parametrize(
    ("peer", "headers", "may_change"),
    [
        ("127.0.0.1", {}, True),
        ("127.0.0.1", {"Host": "evil.example"}, False),
        (ELSEWHERE, {}, False),
        (ELSEWHERE, {"Authorization": "Bearer wrong"}, False),
        (ELSEWHERE, BEARER, True),
    ],
    ids=["loopback", "a rebound name", "elsewhere", "a wrong token", "with the token"],
)
async def test_everybody_may_ask_what_he_may(
    client: Client, headers: dict[str, str], may_change: bool
) -> None:
    rights = await (await client.get("/status/rights", headers=headers)).json()

    assert (rights["may_change"], rights["reason"] is None) == (may_change, may_change)
    assert rights["token"] is True


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_a_change_is_posted_or_nothing(
    client: Client, sidecar: Sidecar, method: str, path: str
) -> None:
    answer = await client.request(method, path, headers=BEARER)

    assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    assert not sidecar.done


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize(
    ("peer", "headers", "allowed"),
    [
        ("127.0.0.1", {}, True),
        ("127.0.0.1", {"Authorization": "Bearer wrong"}, True),
        ("127.0.0.1", {"Origin": "http://evil.example"}, False),
        ("127.0.0.1", {"Host": "evil.example"}, False),
        (ELSEWHERE, {}, False),
        (ELSEWHERE, {"Authorization": "Bearer wrong"}, False),
        (ELSEWHERE, BEARER, True),
        (ELSEWHERE, {**BEARER, "Host": "admin.internal:9464"}, True),
        (ELSEWHERE, {**BEARER, "Host": "evil.example"}, False),
        (ELSEWHERE, {**BEARER, "Origin": "null"}, False),
        ("127.0.0.1", {"Host": "localhost:1", "Origin": "http://localhost:1"}, True),
        (ELSEWHERE, {"Host": "localhost:1", "Origin": "http://localhost:1"}, False),
    ],
    ids=[
        *("loopback", "loopback with a wrong token", "a browser", "a rebound name"),
        *("elsewhere", "elsewhere with a wrong token", "elsewhere with the token"),
        *("by the configured name", "by a foreign name", "a browser with the token"),
        *("our own page", "our own page elsewhere"),
    ],
)
async def test_a_change_is_for_the_operator_only(
    client: Client, sidecar: Sidecar, path: str, headers: dict[str, str], allowed: bool
) -> None:
    answer = await client.post(path, json=BODIES.get(path, {}), headers=headers)

    assert answer.status == (200 if allowed else 403)
    assert bool(sidecar.done) is allowed


@pytest.mark.parametrize("peer", [ELSEWHERE])
async def test_a_stranger_does_not_learn_which_breakers_there_are(
    client: Client, sidecar: Sidecar
) -> None:
    sidecar.failure = KeyError("nobody")

    answer = await client.post("/-/breakers/nobody/reset")

    assert await code_of(answer) == "forbidden"


@pytest.mark.parametrize(
    ("body", "hold"),
    [
        ({"mode": "open"}, HoldRequest(mode="open")),
        (
            {"mode": "closed", "for": "10m", "reason": "drill"},
            HoldRequest(mode="closed", for_s=600.0, reason="drill"),
        ),
    ],
    ids=["until released", "for a while"],
)
async def test_a_hold_is_passed_on_and_its_new_state_told(
    client: Client, sidecar: Sidecar, body: Json, hold: HoldRequest
) -> None:
    answer = await client.post("/-/breakers/gemini/hold", json=body)

    assert sidecar.done == [("gemini", hold)]
    assert await answer.json() == {"name": "gemini", "held": hold.mode}


@pytest.mark.parametrize("word", ["release", "reset"])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("gemini", "gemini"),
        ("hf%2Fmeta-llama%2FLlama-3.3-70B", "hf/meta-llama/Llama-3.3-70B"),
        ("hf/meta-llama/Llama-3.3-70B", "hf/meta-llama/Llama-3.3-70B"),
        ("gemini%2F%2A", "gemini/*"),
        ("my%20own", "my own"),
    ],
    ids=["plain", "encoded", "with slashes", "any model", "with a space"],
)
async def test_a_breaker_is_named_in_the_path(
    client: Client, sidecar: Sidecar, word: str, path: str, name: str
) -> None:
    url = client.make_url("/").with_path(f"/-/breakers/{path}/{word}", encoded=True)

    answer = await client.session.post(url)

    assert answer.status == 200
    assert sidecar.done == [(word, name)]


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (KeyError("gemini"), 404, "provider_not_found"),
        (ConnectionError("redis is gone"), 503, "store_unavailable"),
        (TimeoutError(), 503, "store_unavailable"),
    ],
    ids=["unknown provider", "store down", "store slow"],
)
async def test_a_change_that_did_not_happen_is_not_called_done(
    client: Client, sidecar: Sidecar, failure: Exception, status: int, code: str
) -> None:
    sidecar.failure = failure

    answer = await client.post("/-/breakers/gemini/reset")

    assert (answer.status, await code_of(answer)) == (status, code)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("hold", b"{"),
        ("hold", b"[]"),
        ("hold", b"null"),
        ("hold", b"\xff"),
        ("hold", b""),
        ("hold", b'{"mode": "half_open"}'),
        ("hold", b'{"mode": ["open"]}'),
        ("hold", b'{"mode": "open", "fro": "10m"}'),
        ("hold", b'{"mode": "open", "for": "soon"}'),
        ("hold", b'{"mode": "open", "for": 600}'),
        ("hold", b'{"mode": "open", "for": null}'),
        ("hold", b'{"mode": "open", "for": "0m"}'),
        ("hold", b'{"mode": "open", "for": "-1m"}'),
        ("hold", b'{"mode": "open", "for": "infm"}'),
        ("hold", b'{"mode": "open", "for": "nanm"}'),
        ("hold", b'{"mode": "open", "reason": 7}'),
        ("hold", b'{"mode": "open", "reason": "two\\nlines"}'),
        ("hold", b'{"mode": "open", "reason": "' + b"x" * 201 + b'"}'),
        ("release", b'{"mode": "open"}'),
        ("reset", b'{"provider": "gemini"}'),
    ],
    ids=[
        *("cut JSON", "an array", "null", "not UTF-8", "nothing", "unknown mode", "mode a list"),
        *("unknown key", "no duration", "a number", "null for", "no time", "negative", "endless"),
        *("not a number", "reason a number", "two lines", "long reason", "release", "reset"),
    ],
)
async def test_a_body_that_cannot_be_followed_changes_nothing(
    client: Client, sidecar: Sidecar, path: str, body: bytes
) -> None:
    answer = await client.post(f"/-/breakers/gemini/{path}", data=body)

    assert (answer.status, await code_of(answer)) == (400, "bad_request")
    assert not sidecar.done


async def test_a_large_body_is_not_read_to_its_end(client: Client, sidecar: Sidecar) -> None:
    answer = await client.post("/-/drain", data=b'{"pad": "' + b"x" * 65536 + b'"}')

    assert answer.status == 413
    assert not sidecar.done


async def test_draining_starts_on_request(client: Client, sidecar: Sidecar) -> None:
    answer = await client.post("/-/drain")

    assert (await answer.json(), sidecar.done) == ({"draining": True}, ["drain"])


async def test_the_log_level_can_be_changed(client: Client, sidecar: Sidecar) -> None:
    answer = await client.post("/-/log-level", json={"level": "debug"})

    assert (await answer.json(), sidecar.done) == ({"level": "debug"}, ["debug"])


@pytest.mark.parametrize("body", [{}, {"level": "loud"}, {"level": ["debug"]}, {"lvl": "info"}])
async def test_an_unknown_log_level_is_refused(
    client: Client, sidecar: Sidecar, body: Json
) -> None:
    answer = await client.post("/-/log-level", json=body)

    assert (answer.status, sidecar.done) == (400, [])


async def test_without_a_token_a_stranger_is_told_what_is_missing(
    aiohttp_raw_server: AiohttpRawServer, aiohttp_client: AiohttpClient
) -> None:
    admin = Admin(replace(Sidecar().ports(), token=None))

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await admin.handle(request.clone(remote=ELSEWHERE))

    client: Client = await aiohttp_client(await aiohttp_raw_server(handle))

    answer = await client.post("/-/drain", headers=BEARER)

    assert "admin_token" in (await answer.json())["error"]["message"]
