"""What the operator's changes say: the bodies of `POST /-/…`, read and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from aiohttp import web

from sidecar.core.refusal import Refused
from sidecar.proxy.call import Rejected

Json = dict[str, Any]

LEVELS = ("debug", "info", "warning", "error")
MAX_BODY_BYTES = 64 * 1024
MAX_HOLD_S = 366 * 86400.0
MAX_REASON_CHARS = 200  # it is stored with the breaker and shown on one line
TOO_LARGE = Refused(
    status=413,
    type="invalid_request_error",
    code="too_large",
    message=f"The body is larger than {MAX_BODY_BYTES} bytes.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequest:
    """A breaker to be pinned by an operator; `for_s` is `None` until it is released."""

    mode: Literal["open", "closed"]
    for_s: float | None = None
    reason: str = ""


async def read_json(request: web.BaseRequest) -> Json:
    """Read the body as a JSON object; no body is an empty one. Raises `Rejected`, as all here."""
    try:
        text = await request.clone(client_max_size=MAX_BODY_BYTES).read()
        body = orjson.loads(text or b"{}")
    except web.HTTPRequestEntityTooLarge as error:
        raise Rejected(TOO_LARGE) from error
    except orjson.JSONDecodeError as error:
        raise malformed("the body is not JSON") from error
    if not isinstance(body, dict):
        raise malformed("the body is not a JSON object")
    return body


def know_only(body: Json, *keys: str) -> None:
    """Reject a body with other keys than `keys`."""
    if unknown := sorted(body.keys() - set(keys)):
        raise malformed(f"unknown key {unknown[0]!r}")


def level_of(body: Json) -> str:
    """The level that the log is to have."""
    know_only(body, "level")
    level = body.get("level")
    if level not in LEVELS:
        raise malformed(f"level must be one of {', '.join(LEVELS)}")
    return str(level)


def hold_of(body: Json, duration_s: Callable[[str], float]) -> HoldRequest:
    """The hold that is asked for. `duration_s` reads a duration, or raises `ValueError`."""
    know_only(body, "mode", "for", "reason")
    return HoldRequest(
        mode=mode_of(body),
        for_s=for_s_of(body, duration_s) if "for" in body else None,
        reason=reason_of(body),
    )


def mode_of(body: Json) -> Literal["open", "closed"]:
    """Which way the breaker is held."""
    if body.get("mode") == "open":
        return "open"
    if body.get("mode") == "closed":
        return "closed"
    raise malformed("mode must be open or closed")


def for_s_of(body: Json, duration_s: Callable[[str], float]) -> float:
    """How long the breaker is held."""
    stated = body["for"]
    try:
        seconds = duration_s(stated) if isinstance(stated, str) else 0.0
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= MAX_HOLD_S:
        raise malformed("for must be a duration such as 10m, of at most a year")
    return seconds


def reason_of(body: Json) -> str:
    """The operator's words, fit to be shown on one line."""
    reason = body.get("reason", "")
    if isinstance(reason, str) and len(reason) <= MAX_REASON_CHARS and reason.isprintable():
        return reason
    raise malformed(f"reason must be one line of at most {MAX_REASON_CHARS} characters")


def malformed(message: str) -> Rejected:
    """The error of a body that we cannot follow."""
    return Rejected(
        Refused(
            status=400,
            type="invalid_request_error",
            code="bad_request",
            message=f"Bad request: {message}.",
        )
    )
