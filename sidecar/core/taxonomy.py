"""What a provider's complaint means: the table that judges it.

The order is: what the operator says, the code in the body, its type or status name, phrases, the
HTTP status. A status alone decides nothing for 400, 403, 404 and 429, where providers disagree
most.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sidecar.core.complaint import MESSAGE_CHARS, Complaint, read_complaint, tidy
from sidecar.core.echo import without_names, without_quotes
from sidecar.core.outcome import PARKING, Outcome
from sidecar.core.phrases import AFTER_WORDS, BEFORE_WORDS, Phrases
from sidecar.core.settings import ErrorMatch, ErrorRule

__all__ = [
    "MESSAGE_CHARS",
    "Complaint",
    "is_blameless",
    "judge_by_rules",
    "judge_error",
    "read_complaint",
    "tidy",
]

WORDS: dict[Outcome, tuple[str, ...]] = {
    Outcome.AUTH: (
        *("invalid_api_key", "authentication_error", "account_deactivated"),
        *("API_KEY_INVALID", "UNAUTHENTICATED", "ACCESS_TOKEN_EXPIRED"),
        *("2009", "2040", "10000"),  # Cloudflare: its own key, an unknown name of one, a bad token
    ),
    Outcome.FORBIDDEN: (
        *("permission_error", "PERMISSION_DENIED", "PermissionDenied", "FAILED_PRECONDITION"),
        *("organization_on_hold", "organization_type_not_supported", "data_residency_mismatch"),
        *("unsupported_country_region_territory", "cmek_key_disabled", "cmek_key_network_blocked"),
    ),
    Outcome.QUOTA_EXHAUSTED: (
        *("insufficient_quota", "credit_balance_exhausted", "billing_error", "billing_not_active"),
        *("billing_hard_limit_reached", "payment_required", "blocked_api_access"),
        *("exceeded_current_quota_error", "BILLING_DISABLED"),
        *("quota_per_day", "3036"),  # Google; Cloudflare's free allocation of a day
    ),
    Outcome.MODEL_MISSING: (
        *("model_not_found", "model_not_supported", "model_not_available", "model_decommissioned"),
        *("DeploymentNotFound", "unknown_model", "invalid_model"),
        *("3042", "5007"),  # Cloudflare
    ),
    Outcome.CONTEXT_LENGTH: ("context_length_exceeded", "exceed_context_size_error"),
    Outcome.TOO_LARGE: (
        *("request_too_large", "request_body_too_large_after_decoding"),
        "3006",  # Cloudflare
    ),
    Outcome.CONTENT_FILTER: (
        *("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"),
        *("invalid_prompt", "bio_policy", "misalignment_policy_violation"),
        *("image_content_policy_violation", "PROHIBITED_CONTENT"),
        *("2016", "2017"),  # Cloudflare's guardrails: the prompt, the answer
        *("2029", "2030"),  # Cloudflare's data loss prevention, likewise
    ),
    Outcome.UNSUPPORTED_PARAM: (
        *("unsupported_parameter", "unsupported_value", "unknown_parameter", "extra_forbidden"),
    ),
    Outcome.NOT_SUPPORTED: ("request_body_encoding_unsupported", "OperationNotSupported"),
    Outcome.GENERATION_FAILED: ("tool_use_failed", "json_validate_failed", "network_error"),
    Outcome.OVERLOADED: (
        *("overloaded_error", "overloaded", "server_is_overloaded", "UNAVAILABLE"),
        *("engine_overloaded_error", "EngineOverloaded", "NoCapacity"),
        *("service_tier_capacity_exceeded", "3505"),  # Mistral
        "3040",  # Cloudflare
    ),
    Outcome.SERVER_ERROR: ("cmek_key_unreachable", "cmek_context_unavailable"),
    Outcome.TIMEOUT_UPSTREAM: ("timeout_error", "DEADLINE_EXCEEDED", "vector_store_timeout"),
    Outcome.RATE_LIMIT: (
        *("rate_limit_exceeded", "rate_limit_error", "slow_down", "ramp_limit_exceeded"),
        "RESOURCE_EXHAUSTED",
    ),
}
BY_WORD = {word: outcome for outcome, all_words in WORDS.items() for word in all_words}
OF_BILLING = re.compile("spend_limit|usage_limit_exceeded")  # …_reached, …_exceeded, of whomever
# Of something in the request: what such an error says of keys and credit is repeated from there.
OF_REQUEST = re.compile(
    "image|audio|file|url|base64|_above_|_below_|missing_required|function_param|schema"
    "|^(invalid|unsupported|unknown)_(type|value|parameter|prompt)"
)
BLAMELESS = frozenset(("tool_use_failed", "json_validate_failed"))
TEXT_DECIDES = frozenset((0, 400, 401, 403, 404, 413, 422, 424, 429, 500, 503))

WHATEVER_IS_SAID = {402: Outcome.QUOTA_EXHAUSTED}
BY_STATUS: dict[int, Outcome] = {
    **dict.fromkeys((401, 407), Outcome.AUTH),
    **dict.fromkeys((403, 451), Outcome.FORBIDDEN),
    **dict.fromkeys((404, 405, 410, 412, 415, 501), Outcome.NOT_SUPPORTED),
    **dict.fromkeys((408, 504, 524), Outcome.TIMEOUT_UPSTREAM),
    **dict.fromkeys((409, 424, 499), Outcome.SERVER_ERROR),
    413: Outcome.TOO_LARGE,
    422: Outcome.UNSUPPORTED_PARAM,
    425: Outcome.WARMING,
    429: Outcome.RATE_LIMIT,
    **dict.fromkeys((498, 503, 529), Outcome.OVERLOADED),
}
BY_CLASS: dict[int, Outcome] = {
    3: Outcome.PROTOCOL,  # never followed: it would carry the key to another host
    4: Outcome.BAD_REQUEST,
    5: Outcome.SERVER_ERROR,
}

# The status that a word stands for, where the answer's own is a 200.
STATUS_BY_WORD = {
    **dict.fromkeys(("invalid_request_error", "INVALID_ARGUMENT", "BadRequestError"), 400),
    **dict.fromkeys(("not_found_error", "NOT_FOUND", "NotFoundError"), 404),
    "validation": 422,
    "CANCELLED": 499,
    **dict.fromkeys(("service_unavailable_error", "unavailable_error"), 503),
}


def judge_error(
    status: int, complaint: Complaint, otherwise: Outcome, rules: Sequence[ErrorRule] = ()
) -> Outcome:
    """What an error answer means. `otherwise` is for a 2xx whose complaint says nothing known.

    `rules` are the operator's: the first that matches decides.
    """
    return judge_by_rules(status, complaint, rules) or judge_by_table(
        status_meant(status, complaint), complaint, otherwise
    )


def judge_by_rules(status: int, complaint: Complaint, rules: Iterable[ErrorRule]) -> Outcome | None:
    """What the operator says that it means, if anything."""
    return next((rule.outcome for rule in rules if is_match(rule.match, status, complaint)), None)


def is_match(match: ErrorMatch, status: int, complaint: Complaint) -> bool:
    """Whether everything holds that `match` says."""
    words = {match.code, match.type} - {None}
    return (
        match.status in (None, status, status_meant(status, complaint))
        and words.issubset(complaint.words)
        and (match.text or "").lower() in said(complaint).lower()
    )


def judge_by_table(status: int, complaint: Complaint, otherwise: Outcome) -> Outcome:
    """What is known of such errors. `status` is 0 where there is none."""
    return (
        WHATEVER_IS_SAID.get(status)
        or judge_text(status, complaint, BEFORE_WORDS)
        or judge_words(complaint.words)
        or judge_text(status, complaint, AFTER_WORDS)
        or BY_STATUS.get(status)
        or BY_CLASS.get(status // 100, otherwise)
    )


def judge_words(words: Iterable[str]) -> Outcome | None:
    """What the codes and types of an error mean; the first that is known decides."""
    return next(filter(None, map(judge_word, words)), None)


def judge_word(word: str) -> Outcome | None:
    """What one code or type means."""
    return Outcome.QUOTA_EXHAUSTED if OF_BILLING.search(word) else BY_WORD.get(word)


def judge_text(status: int, complaint: Complaint, known: Phrases) -> Outcome | None:
    """What the phrases of an error mean, where its status leaves that open."""
    if status not in TEXT_DECIDES:
        return None
    return next(
        (outcome for pattern, outcome in known if is_said(pattern, outcome, complaint)), None
    )


def is_said(pattern: re.Pattern[str], outcome: Outcome, complaint: Complaint) -> bool:
    """Whether a phrase is in the text; of what sets a provider aside, in the provider's own words.

    Else whoever is quoted in an error could take a provider away from everybody.
    """
    text = said(complaint)
    if not pattern.search(text):
        return False
    if outcome not in PARKING:
        return True
    if is_of_request(complaint, outcome):
        return False
    names_one = outcome is Outcome.MODEL_MISSING
    return bool(pattern.search(without_quotes(text) if names_one else without_names(text)))


def is_of_request(complaint: Complaint, outcome: Outcome) -> bool:
    """Whether an error is about something in the request, other than a model that is missing."""
    fields = (None, "model") if outcome is Outcome.MODEL_MISSING else (None,)
    return complaint.param not in fields or any(map(OF_REQUEST.search, complaint.words))


def said(complaint: Complaint) -> str:
    """All that was said, as far as it was read."""
    return complaint.text or complaint.message


def status_meant(status: int, complaint: Complaint) -> int:
    """The HTTP status, or in a 2xx that which its words stand for (OpenRouter), or 0."""
    if status >= 300:
        return status
    return next(filter(None, map(status_of_word, complaint.words)), 0)


def status_of_word(word: str) -> int:
    """The HTTP status that a code or type of the body stands for, or 0."""
    if re.fullmatch("[345][0-9]{2}", word):
        return int(word)
    return STATUS_BY_WORD.get(word) or (400 if "image" in word else 0)


def is_blameless(complaint: Complaint) -> bool:
    """Whether a failure says nothing of the provider's health: the model failed, at this prompt."""
    return not BLAMELESS.isdisjoint(complaint.words)
