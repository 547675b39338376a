"""Where a kind of provider takes other requests than OpenAI, it gets these."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from sidecar.dialects.dialect import Json
from sidecar.faults.answer import Scene
from sidecar.faults.fault import Fault
from sidecar.faults.refusals import Body
from tests.dialects.anthropic.requests import assistant, call, function, result, system, user
from tests.stories.conformance.scripts import (
    STREAMED,
    a_world_with,
    ask,
    attempts,
    completion,
    delta,
    dropped,
    heard,
    message_of,
    says,
    streams_chat,
    strict,
)
from tests.stories.world import MESSAGES

LOOK = function("look_up")
FORCED = {"type": "function", "function": {"name": "look_up"}}
TALK = [  # what the models of some templates, and strict APIs, cannot be told as it is
    system("Be kind."),
    {"role": "developer", "content": "Be brief."},
    user("Hi."),
    user("You?"),
]

# What they are asked


class Ask(NamedTuple):
    """What the application asks, and what a kind hears of it beside its model."""

    kind: str
    asked: Json
    heard: Json
    dropped: tuple[str, ...] = ()


def said(*messages: Json) -> Json:
    return {"messages": list(messages)}


SOME_TOOLS = {
    "tools": [LOOK, function("other")],
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [FORCED]},
    },
}
ASKED = {
    "one name for the longest answer": [
        Ask(kind, {"max_completion_tokens": 9}, {**said(*MESSAGES), "max_tokens": 9})
        for kind in ("deepseek", "mistral", "openrouter", "huggingface", "together", "ollama")
    ],
    "no developers": [
        Ask(kind, said(*TALK), said(TALK[0], system("Be brief."), *TALK[2:]))
        for kind in ("deepseek", "groq", "mistral", "together")
    ],
    "one system message, and sides that change": [
        Ask(kind, said(*TALK), said(system("Be kind.\n\nBe brief."), user("Hi.\n\nYou?")))
        for kind in ("vllm", "llamacpp")
    ],
    "no choice among tools": [
        Ask(
            kind,
            SOME_TOOLS,
            {**said(*MESSAGES), "tools": [LOOK], "tool_choice": "required"},
        )
        for kind in ("xai", "groq", "mistral", "vllm")
    ],
    "no strict tools": [
        Ask(
            "ollama",
            {"tools": [function("look_up", strict=True)]},
            {**said(*MESSAGES), "tools": [LOOK]},
        )
    ],
    "another name for the seed": [
        Ask("mistral", {"seed": 7}, {**said(*MESSAGES), "random_seed": 7})
    ],
    "five logprobs": [
        Ask("huggingface", {"top_logprobs": 20}, {**said(*MESSAGES), "top_logprobs": 5})
    ],
    "no forced tool while it thinks": [
        Ask(
            "deepseek",
            {"tools": [LOOK], "tool_choice": FORCED},
            {**said(*MESSAGES), "tools": [LOOK]},
            ("tool_choice",),
        )
    ],
    "no chain of its own": [
        Ask(
            "openrouter",
            {"extra_body": {"models": ["a", "b"], "route": "fallback", "provider": {}}},
            {**said(*MESSAGES), "provider": {}},
            ("models", "route"),
        )
    ],
}


@pytest.mark.parametrize("why", ASKED)
async def test_a_kind_is_asked_in_the_words_that_it_knows(why: str) -> None:
    for row in ASKED[why]:
        async with a_world_with(row.kind, "m-1") as world:
            await ask(world, **row.asked)
            assert (row.kind, heard(world)) == (row.kind, {"model": "m-1", **row.heard})
            assert (row.kind, dropped(world)) == (row.kind, row.dropped)


async def test_mistral_is_not_asked_to_count_a_stream_and_counts_it() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
    async with a_world_with("mistral", "m") as world:
        world.first.plays(streams_chat(delta(content="Hi"), {**delta("stop"), "usage": usage}))
        answer = await ask(world, stream=True)

    assert "stream_options" not in heard(world)
    assert answer["usage"] == usage


async def test_hugging_faces_bill_goes_to_whom_the_operator_says() -> None:
    async with a_world_with("huggingface", "m:groq", headers={"X-HF-Bill-To": "acme"}) as world:
        await ask(world, extra_headers={"X-HF-Bill-To": "mallory"})

    assert world.first.calls[-1].headers["x-hf-bill-to"] == "acme"
    assert heard(world)["model"] == "m:groq"


# Agents: what a kind insists on over several turns


def openai_error(text: str) -> tuple[int, Body]:
    return 400, {"error": {"message": text, "type": "invalid_request_error", "code": None}}


def thoughtless(scene: Scene) -> tuple[int, Body] | None:
    """DeepSeek, while it thinks, misses what it thought before it called tools."""
    for place, turn in enumerate(scene.asked["messages"]):
        if turn.get("tool_calls") and "reasoning_content" not in turn:
            return openai_error(
                f"Missing `reasoning_content` field in the assistant message at index {place}."
            )
    return None


def long_ids(scene: Scene) -> tuple[int, Body] | None:
    """Mistral takes ids of nine letters and digits alone, and results of calls alone."""
    called = [one["id"] for turn in scene.asked["messages"] for one in turn.get("tool_calls") or ()]
    found = [turn["tool_call_id"] for turn in scene.asked["messages"] if turn["role"] == "tool"]
    if any(len(one) != 9 or not one.isalnum() for one in called):
        return openai_error("Tool call id has to be a-z, A-Z, 0-9, with a length of 9.")
    return None if called == found else openai_error("Unexpected tool call id in tool results.")


def thinking(*calls: Json) -> dict[bool, Fault]:
    """An answer that thinks and calls tools, by whether it is streamed."""
    pieces = [{**one, "index": place} for place, one in enumerate(calls)]
    return {
        False: says(completion("tool_calls", reasoning_content="Hm.", tool_calls=list(calls))),
        True: streams_chat(
            delta(role="assistant", content=None, reasoning_content="H"),
            delta(content=None, reasoning_content="m."),
            delta(tool_calls=pieces),
            delta("tool_calls"),
        ),
    }


@STREAMED
async def test_deepseek_gets_its_thoughts_back_though_the_client_loses_them(stream: bool) -> None:
    answers = strict(thoughtless, thinking(call("call_1", "look_up"))[stream]), strict(thoughtless)
    asked: Json = {"stream": stream, "tools": [LOOK]}
    async with a_world_with("deepseek", "deepseek-reasoner") as world:
        world.first.plays(*answers)
        first = await ask(world, **asked)
        turns = [user("Hi."), assistant(None, call("call_1", "look_up")), result("call_1")]
        second = await ask(world, messages=turns, **asked)

    assert message_of(first)["reasoning_content"] == "Hm."
    assert heard(world)["messages"][1]["reasoning_content"] == "Hm."
    assert message_of(second)["content"] == "Hello from first."
    assert attempts(world) == ["first;ok"] * 2


@pytest.mark.parametrize(
    ("kind", "model", "rule"),
    [("deepseek", "deepseek-reasoner", thoughtless), ("mistral", "m", long_ids)],
    ids=["deepseek", "mistral"],
)
async def test_calls_that_another_provider_made_are_taken(
    kind: str, model: str, rule: Callable[[Scene], tuple[int, Body] | None]
) -> None:
    calls = [call("toolu_01AbCdEf", "look_up"), call("call:2", "look_up")]
    turns = [
        user("Hi."),
        assistant(None, *calls),
        result("toolu_01AbCdEf"),
        result("call:2"),
    ]
    async with a_world_with(kind, model) as world:
        world.first.plays(strict(rule))
        await ask(world, messages=turns, tools=[LOOK])

    assert attempts(world) == ["first;ok"]
