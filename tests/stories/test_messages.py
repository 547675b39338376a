"""Applications written for Anthropic, in front of any chain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anthropic
import pytest

from sidecar.core.policies import Timeouts
from sidecar.dialects.dialect import Json
from sidecar.faults.catalog import fault, ok
from sidecar.faults.fault import Fault
from tests.dialects.anthropic.wire import LOOK_UP, THOUGHT
from tests.stories.conformance.claude import NEWEST, claude
from tests.stories.conformance.scripts import (
    STREAMED,
    completion,
    delta,
    heard,
    says,
    streams_chat,
)
from tests.stories.voices import PNG, anthropic_at
from tests.stories.world import World, a_world

PATIENT = Timeouts()  # these stories are not about clocks
HELLO: list[Json] = [{"role": "user", "content": [{"type": "text", "text": "Say hello."}]}]
ASKED: Json = {"model": NEWEST, "max_tokens": 4000, "messages": HELLO}
CHAT_KINDS = pytest.mark.parametrize("kind", ["openai", "gemini"])
KINDS = pytest.mark.parametrize("kind", ["openai", "gemini", "anthropic", "cloudflare"])
CACHED = {"cache_control": {"type": "ephemeral"}}
PDF = "JVBERi0xLjQK"


@asynccontextmanager
async def an_application(
    kind: str, second: str = "openai", **options: Any
) -> AsyncIterator[tuple[World, Any]]:
    """A world whose first provider is of `kind`, and the messages of Anthropic's client."""
    async with AsyncExitStack() as stack:
        kinds = {"first": kind, "second": second}
        world = await stack.enter_async_context(a_world(kinds=kinds, timeouts=PATIENT))
        client = await stack.enter_async_context(anthropic_at(world.api, **options))
        yield world, client.messages


async def ask(app: Any, *, stream: bool = False, **fields: Any) -> Any:
    """The whole message, as the client has it or puts it together."""
    if not stream:
        return await app.create(**{**ASKED, **fields})
    async with app.stream(**{**ASKED, **fields}) as events:
        return await events.get_final_message()


def user(*content: Json) -> Json:
    return {"role": "user", "content": [*content]}


def text(words: str, **more: Any) -> Json:
    return {"type": "text", "text": words, **more}


# The client, its address and its credentials


async def test_an_application_is_turned_to_the_sidecar_by_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with an_application("gemini") as (world, _):
        monkeypatch.setenv("ANTHROPIC_BASE_URL", world.api)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "app")
        http = anthropic.DefaultAsyncHttpxClient(verify=False)
        async with anthropic.AsyncAnthropic(http_client=http) as client:
            message = await ask(client.messages)

        assert message.content[0].text == "Hello from first."
        assert message.model == "gemini-3-flash"


@KINDS
@STREAMED
async def test_the_applications_credentials_reach_no_provider(kind: str, stream: bool) -> None:
    headers = {"x-api-key": "of-the-app", "Authorization": "Bearer of-the-app"}
    async with an_application(kind, default_headers=headers) as (world, app):
        await ask(app, stream=stream)

        said = world.first.calls[-1].headers
        assert "of-the-app" not in str(said)
        assert [name for name, value in said.items() if "key-of-first" in value] == [
            "x-api-key" if kind == "anthropic" else "authorization"
        ]


SAID = {"anthropic-version": "2026-10-21", "anthropic-beta": "b-1,b-2", "anthropic-x": "y"}


@CHAT_KINDS
async def test_anthropics_headers_go_to_nobody_else(kind: str) -> None:
    async with an_application(kind) as (world, app):
        await ask(app, extra_headers=SAID)

        assert not [name for name in world.first.calls[-1].headers if name.startswith("anthropic")]


@STREAMED
async def test_anthropics_headers_go_to_anthropic_as_they_are(stream: bool) -> None:
    async with an_application("anthropic") as (world, app):
        await ask(app, stream=stream, extra_headers=SAID)

        said = world.first.calls[-1].headers
        assert {name: value for name, value in said.items() if name in SAID} == SAID


async def test_the_beta_client_is_served_too() -> None:
    async with (
        an_application("gemini", "anthropic") as (world, _),
        anthropic_at(world.api) as client,
    ):
        app: Any = client.beta.messages
        message = await app.create(**ASKED, betas=["b-1"])
        world.first.plays("status_500")
        again = await app.create(**ASKED, betas=["b-1"])

        assert message.content[0].text == "Hello from first."
        assert again.content[0].text == "Hello from second."
        assert world.second.calls[-1].headers["anthropic-beta"] == "b-1"


# What is said to Claude itself goes on as it is

EVERYTHING: Json = {
    "system": [text("Be kind."), text("Be brief.", **CACHED)],
    "thinking": {"type": "adaptive"},
    "output_config": {"effort": "high"},
    "metadata": {"user_id": "u-1"},
    "stop_sequences": ["END"],
    "tools": [
        {
            "name": "look_up",
            "description": "Looks up.",
            "input_schema": {"type": "object"},
            **CACHED,
        }
    ],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "messages": [
        user(
            text("What is in these?", **CACHED),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                "title": "Cats",
                "citations": {"enabled": True},
            },
        ),
        {"role": "assistant", "content": [THOUGHT, LOOK_UP]},
        user(
            {
                "type": "tool_result",
                "tool_use_id": "toolu_1",
                "content": [
                    text("A cat:"),
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                    },
                ],
            }
        ),
    ],
}


@STREAMED
async def test_claude_hears_every_word_of_it(stream: bool) -> None:
    async with an_application("anthropic") as (world, app):
        world.first.plays(claude(THOUGHT, text("A cat.")))
        message = await ask(app, stream=stream, **EVERYTHING)

        sent = {**ASKED, **EVERYTHING, "model": "claude-haiku-5-5"}
        assert heard(world) == {**sent, **({"stream": True} if stream else {})}
        assert [block.type for block in message.content] == ["thinking", "text"]
        assert message.content[0].signature == THOUGHT["signature"]
        assert world.second.hits == 0


@STREAMED
async def test_claudes_signed_thoughts_come_back_to_it_as_they_were(stream: bool) -> None:
    async with an_application("anthropic") as (world, app):
        world.first.plays(claude(THOUGHT, LOOK_UP, reason="tool_use"), claude())
        asked: Json = {name: EVERYTHING[name] for name in ("tools", "thinking")}
        first = await ask(app, stream=stream, **asked)
        said = [block.to_dict(mode="json") for block in first.content]
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Meow."}
        turns = [*HELLO, {"role": "assistant", "content": said}, user(result)]
        await ask(app, stream=stream, **asked, messages=turns)

        assert heard(world)["messages"] == turns
        assert heard(world)["messages"][1]["content"][0] == THOUGHT
        assert world.second.hits == 0


# What is said to others is said in their words


def said_of(world: World) -> str:
    return world.first.calls[-1].body.decode()


@CHAT_KINDS
@STREAMED
async def test_others_hear_all_of_it_that_they_can(kind: str, stream: bool) -> None:
    async with an_application(kind) as (world, app):
        await ask(app, stream=stream, **EVERYTHING)

        said = heard(world)["messages"]
        assert [turn["role"] for turn in said] == ["system", "user", "assistant", "tool", "user"]
        assert said[0]["content"] == "Be kind.\n\nBe brief."
        assert [part["type"] for part in said[1]["content"]] == ["text", "text", "file"]
        assert said[1]["content"][2]["file"]["file_data"] == f"data:application/pdf;base64,{PDF}"
        assert said[2]["tool_calls"][0]["function"]["arguments"] == '{"q":"cats"}'
        assert said[3] == {"role": "tool", "tool_call_id": "toolu_1", "content": "A cat:"}
        assert said[4]["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PNG}"
        assert heard(world)["reasoning_effort"] == "high"


ITS_OWN = ("cache_control", "citations", '"signature"', "c2ln", "Hm.", "top_k", "thinking")


@CHAT_KINDS
async def test_what_only_claude_understands_is_told_to_nobody_else(kind: str) -> None:
    async with an_application(kind) as (world, app):
        await ask(app, **EVERYTHING, service_tier="auto", extra_body={"top_k": 5})

        for word in ITS_OWN:
            assert word not in said_of(world), word


def thinks(stream: bool) -> Fault:
    """A model that shows its reasoning, as many that speak OpenAI do."""
    if stream:
        thought = [delta(role="assistant"), delta(reasoning_content="Hm."), delta(content="Meow.")]
        return streams_chat(*thought, delta("stop"))
    return says(completion(reasoning_content="Hm.", content="Meow."))


BUDGET: Json = {"thinking": {"type": "enabled", "budget_tokens": 2000}}


@CHAT_KINDS
@STREAMED
async def test_who_asked_for_thinking_sees_that_of_others(kind: str, stream: bool) -> None:
    async with an_application(kind) as (world, app):
        world.first.plays(thinks(stream))
        shown = await ask(app, stream=stream, **BUDGET)
        hidden = await ask(app, stream=stream)

        efforts = [call.json.get("reasoning_effort") for call in world.first.calls]
        assert efforts == ["low", None]
        assert [(block.type, block.to_dict().get("thinking")) for block in shown.content] == [
            ("thinking", "Hm."),
            ("text", None),
        ]
        assert [block.type for block in hidden.content] == ["text"]


@STREAMED
async def test_the_thoughts_of_others_are_not_put_into_claudes_mouth(stream: bool) -> None:
    async with an_application("openai", "anthropic") as (world, app):
        world.first.plays(thinks(stream), fault("status_500"))
        world.second.plays(ok())
        shown = await ask(app, stream=stream, **BUDGET)
        said = [block.to_dict(mode="json") for block in shown.content]
        turns = [*HELLO, {"role": "assistant", "content": said}, user(text("And now?"))]
        again = await ask(app, stream=stream, messages=turns, **BUDGET)

        assert again.content[0].text == "Hello from second."
        sent = world.second.calls[-1].json["messages"]
        assert [block["type"] for block in sent[1]["content"]] == ["text"]


@CHAT_KINDS
@STREAMED
async def test_the_thoughts_of_claude_are_not_told_to_who_takes_over(
    kind: str, stream: bool
) -> None:
    async with an_application("anthropic", kind) as (world, app):
        world.first.plays(claude(THOUGHT, LOOK_UP, reason="tool_use"), fault("status_529"))
        tools = EVERYTHING["tools"]
        first = await ask(app, stream=stream, tools=tools)
        said = [block.to_dict(mode="json") for block in first.content]
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Meow."}
        turns = [*HELLO, {"role": "assistant", "content": said}, user(result)]
        again = await ask(app, stream=stream, messages=turns, tools=tools)

        assert again.content[0].text == "Hello from second."
        sent = world.second.calls[-1].json["messages"]
        assert [turn["role"] for turn in sent] == ["user", "assistant", "tool"]
        assert b"Hm." not in world.second.calls[-1].body


@KINDS
@STREAMED
async def test_a_message_is_counted_in_tokens_whoever_gives_it(kind: str, stream: bool) -> None:
    async with an_application(kind) as (_, app):
        message = await ask(app, stream=stream)

        assert (message.usage.input_tokens, message.usage.output_tokens) == (7, 3)
        assert (message.stop_reason, message.type) == ("end_turn", "message")


EVENTS = [
    *("message_start", "content_block_start", "content_block_delta", "content_block_stop"),
    *("message_delta", "message_stop"),
]


@KINDS
async def test_a_message_is_told_by_the_same_events_whoever_gives_it(kind: str) -> None:
    async with an_application(kind) as (_, app):
        stream: AsyncIterator[Any] = await app.create(**ASKED, stream=True)
        types = [event.type async for event in stream]

        assert list(dict.fromkeys(types)) == EVENTS
        assert types.count("content_block_delta") == 3


async def listen(app: Any, texts: list[str]) -> None:
    """Add every piece of text to `texts`, until the stream ends or breaks."""
    async with app.stream(**ASKED) as stream:
        async for piece in stream.text_stream:
            texts.append(piece)  # noqa: PERF401  what came before it broke is to be kept


@KINDS
async def test_a_stream_that_breaks_is_an_error_to_anthropics_client(kind: str) -> None:
    async with an_application(kind) as (world, app):
        world.first.plays("end_after_words")
        texts: list[str] = []
        with pytest.raises(anthropic.APIError) as heard_of:
            await listen(app, texts)

        body: Any = heard_of.value.body
        assert "".join(texts).startswith("Hello")
        assert (body["type"], body["error"]["code"]) == ("error", "stream_truncated")
        assert world.second.hits == 0
