"""What a provider's complaint means: every shape of error body, and the table that judges it.

The order is: the code in the body, its type or status name, text patterns, the HTTP status. A
status alone decides nothing for 400, 403, 404 and 429, where providers disagree most.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sidecar.core.outcome import Outcome

MESSAGE_CHARS = 300  # enough to tell what is wrong; a provider's page of HTML is not


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a provider said went wrong. `words`: codes, types, status names, best first."""

    message: str = ""
    words: tuple[str, ...] = ()
    param: str | None = None

    @property
    def code(self) -> str | None:
        """The most telling word."""
        return self.words[0] if self.words else None


BY_WORD: dict[str, Outcome] = {
    **dict.fromkeys(
        ("invalid_api_key", "authentication_error", "API_KEY_INVALID", "UNAUTHENTICATED", "2009"),
        Outcome.AUTH,
    ),
    **dict.fromkeys(("permission_error", "PERMISSION_DENIED"), Outcome.FORBIDDEN),
    **dict.fromkeys(
        (
            *("insufficient_quota", "credit_balance_exhausted", "billing_error"),
            *("organization_spend_limit_exceeded", "project_spend_limit_exceeded"),
            *("organization_usage_limit_exceeded", "enforced_spend_limit_reached"),
            *("contract_spend_limit_reached", "linked_organization_spend_limit_reached"),
            *("billing_hard_limit_reached", "payment_required", "blocked_api_access"),
        ),
        Outcome.QUOTA_EXHAUSTED,
    ),
    **dict.fromkeys(
        ("model_not_found", "model_not_supported", "DeploymentNotFound"), Outcome.MODEL_MISSING
    ),
    **dict.fromkeys(
        ("context_length_exceeded", "exceed_context_size_error"), Outcome.CONTEXT_LENGTH
    ),
    **dict.fromkeys(
        ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation", "2016"),
        Outcome.CONTENT_FILTER,
    ),
    **dict.fromkeys(("unsupported_parameter", "unsupported_value"), Outcome.UNSUPPORTED_PARAM),
    "request_too_large": Outcome.TOO_LARGE,
    **dict.fromkeys(("tool_use_failed", "network_error"), Outcome.GENERATION_FAILED),
    **dict.fromkeys(
        ("overloaded_error", "overloaded", "server_is_overloaded", "UNAVAILABLE"),
        Outcome.OVERLOADED,
    ),
    **dict.fromkeys(
        ("timeout_error", "DEADLINE_EXCEEDED"),
        Outcome.TIMEOUT_UPSTREAM,
    ),
    **dict.fromkeys(
        ("rate_limit_exceeded", "rate_limit_error", "slow_down", "RESOURCE_EXHAUSTED"),
        Outcome.RATE_LIMIT,
    ),
}

# Read only where neither code nor type decided. Lower case; the first that is found wins.
BY_TEXT: tuple[tuple[re.Pattern[str], Outcome], ...] = tuple(
    (re.compile(pattern), outcome)
    for pattern, outcome in (
        (
            r"maximum context length is|prompt is too long: |exceeds the available context size"
            r"|exceeds the maximum number of tokens allowed|longer than the model's context length"
            r"|current length is \d+ while limit is|`inputs` tokens \+ `max_new_tokens` must be",
            Outcome.CONTEXT_LENGTH,
        ),
        (
            r"credit balance is too low|depleted your monthly included credits"
            r"|exceeded your monthly included credits|insufficient balance",
            Outcome.QUOTA_EXHAUSTED,
        ),
        (r"content filtering policy|content management policy", Outcome.CONTENT_FILTER),
        (r"api key not valid|invalid api key|incorrect api key", Outcome.AUTH),
        (r"unknown name \"|extra inputs are not permitted", Outcome.UNSUPPORTED_PARAM),
        (r"country, region, or territory not supported", Outcome.FORBIDDEN),
        (r"is currently loading|loading model", Outcome.WARMING),
        (r"^model: |model .{1,200} (does not exist|not found)", Outcome.MODEL_MISSING),
    )
)
TEXT_DECIDES = frozenset((400, 401, 402, 403, 404, 413, 422, 429, 500, 503))

MODERATED = frozenset(("reasons", "flagged_input"))  # OpenRouter: the prompt was refused

BY_STATUS: dict[int, Outcome] = {
    401: Outcome.AUTH,
    402: Outcome.QUOTA_EXHAUSTED,
    403: Outcome.FORBIDDEN,
    404: Outcome.NOT_SUPPORTED,
    405: Outcome.NOT_SUPPORTED,
    408: Outcome.TIMEOUT_UPSTREAM,
    409: Outcome.SERVER_ERROR,
    413: Outcome.TOO_LARGE,
    415: Outcome.NOT_SUPPORTED,
    422: Outcome.UNSUPPORTED_PARAM,
    424: Outcome.SERVER_ERROR,
    425: Outcome.WARMING,
    429: Outcome.RATE_LIMIT,
    498: Outcome.OVERLOADED,
    499: Outcome.SERVER_ERROR,
    501: Outcome.NOT_SUPPORTED,
    503: Outcome.OVERLOADED,
    504: Outcome.TIMEOUT_UPSTREAM,
    524: Outcome.TIMEOUT_UPSTREAM,
    529: Outcome.OVERLOADED,
}
BY_CLASS: dict[int, Outcome] = {
    3: Outcome.PROTOCOL,  # never followed: it would carry the key to another host
    4: Outcome.BAD_REQUEST,
    5: Outcome.SERVER_ERROR,
}


def judge_error(status: int, complaint: Complaint, otherwise: Outcome) -> Outcome:
    """What an error answer means. `otherwise` is for a 2xx whose complaint says nothing known."""
    known = (BY_WORD[word] for word in complaint.words if word in BY_WORD)
    status = status if status >= 300 else status_within(complaint)
    return (
        next(known, None)
        or judge_text(status, complaint.message.lower())
        or BY_STATUS.get(status)
        or BY_CLASS.get(status // 100, otherwise)
    )


def judge_text(status: int, text: str) -> Outcome | None:
    """What the words of an error mean, where its status leaves that open."""
    if status and status not in TEXT_DECIDES:
        return None
    found = (outcome for pattern, outcome in BY_TEXT if pattern.search(text))
    return next(found, None)


def status_within(complaint: Complaint) -> int:
    """The HTTP status that a code in the body stands for (OpenRouter, vLLM), or 0."""
    codes = (int(word) for word in complaint.words if re.fullmatch("[345][0-9]{2}", word))
    return next(codes, 0)


def read_complaint(body: object, text: str = "") -> Complaint:
    """Read an error body of any shape that providers send.

    `body` is the parsed JSON, or `None` where it was none; then `text` is what came instead.
    """
    error = unwrap(body)
    if not isinstance(error, Mapping):
        return Complaint(message=tidy(error if isinstance(error, str) else text))
    message = next((value for value in messages(error) if value), "")
    param = error.get("param")
    return Complaint(
        message=tidy(message),
        words=tuple(dict.fromkeys(words(error))),
        param=param if isinstance(param, str) else None,
    )


def unwrap(body: object) -> object:
    """Find the error inside lists of one and envelopes (`error`, `errors`, `detail`)."""
    for _ in range(4):  # the deepest shape known: a list of one, its error a list of one
        if isinstance(body, list) and body:
            body = body[0]
        elif isinstance(body, Mapping) and (inner := envelope(body)) is not None:
            body = inner
        else:
            break
    return body


def envelope(body: Mapping[str, object]) -> object:
    """What `body` wraps, if it is only a wrapper."""
    error = body.get("error")
    if isinstance(error, str) and "error_type" in body:
        return {"message": error, "type": body["error_type"]}
    for key in ("error", "errors", "detail"):
        if inner := body.get(key):
            return inner
    return None


def messages(error: Mapping[str, object]) -> Iterator[str]:
    """The texts under which an error explains itself, best first."""
    for key in ("message", "msg", "error_description", "title"):
        value = error.get(key)
        if isinstance(value, str):
            yield value


def words(error: Mapping[str, object]) -> Iterator[str]:
    """The codes and types of an error, best first: details before the code before the type."""
    metadata = error.get("metadata")
    if isinstance(metadata, Mapping) and not MODERATED.isdisjoint(metadata):
        yield "content_filter"
    details = error.get("details")
    for detail in details if isinstance(details, list) else [details]:
        if isinstance(detail, Mapping):
            yield from texts(detail, "reason", "error_code")
    inner = error.get("innererror")
    if isinstance(inner, Mapping):
        yield from texts(inner, "code")
    yield from texts(error, "code", "type", "status")


def texts(mapping: Mapping[str, object], *keys: str) -> Iterator[str]:
    for key in keys:
        value = mapping.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            yield str(value)


def tidy(text: str) -> str:
    """One line of at most `MESSAGE_CHARS` characters without markup."""
    plain = re.sub(
        r"<(script|style)\b.*?(</\1>|$)|<[^<>]*>",  # each alternative reads on at most once
        " ",
        text[:20_000],
        flags=re.DOTALL | re.IGNORECASE,
    )
    return " ".join(plain.split())[:MESSAGE_CHARS]
