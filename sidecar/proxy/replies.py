"""What the sidecar itself says, in OpenAI's shape, or Anthropic's to those who speak that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from sidecar.core.answer import AnswerFailed
from sidecar.core.failover import Step
from sidecar.core.refusal import Refused
from sidecar.dialects.messages.errors import error_body as as_messages_error

INTERNAL = Refused(
    status=500,
    type="server_error",
    code="internal_error",
    message="The sidecar failed. Its log says more under this request id.",
)
CLIENT_CLOSED = 499  # what the log calls an answer that nobody waited for


def error_body(refused: Refused, steps: Sequence[Step] = ()) -> bytes:
    """An error object, with what became of each provider added."""
    error: dict[str, Any] = {
        "message": refused.message,
        "type": refused.type,
        "param": refused.param,
        "code": refused.code,
    }
    if steps:
        error["attempts"] = [as_attempt(step) for step in steps]
    return orjson.dumps({"error": error})


def as_attempt(step: Step) -> dict[str, Any]:
    """One entry of an error's `attempts`."""
    told: dict[str, Any] = {"provider": step.entry.provider.name, "model": step.entry.model_label}
    if step.failure:
        told |= {"outcome": step.failure.outcome, "status": step.failure.status}
        return told | {"seconds": round(step.seconds, 3)}
    return told | {"skipped": step.refusal.reason if step.refusal else None}


def messages_error_body(refused: Refused, steps: Sequence[Step], request_id: str) -> bytes:
    """The same for an application that speaks Anthropic's Messages."""
    attempts = [as_attempt(step) for step in steps]
    return orjson.dumps(
        as_messages_error(refused.status, refused.message, refused.code, request_id, attempts)
    )


def error_reply(
    refused: Refused,
    headers: Mapping[str, str],
    steps: Sequence[Step] = (),
    *,
    in_messages: bool = False,
) -> web.Response:
    """An error answer. The sidecar owns the retries, so the SDK is told not to add its own."""
    extra = dict(headers)
    if refused.status == 429 or refused.status >= 500:
        extra["x-should-retry"] = "false"
    if refused.retry_after_s is not None:
        extra["retry-after"] = str(refused.retry_after_s)
    if in_messages:
        body = messages_error_body(refused, steps, extra.get("x-request-id", ""))
    else:
        body = error_body(refused, steps)
    return json_reply(body, extra, status=refused.status)


def json_reply(body: bytes, headers: Mapping[str, str], *, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def cut(request: web.BaseRequest) -> None:
    """End the application's connection without the end of the answer."""
    if request.transport:
        request.transport.abort()


def as_error(failed: AnswerFailed) -> dict[str, Any]:
    """What a stream that broke says of it."""
    return {
        "message": f"{failed.message}.",
        "type": "stream_error",
        "param": None,
        "code": failed.outcome,
    }
