"""The same troubles in the words of each vendor: what a kind of provider answers when it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sidecar.faults.answer import Json
from sidecar.faults.fault import Effect, Fault
from sidecar.faults.refusals import FAILED, INVALID, Body, google, openai, refuse_with
from sidecar.faults.speech import data, named


class Trouble(StrEnum):
    """What a provider can have to complain of."""

    LIMITED = "rate_limit"
    OVERLOADED = "overloaded"
    BROKEN = "server_error"
    TOO_LONG = "context_length"
    FILTERED = "content_filter"
    NO_PREFILL = "prefill_rejected"


CALLERS = frozenset((Trouble.TOO_LONG, Trouble.FILTERED))


@dataclass(frozen=True, slots=True)
class Said:
    """One trouble as one vendor says it: the status, its word for it, and a sentence."""

    status: int
    word: str
    message: str


Words = dict[Trouble, Said]

OPENAI: Words = {
    Trouble.LIMITED: Said(429, "rate_limit_exceeded", "Rate limit reached for requests."),
    Trouble.OVERLOADED: Said(503, "server_is_overloaded", "The server is overloaded."),
    Trouble.BROKEN: Said(500, "server_error", FAILED),
    Trouble.TOO_LONG: Said(
        400,
        "context_length_exceeded",
        "This model's maximum context length is 128000 tokens, and there are 200000.",
    ),
    Trouble.FILTERED: Said(400, "content_filter", "The prompt was filtered."),
    Trouble.NO_PREFILL: Said(400, "invalid_value", "The last message must not be the assistant's."),
}
GOOGLE: Words = {
    Trouble.LIMITED: Said(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted."),
    Trouble.OVERLOADED: Said(503, "UNAVAILABLE", "The model is overloaded. Try again later."),
    Trouble.BROKEN: Said(500, "INTERNAL", "An internal error has occurred."),
    Trouble.TOO_LONG: Said(
        400,
        "INVALID_ARGUMENT",
        "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576).",
    ),
    Trouble.FILTERED: Said(400, "PROHIBITED_CONTENT", "The prompt was blocked."),
    Trouble.NO_PREFILL: Said(
        400, "INVALID_ARGUMENT", "Ensure that multiturn requests end with a user role."
    ),
}
ANTHROPIC: Words = {
    Trouble.LIMITED: Said(429, "rate_limit_error", "Number of requests exceeds your limit."),
    Trouble.OVERLOADED: Said(529, "overloaded_error", "Overloaded"),
    Trouble.BROKEN: Said(500, "api_error", "Internal server error"),
    Trouble.TOO_LONG: Said(400, INVALID, "prompt is too long: 250000 tokens > 200000 maximum"),
    Trouble.FILTERED: Said(400, INVALID, "Output blocked by content filtering policy"),
    Trouble.NO_PREFILL: Said(
        400, INVALID, "This model does not support assistant message prefill."
    ),
}
HUGGINGFACE: Words = {
    Trouble.LIMITED: Said(429, "", "Rate limit reached. Please slow down."),
    Trouble.OVERLOADED: Said(503, "overloaded", "Model is overloaded"),
    Trouble.BROKEN: Said(500, "", "Internal Server Error"),
    Trouble.TOO_LONG: Said(
        400, "", "`inputs` tokens + `max_new_tokens` must be <= 131072. Given: 200000"
    ),
    Trouble.FILTERED: Said(400, "", "The prompt triggers our content management policy."),
    Trouble.NO_PREFILL: Said(400, "", "The last message must be the user's."),
}


@dataclass(frozen=True, slots=True)
class Vendor:
    """How a vendor complains.

    `body` makes an error of what is said and of how long to stay away; `waits_in_body` says that
    no header tells of that. `event` is the error as an event of a stream.
    """

    words: Words
    body: Callable[[Said, float | None], Body]
    event: Callable[[Any], bytes] = data
    waits_in_body: bool = False


def openai_body(said: Said, _: float | None) -> Json:
    """An object with type and code."""
    return openai(said.message, "server_error" if said.status >= 500 else INVALID, said.word)


def google_body(said: Said, wait_s: float | None) -> list[Json]:
    """A list of one, with details."""
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": said.word}
    delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{wait_s}s"}
    blocked = said.word == "PROHIBITED_CONTENT"
    status = "INVALID_ARGUMENT" if blocked else said.word
    details = [reason] * blocked + [delay] * (wait_s is not None)
    return google(said.status, status, said.message, *details)


def anthropic_body(said: Said, _: float | None) -> Json:
    """An envelope of the type error."""
    error = {"type": said.word, "message": said.message}
    return {"type": "error", "error": error, "request_id": "req_scripted"}


def huggingface_body(said: Said, _: float | None) -> Json:
    """A bare text; what the text generation inference adds, where it has a word for it."""
    told = {"error": said.message}
    return told | {"error_type": said.word} if said.word else told


OF_OPENAI = Vendor(OPENAI, openai_body)
OF_GOOGLE = Vendor(GOOGLE, google_body, waits_in_body=True)
BY_KIND = {
    **dict.fromkeys(("gemini", "vertex"), OF_GOOGLE),
    "anthropic": Vendor(ANTHROPIC, anthropic_body, lambda body: named("error", body)),
    "huggingface": Vendor(HUGGINGFACE, huggingface_body),
}


def vendor_of(kind: str) -> Vendor:
    """How a kind of provider complains: as OpenAI, unless it is known to do otherwise."""
    return BY_KIND.get(kind, OF_OPENAI)


def complains(kind: str, trouble: Trouble, wait_s: float | None = None) -> Fault:
    """Answer with an error as `kind` puts it; `wait_s` is how long it asks us to stay away."""
    vendor = vendor_of(kind)
    said = vendor.words[trouble]
    waits = {} if wait_s is None or vendor.waits_in_body else stated(wait_s)
    script = refuse_with(said.status, vendor.body(said, wait_s), **waits)
    effect = Effect.CALLER if trouble in CALLERS else Effect.FAILS_OVER
    return Fault(trouble, f"answers {said.status}, {trouble}", effect, script)


def refusal_of(kind: str, trouble: Trouble) -> tuple[int, Body]:
    """The status and the body of such an error, as `kind` puts it."""
    vendor = vendor_of(kind)
    said = vendor.words[trouble]
    return said.status, vendor.body(said, None)


def error_body(kind: str) -> Body:
    """The body of an error of the server, as `kind` puts it."""
    vendor = vendor_of(kind)
    return vendor.body(vendor.words[Trouble.BROKEN], None)


def error_event(kind: str) -> bytes:
    """The same as an event of a stream."""
    return vendor_of(kind).event(error_body(kind))


def stated(wait_s: float) -> dict[str, object]:
    """The header that asks to stay away for so long: the usual one has whole seconds only."""
    if wait_s == int(wait_s):
        return {"retry_after": int(wait_s)}
    return {"retry_after_ms": round(wait_s * 1000)}
