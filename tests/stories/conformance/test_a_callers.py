"""What is the caller's own fault is told once, in the words of the first provider."""

from __future__ import annotations

from typing import Any

import anthropic
import openai

from sidecar.faults.answer import Scene
from sidecar.faults.catalog import Fault, status
from sidecar.faults.refusals import google
from sidecar.faults.refusals import openai as openais
from tests.stories.conformance.applications import (
    BY_SDK,
    FIRST_OK,
    OF_FIRST,
    OF_SECOND,
    SDKS,
    SECOND_OK,
    SHARED,
    STREAMED,
    Chain,
    a_chain,
    chat,
    failures,
    reset,
    url_of,
)
from tests.stories.conformance.scripts import completion, says, strict
from tests.stories.conformance.tongues import (
    KINDS,
    TONGUES,
    anthropics,
    cloudflares,
    huggingfaces,
    refuses,
)
from tests.stories.desk import a_desk
from tests.stories.world import MODELS

pytestmark = SHARED

BAD_REQUEST = (openai.BadRequestError, anthropic.BadRequestError)
MESSAGE_CHARS = 300


@STREAMED
@KINDS
@BY_SDK
async def test_a4_a_bad_request_is_asked_of_each_once_and_told_in_the_words_of_the_first(
    sdk: str, kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind, kind)
    desk["first"].plays(refuses(kind, 400, "first: messages must alternate"))
    desk["second"].plays(refuses(kind, 400, "second: messages must alternate"))
    told = await SDKS[sdk](url_of(desk), stream=stream)

    assert isinstance(told.error, BAD_REQUEST)
    assert told.message == "first: messages must alternate"
    assert told.body["type"] == "invalid_request_error"
    assert told.code
    assert told.attempts == ["first;bad_request;400", "second;bad_request;400"]
    assert (desk["first"].hits, desk["second"].hits) == (1, 1)
    assert await failures(desk) == 0


@KINDS
@BY_SDK
async def test_a4_no_message_is_long_or_has_markup(sdk: str, kind: str, chain: Chain) -> None:
    desk = await chain(kind, kind)
    words = f"<html><script>x()</script><h1>Bad request</h1> {'so long ' * 900}</html>"
    desk["first"].plays(refuses(kind, 400, words))
    desk["second"].plays(refuses(kind, 400, words))
    told = await SDKS[sdk](url_of(desk))

    assert told.message.startswith("Bad request so long")
    assert len(told.message) <= MESSAGE_CHARS


SMALL, LARGE = 8_000, 200_000
TOO_LONG = [
    "This model's maximum context length is 8192 tokens.",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it",
    "The input token count (9000) exceeds the maximum number of tokens allowed (8192).",
    "The input is longer than the model's context length",
    "Current length is 9000 while limit is 8192",
    "`inputs` tokens + `max_new_tokens` must be <= 8192. Given: 9000",
]
BY_WORD = [
    openais("Too many", "invalid_request_error", "context_length_exceeded", "messages"),
    {"error": {"code": 400, "message": "Too many", "type": "exceed_context_size_error"}},
]


def too_long(kind: str) -> list[Fault]:
    """Every way to say so, as a provider of `kind` would put it."""
    return [*(refuses(kind, 400, text) for text in TOO_LONG), *(says(b, 400) for b in BY_WORD)]


@STREAMED
@KINDS
async def test_a5_a_prompt_too_long_goes_to_a_larger_window(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind, windows=(SMALL, LARGE))
    for fault in too_long(kind):
        desk["first"].plays(fault)
        told = await chat(url_of(desk), stream=stream)

        assert (told.text, told.attempts) == (
            OF_SECOND,
            ["first;context_length;400", SECOND_OK],
        )
    assert await failures(desk) == 0


@KINDS
@BY_SDK
async def test_a5_a_prompt_too_long_goes_to_no_window_of_the_same_size(
    sdk: str, kind: str, chain: Chain
) -> None:
    desk = await chain(kind, windows=(SMALL, SMALL))
    for fault in (too_long(kind)[0], too_long(kind)[-1]):
        desk["first"].plays(fault)
        told = await SDKS[sdk](url_of(desk))

        assert isinstance(told.error, BAD_REQUEST)
        assert told.attempts == ["first;context_length;400", "second;skipped;context"]
    assert desk["second"].hits == 0


THREE = """
providers:
  first: {{kind: {kind}, base_url: "${{FIRST}}", api_key: key-of-first}}
  second: {{kind: openai, base_url: "${{SECOND}}", api_key: key-of-second}}
  third: {{kind: openai, base_url: "${{THIRD}}", api_key: key-of-third}}
routes:
  - models: ["*"]
    chain:
      - {{provider: first, model: {model}, context: 8000}}
      - {{provider: second, model: a-model, context: 8000}}
      - {{provider: third, model: a-model, context: 200000}}
"""


@KINDS
@BY_SDK
async def test_a5_a_prompt_too_long_passes_over_the_small_on_its_way_to_the_large(
    sdk: str, kind: str
) -> None:
    text = THREE.format(kind=kind, model=MODELS.get(kind, "a-model"))
    async with a_desk(text, "first", "second", "third") as desk:
        desk["first"].plays(too_long(kind)[0])
        told = await SDKS[sdk](url_of(desk))

        assert told.text == "Hello from third."
        assert told.attempts == [
            "first;context_length;400",
            "second;skipped;context",
            "third;ok;200",
        ]


REFUSED_FIELDS: dict[str, tuple[str, str]] = {  # what is asked, and how it is refused
    "openai": ("seed", "Unsupported parameter: 'seed' is not supported with this model."),
    "gemini": ("seed", 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'),
    "huggingface": ("seed", "property 'seed' is unsupported"),
    "anthropic": ("service_tier", "service_tier: Extra inputs are not permitted"),
    "cloudflare": ("seed", "Unrecognized request argument supplied: seed"),
}
WISHES: dict[str, Any] = {"seed": 7, "service_tier": "auto"}


def picky(kind: str) -> Fault:
    """A provider of `kind` that does not know one field."""
    name, words = REFUSED_FIELDS[kind]

    def objection(scene: Scene) -> tuple[int, Any] | None:
        return (400, TONGUES[kind](400, words)) if name in scene.asked else None

    return strict(objection)


@STREAMED
@KINDS
async def test_a6_a_field_that_is_not_known_is_left_out_at_once_and_from_then_on(
    kind: str, stream: bool
) -> None:
    name = REFUSED_FIELDS[kind][0]
    async with a_chain(kind) as desk:
        desk["first"].plays(picky(kind))
        told = await chat(url_of(desk), stream=stream, **{name: WISHES[name]})

        assert (told.text, told.attempts) == (OF_FIRST, ["first;unsupported_param;400", FIRST_OK])
        assert await desk.counted("dropped_params_total", provider="first", param=name) == 1
        assert await failures(desk) == 0

        told = await chat(url_of(desk), stream=stream, **{name: WISHES[name]})

        assert (told.text, told.attempts) == (OF_FIRST, [FIRST_OK])
        assert desk["first"].hits == 3


AZURES = {
    "message": "The response was filtered due to the prompt triggering our policy.",
    "type": None,
    "param": "prompt",
    "code": "content_filter",
    "status": 400,
    "innererror": {
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {"jailbreak": {"filtered": True, "detected": True}},
    },
}
FLAGGED = {"reasons": ["violence"], "flagged_input": "…", "provider_name": "x"}
FILTERED: dict[str, list[Fault]] = {
    "openai": [
        says({"error": AZURES}, 400),
        says({"error": {"code": 403, "message": "Flagged", "metadata": FLAGGED}}, 403),
        says(openais("Refused", "invalid_request_error", "content_policy_violation"), 400),
    ],
    "gemini": [
        says(google(400, "INVALID_ARGUMENT", "Blocked", {"reason": "PROHIBITED_CONTENT"}), 400)
    ],
    "huggingface": [says(huggingfaces(400, "The prompt violates our usage policies."), 400)],
    "anthropic": [says(anthropics(400, "Output blocked by content filtering policy"), 400)],
    "cloudflare": [says(cloudflares(400, "Prompt blocked by guardrails", 2016), 400)],
}
SWITCHED_ON = "content_filter: fail_over"


@STREAMED
@KINDS
@BY_SDK
async def test_a21_a_refusal_by_policy_is_told_at_once(
    sdk: str, kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    for fault in FILTERED[kind]:
        desk["first"].plays(fault)
        told = await SDKS[sdk](url_of(desk), stream=stream)

        assert isinstance(told.error, BAD_REQUEST)
        assert told.code == "content_filter"
    assert desk["second"].hits == 0
    assert await failures(desk) == 0


@STREAMED
@KINDS
async def test_a21_a_refusal_by_policy_fails_over_where_that_is_wanted(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind, more=SWITCHED_ON)
    for fault in FILTERED[kind]:
        desk["first"].plays(fault)
        told = await chat(url_of(desk), stream=stream)

        assert told.text == OF_SECOND
        assert told.attempts[0].startswith("first;content_filter;4")
    assert await failures(desk) == 0


@STREAMED
@KINDS
async def test_a21_a_refusal_by_everybodys_policy_is_told_where_failing_over_is_wanted(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind, kind, more=SWITCHED_ON)
    for fault in FILTERED[kind]:
        await reset(desk)
        desk["first"].plays(fault)
        desk["second"].plays(fault)
        told = await chat(url_of(desk), stream=stream)

        assert (told.status, told.code) == (400, "content_filter")
    assert desk["first"].hits == desk["second"].hits == len(FILTERED[kind])


REFUSAL: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [],
    "stop_reason": "refusal",
    "usage": {"input_tokens": 5, "output_tokens": 1},
}
SILENCED = {kind: completion("content_filter", content="") for kind in TONGUES}
SILENCED["anthropic"] = REFUSAL


@STREAMED
@KINDS
async def test_a21_an_answer_silenced_by_policy_is_passed_on(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    desk["first"].plays(status(200, SILENCED[kind]))
    told = await chat(url_of(desk), stream=stream)

    assert (told.text, told.attempts) == ("", [FIRST_OK])


@STREAMED
@KINDS
async def test_a21_an_answer_silenced_by_policy_fails_over_where_that_is_wanted(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind, more=SWITCHED_ON)
    desk["first"].plays(status(200, SILENCED[kind]))
    told = await chat(url_of(desk), stream=stream)

    assert (told.text, told.attempts) == (OF_SECOND, ["first;content_filter;200", SECOND_OK])
