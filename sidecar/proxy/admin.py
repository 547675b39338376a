"""The admin listener: health, metrics and status for everybody, changes for the operator only."""

from __future__ import annotations

import asyncio
import logging
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from hashlib import sha256
from urllib.parse import unquote

import orjson
from aiohttp import web

from sidecar.clock import Clock
from sidecar.core.refusal import Refused
from sidecar.core.settings import Secret
from sidecar.proxy.access import may_change
from sidecar.proxy.call import Rejected, rejected
from sidecar.proxy.change_body import HoldRequest, Json, hold_of, know_only, level_of, read_json
from sidecar.proxy.feed import Feed
from sidecar.proxy.replies import error_reply, json_reply

log = logging.getLogger(__name__)

Change = Callable[[Json], Awaitable[Json]]

BREAKERS = "/-/breakers/"

INLINE = re.compile(rb"<(style|script)>(.*?)</\1>", re.DOTALL)
FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
ERROR_TYPES = {
    403: "permission_error",
    404: "invalid_request_error",
    503: "service_unavailable_error",
}
BROKEN = Refused(
    status=500,
    type="server_error",
    code="internal_error",
    message="The sidecar failed to answer this; its log says more.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminPorts:
    """What the admin listener shows and does.

    `ready` says whether calls are taken, `all_open` whether every breaker refuses them. `metrics`
    is given the Accept header and returns a body and its type. `request` is what is remembered of
    the request with that id, or `None`. The three changes of a breaker
    return its new state; they raise `KeyError` where nobody has that name, `ConnectionError` or
    `TimeoutError` where the store does not confirm. `duration_s` reads a duration as the
    configuration writes it, or raises `ValueError`. `hosts` are the names that this listener is
    configured to be called by.
    """

    ready: Callable[[], bool]
    all_open: Callable[[], bool]
    metrics: Callable[[str], tuple[bytes, str]]
    status: Callable[[], Json]
    status_page: Callable[[], bytes]
    request: Callable[[str], Json | None]
    report: Callable[[], Json]
    config: Callable[[], Json]
    version: Callable[[], Json]
    hold: Callable[[str, HoldRequest], Awaitable[Json]]
    release: Callable[[str], Awaitable[Json]]
    reset: Callable[[str], Awaitable[Json]]
    drain: Callable[[], None]
    set_log_level: Callable[[str], None]
    duration_s: Callable[[str], float]
    clock: Clock
    token: Secret | None = None
    hosts: frozenset[str] = field(default_factory=frozenset)


class Admin:
    """Answers the requests of the admin listener: `aiohttp.web.Server(admin.handle)`."""

    def __init__(self, ports: AdminPorts) -> None:
        self._ports = ports
        self._feed = Feed(lambda: orjson.dumps(ports.status()), ports.clock, FRESH)
        self._pages: dict[str, Callable[[web.BaseRequest], web.Response]] = {
            "/healthz": lambda _: as_json({"status": "ok"}),
            "/readyz": self._readyz,
            "/status": self._status_page,
            "/status.json": lambda _: as_json(ports.status()),
            "/status/request": self._request,
            "/status/rights": self._rights,
            "/report.json": lambda _: as_json(ports.report()),
            "/config": lambda _: as_json(ports.config()),
            "/version": lambda _: as_json(ports.version()),
        }
        self._changes: dict[str, Change] = {
            "/-/drain": self._drain,
            "/-/log-level": self._set_log_level,
        }
        self._breaker_changes: dict[str, Callable[[str, Json], Awaitable[Json]]] = {
            "hold": self._hold,
            "release": self._release,
            "reset": self._reset,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; every error has OpenAI's shape."""
        try:
            return await self._answer(request)
        except Rejected as rejection:
            return error_reply(rejection.refused, {**FRESH, **rejection.headers})
        except Exception:
            log.exception("admin request failed", extra={"path": request.rel_url.raw_path})
            return error_reply(BROKEN, FRESH)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.rel_url.raw_path
        if page := self._pages.get(path):
            allow_only(request, "GET", "HEAD")
            return page(request)
        if path == "/metrics":
            allow_only(request, "GET", "HEAD")
            return await self._metrics(request)
        if path == "/status/events":
            allow_only(request, "GET")
            return await self._events(request)
        change = self._change_at(path)
        if change is None:
            raise rejected("There is nothing at this path.", status=404)
        allow_only(request, "POST")
        if reason := may_change(request, self._ports.token, self._ports.hosts):
            raise refusal(403, "forbidden", reason)
        return as_json(await change(await read_json(request)))

    def _change_at(self, path: str) -> Change | None:
        if not path.startswith(BREAKERS):
            return self._changes.get(path)
        name, _, word = path.removeprefix(BREAKERS).rpartition("/")
        change = self._breaker_changes.get(word)
        return partial(change, unquote(name)) if change and name else None

    def _readyz(self, request: web.BaseRequest) -> web.Response:
        if not self._ports.ready():
            raise refusal(503, "draining", "The sidecar takes no new calls.")
        if request.query.get("providers") == "1" and self._ports.all_open():
            raise refusal(503, "all_providers_open", "Every provider's circuit breaker is open.")
        return as_json({"status": "ok"})

    async def _metrics(self, request: web.BaseRequest) -> web.Response:
        """In a thread of its own: a large configuration has thousands of series to write."""
        accept = request.headers.get("Accept", "")
        body, content_type = await asyncio.to_thread(self._ports.metrics, accept)
        return web.Response(body=body, headers={"Content-Type": content_type, **FRESH})

    def _status_page(self, _: web.BaseRequest) -> web.Response:
        page = self._ports.status_page()
        headers = {"Content-Security-Policy": page_policy(page), **FRESH}
        return web.Response(body=page, content_type="text/html", charset="utf-8", headers=headers)

    async def _events(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._feed.is_full:
            raise refusal(503, "too_many_listeners", "Too many listen already: ask /status.json.")
        return await self._feed.tell(request)

    def _request(self, request: web.BaseRequest) -> web.Response:
        if found := self._ports.request(request.query.get("id", "")):
            return as_json(found)
        raise refusal(404, "request_not_found", "No request with this id is remembered (any more).")

    def _rights(self, request: web.BaseRequest) -> web.Response:
        """Whether changes are taken from who asks, and whether a token could help."""
        reason = may_change(request, self._ports.token, self._ports.hosts)
        token = self._ports.token
        has_token = token is not None and bool(token.reveal())
        return as_json({"may_change": reason is None, "reason": reason, "token": has_token})

    async def _hold(self, provider: str, body: Json) -> Json:
        hold = hold_of(body, self._ports.duration_s)
        return await confirmed(provider, self._ports.hold(provider, hold))

    async def _release(self, provider: str, body: Json) -> Json:
        know_only(body)
        return await confirmed(provider, self._ports.release(provider))

    async def _reset(self, provider: str, body: Json) -> Json:
        know_only(body)
        return await confirmed(provider, self._ports.reset(provider))

    async def _drain(self, body: Json) -> Json:
        know_only(body)
        self._ports.drain()
        return {"draining": True}

    async def _set_log_level(self, body: Json) -> Json:
        level = level_of(body)
        self._ports.set_log_level(level)
        return {"level": level}


@lru_cache(maxsize=1)
def page_policy(page: bytes) -> str:
    """Let a page run the style and script it was written with and ask us, and nothing else."""
    allowed = {b"style": "", b"script": ""}
    for kind, text in INLINE.findall(page):
        allowed[kind] += f" 'sha256-{b64encode(sha256(text).digest()).decode()}'"
    return (
        f"default-src 'none'; style-src{allowed[b'style']}; script-src{allowed[b'script']}; "
        "img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def allow_only(request: web.BaseRequest, *methods: str) -> None:
    """Reject every method but `methods`."""
    if request.method not in methods:
        allow = ", ".join(methods)
        refused = rejected(f"This path takes {allow} only.", status=405).refused
        raise Rejected(refused, {"Allow": allow})


async def confirmed(provider: str, change: Awaitable[Json]) -> Json:
    """Await a change of a breaker; what went wrong becomes the answer that says so."""
    try:
        return await change
    except KeyError as error:
        message = f"There is no breaker named {provider!r}."
        raise refusal(404, "provider_not_found", message) from error
    except (ConnectionError, TimeoutError) as error:
        message = "The store did not confirm the change: it may not be in force."
        raise refusal(503, "store_unavailable", message) from error


def refusal(status: int, code: str, message: str) -> Rejected:
    """An error with a code or a type that only this listener has."""
    return Rejected(Refused(status=status, type=ERROR_TYPES[status], code=code, message=message))


def as_json(payload: Json) -> web.Response:
    """A JSON answer that nobody keeps."""
    return json_reply(orjson.dumps(payload, option=orjson.OPT_APPEND_NEWLINE), FRESH)
