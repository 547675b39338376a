"""Errors as Anthropic's clients read them."""

from __future__ import annotations

from sidecar.core.outcome import Outcome
from sidecar.dialects.dialect import Json
from sidecar.dialects.odd import text_in

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
BY_OUTCOME: dict[str, str] = {
    Outcome.RATE_LIMIT: "rate_limit_error",
    Outcome.QUOTA_EXHAUSTED: "billing_error",
    Outcome.OVERLOADED: "overloaded_error",
    Outcome.WARMING: "overloaded_error",
    Outcome.AUTH: "authentication_error",
    Outcome.FORBIDDEN: "permission_error",
    Outcome.MODEL_MISSING: "not_found_error",
    Outcome.TIMEOUT_CONNECT: "timeout_error",
    Outcome.TIMEOUT_FIRST_TOKEN: "timeout_error",
    Outcome.TIMEOUT_IDLE: "timeout_error",
    Outcome.TIMEOUT_ANSWER: "timeout_error",
    Outcome.TIMEOUT_TOTAL: "timeout_error",
    Outcome.TIMEOUT_UPSTREAM: "timeout_error",
    Outcome.TOO_LARGE: "request_too_large",
    Outcome.NOT_SUPPORTED: "invalid_request_error",
    Outcome.UNSUPPORTED_PARAM: "invalid_request_error",
    Outcome.CONTEXT_LENGTH: "invalid_request_error",
    Outcome.CONTENT_FILTER: "invalid_request_error",
    Outcome.BAD_REQUEST: "invalid_request_error",
}  # whatever else became of a stream is an `api_error`


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
    """The last event of a stream that broke, for an `error` whose code is an outcome."""
    code = text_in(error, "code")
    kind = BY_OUTCOME.get(code, "api_error")
    return {
        "type": "error",
        "error": {"type": kind, "message": text_in(error, "message"), "code": code},
    }
