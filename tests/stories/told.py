"""What each fault is to be called, by the word that headers, metrics and logs use for it."""

from __future__ import annotations

from sidecar.core.outcome import Outcome
from sidecar.faults.catalog import Fault

IDS: dict[Outcome, str] = {
    Outcome.SERVER_ERROR: """
        ok_error ok_error_string ok_error_envelope
        status_409 status_424 status_499 status_500 status_502
        status_520 status_521 status_522 status_523 status_525 status_526 status_530
        body_object body_string body_list body_gemini body_errors body_detail
        body_details body_message body_vllm body_anthropic body_tgi body_text body_html
        body_empty body_latin1 body_huge body_gzip error_list error_in_chunk
    """,
    Outcome.WARMING: """
        ok_warming status_425 warming
    """,
    Outcome.PROTOCOL: """
        ok_html ok_text ok_empty ok_null ok_half choices_missing choices_empty
        choices_null garbage bad_chunk redirect nothing comments_then_end
        malformed_first malformed_events
    """,
    Outcome.TRANSPORT: """
        ok_short accept_close accept_reset close_before_headers reset_before_headers
        half_header headers_then_close cut reset tool_call_cut
    """,
    Outcome.CONNECT: """
        refuse
    """,
    Outcome.TIMEOUT_FIRST_TOKEN: """
        half_header_stall silence headers_then_silence comments_only
    """,
    Outcome.TIMEOUT_IDLE: """
        stall
    """,
    Outcome.TIMEOUT_UPSTREAM: """
        status_408 status_504 status_524
    """,
    Outcome.RATE_LIMIT: """
        status_429 rate_limit rate_limit_gemini rate_limit_seconds rate_limit_ms
        rate_limit_date
    """,
    Outcome.OVERLOADED: """
        status_498 status_503 status_529
    """,
    Outcome.NOT_SUPPORTED: """
        status_501 path_not_found
    """,
    Outcome.QUOTA_EXHAUSTED: """
        insufficient_quota credit_balance_exhausted no_credit no_credit_anthropic
    """,
    Outcome.AUTH: """
        bad_key bad_key_gemini bad_key_cloudflare
    """,
    Outcome.FORBIDDEN: """
        forbidden
    """,
    Outcome.MODEL_MISSING: """
        model_not_found model_not_supported
    """,
    Outcome.TOO_LARGE: """
        too_large
    """,
    Outcome.BAD_REQUEST: """
        bad_messages
    """,
    Outcome.CONTEXT_LENGTH: """
        context_length
    """,
    Outcome.CONTENT_FILTER: """
        content_filter
    """,
    Outcome.UNSUPPORTED_PARAM: """
        unknown_param_gemini
    """,
    Outcome.STREAM_ERROR: """
        error_first error_named error_flat error_after_role error_after_preamble
        error_after_words error_tgi_after_words
    """,
    Outcome.STREAM_TRUNCATED: """
        done_only role_then_end end_after_words done_without_finish neither half_json
        half_json_event finish_unterminated
    """,
    Outcome.GENERATION_FAILED: """
        finish_error
    """,
}
WORDS = {one: outcome for outcome, ids in IDS.items() for one in ids.split()}
LATE = (Outcome.TIMEOUT_FIRST_TOKEN, Outcome.TIMEOUT_IDLE)


def word_for(fault: Fault, *, stream: bool) -> Outcome:
    """What an attempt that meets `fault` comes to."""
    word = WORDS.get(fault.id, Outcome.OK)
    if stream:
        return word
    if fault.streamed:
        return Outcome.OK
    return Outcome.TIMEOUT_ANSWER if word in LATE else word
