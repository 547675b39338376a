"""A stream that breaks after its first content: told, gone on with, or never seen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import openai
import pytest
from multidict import CIMultiDict

from sidecar.core.events import AttemptEnded, StreamInterrupted
from sidecar.core.outcome import RequestOutcome
from sidecar.core.policies import AfterContent, Timeouts
from sidecar.core.settings import Limits, Settings
from sidecar.faults.answer import Answer
from sidecar.faults.catalog import Fault, cut, ok, reset, stall, status
from sidecar.faults.provider import ScriptedProvider
from sidecar.faults.refusals import INVALID
from sidecar.faults.refusals import openai as openai_error
from tests.stories.world import CHAT, MESSAGES, MODEL, World, a_world_of, eventually, settings_for

TEXT = "one two three four five six seven eight nine ten"
BEGUN = "one two three four"
REST = " five six seven eight nine ten"
TOOLS: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
QUICK = Timeouts(first_token_s=0.5, idle_s=0.3)
ROOMY = Limits()
BREAKS = {"cut": cut(4), "reset": reset(4), "stall": stall(4)}
ANY_BREAK = pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)


@asynccontextmanager
async def a_route(
    mode: AfterContent,
    *,
    prefill: bool = False,
    claude: str = "",
    third: bool = False,
    limits: Limits = ROOMY,
) -> AsyncIterator[World]:
    """A chain of two, or of three whose last is the second once more, with another model."""

    def settings_of(first: ScriptedProvider, second: ScriptedProvider) -> Settings:
        kinds = {"second": "anthropic" if claude else "openai"}
        settings = settings_for(first, second, timeouts=QUICK, kinds=kinds, limits=limits)
        (route,) = settings.routes
        one, other = route.chain
        other = replace(other, prefill=prefill, model=claude or other.model)
        chain = (one, other, replace(other, model="other-model")) if third else (one, other)
        return replace(settings, routes=(replace(route, chain=chain, after_content=mode),))

    async with a_world_of(settings_of) as world:
        for provider in (world.first, world.second):
            provider.answer = Answer(text=TEXT)
        yield world


async def told(world: World, **extra: Any) -> tuple[str, openai.APIError | None]:
    """The text that the SDK's helper puts together, and how it ended."""
    text = ""
    try:
        async with world.openai.chat.completions.stream(
            model=MODEL, messages=MESSAGES, **extra
        ) as stream:
            async for event in stream:
                if event.type == "content.delta":
                    text += event.delta
            completion = await stream.get_final_completion()
            assert completion.choices[0].finish_reason
            assert completion.choices[0].message.content == text
    except openai.APIError as error:
        return text, error
    return text, None


def outcomes(world: World) -> list[str]:
    ended = [event for event in world.events if isinstance(event, AttemptEnded)]
    return [f"{one.provider} {one.outcome}" for one in ended]


async def request_outcome(world: World) -> RequestOutcome:
    await eventually(lambda: bool(world.requests()))
    return world.requests()[-1].outcome


# error


@ANY_BREAK
async def test_by_default_the_sdk_raises_and_nobody_else_is_asked(broken: Fault) -> None:
    async with a_route(AfterContent.ERROR) as world:
        world.first.plays(broken)

        text, error = await told(world)

        assert text == BEGUN
        assert error is not None
        assert world.second.hits == 0
        assert await request_outcome(world) is RequestOutcome.INTERRUPTED


# resume, from the start


@ANY_BREAK
async def test_the_next_goes_on_where_it_says_the_same(broken: Fault) -> None:
    async with a_route(AfterContent.RESUME) as world:
        world.first.plays(broken)

        text, error = await told(world)

        assert (text, error) == (TEXT, None)
        assert await request_outcome(world) is RequestOutcome.FAILOVER_SUCCESS
        assert outcomes(world)[1] == "second ok"
        assert [one for one in world.events if isinstance(one, StreamInterrupted)]


async def test_what_goes_on_is_told_before_the_end() -> None:
    async with a_route(AfterContent.RESUME) as world:
        world.first.plays(cut(4))

        answer = await world.chat(stream=True)
        body = await answer.text()

        assert answer.headers["x-sidecar-provider"] == "first"
        assert ": x-sidecar-provider: second\n" in body
        assert ": x-sidecar-attempts: first;transport;200;" in body
        assert body.endswith("data: [DONE]\n\n")
        chunks = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]
        assert {chunk["id"] for chunk in chunks} == {"chatcmpl-first"}
        assert {chunk["model"] for chunk in chunks} == {"first-model", "second-model"}


async def test_where_the_next_says_something_else_the_break_is_told() -> None:
    async with a_route(AfterContent.RESUME, third=True) as world:
        world.first.plays(cut(4))
        world.second.plays(ok(text="one two 3 four five"))

        text, error = await told(world)

        assert text == BEGUN
        assert error is not None
        assert error.code == "transport"
        assert outcomes(world) == ["first transport", "second cancelled"]
        assert world.second.hits == 1
        assert await request_outcome(world) is RequestOutcome.INTERRUPTED
        assert await world.state_of("second") == "closed"


async def test_the_one_after_the_next_may_go_on() -> None:
    async with a_route(AfterContent.RESUME, third=True) as world:
        world.first.plays(cut(4))
        world.second.plays("status_503", "ok")

        assert await told(world) == (TEXT, None)

        assert outcomes(world) == ["first transport", "second overloaded", "second ok"]


async def test_what_went_on_may_break_again_and_go_on_again() -> None:
    async with a_route(AfterContent.RESUME, third=True) as world:
        world.first.plays(cut(4))
        world.second.plays(cut(7), "ok")

        assert await told(world) == (TEXT, None)

        assert outcomes(world) == ["first transport", "second transport", "second ok"]


@pytest.mark.parametrize("last", ["status_503", "silence", "error_first", "json_for_stream"])
async def test_where_nobody_can_go_on_the_break_is_told(last: str) -> None:
    async with a_route(AfterContent.RESUME) as world:
        world.first.plays(stall(4))
        world.second.plays(last)

        text, error = await told(world)

        assert text == BEGUN
        assert error is not None
        assert error.code == "timeout_idle"


# resume, by prefill


async def test_one_that_takes_a_beginning_is_given_it() -> None:
    async with a_route(AfterContent.RESUME, prefill=True) as world:
        world.first.plays(cut(4))
        world.second.plays(ok(text=REST))

        text, error = await told(world)

        assert (text, error) == (TEXT.replace(" five", "five"), None)
        assert world.second.calls[0].json["messages"] == [
            *MESSAGES,
            {"role": "assistant", "content": BEGUN},
        ]


async def test_anthropic_is_given_a_beginning_in_its_own_words() -> None:
    async with a_route(AfterContent.RESUME, prefill=True, claude="claude-haiku-4-5") as world:
        world.first.plays(cut(4))
        world.second.plays(ok(text="-and-a-half five"))

        assert await told(world) == (f"{BEGUN}-and-a-half five", None)

        (asked,) = world.second.calls
        assert asked.path == "/v1/messages"
        assert asked.json["messages"][-1]["role"] == "assistant"


async def test_a_model_that_takes_no_beginning_answers_from_the_start() -> None:
    async with a_route(AfterContent.RESUME, prefill=True, claude="claude-haiku-5-5") as world:
        world.first.plays(cut(4))

        assert await told(world) == (TEXT, None)

        assert world.second.calls[0].json["messages"][-1]["role"] == "user"


async def test_where_the_beginning_is_refused_the_break_is_told_and_not_the_400() -> None:
    async with a_route(AfterContent.RESUME, prefill=True) as world:
        world.first.plays(cut(4))
        world.second.plays(status(400, openai_error("prefill is not supported", INVALID)))

        text, error = await told(world)

        assert text == BEGUN
        assert error is not None
        assert error.code == "transport"
        assert "prefill" not in str(error)
        assert world.second.hits == 1


async def test_after_a_tool_call_nobody_goes_on() -> None:
    async with a_route(AfterContent.RESUME) as world:
        world.first.plays("tool_call_cut")

        _, error = await told(world, tools=TOOLS)

        assert error is not None
        assert world.second.hits == 0


# buffer


@ANY_BREAK
async def test_held_answers_break_unseen(broken: Fault) -> None:
    async with a_route(AfterContent.BUFFER) as world:
        world.first.plays(broken)

        assert await told(world) == (TEXT, None)

        assert await request_outcome(world) is RequestOutcome.FAILOVER_SUCCESS
        assert world.second.hits == 1


async def test_a_held_answer_is_bounded() -> None:
    small = Limits(response_body_bytes=100_000)
    async with a_route(AfterContent.BUFFER, limits=small) as world:
        world.first.plays(ok(words=2000))

        answer = await world.chat(stream=True)

        assert answer.headers["x-sidecar-provider"] == "second"
        assert outcomes(world)[0] == "first protocol"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses", "/v1/completions"])
@ANY_BREAK
async def test_held_answers_of_every_endpoint_break_unseen(path: str, broken: Fault) -> None:
    async with a_route(AfterContent.BUFFER) as world:
        world.first.plays(broken)
        bodies: dict[str, dict[str, Any]] = {
            "/v1/messages": {"messages": MESSAGES, "max_tokens": 99},
            "/v1/responses": {"input": "Hi"},
            "/v1/completions": {"prompt": "Hi"},
        }
        said = bodies[path]

        answer = await world.http.post(
            f"{world.api}{path}", json={"model": MODEL, "stream": True, **said}
        )
        body = await answer.text()

        assert answer.headers["x-sidecar-provider"] == "second"
        assert "ten" in body
        assert "error" not in body.replace('"error":null', "")


# The application's choice


@pytest.mark.parametrize(("word", "texts"), [("error", BEGUN), ("resume", TEXT), ("buffer", TEXT)])
@pytest.mark.parametrize("mode", AfterContent)
async def test_the_application_may_ask_for_one(mode: AfterContent, word: str, texts: str) -> None:
    async with a_route(mode) as world:
        world.first.plays(cut(4))

        text, error = await told(world, extra_headers={"x-sidecar-after-content": word})

        assert text == texts
        assert (error is None) == (word != "error")
        assert all("x-sidecar-after-content" not in call.headers for call in world.first.calls)


async def test_a_word_that_means_nothing_is_refused() -> None:
    async with a_route(AfterContent.ERROR) as world:
        with pytest.raises(openai.BadRequestError, match="one of error, resume, buffer, got retry"):
            await world.openai.chat.completions.create(
                model=MODEL, messages=MESSAGES, extra_headers={"x-sidecar-after-content": "retry"}
            )

        assert world.first.hits == 0


async def test_two_words_for_one_are_refused() -> None:
    async with a_route(AfterContent.ERROR) as world:
        said = [("x-sidecar-after-content", "error"), ("x-sidecar-after-content", "resume")]

        answer = await world.http.post(
            f"{world.api}/v1/chat/completions", json=CHAT, headers=CIMultiDict(said)
        )

        assert answer.status == 400
        assert "got error, resume." in (await answer.json())["error"]["message"]
