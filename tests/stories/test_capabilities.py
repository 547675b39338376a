"""A call goes to who can do what it needs; where nobody can, the application hears why."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest

from sidecar.core.capability import Capability
from sidecar.dialects.presets import PRESETS
from sidecar.faults.catalog import status
from tests.stories.desk import Desk, Json, a_desk
from tests.stories.voices import FUNCTION, PARAMETERS, PNG, SCHEMA

CONFIG = """
providers:
  first: {{kind: {kind}, base_url: "${{FIRST}}", api_key: key-of-first, cannot: [{cannot}]}}
  second: {{kind: openai, base_url: "${{SECOND}}", api_key: key-of-second}}
routes:
  - {{models: [alone], chain: [first/a-model]}}
  - {{models: ["*"], chain: [first/a-model, second/a-model]}}
"""
CHAT, COMPLETIONS, EMBEDDINGS = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
RESPONSES, MESSAGES = "/v1/responses", "/v1/messages"
SKIPPED, OF_FIRST, OF_SECOND = "first;skipped;unsupported", "first;ok;200", "second;ok;200"


def said(*parts: Json) -> list[Json]:
    return [{"role": "user", "content": list(parts)}]


HELLO = said({"type": "text", "text": "Say hello."})
IMAGE, PDF = f"data:image/png;base64,{PNG}", "data:application/pdf;base64,JVBERg=="
SOURCE = {"type": "base64", "media_type": "image/png", "data": PNG}
VOICE = {"voice": "alloy", "format": "wav"}
FORM = {"name": "sum", "strict": True, "schema": SCHEMA}
AS_FORM = {"type": "json_schema", "json_schema": FORM}
FUNCTIONS = [{"type": "function", "function": FUNCTION}]
CLAUDES = {"max_tokens": 9, "messages": HELLO}

# For each thing that somebody may be unable to do, the calls that need it.
CALLS: dict[Capability, list[tuple[str, Json]]] = {
    Capability.TOOLS: [
        (CHAT, {"messages": HELLO, "tools": FUNCTIONS}),
        (RESPONSES, {"input": "Hi", "tools": [{"type": "function", **FUNCTION}]}),
        (MESSAGES, {**CLAUDES, "tools": [{"name": "t", "input_schema": PARAMETERS}]}),
    ],
    Capability.IMAGES: [
        (CHAT, {"messages": said({"type": "image_url", "image_url": {"url": IMAGE}})}),
        (RESPONSES, {"input": said({"type": "input_image", "image_url": IMAGE})}),
        (MESSAGES, {**CLAUDES, "messages": said({"type": "image", "source": SOURCE})}),
    ],
    Capability.AUDIO: [
        (CHAT, {"messages": said({"type": "input_audio", "input_audio": {"data": "AAAA"}})}),
        (CHAT, {"messages": HELLO, "modalities": ["text", "audio"], "audio": VOICE}),
    ],
    Capability.PDF: [
        (CHAT, {"messages": said({"type": "file", "file": {"file_data": PDF}})}),
        (RESPONSES, {"input": said({"type": "input_file", "file_data": PDF})}),
    ],
    Capability.JSON_SCHEMA: [
        (CHAT, {"messages": HELLO, "response_format": AS_FORM}),
        (RESPONSES, {"input": "Hi", "text": {"format": {"type": "json_schema", **FORM}}}),
        (MESSAGES, {**CLAUDES, "output_config": {"format": {**AS_FORM, "schema": SCHEMA}}}),
    ],
    Capability.CHOICES: [(CHAT, {"messages": HELLO, "n": 2})],
    Capability.COMPLETIONS: [(COMPLETIONS, {"prompt": "Say hello."})],
    Capability.EMBEDDINGS: [(EMBEDDINGS, {"input": "Say hello."})],
    Capability.RESPONSES: [(RESPONSES, {"input": "Hi", "background": True})],
}
NEEDS = pytest.mark.parametrize(
    ("need", "path", "fields"),
    [
        pytest.param(need, path, fields, id=f"{need} {path.rpartition('/')[2]} {at}")
        for need, asked in CALLS.items()
        for at, (path, fields) in enumerate(asked)
    ],
)


def desk_of(kind: str = "openai", cannot: str = "") -> AbstractAsyncContextManager[Desk]:
    """A provider of that kind which cannot do that, and one that can do everything."""
    return a_desk(CONFIG.format(kind=kind, cannot=cannot))


def test_there_is_a_call_for_everything_that_somebody_may_be_unable_to_do() -> None:
    assert set(CALLS) == set(Capability)


# What the operator says


@NEEDS
async def test_who_is_said_to_be_unable_is_passed_over(
    need: Capability, path: str, fields: Json
) -> None:
    async with desk_of(cannot=need) as desk:
        heard = await desk.ask(path, model="m", **fields)

        assert (heard.code, heard.attempts) == (200, [SKIPPED, OF_SECOND])
        assert await desk.counted("skips_total", provider="first", reason="unsupported") == 1


@NEEDS
async def test_who_can_is_asked_whatever_else_is_beyond_it(
    need: Capability, path: str, fields: Json
) -> None:
    others = ", ".join(one for one in Capability if one is not need)
    async with desk_of(cannot=others) as desk:
        heard = await desk.ask(path, model="m", **fields)

        assert (heard.code, heard.attempts) == (200, [OF_FIRST])


@NEEDS
async def test_who_is_alone_is_asked_all_the_same(
    need: Capability, path: str, fields: Json
) -> None:
    async with desk_of(cannot=need) as desk:
        heard = await desk.ask(path, model="alone", **fields)

        assert (heard.code, heard.attempts) == (200, [OF_FIRST])


async def test_a_chain_in_which_nobody_can_is_asked_from_its_start() -> None:
    text = CONFIG.format(kind="openai", cannot="tools")
    async with a_desk(text.replace("-second}", "-second, cannot: [tools]}")) as desk:
        heard = await desk.chat(tools=FUNCTIONS)

        assert heard.attempts == [OF_FIRST]


async def test_one_model_may_be_unable_to_do_what_its_provider_can() -> None:
    entry = "{provider: first, model: blind, cannot: [images]}"
    text = CONFIG.format(kind="openai", cannot="")
    async with a_desk(text.replace("[first/a-model, sec", f"[{entry}, first/seeing, sec")) as desk:
        heard = await desk.ask(CHAT, model="m", **CALLS[Capability.IMAGES][0][1])

        assert heard.attempts == [SKIPPED, OF_FIRST]
        assert heard.headers["x-sidecar-model"] == "seeing"


# What is known of each kind


@pytest.mark.parametrize("kind", [kind for kind, preset in PRESETS.items() if preset.beyond])
async def test_what_is_beyond_a_kind_goes_to_another(kind: str) -> None:
    async with desk_of(kind=kind) as desk:
        for need in PRESETS[kind].beyond:
            for path, fields in CALLS[need]:
                heard = await desk.ask(path, model="m", **fields)

                assert (need, heard.attempts) == (need, [SKIPPED, OF_SECOND])
        assert desk["first"].hits == 0


UNSAYABLE: list[tuple[str, Json, str | None]] = [
    *((path, fields, "messages") for path, fields in CALLS[Capability.AUDIO][:1]),
    *((path, fields, "modalities") for path, fields in CALLS[Capability.AUDIO][1:]),
    *((path, fields, "n") for path, fields in CALLS[Capability.CHOICES]),
    *((path, fields, None) for path, fields in CALLS[Capability.COMPLETIONS]),
    *((path, fields, None) for path, fields in CALLS[Capability.EMBEDDINGS]),
    *((path, fields, "background") for path, fields in CALLS[Capability.RESPONSES]),
]


@pytest.mark.parametrize(("path", "fields", "param"), UNSAYABLE)
async def test_what_claude_alone_cannot_be_asked_is_the_callers_to_change(
    path: str, fields: Json, param: str | None
) -> None:
    async with desk_of(kind="anthropic") as desk:
        heard = await desk.ask(path, model="alone", **fields)

        error = heard.json["error"]
        assert (heard.code, error["type"]) == (400, "invalid_request_error")
        assert (error["code"], error["param"]) == ("unsupported_parameter", param)
        assert heard.attempts == ["first;unsupported_param;0"]


@pytest.mark.parametrize("kind", ["gemini", "mistral", "together", "azure-deployments"])
async def test_what_takes_responses_of_ones_own_is_the_callers_to_change_where_nobody_has_them(
    kind: str,
) -> None:
    async with desk_of(kind=kind) as desk:
        heard = await desk.ask(RESPONSES, model="alone", input="Hi", background=True)

        assert (heard.code, heard.json["error"]["param"]) == (400, "background")
        assert desk["first"].hits == 0


async def test_what_claude_alone_cannot_be_asked_is_said_in_words() -> None:
    async with desk_of(kind="anthropic") as desk:
        heard = await desk.chat(model="alone", n=2)

        assert heard.json["error"]["message"] == (
            "Claude gives one answer to a request, so n must be 1"
        )


async def test_what_cannot_be_asked_is_no_fault_of_the_provider() -> None:
    async with desk_of(kind="anthropic") as desk:
        for _ in range(5):
            await desk.chat(model="alone", n=2)

        assert desk["first"].hits == 0
        assert (await desk.standing("first"))["state"] == "closed"
        assert await desk.counted("requests_total", outcome="client_error", code="400") == 5


# How much fits

WINDOWS = """
providers:
  first: {kind: openai, base_url: "${FIRST}"}
  second: {kind: openai, base_url: "${SECOND}"}
  third: {kind: openai, base_url: "${THIRD}"}
routes:
  - models: ["*"]
    chain:
      - {provider: first, model: small, context: 1000}
      - {provider: second, model: as-small, context: 1000}
      - {provider: third, model: large, context: 100000}
"""
LONG = [{"role": "user", "content": "word " * 4000}]
TOO_LONG = "context_length"


def windows(*, of_second: str = "1000", of_third: str = "100000") -> str:
    return WINDOWS.replace("as-small, context: 1000", f"as-small, context: {of_second}").replace(
        "100000", of_third
    )


def three(text: str = WINDOWS) -> AbstractAsyncContextManager[Desk]:
    return a_desk(text, "first", "second", "third")


async def test_a_prompt_that_surely_does_not_fit_goes_to_who_holds_more() -> None:
    async with three() as desk:
        heard = await desk.chat(messages=LONG)

        assert heard.attempts == ["first;skipped;context", "second;skipped;context", "third;ok;200"]
        assert await desk.counted("skips_total", reason="context") == 2


async def test_a_prompt_that_may_fit_is_tried() -> None:
    async with three() as desk:
        assert (await desk.chat()).attempts == [OF_FIRST]


async def test_a_prompt_that_fits_nobody_is_tried_from_the_start() -> None:
    async with three(windows(of_third="1500")) as desk:
        heard = await desk.chat(messages=LONG)

        assert heard.attempts == [OF_FIRST]


async def test_after_a_full_window_only_larger_ones_are_tried() -> None:
    async with three() as desk:
        desk["first"].plays(TOO_LONG)

        heard = await desk.chat()

        assert heard.attempts == [
            "first;context_length;400",
            "second;skipped;context",
            "third;ok;200",
        ]


async def test_a_window_that_nobody_stated_may_be_larger() -> None:
    async with three(windows(of_second="off")) as desk:
        desk["first"].plays(TOO_LONG)

        assert (await desk.chat()).attempts == ["first;context_length;400", OF_SECOND]


async def test_when_no_window_is_large_enough_the_application_hears_it() -> None:
    async with three() as desk:
        desk["first"].plays(TOO_LONG)
        desk["third"].plays(TOO_LONG)

        heard = await desk.chat()

        error = heard.json["error"]
        assert (heard.code, error["code"]) == (400, "context_length_exceeded")


async def test_a_full_window_is_no_fault_of_the_provider() -> None:
    async with three() as desk:
        desk["first"].plays(TOO_LONG)
        for _ in range(5):
            await desk.chat()

        assert desk["first"].hits == 5
        assert (await desk.standing("first"))["state"] == "closed"


async def test_who_can_see_but_is_down_does_not_make_the_blind_one_worth_asking() -> None:
    async with desk_of(cannot="images") as desk:
        desk["second"].plays(status(500))

        heard = await desk.ask(CHAT, model="m", **CALLS[Capability.IMAGES][0][1])

        assert (heard.code, heard.attempts) == (503, [SKIPPED, "second;server_error;500"])
