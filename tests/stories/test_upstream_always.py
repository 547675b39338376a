"""Answers that the application wants whole and the provider streams: the clocks watch them."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest

from sidecar.core.policies import Streaming, Timeouts, UpstreamMode
from sidecar.faults.catalog import cut, ok
from tests.stories.test_retries import attempts
from tests.stories.world import MESSAGES, MODEL, World, a_world

ALWAYS = Streaming(upstream=UpstreamMode.ALWAYS)
PATIENT = Timeouts()
TOOLS: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
KINDS = pytest.mark.parametrize("kind", ["openai", "gemini", "huggingface", "anthropic"])
BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": MESSAGES},
    "/v1/completions": {"prompt": "Hi"},
    "/v1/messages": {"messages": MESSAGES, "max_tokens": 9},
    "/v1/responses": {"input": "Hi"},
}


async def answered(world: World, path: str, **fields: Any) -> Any:
    said = {"model": MODEL, **BODIES[path], **fields}
    same_ids = {"x-request-id": "one-and-the-same"}
    answer = await world.http.post(f"{world.api}{path}", json=said, headers=same_ids)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    return await answer.json()


def steady(answer: Any) -> Any:
    """An answer without the time at which it was translated."""
    times = ("created", "created_at", "completed_at")
    return {name: value for name, value in answer.items() if name not in times}


@KINDS
@pytest.mark.parametrize("tool", [False, True], ids=["words", "tool"])
async def test_the_answer_is_the_one_that_would_have_come_whole(kind: str, tool: bool) -> None:
    fields: dict[str, Any] = {"tools": TOOLS} if tool else {}
    answers = []
    for streaming in (Streaming(), ALWAYS):
        async with a_world(kinds={"first": kind}, timeouts=PATIENT, streaming=streaming) as world:
            world.first.plays(ok(words=40, calls_tool=tool))
            answers.append(await answered(world, "/v1/chat/completions", **fields))
            assert (world.first.calls[0].json.get("stream") is True) == (streaming is ALWAYS)

    assert steady(answers[1]) == steady(answers[0])


@pytest.mark.parametrize("path", BODIES)
async def test_so_are_the_answers_of_every_endpoint(path: str) -> None:
    answers = []
    for streaming in (Streaming(), ALWAYS):
        async with a_world(timeouts=PATIENT, streaming=streaming) as world:
            answers.append(await answered(world, path))
            assert (world.first.calls[0].json.get("stream") is True) == (streaming is ALWAYS)

    assert steady(answers[1]) == steady(answers[0])


async def test_the_sdks_read_them() -> None:
    async with a_world(timeouts=PATIENT, streaming=ALWAYS, kinds={"first": "anthropic"}) as world:
        chat = await world.openai.chat.completions.create(model=MODEL, messages=MESSAGES)
        assert chat.choices[0].message.content == "Hello from first."
        assert chat.usage is not None
        async with anthropic.AsyncAnthropic(base_url=world.api, api_key="none") as claude:
            message = await claude.messages.create(
                model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
            )
        assert message.content[0].to_dict()["text"] == "Hello from first."


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("silence", "timeout_first_token"),
        ("comments_only", "timeout_first_token"),
        ("stall", "timeout_idle"),
        (cut(2), "transport"),
        ("error_after_words", "stream_error"),
        ("neither", "stream_truncated"),
    ],
)
async def test_what_breaks_is_never_seen(fault: Any, outcome: str) -> None:
    quick = Timeouts(first_token_s=0.3, idle_s=0.3, answer_s=30.0)
    async with a_world(timeouts=quick, streaming=ALWAYS) as world:
        world.first.plays(fault)

        completion = await world.openai.chat.completions.create(model=MODEL, messages=MESSAGES)

        assert completion.choices[0].message.content == "Hello from second."
        assert attempts(world) == [f"first {outcome}", "second ok"]


async def test_the_clock_of_a_whole_answer_still_holds() -> None:
    quick = Timeouts(answer_s=0.5)
    async with a_world(timeouts=quick, streaming=ALWAYS) as world:
        world.first.plays(ok(words=50, delay_s=0.05))

        completion = await world.openai.chat.completions.create(model=MODEL, messages=MESSAGES)

        assert completion.choices[0].message.content == "Hello from second."
        assert attempts(world)[0] == "first timeout_answer"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/responses", {"background": True}),
        ("/v1/completions", {"best_of": 2}),
        ("/v1/chat/completions", {"audio": {"format": "mp3", "voice": "ash"}}),
    ],
    ids=["in the background", "best of", "audio"],
)
async def test_what_cannot_be_streamed_is_not(path: str, fields: dict[str, Any]) -> None:
    async with a_world(timeouts=PATIENT, streaming=ALWAYS) as world:
        await world.http.post(f"{world.api}{path}", json={"model": MODEL, **BODIES[path], **fields})

        assert "stream" not in world.first.calls[0].json


async def test_embeddings_are_left_alone() -> None:
    async with a_world(timeouts=PATIENT, streaming=ALWAYS) as world:
        made = await world.openai.embeddings.create(model=MODEL, input="Hi")

        assert made.data
        assert "stream" not in world.first.calls[0].json


async def test_an_error_is_told_as_it_would_be() -> None:
    async with a_world(timeouts=PATIENT, streaming=ALWAYS) as world:
        for provider in (world.first, world.second):
            provider.plays("bad_messages")

        with pytest.raises(openai.BadRequestError):
            await world.openai.chat.completions.create(model=MODEL, messages=MESSAGES)
