"""What a provider's complaint means."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.outcome import CALLERS_FAULT, FAILURES, PARKING, Outcome
from sidecar.core.settings import ErrorMatch, ErrorRule
from sidecar.core.taxonomy import Complaint, is_blameless, judge_error, read_complaint
from tests.core.test_complaint import JSON

PAGE = "<html><body><h1>413 Request Entity Too Large</h1></body></html>"


def judged(status: int, body: object = None) -> Outcome:
    return judge_error(status, read_complaint(body), Outcome.STREAM_ERROR)


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
    407: Outcome.AUTH,
    408: Outcome.TIMEOUT_UPSTREAM,
    409: Outcome.SERVER_ERROR,
    410: Outcome.NOT_SUPPORTED,
    412: Outcome.NOT_SUPPORTED,
    413: Outcome.TOO_LARGE,
    415: Outcome.NOT_SUPPORTED,
    418: Outcome.BAD_REQUEST,
    422: Outcome.UNSUPPORTED_PARAM,
    424: Outcome.SERVER_ERROR,
    425: Outcome.WARMING,
    429: Outcome.RATE_LIMIT,
    451: Outcome.FORBIDDEN,
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
        "OpenAI: kept by another",
        404,
        error("Item with id 'rs_0496' not found. Items are not persisted when …", param="input"),
        Outcome.BAD_REQUEST,
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
    ("OpenAI: spent", 429, error(code="project_spend_limit_exceeded"), Outcome.QUOTA_EXHAUSTED),
    ("OpenAI: used", 429, error(code="organization_usage_limit_exceeded"), Outcome.QUOTA_EXHAUSTED),
    ("OpenAI: slow down", 429, error(code="slow_down"), Outcome.RATE_LIMIT),
    (
        "OpenAI: overloaded",
        503,
        error(type="service_unavailable_error", code="server_is_overloaded"),
        Outcome.OVERLOADED,
    ),
    (
        "OpenAI: one call beyond the limit of a minute",
        429,
        error("Request too large for gpt-5 on tokens per min", code="rate_limit_exceeded"),
        Outcome.TOO_LARGE,
    ),
    (
        "OpenAI: country",
        403,
        error(code="unsupported_country_region_territory"),
        Outcome.FORBIDDEN,
    ),
    (
        "OpenAI: too long an answer",
        400,
        error("max_tokens is too large: 9. This model supports at most 8 completion tokens"),
        Outcome.UNSUPPORTED_PARAM,
    ),
    (
        "OpenAI: a number too large",
        400,
        error("Invalid 'temperature'", param="temperature", code="decimal_above_max_value"),
        Outcome.BAD_REQUEST,
    ),
    ("Responses: image", 200, error(code="invalid_image_url"), Outcome.BAD_REQUEST),
    ("Responses: policy", 200, error(code="bio_policy"), Outcome.CONTENT_FILTER),
    ("Responses: wrong request", 200, error(type="invalid_request_error"), Outcome.BAD_REQUEST),
    (
        "Azure: filter by its phrase",
        400,
        error("filtered due to the prompt triggering our content management policy"),
        Outcome.CONTENT_FILTER,
    ),
    ("Azure: no such path", 404, error("Resource not found", code="404"), Outcome.NOT_SUPPORTED),
    (
        "Gemini: quota of a day",
        429,
        [
            error(
                status="RESOURCE_EXHAUSTED",
                details=[{"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}],
            )
        ],
        Outcome.QUOTA_EXHAUSTED,
    ),
    (
        "Gemini: quota of a minute",
        429,
        [
            error(
                status="RESOURCE_EXHAUSTED",
                details=[{"violations": [{"quotaId": "GenerateRequestsPerMinutePerProject"}]}],
            )
        ],
        Outcome.RATE_LIMIT,
    ),
    ("Gemini: 402", 402, [error(status="RESOURCE_EXHAUSTED")], Outcome.QUOTA_EXHAUSTED),
    (
        "Gemini: no free tier here",
        400,
        [error("Please enable billing", status="FAILED_PRECONDITION")],
        Outcome.FORBIDDEN,
    ),
    ("Gemini: denied", 403, [error(status="PERMISSION_DENIED")], Outcome.FORBIDDEN),
    (
        "Gemini: leaked key",
        403,
        [error("Your API key was reported as leaked.", status="PERMISSION_DENIED")],
        Outcome.AUTH,
    ),
    ("Gemini: cancelled", 499, [error(status="CANCELLED")], Outcome.SERVER_ERROR),
    ("Gemini: late", 504, [error(status="DEADLINE_EXCEEDED")], Outcome.TIMEOUT_UPSTREAM),
    (
        "Gemini: no such model",
        404,
        [error("models/gemini-9 is not found for API version v1main", status="NOT_FOUND")],
        Outcome.MODEL_MISSING,
    ),
    (
        "Gemini: tools beside JSON",
        400,
        [error("Function calling with a response mime type: 'application/json' is unsupported")],
        Outcome.UNSUPPORTED_PARAM,
    ),
    ("HF: bad key", 401, {"error": "Invalid credentials in header"}, Outcome.AUTH),
    ("HF: no permission", 403, {"error": "This token may not"}, Outcome.FORBIDDEN),
    (
        "HF: loading in a 200",
        200,
        {"error": "Model x is currently loading", "estimated_time": 945},
        Outcome.WARMING,
    ),
    (
        "HF: model as text",
        400,
        {"error": "Model x is not supported by provider y"},
        Outcome.MODEL_MISSING,
    ),
    (
        "TGI: window",
        422,
        {
            "error": "`inputs` tokens + `max_new_tokens` must be <= 4096",
            "error_type": "validation",
        },
        Outcome.CONTEXT_LENGTH,
    ),
    (
        "TGI: generation",
        424,
        {"error": "Request failed", "error_type": "generation"},
        Outcome.SERVER_ERROR,
    ),
    ("TGI: template", 422, {"error": "Template error: x"}, Outcome.BAD_REQUEST),
    (
        "Anthropic: on hold",
        403,
        error(type="permission_error", details={"error_code": "organization_on_hold"}),
        Outcome.FORBIDDEN,
    ),
    (
        "Anthropic: ramp",
        429,
        error(type="rate_limit_error", details={"error_code": "ramp_limit_exceeded"}),
        Outcome.RATE_LIMIT,
    ),
    (
        "Anthropic: spent, by its phrase",
        400,
        error("You have reached your specified API usage limits.", type="invalid_request_error"),
        Outcome.QUOTA_EXHAUSTED,
    ),
    (
        "Anthropic: decoded too large",
        400,
        error(details={"error_code": "request_body_too_large_after_decoding"}),
        Outcome.TOO_LARGE,
    ),
    (
        "Anthropic: key of the customer",
        403,
        error(details={"error_code": "cmek_key_disabled"}),
        Outcome.FORBIDDEN,
    ),
    (
        "Anthropic: a page's Origin",
        401,
        error("CORS requests are not allowed for this", type="authentication_error"),
        Outcome.BAD_REQUEST,
    ),
    (
        "Anthropic: policy",
        400,
        error("Output blocked by content filtering policy", type="invalid_request_error"),
        Outcome.CONTENT_FILTER,
    ),
    (
        "Anthropic: model left out",
        400,
        error("model: Field required", type="invalid_request_error"),
        Outcome.BAD_REQUEST,
    ),
    ("Anthropic: 404 of a path", 404, error(type="not_found_error"), Outcome.NOT_SUPPORTED),
    ("Anthropic: late", 504, error(type="timeout_error"), Outcome.TIMEOUT_UPSTREAM),
    ("Cloudflare: answer blocked", 424, {"errors": [{"code": 2017}]}, Outcome.CONTENT_FILTER),
    ("Cloudflare: DLP, prompt", 400, {"error": [{"code": 2029}]}, Outcome.CONTENT_FILTER),
    ("Cloudflare: DLP, answer", 400, {"error": [{"code": 2030}]}, Outcome.CONTENT_FILTER),
    ("Cloudflare: unknown alias", 400, {"error": [{"code": 2040}]}, Outcome.AUTH),
    ("Cloudflare: only within", 401, {"error": [], "internalCode": 2009}, Outcome.AUTH),
    ("Cloudflare: no such model", 400, {"errors": [{"code": 5007}]}, Outcome.MODEL_MISSING),
    ("Cloudflare: day used up", 429, {"errors": [{"code": 3036}]}, Outcome.QUOTA_EXHAUSTED),
    ("Groq: spend cap", 400, error(code="blocked_api_access"), Outcome.QUOTA_EXHAUSTED),
    ("Groq: JSON", 400, error(code="json_validate_failed"), Outcome.GENERATION_FAILED),
    (
        "Groq: property",
        400,
        error("property 'store' is unsupported", type="invalid_request_error"),
        Outcome.UNSUPPORTED_PARAM,
    ),
    (
        "Mistral: capacity",
        429,
        {"object": "error", "message": "Service tier capacity exceeded for this model."},
        Outcome.OVERLOADED,
    ),
    (
        "Mistral: extra",
        422,
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "store"]}]},
        Outcome.UNSUPPORTED_PARAM,
    ),
    ("DeepSeek: balance", 402, error("Insufficient Balance"), Outcome.QUOTA_EXHAUSTED),
    ("DeepSeek: model", 400, error("Model Not Exist"), Outcome.MODEL_MISSING),
    (
        "xAI: key",
        400,
        {"code": "Client specified an invalid argument", "error": "Incorrect API key provided"},
        Outcome.AUTH,
    ),
    (
        "Ollama: model",
        404,
        error('model "llama9" not found, try pulling it first', type="api_error"),
        Outcome.MODEL_MISSING,
    ),
    ("Ollama: path", 404, "404 page not found", Outcome.NOT_SUPPORTED),
    (
        "vLLM: model",
        404,
        error("The model `llama` does not exist.", type="NotFoundError", code=404),
        Outcome.MODEL_MISSING,
    ),
    (
        "vLLM: whole numbers",
        400,
        error("?", type="BadRequestError", code=400, param=None),
        Outcome.BAD_REQUEST,
    ),
    (
        "vLLM: template",
        400,
        error("Conversation roles must alternate user/assistant", code=400),
        Outcome.BAD_REQUEST,
    ),
    (
        "llama.cpp: template is a 500",
        500,
        error("Jinja Exception: Conversation roles must alternate", type="server_error"),
        Outcome.BAD_REQUEST,
    ),
    ("OpenRouter: 402 in a 200", 200, error(code=402), Outcome.QUOTA_EXHAUSTED),
    (
        "OpenRouter: what is behind it",
        400,
        error("Provider returned error", metadata={"raw": "maximum context length is 8192"}),
        Outcome.CONTEXT_LENGTH,
    ),
    ("OpenRouter: model", 404, error("No endpoints found for x/y."), Outcome.MODEL_MISSING),
    (
        "OpenRouter: nobody with this parameter",
        404,
        error("No endpoints found that support tool use. To learn more …", code=404),
        Outcome.UNSUPPORTED_PARAM,
    ),
    (
        "OpenRouter: nobody with this policy",
        404,
        error("No endpoints found matching your data policy.", code=404),
        Outcome.UNSUPPORTED_PARAM,
    ),
    (
        "a tool that is missing is no model",
        400,
        error("The tool that the model called was not found"),
        Outcome.BAD_REQUEST,
    ),
    ("HTML of an edge", 413, PAGE, Outcome.TOO_LARGE),
]


@pytest.mark.parametrize(
    ("status", "body", "outcome"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES]
)
def test_a_body_says_more_than_its_status(status: int, body: object, outcome: Outcome) -> None:
    assert judged(status, body) is outcome


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


# Phrases


WINDOWS = (
    "This model's maximum context length is 8192 tokens.",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "request (9 tokens) exceeds the available context size (8 tokens), try increasing it",
    "The input token count (9) exceeds the maximum number of tokens allowed (8).",
    "The input is longer than the model's context length",
    "Current length is 9 while limit is 8",
    "`inputs` tokens + `max_new_tokens` must be <= 4096",
    "Your input exceeds the context window of this model.",
    "input length and `max_tokens` exceed context limit: 9 + 2 > 10",
    "Input is too long for requested model.",
    "This model's maximum prompt length is 8 but the request contains 9 tokens.",
)


@pytest.mark.parametrize("late", [False, True], ids=["at once", "late"])
@pytest.mark.parametrize("text", WINDOWS)
def test_a_window_that_is_too_small_is_known_by_its_phrase(text: str, *, late: bool) -> None:
    said = f"{'x' * 1_000} {text}" if late else text

    assert judged(400, error(said, type="invalid_request_error")) is Outcome.CONTEXT_LENGTH


@pytest.mark.parametrize("status", [408, 409, 498, 502, 504, 529])
def test_phrases_leave_a_plain_status_what_it_is(status: int) -> None:
    assert judged(status, error("invalid api key")) is STATUSES[status]


# The caller's words in the provider's mouth

OF_ACCOUNTS = (
    "ECHO api key not valid",
    "your API key was reported as leaked",
    "insufficient funds",
    "your credit balance is too low",
    "location is not supported for the api",
    "no such model",
    "the model `x` does not exist",
)
ECHOES: dict[str, Any] = {
    "single quotes": error("Invalid message 'Hi. {}' in the request"),
    "double quotes": error('Cannot read "Hi. {} it\'s" here'),
    "quotes that the caller closed": error("Cannot read 'Hi. ' and '{} ' and ' so' here"),
    "an address": error("Failed to download image from https://x/{}.png"),
    "pydantic's input": error("[{{'loc': ('body', 'n'), 'msg': 'Not a number', 'input': {}}}]"),
    "pydantic's value": error("1 validation error [type=int, input_value={}, input_type=str]"),
    "a field that is stated": error("Cannot read Hi. {}", param="messages"),
    "a code of requests": error("Cannot download {}", code="invalid_image_url"),
}


@pytest.mark.parametrize("body", ECHOES.values(), ids=ECHOES)
@pytest.mark.parametrize("words", OF_ACCOUNTS)
def test_what_the_caller_wrote_sets_no_provider_aside(words: str, body: dict[str, Any]) -> None:
    told = {**body["error"], "message": body["error"]["message"].format(words)}

    assert judged(400, {"error": told}) not in PARKING


MISSING = [
    "model 'x' does not exist",
    "The model `x` does not exist",
    'model "llama9" not found, try pulling it first',
    "The model 'my-model' was not found, see https://x.example/models",
]


@pytest.mark.parametrize("param", [None, "model"])
@pytest.mark.parametrize("text", MISSING)
def test_a_models_name_is_read_although_it_is_quoted(text: str, param: str | None) -> None:
    assert judged(400, error(text, param=param)) is Outcome.MODEL_MISSING


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("Incorrect API key provided: 'sk-1'. See https://x.example/keys.", Outcome.AUTH),
        ("You've insufficient credits. Add more: https://x.example", Outcome.QUOTA_EXHAUSTED),
        ("User location is not supported for the API use.", Outcome.FORBIDDEN),
    ],
)
def test_what_the_provider_says_itself_does(text: str, outcome: Outcome) -> None:
    assert judged(400, error(text, type="invalid_request_error")) is outcome


# The operator's word


RULE_MATCHES: list[tuple[str, ErrorMatch, bool]] = [
    ("the status", ErrorMatch(status=400), True),
    ("another status", ErrorMatch(status=401), False),
    ("the code", ErrorMatch(code="c"), True),
    ("the type", ErrorMatch(type="t"), True),
    ("another code", ErrorMatch(code="d"), False),
    ("a part of the text", ErrorMatch(text="GPU CAUGHT"), True),
    ("another text", ErrorMatch(text="rain"), False),
    ("all of it", ErrorMatch(status=400, code="c", type="t", text="fire"), True),
    ("all but one", ErrorMatch(status=400, code="c", type="u", text="fire"), False),
]


@pytest.mark.parametrize(
    ("match", "matches"), [row[1:] for row in RULE_MATCHES], ids=[row[0] for row in RULE_MATCHES]
)
def test_a_rule_decides_where_everything_holds_that_it_says(
    match: ErrorMatch, matches: bool
) -> None:
    complaint = read_complaint(error("The GPU caught fire", code="c", type="t"))
    rules = (ErrorRule(match=match, outcome=Outcome.OVERLOADED),)

    expected = Outcome.OVERLOADED if matches else Outcome.BAD_REQUEST
    assert judge_error(400, complaint, Outcome.PROTOCOL, rules) is expected


def test_of_several_rules_the_first_decides() -> None:
    rules = tuple(
        ErrorRule(match=ErrorMatch(status=500), outcome=one)
        for one in (Outcome.WARMING, Outcome.AUTH)
    )

    assert judge_error(500, Complaint(), Outcome.PROTOCOL, rules) is Outcome.WARMING


def test_a_rule_comes_before_the_code() -> None:
    complaint = read_complaint(error(code="insufficient_quota"))
    rules = (ErrorRule(match=ErrorMatch(status=429), outcome=Outcome.RATE_LIMIT),)

    assert judge_error(429, complaint, Outcome.PROTOCOL, rules) is Outcome.RATE_LIMIT


def test_a_rule_for_a_status_is_also_for_one_within_a_200() -> None:
    rules = (ErrorRule(match=ErrorMatch(status=502), outcome=Outcome.OVERLOADED),)

    complaint = read_complaint(error(code=502))
    assert judge_error(200, complaint, Outcome.PROTOCOL, rules) is Outcome.OVERLOADED


# Nobody's fault


@pytest.mark.parametrize(
    ("code", "blameless"),
    [("tool_use_failed", True), ("json_validate_failed", True), ("network_error", False)],
)
def test_a_model_that_failed_at_this_prompt_is_not_ill(code: str, *, blameless: bool) -> None:
    assert is_blameless(read_complaint(error(code=code))) is blameless


# The conformance cases that are a matter of the table alone


@pytest.mark.parametrize(
    "status",
    [408, 409, 498, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 529, 530],
)
def test_a1_what_the_provider_could_not_do_counts_against_it(status: int) -> None:
    assert judged(status) in FAILURES


@pytest.mark.parametrize("status", [425, 429])
def test_a1_what_a_moment_cures_does_not(status: int) -> None:
    assert judged(status) not in FAILURES | CALLERS_FAULT


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, error("Wrong key")),
        (402, error("Pay first")),
        (403, error("Not yours")),
        (404, error(code="model_not_found")),
    ],
    ids=["401", "402", "403", "404 of a model"],
)
def test_a3_what_the_operator_has_to_cure_is_set_aside(status: int, body: object) -> None:
    assert judged(status, body) in PARKING


@pytest.mark.parametrize("text", WINDOWS)
def test_a5_a_window_too_small_is_no_matter_of_the_provider(text: str) -> None:
    assert judged(400, error(text)) not in FAILURES | PARKING


def test_a4_bad_messages_are_the_callers() -> None:
    body = error("Invalid type for 'messages'", type="invalid_request_error", param="messages")

    assert judged(400, body) is Outcome.BAD_REQUEST


@pytest.mark.parametrize("body", ["", PAGE, "d\ufffdsol\ufffd", "x" * 5_000_000])
def test_a12_an_odd_body_leaves_the_word_to_the_status(body: str) -> None:
    assert judged(502, body) is Outcome.SERVER_ERROR


def test_a17_a_redirect_is_no_answer() -> None:
    assert judged(307) is Outcome.PROTOCOL


def test_a19_the_gateways_own_envelope_is_a_bad_key() -> None:
    body = {
        "success": False,
        "result": [],
        "messages": [],
        "error": [{"code": 2009, "message": "Unauthorized"}],
        "name": "AiGatewayError",
        "httpCode": 400,
        "internalCode": 2009,
        "message": "Unauthorized",
    }

    assert judged(401, body) is Outcome.AUTH


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (529, error(type="overloaded_error"), Outcome.OVERLOADED),
        (413, PAGE, Outcome.TOO_LARGE),
        (400, error("Your credit balance is too low"), Outcome.QUOTA_EXHAUSTED),
    ],
    ids=["529", "413 HTML", "400 no credit"],
)
def test_a20_anthropics_three(status: int, body: object, outcome: Outcome) -> None:
    assert judged(status, body) is outcome


def test_a_quote_that_was_cut_off_parks_nobody() -> None:
    echoed = "Your credit balance is too low " + "x" * 3000
    complaint = read_complaint({"error": {"message": f"Invalid content: '{echoed}'"}})

    assert judge_error(400, complaint, Outcome.PROTOCOL) is Outcome.BAD_REQUEST
