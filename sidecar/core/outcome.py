"""What an attempt came to, and what that says about the call, the provider and its breaker."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What one attempt at one provider came to: the closed vocabulary of headers, metrics, logs."""

    OK = "ok"
    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    WARMING = "warming"
    SERVER_ERROR = "server_error"
    TIMEOUT_CONNECT = "timeout_connect"
    TIMEOUT_FIRST_TOKEN = "timeout_first_token"  # noqa: S105  a token of text
    TIMEOUT_IDLE = "timeout_idle"
    TIMEOUT_ANSWER = "timeout_answer"
    TIMEOUT_TOTAL = "timeout_total"
    TIMEOUT_UPSTREAM = "timeout_upstream"
    CONNECT = "connect"
    TRANSPORT = "transport"
    PROTOCOL = "protocol"
    STREAM_ERROR = "stream_error"
    STREAM_TRUNCATED = "stream_truncated"
    GENERATION_FAILED = "generation_failed"
    AUTH = "auth"
    FORBIDDEN = "forbidden"
    QUOTA_EXHAUSTED = "quota_exhausted"
    MODEL_MISSING = "model_missing"
    NOT_SUPPORTED = "not_supported"
    UNSUPPORTED_PARAM = "unsupported_param"
    CONTEXT_LENGTH = "context_length"
    TOO_LARGE = "too_large"
    CONTENT_FILTER = "content_filter"
    BAD_REQUEST = "bad_request"
    CANCELLED = "cancelled"
    HEDGE_LOST = "hedge_lost"


class SkipReason(StrEnum):
    """Why a provider of the chain was passed over without being asked."""

    OPEN = "open"
    HALF_OPEN = "half_open"
    HELD = "held"
    COOLDOWN = "cooldown"
    PARKED = "parked"
    UNSUPPORTED = "unsupported"
    CONTEXT = "context"
    FULL = "full"
    DEADLINE = "deadline"


class RequestOutcome(StrEnum):
    """What a whole request came to, as the application saw it."""

    SUCCESS = "success"
    FAILOVER_SUCCESS = "failover_success"
    INTERRUPTED = "interrupted"
    CLIENT_ERROR = "client_error"
    EXHAUSTED = "exhausted"
    CANCELLED = "cancelled"
    INTERNAL_ERROR = "internal_error"


class Endpoint(StrEnum):
    """Which part of the API a request was for."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    RESPONSES = "responses"
    MESSAGES = "messages"
    MODELS = "models"
    PASSTHROUGH = "passthrough"


class Verdict(StrEnum):
    """What an outcome says about the provider; void says nothing."""

    SUCCESS = "success"
    FAILURE = "failure"
    VOID = "void"


FAILURES = frozenset(
    (
        *(Outcome.OVERLOADED, Outcome.SERVER_ERROR, Outcome.CONNECT, Outcome.TRANSPORT),
        *(Outcome.TIMEOUT_CONNECT, Outcome.TIMEOUT_FIRST_TOKEN, Outcome.TIMEOUT_IDLE),
        *(Outcome.TIMEOUT_ANSWER, Outcome.TIMEOUT_UPSTREAM, Outcome.PROTOCOL),
        *(Outcome.STREAM_ERROR, Outcome.STREAM_TRUNCATED, Outcome.GENERATION_FAILED),
    )
)

# The provider itself said so; the other failures may as well be this pod's own network.
ATTESTED = frozenset(
    (
        *(Outcome.OVERLOADED, Outcome.SERVER_ERROR, Outcome.TIMEOUT_UPSTREAM),
        *(Outcome.PROTOCOL, Outcome.STREAM_ERROR, Outcome.GENERATION_FAILED),
    )
)

# Our own clocks: who ran into one had his time in this call.
CLOCKS = frozenset(
    (
        *(Outcome.TIMEOUT_CONNECT, Outcome.TIMEOUT_FIRST_TOKEN, Outcome.TIMEOUT_IDLE),
        *(Outcome.TIMEOUT_ANSWER, Outcome.TIMEOUT_TOTAL),
    )
)

# A moment's wait cures these: the provider is passed over until then and its breaker not moved.
COOLING = frozenset((Outcome.RATE_LIMIT, Outcome.WARMING))

# The operator has to cure these: the credential or model is set aside for long.
PARKING = frozenset(
    (Outcome.AUTH, Outcome.FORBIDDEN, Outcome.QUOTA_EXHAUSTED, Outcome.MODEL_MISSING)
)

# Another provider would say the same, so after a whole chain of these the caller hears the first.
CALLERS_FAULT = frozenset(
    (
        *(Outcome.BAD_REQUEST, Outcome.UNSUPPORTED_PARAM, Outcome.CONTEXT_LENGTH),
        *(Outcome.TOO_LARGE, Outcome.CONTENT_FILTER),
    )
)


def verdict_of(outcome: Outcome) -> Verdict:
    """What `outcome` says about the provider."""
    if outcome is Outcome.OK:
        return Verdict.SUCCESS
    return Verdict.FAILURE if outcome in FAILURES else Verdict.VOID
