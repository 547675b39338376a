"""The main job: a call is answered, and the application learns by whom."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai
import pytest

from sidecar.app import Sidecar
from sidecar.core.outcome import Endpoint, RequestOutcome
from sidecar.core.policies import Timeouts
from sidecar.faults.answer import Answer, Scene
from sidecar.faults.catalog import Effect, Fault, fault, ok, status
from sidecar.faults.fault import open_answer, send
from sidecar.faults.healthy import speech_of
from sidecar.faults.steps import Send, Step, Wait
from tests.stories.world import CHAT, MESSAGES, MODEL, World, a_world, settings_for

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


async def test_a_number_of_any_length_survives_the_change_of_the_model(world: World) -> None:
    body = b'{"messages": [], "model": "m", "seed": 123456789012345678901234567890, "x": 1.50}'
    async with world.http.post(f"{world.api}/chat", data=body) as answer:
        assert answer.status == 200

    sent = world.first.calls[-1]
    assert sent.body == body.replace(b'"m"', b'"first-model"')
    assert sent.headers["content-type"] == "application/json"


async def test_a_model_named_twice_is_changed_where_it_counts(world: World) -> None:
    await world.chat(metadata={"model": "keep"})

    asked = world.first.calls[-1].json
    assert (asked["model"], asked["metadata"]["model"]) == ("first-model", "keep")


async def test_a_lone_surrogate_is_no_reason_to_refuse(world: World) -> None:
    body = b'{"model": "m", "messages": [{"content": "\\ud83d"}]}'
    async with world.http.post(f"{world.api}/chat", data=body) as answer:
        assert answer.status == 200


async def test_the_name_of_the_model_is_the_one_sent_on() -> None:
    async with a_world() as world:
        settings = settings_for(world.first)
        route = settings.routes[0]
        alone = replace(route, chain=(replace(route.chain[0], model=None),))
        async with Sidecar(replace(settings, routes=(alone,))) as sidecar:
            url = f"http://{sidecar.api}/v1/chat/completions"
            async with world.http.post(url, json=CHAT) as answer:
                assert answer.headers["x-sidecar-model"] == MODEL


async def test_a_streamed_completion_that_comes_whole_keeps_its_text(world: World) -> None:
    whole = {"id": "c", "object": "text_completion", "model": "m"}
    choice = {"index": 0, "text": "Hello.", "finish_reason": "stop", "logprobs": None}
    world.first.plays(status(200, {**whole, "choices": [choice]}))

    stream = await world.openai.completions.create(model=MODEL, prompt="Hi", stream=True)

    assert "".join([chunk.choices[0].text async for chunk in stream]) == "Hello."


async def test_tokens_that_were_asked_for_come_with_a_whole_answer_too(world: World) -> None:
    world.first.plays(fault("json_for_stream"))

    stream = await world.openai.chat.completions.create(
        model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )

    assert [chunk.usage.total_tokens for chunk in [c async for c in stream] if chunk.usage]


async def test_an_error_whose_body_stalls_is_told_by_its_status() -> None:
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\n"
    stalled = Fault("stalled", "stalls", Effect.FAILS_OVER, lambda _: [Send(head), Wait(None)])
    async with a_world(timeouts=Timeouts()) as patient:
        patient.first.plays(stalled)
        async with asyncio.timeout(5):
            answer = await patient.chat()

        assert answer.headers["x-sidecar-attempts"].startswith("first;overloaded;503;")
        assert answer.headers["x-sidecar-provider"] == "second"


async def test_silence_after_the_finish_is_an_end(world: World) -> None:
    def finish_then_silence(scene: Scene) -> Iterator[Step]:
        speech = speech_of(scene)
        yield open_answer(scene)
        yield from send([*speech.opening, *speech.words, *speech.finish])
        yield Wait(None)

    world.first.plays(Fault("mute", "falls silent at the end", Effect.SERVED, finish_then_silence))

    answer = await world.chat(stream=True)

    assert (await answer.text()).endswith("data: [DONE]\n\n")
    assert await world.state_of("first") == "closed"


async def test_unknown_fields_of_an_answer_survive(world: World) -> None:
    body = {
        "id": "x",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi"},
                "finish_reason": "stop",
            }
        ],
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
