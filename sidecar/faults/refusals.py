"""Answers that say no: every status, every reason, and every shape of error body."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import orjson

from sidecar.clock import SystemClock
from sidecar.faults.answer import Json, Scene
from sidecar.faults.fault import Effect, Fault, Script, reply
from sidecar.faults.steps import Step
from sidecar.faults.wire import REASONS

Body = Json | list[Any] | str | bytes
Row = tuple[str, str, int, Body]

OVER, CALLER = Effect.FAILS_OVER, Effect.CALLER
JSON, TEXT, HTML = "application/json", "text/plain; charset=utf-8", "text/html; charset=utf-8"
INVALID = "invalid_request_error"
FAILED = "The server had an error while processing your request."
PAGE = (
    "<!DOCTYPE html><html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"
)
ELSEWHERE = "http://127.0.0.1:9/v1/chat/completions"

UNHAPPY = (
    *(408, 409, 424, 425, 429, 498, 499, 500, 501, 502, 503, 504),
    *(520, 521, 522, 523, 524, 525, 526, 529, 530),
)


def openai(
    message: str, kind: str = "server_error", code: str | None = None, param: str | None = None
) -> Json:
    """An error as OpenAI puts it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def google(code: int, status: str, message: str, *details: Json) -> list[Json]:
    """An error as Gemini's OpenAI endpoint puts it: a list of one."""
    return [
        {"error": {"code": code, "message": message, "status": status, "details": list(details)}}
    ]


def refuse_with(status: int, body: Body, **headers: object) -> Script:
    """Answer `status` with `body`: JSON, text or HTML; bytes go out as they are, as JSON.

    Header names come with underscores: `retry_after=2`.
    """
    extra = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    if isinstance(body, str):
        return reply(status, body.encode(), HTML if body.startswith("<") else TEXT, extra)
    return reply(status, body if isinstance(body, bytes) else orjson.dumps(body), JSON, extra)


def status(code: int, body: Body | None = None, **headers: object) -> Fault:
    """Answer with a status, and OpenAI's error body unless told otherwise; see `refuse_with`."""
    says = openai(FAILED, "server_error" if code >= 500 else INVALID) if body is None else body
    effect = CALLER if code == HTTPStatus.BAD_REQUEST else OVER
    phrase = REASONS.get(code, "of its own making")
    script = refuse_with(code, says, **headers)
    return Fault(f"status_{code}", f"answers {code} {phrase}", effect, script)


def redirect(to: str = ELSEWHERE) -> Fault:
    """Send the call elsewhere, and the key with it if somebody follows."""
    return Fault("redirect", "redirects to another host", OVER, refuse_with(307, "", location=to))


def rate_limit_date(wait_s: float = 20.0) -> Fault:
    """State the wait as a date, which has to be put together when it is said."""

    def script(scene: Scene) -> Iterator[Step]:
        date = formatdate(SystemClock.unix() + wait_s, usegmt=True)
        yield from refuse_with(429, LIMITED, retry_after=date)(scene)

    return Fault("rate_limit_date", "answers 429, to wait until a date", OVER, script)


def table(effect: Effect, *rows: Row) -> tuple[Fault, ...]:
    """Faults that come to the same, one a row."""
    return tuple(
        Fault(name, does, effect, refuse_with(code, body)) for name, does, code, body in rows
    )


LIMITED = openai("Rate limit reached for requests", "requests", "rate_limit_exceeded")
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}
NO_CREDIT = {"error": "You have depleted your monthly included credits."}
NO_BALANCE = {
    "type": "error",
    "error": {"type": INVALID, "message": "Your credit balance is too low to access the API."},
}
UNAUTHORIZED = {"success": False, "error": [{"code": 2009, "message": "Unauthorized"}]}
LOADING = {"error": "Model demo is currently loading", "estimated_time": 20.0}
GZIP = gzip.compress(orjson.dumps(openai(FAILED)), mtime=0)
SHAPES: dict[str, Body] = {
    "object": openai(FAILED),
    "string": {"error": FAILED},
    "list": {"success": False, "error": [{"code": 7003, "message": FAILED}]},
    "gemini": google(500, "INTERNAL", FAILED),
    "errors": {"errors": [{"message": FAILED}]},
    "detail": {"detail": FAILED},
    "details": {"detail": [{"loc": ["body"], "msg": FAILED}]},
    "message": {"message": FAILED},
    "vllm": {"object": "error", "message": FAILED, "type": "InternalServerError", "code": 500},
    "anthropic": {"type": "error", "error": {"type": "api_error", "message": FAILED}},
    "tgi": {"error": FAILED, "error_type": "generation"},
    "text": FAILED,
    "html": PAGE,
    "empty": b"",
    "latin1": '{"error": {"message": "désolé"}}'.encode("latin-1"),
    "huge": openai("so long " * 650_000),  # 5 MB
}

FAULTS = (
    *(status(code) for code in UNHAPPY),
    *table(
        OVER,
        *((f"body_{name}", f"answers 500, {name}", 500, body) for name, body in SHAPES.items()),
        ("rate_limit", "answers 429 without a wait", 429, LIMITED),
        (
            "rate_limit_gemini",
            "answers 429, the wait in the body",
            429,
            google(429, "RESOURCE_EXHAUSTED", "Quota exceeded", RETRY_INFO),
        ),
        (
            "insufficient_quota",
            "answers 429, the quota used up",
            429,
            openai("You exceeded your quota", "insufficient_quota", "insufficient_quota"),
        ),
        (
            "credit_balance_exhausted",
            "answers 429, the credit used up",
            429,
            openai("No credit left", "billing", "credit_balance_exhausted"),
        ),
        ("no_credit", "answers 402, nothing left to spend", 402, NO_CREDIT),
        ("no_credit_anthropic", "answers 400, nothing left to spend", 400, NO_BALANCE),
        ("bad_key", "answers 401", 401, openai("Wrong API key", INVALID, "invalid_api_key")),
        (
            "bad_key_gemini",
            "answers 400, the key not valid",
            400,
            google(400, "INVALID_ARGUMENT", "No valid key", {"reason": "API_KEY_INVALID"}),
        ),
        ("bad_key_cloudflare", "answers 401 in Cloudflare's envelope", 401, UNAUTHORIZED),
        ("forbidden", "answers 403", 403, openai("Not allowed", "permission_error")),
        (
            "model_not_found",
            "answers 404, the model not known",
            404,
            openai("No such model", INVALID, "model_not_found", "model"),
        ),
        (
            "model_not_supported",
            "answers 400, the model not offered",
            400,
            openai("Not supported", INVALID, "model_not_supported", "model"),
        ),
        ("path_not_found", "answers 404, the path not known", 404, "404 page not found"),
        ("too_large", "answers 413, a page of HTML", 413, PAGE),
        ("warming", "answers 503, the model still loading", 503, LOADING),
    ),
    *table(
        CALLER,
        (
            "bad_messages",
            "answers 400, the messages wrong",
            400,
            openai("Invalid messages", INVALID, None, "messages"),
        ),
        (
            "context_length",
            "answers 400, the context too long",
            400,
            openai("Too many tokens", INVALID, "context_length_exceeded", "messages"),
        ),
        (
            "content_filter",
            "answers 400, the prompt against the rules",
            400,
            openai("The prompt was filtered", INVALID, "content_filter", "prompt"),
        ),
        (
            "unknown_param_gemini",
            "answers 400, a field not known",
            400,
            google(400, "INVALID_ARGUMENT", 'Unknown name "store": Cannot find field.'),
        ),
    ),
    Fault(
        "rate_limit_seconds",
        "answers 429, wait 20 s",
        OVER,
        refuse_with(429, LIMITED, retry_after=20),
    ),
    Fault(
        "rate_limit_ms",
        "answers 429, wait 20,000 ms",
        OVER,
        refuse_with(429, LIMITED, retry_after_ms=20_000),
    ),
    Fault("body_gzip", "answers 500, gzip", OVER, refuse_with(500, GZIP, content_encoding="gzip")),
    rate_limit_date(),
    redirect(),
)
