"""Errors as Anthropic's clients read them."""

from __future__ import annotations

from sidecar.dialects.dialect import Json

BY_STATUS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
TYPES = frozenset(BY_STATUS.values())


def error_type(status: int) -> str:
    """What Anthropic calls an error of this HTTP status."""
    return BY_STATUS.get(status) or ("invalid_request_error" if status < 500 else "api_error")


def error_body(
    status: int, message: str, code: str | None, request_id: str, attempts: list[Json]
) -> Json:
    """The body of an error answer. `attempts`: what became of each provider."""
    error: Json = {"type": error_type(status), "message": message, "code": code}
    if attempts:
        error["attempts"] = attempts
    return {"type": "error", "error": error, "request_id": request_id}


def in_band(error: Json) -> Json:
    """The last event of a stream that broke, for an `error` in OpenAI's words."""
    known = error.get("type") in TYPES
    told = {
        "type": error["type"] if known else "api_error",
        "message": str(error.get("message")),
        "code": error.get("code"),
    }
    return {"type": "error", "error": told}
