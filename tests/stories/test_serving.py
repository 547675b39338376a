"""The main job: a call is answered, and the application learns by whom."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest

from sidecar.core.outcome import Endpoint, RequestOutcome
from sidecar.faults.answer import Answer
from sidecar.faults.catalog import fault, ok, status
from tests.stories.world import CHAT, MESSAGES, MODEL, World, a_world

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "strict": True,
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    },
}


async def test_the_openai_client_gets_an_answer(world: World) -> None:
    completion = await world.openai.chat.completions.create(model=MODEL, messages=MESSAGES)

    assert completion.choices[0].message.content == "Hello from first."
    assert completion.model == "first-model"
    assert completion.usage


async def test_the_openai_client_gets_a_stream(world: World) -> None:
    stream = await world.openai.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)

    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert text == "Hello from first."


async def test_a_stream_arrives_as_it_is_spoken(world: World) -> None:
    world.first.plays(ok(words=3, delay_s=0.15))
    stream = await world.openai.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)

    arrivals = [
        asyncio.get_running_loop().time()
        async for chunk in stream
        if chunk.choices and chunk.choices[0].delta.content
    ]

    assert len(arrivals) == 3
    assert arrivals[-1] - arrivals[0] > 0.2


async def test_a_tool_call_arrives_whole_streamed_or_not(world: World) -> None:
    world.first.answer = Answer(calls_tool=True)

    plain = await world.openai.chat.completions.create(model=MODEL, messages=MESSAGES, tools=[TOOL])
    async with world.openai.chat.completions.stream(
        model=MODEL, messages=MESSAGES, tools=[TOOL]
    ) as stream:
        streamed = await stream.get_final_completion()

    for completion in (plain, streamed):
        calls = completion.choices[0].message.tool_calls
        assert calls
        assert calls[0].type == "function"
        assert calls[0].function.name == "weather"
        assert isinstance(json.loads(calls[0].function.arguments), dict)
        assert completion.choices[0].finish_reason == "tool_calls"


async def test_completions_are_served_by_the_chain(world: World) -> None:
    world.first.plays("status_500")

    completion = await world.openai.completions.create(model=MODEL, prompt="Say hello.")

    assert "second" in completion.choices[0].text
    assert world.requests()[-1].endpoint is Endpoint.COMPLETIONS


async def test_embeddings_are_served(world: World) -> None:
    vector = await world.openai.embeddings.create(model=MODEL, input="hello")

    assert vector.data[0].embedding
    assert world.requests()[-1].endpoint is Endpoint.EMBEDDINGS


async def test_vectors_never_come_from_another_model(world: World) -> None:
    world.first.plays("status_500")

    with pytest.raises(openai.InternalServerError) as heard:
        await world.openai.embeddings.create(model=MODEL, input="hello")

    assert "second;skipped;unsupported;0" in heard.value.response.headers["x-sidecar-attempts"]
    assert world.second.hits == 0


async def test_the_answer_says_who_gave_it(world: World) -> None:
    world.first.plays(status(503))

    answer = await world.chat()

    assert answer.headers["x-sidecar-provider"] == "second"
    assert answer.headers["x-sidecar-model"] == "second-model"
    failed, good = answer.headers["x-sidecar-attempts"].split(", ")
    assert failed.startswith("first;overloaded;503;")
    assert good.startswith("second;ok;200;")
    assert "upstream;dur=" in answer.headers["server-timing"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions", "/chat"])
async def test_the_chat_endpoint_has_three_names(path: str, world: World) -> None:
    async with world.http.post(world.api + path, json=CHAT) as answer:
        assert answer.status == 200
        assert (await answer.json())["choices"][0]["message"]["content"] == "Hello from first."


async def test_fields_that_nobody_knows_survive_both_ways(world: World) -> None:
    await world.chat(novel={"deep": [1, None, "ü"]}, temperature=0.1)

    asked = world.first.calls[-1].json
    assert asked["novel"] == {"deep": [1, None, "ü"]}
    assert asked["temperature"] == 0.1
    assert asked["model"] == "first-model"


async def test_unknown_fields_of_an_answer_survive(world: World) -> None:
    body = {
        "id": "x",
        "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}],
        "extra_content": {"google": {"thought_signature": "abc"}},
    }
    world.first.plays(status(200, body))

    answer = await world.chat()

    assert await answer.json() == body


async def test_the_provider_gets_its_own_key_and_not_the_applications(world: World) -> None:
    await world.openai.chat.completions.create(model=MODEL, messages=MESSAGES)

    headers = world.first.calls[-1].headers
    assert headers["authorization"] == "Bearer key-of-first"
    assert not [name for name in headers if name.lower().startswith("x-stainless")]


async def test_a_request_id_of_the_application_is_kept(world: World) -> None:
    async with world.http.post(
        f"{world.api}/chat", json=CHAT, headers={"x-request-id": "mine-1"}
    ) as answer:
        assert answer.headers["x-request-id"] == "mine-1"


async def test_a_request_id_that_could_hurt_a_log_is_replaced(world: World) -> None:
    async with world.http.post(
        f"{world.api}/chat", json=CHAT, headers={"x-request-id": "a b;c"}
    ) as answer:
        assert answer.headers["x-request-id"] != "a b;c"


async def test_the_list_of_models_is_that_of_the_chains(world: World) -> None:
    models = [model.id async for model in world.openai.models.list()]

    assert models == ["first-model", "second-model"]
    assert (await world.openai.models.retrieve("first-model")).id == "first-model"


async def test_a_caller_with_a_short_deadline_hears_in_time() -> None:
    async with a_world() as world:
        world.first.plays("silence")
        world.second.plays("silence")
        async with world.http.post(
            f"{world.api}/chat", json=CHAT, headers={"x-request-timeout": "0.3"}
        ) as answer:
            assert answer.status == 504
            assert (await answer.json())["error"]["code"] == "deadline_exceeded"
        assert world.second.hits == 1


async def test_a_short_deadline_leaves_the_last_provider_its_share(world: World) -> None:
    world.first.plays("silence")

    async with world.http.post(
        f"{world.api}/chat", json=CHAT, headers={"x-request-timeout": "1"}
    ) as answer:
        assert answer.headers["x-sidecar-provider"] == "second"


async def test_a_model_that_thinks_gets_a_longer_first_token_clock(world: World) -> None:
    world.first.plays(ok(first_after_s=0.6))

    async def served_by(**fields: object) -> str:
        answer = await world.chat(stream=True, **fields)
        await answer.read()
        return answer.headers["x-sidecar-provider"]

    assert await served_by() == "second"
    assert await served_by(reasoning_effort="high") == "first"


async def test_a_whole_answer_to_a_streamed_call_is_streamed(world: World) -> None:
    world.first.plays(fault("json_for_stream"))

    async with world.openai.chat.completions.stream(model=MODEL, messages=MESSAGES) as stream:
        completion = await stream.get_final_completion()

    assert completion.choices[0].message.content == "Hello from first."


async def test_the_first_provider_serving_is_a_success_and_the_second_a_failover(
    world: World,
) -> None:
    await world.chat()
    world.first.plays("reset_before_headers")
    await world.chat()

    assert [event.outcome for event in world.requests()] == [
        RequestOutcome.SUCCESS,
        RequestOutcome.FAILOVER_SUCCESS,
    ]


async def test_tokens_are_those_that_the_provider_counted(world: World) -> None:
    completion = await world.openai.chat.completions.create(model=MODEL, messages=MESSAGES)

    usage = world.requests()[-1].usage
    assert usage
    assert completion.usage
    assert (usage.input, usage.output) == (
        completion.usage.prompt_tokens,
        completion.usage.completion_tokens,
    )
