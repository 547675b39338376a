"""How each kind of provider puts it that something is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sidecar.faults.catalog import Fault, status
from sidecar.faults.refusals import google, openai

Json = dict[str, Any]

FAILED = "Something is wrong."
GOOGLES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
ANTHROPICS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def openais(code: int, message: str = FAILED) -> Json:
    """An object with four members."""
    return openai(message, "server_error" if code >= 500 else "invalid_request_error")


def geminis(code: int, message: str = FAILED, *details: Json) -> list[Json]:
    """A list of one."""
    return google(code, GOOGLES.get(code, "UNKNOWN"), message, *details)


def huggingfaces(_: int, message: str = FAILED) -> Json:
    """A string."""
    return {"error": message}


def anthropics(code: int, message: str = FAILED, error_code: str | None = None) -> Json:
    """An envelope of a type; some errors have details."""
    details = {"error_code": error_code} if error_code else None
    told = {"type": ANTHROPICS.get(code, "api_error"), "message": message, "details": details}
    return {"type": "error", "error": told, "request_id": "req_1"}


def cloudflares(_: int, message: str = FAILED, code: int = 1000) -> Json:
    """A list of errors."""
    errors = [{"code": code, "message": message}]
    return {"success": False, "errors": errors, "messages": [], "result": None}


TONGUES: dict[str, Callable[[int, str], Any]] = {
    "openai": openais,
    "gemini": geminis,
    "huggingface": huggingfaces,
    "anthropic": anthropics,
    "cloudflare": cloudflares,
}
KINDS = pytest.mark.parametrize("kind", TONGUES)


def refuses(kind: str, code: int, message: str = FAILED, **headers: object) -> Fault:
    """A provider of `kind` that answers `code`."""
    return status(code, TONGUES[kind](code, message), **headers)
