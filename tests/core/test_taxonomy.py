"""What a provider's complaint means."""

from __future__ import annotations

from timeit import repeat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.outcome import Outcome
from sidecar.core.taxonomy import MESSAGE_CHARS, Complaint, judge_error, read_complaint, tidy


def judged(status: int, body: object = None, text: str = "") -> Outcome:
    return judge_error(status, read_complaint(body, text), Outcome.STREAM_ERROR)


def error(message: str = "", **fields: Any) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


STATUSES = {
    307: Outcome.PROTOCOL,
    400: Outcome.BAD_REQUEST,
    401: Outcome.AUTH,
    402: Outcome.QUOTA_EXHAUSTED,
    403: Outcome.FORBIDDEN,
    404: Outcome.NOT_SUPPORTED,
    405: Outcome.NOT_SUPPORTED,
    408: Outcome.TIMEOUT_UPSTREAM,
    409: Outcome.SERVER_ERROR,
    413: Outcome.TOO_LARGE,
    415: Outcome.NOT_SUPPORTED,
    418: Outcome.BAD_REQUEST,
    422: Outcome.UNSUPPORTED_PARAM,
    424: Outcome.SERVER_ERROR,
    425: Outcome.WARMING,
    429: Outcome.RATE_LIMIT,
    498: Outcome.OVERLOADED,
    499: Outcome.SERVER_ERROR,
    500: Outcome.SERVER_ERROR,
    501: Outcome.NOT_SUPPORTED,
    502: Outcome.SERVER_ERROR,
    503: Outcome.OVERLOADED,
    504: Outcome.TIMEOUT_UPSTREAM,
    520: Outcome.SERVER_ERROR,
    521: Outcome.SERVER_ERROR,
    522: Outcome.SERVER_ERROR,
    523: Outcome.SERVER_ERROR,
    524: Outcome.TIMEOUT_UPSTREAM,
    525: Outcome.SERVER_ERROR,
    526: Outcome.SERVER_ERROR,
    529: Outcome.OVERLOADED,
    530: Outcome.SERVER_ERROR,
}


@pytest.mark.parametrize(("status", "outcome"), STATUSES.items())
def test_a_bare_status_means(status: int, outcome: Outcome) -> None:
    assert judged(status) is outcome


BODIES: list[tuple[str, int, object, Outcome]] = [
    ("billing beats 429", 429, error(code="insufficient_quota"), Outcome.QUOTA_EXHAUSTED),
    ("credit", 429, error(code="credit_balance_exhausted"), Outcome.QUOTA_EXHAUSTED),
    (
        "type where the code is unknown",
        429,
        error(type="insufficient_quota", code="novel"),
        Outcome.QUOTA_EXHAUSTED,
    ),
    ("unknown model", 404, error(code="model_not_found"), Outcome.MODEL_MISSING),
    ("HF: model", 400, error(code="model_not_supported"), Outcome.MODEL_MISSING),
    ("Azure: deployment", 404, error(code="DeploymentNotFound"), Outcome.MODEL_MISSING),
    (
        "Gemini: bad key is a 400",
        400,
        [error(status="INVALID_ARGUMENT", details=[{"reason": "API_KEY_INVALID"}])],
        Outcome.AUTH,
    ),
    (
        "Gemini: list of one",
        429,
        [error(code=429, status="RESOURCE_EXHAUSTED")],
        Outcome.RATE_LIMIT,
    ),
    ("Gemini: unavailable", 503, [error(status="UNAVAILABLE")], Outcome.OVERLOADED),
    (
        "Gemini: unknown field",
        400,
        [error('Invalid JSON payload received. Unknown name "store": Cannot find field.')],
        Outcome.UNSUPPORTED_PARAM,
    ),
    ("HF: text", 402, {"error": "You have depleted your credits"}, Outcome.QUOTA_EXHAUSTED),
    (
        "HF: loading",
        503,
        {"error": "Model x is currently loading", "estimated_time": 20.0},
        Outcome.WARMING,
    ),
    ("TGI", 429, {"error": "busy", "error_type": "overloaded"}, Outcome.OVERLOADED),
    (
        "llama.cpp: loading",
        503,
        error("Loading model", code=503, type="unavailable_error"),
        Outcome.WARMING,
    ),
    (
        "llama.cpp: context",
        400,
        error(code=400, type="exceed_context_size_error"),
        Outcome.CONTEXT_LENGTH,
    ),
    (
        "Anthropic: overloaded",
        529,
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        Outcome.OVERLOADED,
    ),
    (
        "Anthropic: no credit",
        400,
        error("Your credit balance is too low to access the API.", type="invalid_request_error"),
        Outcome.QUOTA_EXHAUSTED,
    ),
    (
        "Anthropic: spend limit",
        429,
        error(type="rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}),
        Outcome.QUOTA_EXHAUSTED,
    ),
    (
        "Anthropic: too long",
        400,
        error("prompt is too long: 210000 tokens > 200000 maximum"),
        Outcome.CONTEXT_LENGTH,
    ),
    (
        "Anthropic: model",
        404,
        error("model: claude-x", type="not_found_error"),
        Outcome.MODEL_MISSING,
    ),
    (
        "vLLM: context",
        400,
        {"object": "error", "message": "This model's maximum context length is 4096", "code": 400},
        Outcome.CONTEXT_LENGTH,
    ),
    (
        "Azure: filter",
        400,
        error(code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
        Outcome.CONTENT_FILTER,
    ),
    (
        "Cloudflare: list of errors",
        401,
        {"success": False, "error": [{"code": 2009, "message": "Unauthorized"}]},
        Outcome.AUTH,
    ),
    ("Cloudflare: errors", 400, {"errors": [{"code": 2016}]}, Outcome.CONTENT_FILTER),
    ("Groq: tool use", 400, error(code="tool_use_failed"), Outcome.GENERATION_FAILED),
    ("OpenRouter: 429 in a 200", 200, error(code=429), Outcome.RATE_LIMIT),
    ("OpenRouter: 502 in a 200", 200, error(code=502), Outcome.SERVER_ERROR),
    ("unknown complaint in a 200", 200, error("what?"), Outcome.STREAM_ERROR),
]


@pytest.mark.parametrize(
    ("status", "body", "outcome"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
def test_a_body_says_more_than_its_status(status: int, body: object, outcome: Outcome) -> None:
    assert judged(status, body) is outcome


SHAPES: list[tuple[str, object, str, str]] = [
    ("object", error("boo"), "", "boo"),
    ("string", {"error": "boo"}, "", "boo"),
    ("list of errors", {"error": [{"message": "boo"}]}, "", "boo"),
    ("list of one", [error("boo")], "", "boo"),
    ("errors", {"errors": [{"message": "boo"}]}, "", "boo"),
    ("errors of text", {"errors": ["boo"]}, "", "boo"),
    ("detail text", {"detail": "boo"}, "", "boo"),
    ("detail list", {"detail": [{"msg": "boo", "type": "missing"}]}, "", "boo"),
    ("message", {"message": "boo"}, "", "boo"),
    ("text", None, "boo", "boo"),
    ("HTML", None, "<html><style>p{}</style><h1>boo</h1></html>", "boo"),
    ("nothing", None, "", ""),
    ("a number", 7, "", ""),
    ("an empty list", [], "", ""),
]


@pytest.mark.parametrize(
    ("body", "text", "message"), [row[1:] for row in SHAPES], ids=[row[0] for row in SHAPES]
)
def test_every_shape_of_error_is_read(body: object, text: str, message: str) -> None:
    assert read_complaint(body, text).message == message


def test_the_parameter_at_fault_is_kept() -> None:
    assert read_complaint(error("no", param="seed")).param == "seed"


@given(st.text(max_size=2000))
def test_a_message_is_one_short_line_without_markup(text: str) -> None:
    tidied = tidy(f"<b>{text}</b>")

    assert len(tidied) <= MESSAGE_CHARS
    assert "\n" not in tidied
    assert "<b>" not in tidied


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("error", "errors", "detail", "message", "code", "type", "details")),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(status=st.integers(200, 599), body=JSON)
def test_no_body_is_too_odd_to_be_judged(status: int, body: object) -> None:
    complaint = read_complaint(body)

    assert isinstance(complaint, Complaint)
    assert isinstance(judge_error(status, complaint, Outcome.PROTOCOL), Outcome)


@pytest.mark.parametrize("metadata", [{"reasons": ["hate"]}, {"flagged_input": "…"}])
def test_a_prompt_that_was_moderated_is_the_callers(metadata: dict[str, Any]) -> None:
    body = error("Your input was flagged", code=403, metadata=metadata)

    assert judged(403, body) is Outcome.CONTENT_FILTER


def test_other_metadata_leaves_a_403_what_it_is() -> None:
    assert judged(403, error("No.", code=403, metadata={"raw": "?"})) is Outcome.FORBIDDEN


@pytest.mark.parametrize(
    "part", ["<", "<a ", "<script>", "<style", "<script></style>", "</script", "<<>", "a ", "<!--"]
)
def test_ten_times_the_markup_is_about_ten_times_the_work(part: str) -> None:
    few, many = (part * (size // len(part)) for size in (2_000, 20_000))

    assert seconds_for(many) < 40 * seconds_for(few) + 0.001  # a hundred times, if it were squared


def seconds_for(text: str) -> float:
    """The best of several."""
    return min(repeat(lambda: tidy(text), number=1, repeat=7))
