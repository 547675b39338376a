"""What only the operator can see to costs no answer, and the provider is asked no more."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.outcome import Outcome
from sidecar.faults.catalog import status
from sidecar.faults.refusals import openai
from tests.stories.conformance.applications import (
    BY_SDK,
    OF_SECOND,
    SDKS,
    SECOND_OK,
    SHARED,
    STREAMED,
    Chain,
    chat,
    reset,
    url_of,
)
from tests.stories.conformance.tongues import (
    KINDS,
    Json,
    anthropics,
    cloudflares,
    geminis,
    huggingfaces,
    openais,
)

pytestmark = SHARED

DEPLETED = "You have depleted your monthly included credits. Purchase pre-paid credits."
NOBODY = "The requested model 'x' is not supported by any provider you have enabled."
# How each says that its operator has something to see to: the key, the bill, a permission, a name.
OPERATORS: dict[str, list[tuple[int, Any, Outcome]]] = {
    "openai": [
        (401, openai("Incorrect key", "invalid_request_error", "invalid_api_key"), Outcome.AUTH),
        (402, openais(402), Outcome.QUOTA_EXHAUSTED),
        (403, openais(403), Outcome.FORBIDDEN),
        (404, openai("No such model", code="model_not_found"), Outcome.MODEL_MISSING),
    ],
    "gemini": [
        (400, geminis(400, "No valid key", {"reason": "API_KEY_INVALID"}), Outcome.AUTH),
        (401, geminis(401), Outcome.AUTH),
        (402, geminis(402), Outcome.QUOTA_EXHAUSTED),
        (403, geminis(403), Outcome.FORBIDDEN),
        (404, geminis(404, "models/gemini-9 is not found for API"), Outcome.MODEL_MISSING),
    ],
    "huggingface": [
        (401, huggingfaces(401, "Invalid credentials in Authorization header"), Outcome.AUTH),
        (402, huggingfaces(402, DEPLETED), Outcome.QUOTA_EXHAUSTED),
        (403, huggingfaces(403, "This token has no such permission"), Outcome.FORBIDDEN),
        (400, openai(NOBODY, code="model_not_supported"), Outcome.MODEL_MISSING),
    ],
    "anthropic": [
        (401, anthropics(401, "invalid x-api-key"), Outcome.AUTH),
        (402, anthropics(402), Outcome.QUOTA_EXHAUSTED),
        (403, anthropics(403), Outcome.FORBIDDEN),
        (404, anthropics(404, "model: claude-9"), Outcome.MODEL_MISSING),
    ],
    "cloudflare": [
        (401, cloudflares(401, "Unauthorized", 2009), Outcome.AUTH),
        (402, cloudflares(402), Outcome.QUOTA_EXHAUSTED),
        (403, cloudflares(403), Outcome.FORBIDDEN),
        (400, cloudflares(400, "No such model", 5007), Outcome.MODEL_MISSING),
    ],
}
OF_THE_MODEL = (Outcome.FORBIDDEN, Outcome.MODEL_MISSING)


@STREAMED
@KINDS
async def test_a3_the_operators_fault_fails_over_and_the_provider_is_asked_no_more(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    for code, body, outcome in OPERATORS[kind]:
        await reset(desk)
        desk["first"].plays(status(code, body))
        asked = [await chat(url_of(desk), stream=stream) for _ in range(2)]
        standing = await desk.standing("first")

        assert [told.text for told in asked] == [OF_SECOND] * 2
        assert [told.attempts for told in asked] == [
            [f"first;{outcome};{code}", SECOND_OK],
            ["first;skipped;parked", SECOND_OK],
        ]
        assert [one["reason"] for one in standing["parked"]] == [outcome]
        assert bool(standing["parked"][0]["model"]) is (outcome in OF_THE_MODEL)
        assert standing["parked"][0]["retry_in_s"] >= 590
        assert standing["state"] == "closed"


@KINDS
@BY_SDK
async def test_a3_an_application_never_takes_a_bad_key_of_the_operator_for_its_own(
    sdk: str, kind: str, chain: Chain
) -> None:
    desk = await chain(kind, kind)
    for code, body, _ in OPERATORS[kind]:
        await reset(desk)
        desk["first"].plays(status(code, body))
        desk["second"].plays(status(code, body))
        told = await SDKS[sdk](url_of(desk))

        assert (told.status, told.code) == (503, "all_providers_failed")


SPENT: dict[str, list[tuple[int, Any]]] = {
    "openai": [
        (429, openai("No credit", "insufficient_quota", "credit_balance_exhausted")),
        (429, openai("Spent", "insufficient_quota", "project_spend_limit_exceeded")),
        (429, openai("You exceeded your current quota", "insufficient_quota")),
    ],
    "gemini": [
        (429, geminis(429, "Quota", {"violations": [{"quotaId": "RequestsPerDay-FreeTier"}]})),
    ],
    "huggingface": [(402, huggingfaces(402, DEPLETED)), (429, huggingfaces(429, DEPLETED))],
    "anthropic": [
        (429, anthropics(429, "Spent", "enforced_spend_limit_reached")),
        (400, anthropics(400, "Your credit balance is too low to access the Anthropic API.")),
    ],
    "cloudflare": [(429, cloudflares(429, "You have used up your daily allocation", 3036))],
}


@STREAMED
@KINDS
async def test_a7_used_up_credit_is_waited_for_by_nobody(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    for code, body in SPENT[kind]:
        await reset(desk)
        before = desk["first"].hits
        desk["first"].plays(status(code, body))
        told = await chat(url_of(desk), stream=stream)
        again = await chat(url_of(desk), stream=stream)
        parked = (await desk.standing("first"))["parked"]

        assert told.attempts == [f"first;quota_exhausted;{code}", SECOND_OK]
        assert again.attempts == ["first;skipped;parked", SECOND_OK]
        assert desk["first"].hits - before == 1
        assert [(one["model"], one["reason"]) for one in parked] == [("", "quota_exhausted")]


CLOUDFLARES_OWN: list[tuple[int, Json]] = [
    (
        401,
        {
            "success": False,
            "result": [],
            "messages": [],
            "error": [{"code": 2009, "message": "Unauthorized"}],
            "name": "AiGatewayError",
            "httpCode": 400,
            "internalCode": 2009,
            "message": "Unauthorized",
        },
    ),
    (400, {"success": False, "error": [{"code": 2009, "message": "Unauthorized"}]}),
    (400, cloudflares(400, "Unknown alias", 2040)),
    (400, cloudflares(400, "Authentication error", 10000)),
    (200, cloudflares(200, "Unauthorized", 2009)),
]


@STREAMED
@pytest.mark.parametrize(("code", "body"), CLOUDFLARES_OWN)
async def test_a19_cloudflares_envelope_says_that_its_key_is_bad(
    code: int, body: Json, stream: bool, chain: Chain
) -> None:
    desk = await chain("cloudflare")
    desk["first"].plays(status(code, body))
    told = await chat(url_of(desk), stream=stream)
    parked = (await desk.standing("first"))["parked"]

    assert (told.text, told.attempts) == (OF_SECOND, [f"first;auth;{code}", SECOND_OK])
    assert [(one["model"], one["reason"]) for one in parked] == [("", "auth")]
