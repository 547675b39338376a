"""Where a kind of provider answers unlike OpenAI, the application hears OpenAI."""

from __future__ import annotations

import orjson
import pytest

from sidecar.faults.fault import Fault
from tests.stories.conformance.scripts import (
    a_world_with,
    ask,
    attempts,
    chunks,
    completion,
    delta,
    finish_of,
    message_of,
    says,
    streams,
    streams_chat,
)

DONE = b"data: [DONE]\n\n"
DETAILS = [{"type": "reasoning.text", "text": "Hm."}]
PARTS = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
    {"type": "text", "text": "Hi"},
]
ROLE = {"role": "assistant"}
COUNTED = {"usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}}
PROCESSING = b": OPENROUTER PROCESSING\n\n"
FILTERS = {"hate": {"filtered": False, "severity": "safe"}}


ANSWERED: dict[str, tuple[str, Fault]] = {
    "mistral, in parts": (
        "mistral",
        streams_chat(delta(content=PARTS[:1]), delta(content=PARTS[1:]), delta("stop")),
    ),
    "deepseek, under load": (
        "deepseek",
        streams(
            *[b": keep-alive\n\n"] * 9,
            delta(reasoning_content="Hm."),
            delta(content="Hi"),
            delta("stop"),
            DONE,
        ),
    ),
    "openrouter, who repeats itself": (
        "openrouter",
        streams(
            *[PROCESSING] * 17,
            delta(**ROLE, content="", reasoning="Hm.", reasoning_details=DETAILS),
            delta(**ROLE, content="", reasoning="", reasoning_details=DETAILS),
            {**delta(**ROLE, content="Hi"), "provider": "Acme"},
            delta("stop", **ROLE, content=""),
            {**delta("stop", **ROLE, content=""), **COUNTED},
            DONE,
        ),
    ),
    "hugging face by together": (
        "huggingface",
        streams_chat(
            {**delta(**ROLE, content="H", token_id=1), "seed": 1},
            delta(**ROLE, content="i", token_id=2),
            {**delta("stop", **ROLE, content="", token_id=3), **COUNTED},
        ),
    ),
    "hugging face by novita": (
        "huggingface",
        streams_chat(
            delta(**ROLE, content="Hi"),
            {**delta("stop"), "sla_metrics": {"ttft_ms": 5}},
            {"choices": [], **COUNTED},
        ),
    ),
    "groq": (
        "groq",
        streams_chat(
            {**delta(**ROLE, content=""), "x_groq": {"id": "req_1"}},
            delta(reasoning="Hm.", channel="analysis"),
            delta(content="Hi", channel="final"),
            {**delta("stop"), "x_groq": {"id": "req_1", **COUNTED}},
        ),
    ),
    "azure, who filters": (
        "azure",
        streams_chat(
            {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
            {"choices": [{**delta(content="Hi")["choices"][0], "content_filter_results": FILTERS}]},
            {"choices": [{**delta("stop")["choices"][0], "content_filter_results": {}}]},
        ),
    ),
    "ollama, who thinks": (
        "ollama",
        streams_chat(delta(**ROLE, reasoning="Hm."), delta(**ROLE, content="Hi"), delta("stop")),
    ),
}


@pytest.mark.parametrize("who", ANSWERED)
async def test_an_odd_stream_is_heard_by_the_client_as_any_other(who: str) -> None:
    kind, fault = ANSWERED[who]
    async with a_world_with(kind, "m") as world:
        world.first.plays(fault)
        answer = await ask(world, stream=True)
        told = [one for one in await chunks(world) if one["choices"]]

    assert message_of(answer)["content"] == "Hi"
    assert message_of(answer)["role"] == "assistant"
    assert finish_of(answer) == "stop"
    assert sum("role" in one["choices"][0]["delta"] for one in told) == 1
    assert [one["choices"][0]["finish_reason"] for one in told].count("stop") == 1
    assert attempts(world) == ["first;ok"] * 2


async def test_thinking_in_parts_is_told_as_thinking() -> None:
    async with a_world_with("mistral", "m") as world:
        world.first.plays(says(completion(content=PARTS)), ANSWERED["mistral, in parts"][1])
        whole, streamed = await ask(world), await ask(world, stream=True)

    expected = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm."}
    assert message_of(whole) == message_of(streamed) == expected


async def test_blank_lines_before_an_answer_are_nothing() -> None:
    async with a_world_with("deepseek", "m") as world:
        world.first.plays(says(b"\n" * 60 + orjson.dumps(completion(content="Hi"))))
        answer = await ask(world)

    assert message_of(answer)["content"] == "Hi"


async def test_a_wait_beside_a_good_answer_is_not_meant() -> None:
    async with a_world_with("huggingface", "m") as world:
        world.first.plays(says(completion(content="Hi"), retry_after=30))
        first, second = await ask(world), await ask(world)

    assert message_of(first) == message_of(second)
    assert attempts(world) == ["first;ok"] * 2


async def test_an_answer_that_azure_silenced_says_so() -> None:
    silenced = completion("content_filter", content="")
    silenced["choices"][0]["content_filter_results"] = {"hate": {"filtered": True}}
    async with a_world_with("azure", "m") as world:
        world.first.plays(says(silenced))
        answer = await ask(world)

    assert finish_of(answer) == "content_filter"
    assert answer["choices"][0]["content_filter_results"] == {"hate": {"filtered": True}}
