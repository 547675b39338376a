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
from typing import Any, Literal
from urllib.parse import unquote

import orjson
from aiohttp import web

from sidecar.core.refusal import Refused
from sidecar.core.settings import Secret
from sidecar.proxy.access import may_change
from sidecar.proxy.replies import error_reply, json_reply

log = logging.getLogger(__name__)

Json = dict[str, Any]
Change = Callable[[Json], Awaitable[Json]]

BREAKERS = "/-/breakers/"
LEVELS = ("debug", "info", "warning", "error")
MAX_BODY_BYTES = 64 * 1024
MAX_HOLD_S = 366 * 86400.0
MAX_REASON_CHARS = 200  # it is stored with the breaker and shown on one line

INLINE = re.compile(rb"<(style|script)>(.*?)</\1>", re.DOTALL)
FRESH = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
ERROR_TYPES = {403: "permission_error", 500: "server_error", 503: "service_unavailable_error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A breaker pinned by an operator; `for_s` is `None` until it is released."""

    mode: Literal["open", "closed"]
    for_s: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminPorts:
    """What the admin listener shows and does.

    `ready` says whether calls are taken, `all_open` whether every breaker refuses them. `metrics`
    is given the Accept header and returns a body and its type. The three changes of a breaker
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
    config: Callable[[], Json]
    version: Callable[[], Json]
    hold: Callable[[str, Hold], Awaitable[Json]]
    release: Callable[[str], Awaitable[Json]]
    reset: Callable[[str], Awaitable[Json]]
    drain: Callable[[], None]
    set_log_level: Callable[[str], None]
    duration_s: Callable[[str], float]
    token: Secret | None = None
    hosts: frozenset[str] = field(default_factory=frozenset)


class Rejected(Exception):
    """A request that gets an error for an answer, with `headers` beside it."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        kind = ERROR_TYPES.get(status, "invalid_request_error")
        self.refused = Refused(status=status, type=kind, code=code, message=message)
        self.headers = headers

    def reply(self) -> web.Response:
        """The answer itself."""
        return error_reply(self.refused, {**FRESH, **self.headers})


class Admin:
    """Answers the requests of the admin listener: `aiohttp.web.Server(admin.handle)`."""

    def __init__(self, ports: AdminPorts) -> None:
        self._ports = ports
        self._pages: dict[str, Callable[[web.BaseRequest], web.Response]] = {
            "/healthz": lambda _: as_json({"status": "ok"}),
            "/readyz": self._readyz,
            "/status": self._status_page,
            "/status.json": lambda _: as_json(ports.status()),
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
        except Rejected as rejected:
            return rejected.reply()
        except Exception:
            log.exception("admin request failed", extra={"path": request.rel_url.raw_path})
            message = "The sidecar failed to answer this; its log says more."
            return Rejected(500, "internal_error", message).reply()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        path = request.rel_url.raw_path
        if page := self._pages.get(path):
            allow_only(request, "GET", "HEAD")
            return page(request)
        if path == "/metrics":
            allow_only(request, "GET", "HEAD")
            return await self._metrics(request)
        change = self._change_at(path)
        if change is None:
            raise Rejected(404, "not_found", "There is nothing at this path.")
        allow_only(request, "POST")
        if reason := may_change(request, self._ports.token, self._ports.hosts):
            raise Rejected(403, "forbidden", reason)
        return as_json(await change(await read_json(request)))

    def _change_at(self, path: str) -> Change | None:
        if not path.startswith(BREAKERS):
            return self._changes.get(path)
        name, _, word = path.removeprefix(BREAKERS).rpartition("/")
        change = self._breaker_changes.get(word)
        return partial(change, unquote(name)) if change and name else None

    def _readyz(self, request: web.BaseRequest) -> web.Response:
        if not self._ports.ready():
            raise Rejected(503, "draining", "The sidecar takes no new calls.")
        if request.query.get("providers") == "1" and self._ports.all_open():
            raise Rejected(503, "all_providers_open", "Every provider's circuit breaker is open.")
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

    async def _hold(self, provider: str, body: Json) -> Json:
        know_only(body, "mode", "for", "reason")
        hold = Hold(
            mode=mode_of(body),
            for_s=self._hold_s(body["for"]) if "for" in body else None,
            reason=reason_of(body),
        )
        return await confirmed(provider, self._ports.hold(provider, hold))

    def _hold_s(self, value: object) -> float:
        try:
            seconds = self._ports.duration_s(value) if isinstance(value, str) else 0.0
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= MAX_HOLD_S:
            raise malformed("for must be a duration such as 10m, of at most a year")
        return seconds

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
        know_only(body, "level")
        level = body.get("level")
        if level not in LEVELS:
            raise malformed(f"level must be one of {', '.join(LEVELS)}")
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
        raise Rejected(405, "method_not_allowed", f"This path takes {allow} only.", Allow=allow)


async def read_json(request: web.BaseRequest) -> Json:
    """Read the body as a JSON object; no body is an empty one."""
    try:
        text = await request.clone(client_max_size=MAX_BODY_BYTES).read()
        body = orjson.loads(text or b"{}")
    except web.HTTPRequestEntityTooLarge as error:
        message = f"The body is larger than {MAX_BODY_BYTES} bytes."
        raise Rejected(413, "too_large", message) from error
    except orjson.JSONDecodeError as error:
        raise malformed("the body is not JSON") from error
    if not isinstance(body, dict):
        raise malformed("the body is not a JSON object")
    return body


def know_only(body: Json, *keys: str) -> None:
    """Reject a body with other keys than `keys`."""
    if unknown := sorted(body.keys() - set(keys)):
        raise malformed(f"unknown key {unknown[0]!r}")


def mode_of(body: Json) -> Literal["open", "closed"]:
    """Which way the breaker is held."""
    if body.get("mode") == "open":
        return "open"
    if body.get("mode") == "closed":
        return "closed"
    raise malformed("mode must be open or closed")


def reason_of(body: Json) -> str:
    """The operator's words, fit to be shown on one line."""
    reason = body.get("reason", "")
    if isinstance(reason, str) and len(reason) <= MAX_REASON_CHARS and reason.isprintable():
        return reason
    raise malformed(f"reason must be one line of at most {MAX_REASON_CHARS} characters")


async def confirmed(provider: str, change: Awaitable[Json]) -> Json:
    """Await a change of a breaker; what went wrong becomes the answer that says so."""
    try:
        return await change
    except KeyError as error:
        message = f"There is no breaker named {provider!r}."
        raise Rejected(404, "provider_not_found", message) from error
    except (ConnectionError, TimeoutError) as error:
        message = "The store did not confirm the change: it may not be in force."
        raise Rejected(503, "store_unavailable", message) from error


def malformed(message: str) -> Rejected:
    """The error of a body that we cannot follow."""
    return Rejected(400, "bad_request", f"Bad request: {message}.")


def as_json(payload: Json) -> web.Response:
    """A JSON answer that nobody keeps."""
    return json_reply(orjson.dumps(payload, option=orjson.OPT_APPEND_NEWLINE), FRESH)
