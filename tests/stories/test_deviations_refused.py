"""What a kind of provider refuses in a way of its own is understood: another one answers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import openai
import pytest

from sidecar.core.outcome import Outcome
from sidecar.dialects.dialect import Json
from sidecar.faults.refusals import PAGE
from tests.dialects.anthropic.requests import function
from tests.stories.conformance.scripts import (
    a_world_with,
    ask,
    attempts,
    delta,
    listen,
    message_of,
    says,
    streams,
)
from tests.stories.world import World

LOOK = function("look_up")


class No(NamedTuple):
    """A refusal, and what it means."""

    code: int
    body: Any
    outcome: Outcome
    headers: Mapping[str, Any] = MappingProxyType({})


def plain(text: str, code: Any = None, kind: str | None = "invalid_request_error") -> Json:
    return {"error": {"message": text, "type": kind, "param": None, "code": code}}


FAILED_CALL = {
    "error": {
        "message": "Failed to call a function. See 'failed_generation' for more details.",
        "type": "invalid_request_error",
        "code": "tool_use_failed",
        "failed_generation": "<function=look_up>{</function>",
    }
}
JAILBREAK = {"jailbreak": {"filtered": True, "detected": True}}
VIOLATION = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": JAILBREAK}
FILTERED = "The response was filtered due to the prompt triggering the content management policy."
IN_FLIGHT = {"metadata": {"limit_source": "openrouter_in_flight_budget"}}
MODERATED = {"metadata": {"reasons": ["violence"], "flagged_input": "x"}}
ROLES = "Conversation roles must alternate user/assistant/user/assistant/..."
TOO_LONG = "request (9000 tokens) exceeds the available context size (4096 tokens)"


def azure_filter(**more: Json) -> Json:
    told = {**plain(FILTERED, "content_filter", None)["error"], "param": "prompt", "status": 400}
    return {"error": {**told, **more}}


REFUSED: dict[str, list[No]] = {
    "deepseek": [
        No(402, plain("Insufficient Balance", "invalid_request_error"), Outcome.QUOTA_EXHAUSTED),
        No(422, plain("Failed to deserialize the JSON body"), Outcome.UNSUPPORTED_PARAM),
    ],
    "mistral": [
        No(
            429,
            {"object": "error", "message": "Service tier capacity exceeded for this model."},
            Outcome.OVERLOADED,
        ),
        No(
            422,
            {
                "object": "error",
                "message": {"detail": [{"loc": ["body", "n"], "msg": "Extra inputs"}]},
            },
            Outcome.UNSUPPORTED_PARAM,
        ),
        No(422, {"detail": [{"loc": ["body"], "msg": "Input"}]}, Outcome.UNSUPPORTED_PARAM),
    ],
    "groq": [
        No(400, FAILED_CALL, Outcome.GENERATION_FAILED),
        No(498, plain("Flex tier capacity exceeded"), Outcome.OVERLOADED),
        No(499, plain("Request cancelled"), Outcome.SERVER_ERROR),
        No(424, plain("Failed dependency"), Outcome.SERVER_ERROR),
        No(400, plain("Spend limit reached", "blocked_api_access"), Outcome.QUOTA_EXHAUSTED),
    ],
    "openrouter": [
        No(402, plain("More credits are required", 402), Outcome.QUOTA_EXHAUSTED),
        No(
            402,
            {"error": {"code": 402, "message": "In flight", **IN_FLIGHT}},
            Outcome.RATE_LIMIT,
            {"retry_after": 5},
        ),
        No(
            403,
            {"error": {"code": 403, "message": "Flagged", **MODERATED}},
            Outcome.CONTENT_FILTER,
        ),
        No(
            200,
            {"error": {"code": 502, "message": "No answer"}, "user_id": "u"},
            Outcome.SERVER_ERROR,
        ),
        No(200, {"error": {"code": 429, "message": "Slow down"}}, Outcome.RATE_LIMIT),
        No(200, {"error": {"code": 402, "message": "Credits"}}, Outcome.QUOTA_EXHAUSTED),
        No(503, {"error": {"code": 503, "message": "Nobody to route to"}}, Outcome.OVERLOADED),
    ],
    "huggingface": [
        No(504, "<html><h1>504</h1><p>Gateway Timeout</p></html>", Outcome.TIMEOUT_UPSTREAM),
        No(429, {"error": "Too many", "error_type": "overloaded"}, Outcome.OVERLOADED),
        No(424, {"error": "Oops", "error_type": "generation"}, Outcome.SERVER_ERROR),
        No(400, {"errors": [{"message": "Wrong"}]}, Outcome.BAD_REQUEST),
        No(503, b"", Outcome.WARMING, {"x_error_message": "Model m is currently loading"}),
    ],
    "azure": [
        No(400, azure_filter(innererror=VIOLATION), Outcome.CONTENT_FILTER),
        No(400, {**azure_filter(), "innererror": VIOLATION}, Outcome.CONTENT_FILTER),
        No(
            400,
            azure_filter(
                innererror={
                    "code": "ResponsibleAIPolicyViolation",
                    "content_filter_results": JAILBREAK,
                }
            ),
            Outcome.CONTENT_FILTER,
        ),
        No(
            404,
            {"error": {"code": "DeploymentNotFound", "message": "The deployment does not exist."}},
            Outcome.MODEL_MISSING,
        ),
        No(429, plain("Slow down", "429"), Outcome.RATE_LIMIT, {"retry_after_ms": 5000}),
    ],
    "vllm": [
        No(400, plain(ROLES, 400, "BadRequestError"), Outcome.BAD_REQUEST),
        No(
            400,
            {
                "object": "error",
                "message": "This model's maximum context length is 4096 tokens.",
                "type": "BadRequestError",
                "code": 400,
            },
            Outcome.CONTEXT_LENGTH,
        ),
        No(
            404,
            plain("The model `x-1` does not exist.", 404, "NotFoundError"),
            Outcome.MODEL_MISSING,
        ),
    ],
    "llamacpp": [
        No(
            503,
            plain("Loading model", 503, "unavailable_error"),
            Outcome.WARMING,
        ),
        No(400, plain(TOO_LONG, 400, "exceed_context_size_error"), Outcome.CONTEXT_LENGTH),
    ],
    "ollama": [
        No(404, plain("model 'x' not found", None, "api_error"), Outcome.MODEL_MISSING),
    ],
    "vertex": [
        No(
            429,
            [{"error": {"code": 429, "message": "Quota", "status": "RESOURCE_EXHAUSTED"}}],
            Outcome.RATE_LIMIT,
        ),
    ],
    "together": [
        No(429, plain("model rate limit reached"), Outcome.RATE_LIMIT),
        No(503, plain("overloaded"), Outcome.OVERLOADED),
    ],
    "fireworks": [No(412, plain("Account suspended"), Outcome.NOT_SUPPORTED)],
    "cloudflare": [
        No(
            200,
            {"errors": [{"code": 5012, "message": "No"}], "success": False, "result": None},
            Outcome.SERVER_ERROR,
        ),
        No(
            400,
            {"success": False, "errors": [{"code": 2017, "message": "Response blocked"}]},
            Outcome.CONTENT_FILTER,
        ),
        No(524, PAGE, Outcome.TIMEOUT_UPSTREAM),
    ],
}


@pytest.mark.parametrize("kind", REFUSED)
async def test_what_a_kind_says_in_its_own_way_is_understood_and_another_answers(
    kind: str,
) -> None:
    route = {"content_filter": "fail_over"}
    async with a_world_with(kind, "m", route=route) as world:
        for number, no in enumerate(REFUSED[kind]):
            world.first.plays(says(no.body, no.code, **no.headers))
            answer = await ask(world)
            assert message_of(answer)["content"] == "Hello from second."
            assert attempts(world)[-2:] == [f"first;{no.outcome}", "second;ok"], number
            await anew(world)


async def anew(world: World) -> None:
    """What was learned of the providers is forgotten."""
    async with world.http.post(f"{world.api}/reset") as answer:
        assert answer.status == 200


FIRST_WORDS = [delta(role="assistant", content="Hello "), delta(content="there")]
BREAKS: dict[str, tuple[str, list[Json], Outcome]] = {
    "groq's failed call": (
        "groq",
        [{"error": {**FAILED_CALL["error"], "status_code": 400}}],
        Outcome.GENERATION_FAILED,
    ),
    "openrouter's error in a chunk": (
        "openrouter",
        [{**delta("error", content=""), "error": {"code": 502, "message": "It left"}}],
        Outcome.SERVER_ERROR,
    ),
    "openrouter's finish": ("openrouter", [delta("error")], Outcome.GENERATION_FAILED),
    "hugging face's error": (
        "huggingface",
        [{"error": "It left", "error_type": "incomplete_generation"}],
        Outcome.STREAM_ERROR,
    ),
    "cloudflare's envelope": (
        "cloudflare",
        [{"success": False, "errors": [{"code": 3040, "message": "Capacity"}]}],
        Outcome.OVERLOADED,
    ),
}


@pytest.mark.parametrize("how", BREAKS)
async def test_a_stream_that_a_kind_ends_in_its_own_way_is_hidden_or_told(how: str) -> None:
    kind, last, outcome = BREAKS[how]
    got: list[Json] = []
    async with a_world_with(kind, "m") as world:
        world.first.plays(streams(delta(role="assistant"), *last))
        answer = await ask(world, stream=True)
        world.first.plays(streams(*FIRST_WORDS, *last))
        await anew(world)
        with pytest.raises(openai.APIError):
            await listen(world, got)

    assert message_of(answer)["content"] == "Hello from second."
    assert [one["choices"][0]["delta"]["content"] for one in got] == ["Hello ", "there"]
    assert attempts(world) == [f"first;{outcome}", "second;ok", f"first;{outcome}"]


async def test_a_model_that_failed_to_call_a_tool_is_no_fault_of_its_provider() -> None:
    async with a_world_with("groq", "m") as world:
        world.first.plays(says(FAILED_CALL, 400))
        for _ in range(4):
            await ask(world, tools=[LOOK])

        assert await world.state_of("first") == "closed"
        assert attempts(world) == ["first;generation_failed", "second;ok"] * 4


@pytest.mark.parametrize("body", [no.body for no in REFUSED["azure"][:3]])
async def test_what_azure_filters_is_told_to_the_application(body: Json) -> None:
    async with a_world_with("azure", "m") as world:
        world.first.plays(says(body, 400))
        with pytest.raises(openai.BadRequestError, match="filtered") as told:
            await ask(world)

    assert told.value.code == "content_filter"
    assert world.second.hits == 0
