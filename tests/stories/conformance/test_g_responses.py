"""Responses: the same events whoever answers."""

from __future__ import annotations

import openai
import pytest

from sidecar.dialects.dialect import Json
from sidecar.dialects.responses.ids import mint
from sidecar.faults.catalog import fault, ok
from tests.stories.conformance.responders import (
    ANYBODY,
    KINDS,
    LOOK_UP,
    Saying,
    a_world_of,
    chat_only,
    create,
    events,
    hear,
    helped,
    play,
    saying,
    types_of,
)
from tests.stories.conformance.scripts import (
    STREAMED,
    attempts,
)

BEGIN = ["created", "in_progress", "output_item.added"]
TEXT = ["content_part.added", "output_text.delta", "output_text.done", "content_part.done"]
REFUSAL = ["content_part.added", "refusal.delta", "refusal.done", "content_part.done"]
CALL = ["function_call_arguments.delta", "function_call_arguments.done"]
END = ["output_item.done", "completed"]
CUT = ["output_item.done", "incomplete"]


@ANYBODY
async def test_g1_a_text_is_told_by_the_same_events_whoever_answers(who: str) -> None:
    async with a_world_of(who) as world:
        play(world, who, ok())
        told = await events(world)
        types, final = await helped(world)

        assert types_of(told) == types == [*BEGIN, *TEXT, *END]
        deltas = [one["delta"] for one in told if one["type"] == "response.output_text.delta"]
        assert deltas == ["Hello", " from", " first."]
        assert final.output_text == "Hello from first."
        assert final.usage.total_tokens == final.usage.input_tokens + final.usage.output_tokens


@ANYBODY
async def test_g1_a_text_that_is_not_streamed_says_the_same(who: str) -> None:
    async with a_world_of(who) as world:
        play(world, who, ok())
        response = await create(world)

        assert (response.output_text, response.status) == ("Hello from first.", "completed")
        assert [item.type for item in response.output] == ["message"]
        assert (response.object, response.error, response.model) == (
            *("response", None),
            world.first.calls[-1].json["model"],
        )


@ANYBODY
async def test_g2_a_tool_call_is_told_by_the_same_events_whoever_answers(who: str) -> None:
    async with a_world_of(who) as world:
        play(world, who, ok(calls_tool=True))
        told = await events(world, tools=[LOOK_UP])
        types, final = await helped(world, tools=[LOOK_UP])

        assert types_of(told) == types == [*BEGIN, *CALL, *END]
        said = [one["delta"] for one in told if one["type"].endswith("arguments.delta")]
        (call,) = final.output
        assert (call.type, call.name, call.status) == ("function_call", "look_up", "completed")
        assert call.arguments == "".join(said) == '{"text":"Hello from first."}'


@ANYBODY
async def test_g2_a_tool_call_that_is_not_streamed_says_the_same(who: str) -> None:
    async with a_world_of(who) as world:
        play(world, who, ok(calls_tool=True))
        response = await create(world, tools=[LOOK_UP])

        (call,) = response.output
        assert (call.name, call.arguments) == ("look_up", '{"text":"Hello from first."}')
        assert call.call_id
        assert call.call_id != call.id


NOT_CLAUDE = pytest.mark.parametrize("who", [who for who in KINDS if who != "anthropic"])


@NOT_CLAUDE
async def test_g3_a_refusal_is_told_as_one(who: str) -> None:
    async with a_world_of(who) as world:
        play(world, who, saying(Saying(refusal="I will not.")))
        told = await events(world)
        types, final = await helped(world)
        response = await create(world)

        assert types_of(told) == types == [*BEGIN, *REFUSAL, *END]
        for one in (final, response):
            assert [part.refusal for part in one.output[0].content] == ["I will not."]


@ANYBODY
async def test_g3_an_answer_that_is_cut_by_policy_is_incomplete(who: str) -> None:
    async with a_world_of(who) as world:
        play(world, who, saying(Saying(text="Well", finish="content_filter")))
        told = await events(world)
        response = await create(world)

        assert types_of(told) == [*BEGIN, *TEXT, *CUT]
        assert told[-1]["response"]["incomplete_details"] == {"reason": "content_filter"}
        assert response.incomplete_details.reason == "content_filter"


@ANYBODY
async def test_g4_an_answer_that_grew_too_long_is_incomplete(who: str) -> None:
    async with a_world_of(who) as world:
        play(world, who, saying(Saying(text="On and on", finish="length")))
        told = await events(world)
        response = await create(world)

        assert types_of(told) == [*BEGIN, *TEXT, *CUT]
        last = told[-1]["response"]
        assert last["incomplete_details"] == {"reason": "max_output_tokens"}
        assert [item["status"] for item in last["output"]] == ["incomplete"]
        assert (response.status, response.output_text) == ("incomplete", "On and on")


@ANYBODY
async def test_g4_the_helper_hears_of_an_answer_that_grew_too_long_what_it_always_does(
    who: str,
) -> None:
    async with a_world_of(who) as world:
        play(world, who, saying(Saying(text="On and on", finish="length")))
        with pytest.raises(RuntimeError, match=r"Didn't receive a `response\.completed` event"):
            await helped(world)


BEFORE = ("status_503", "error_first", "nothing", "malformed_first")


@ANYBODY
async def test_g5_what_fails_before_the_first_word_is_never_heard_of(who: str) -> None:
    async with a_world_of(who) as world:
        for name in BEFORE:
            play(world, who, fault(name))
            types, final = await helped(world)

            assert (name, types) == (name, [*BEGIN, *TEXT, *END])
            assert final.output_text == "Hello from second."
            assert final.id.startswith("resp_second_")
            await world.http.post(f"{world.api}/reset")


@pytest.mark.parametrize("second", KINDS)
async def test_g5_whoever_comes_second_tells_it_by_the_same_events(second: str) -> None:
    async with a_world_of("native", second) as world:
        world.first.plays("status_500")
        world.second.plays(chat_only() if second == "chat only" else ok())
        types, final = await helped(world)

        assert types == [*BEGIN, *TEXT, *END]
        assert final.output_text == "Hello from second."


@ANYBODY
async def test_g6_what_breaks_after_the_first_word_says_so_twice(who: str) -> None:
    async with a_world_of(who) as world:
        for name in ("end_after_words", "error_after_words", "half_json_event"):
            play(world, who, fault(name))
            got: list[Json] = []
            with pytest.raises(openai.APIError) as heard:
                await hear(world, got)

            assert (name, got[-1]["type"]) == (name, "response.failed")
            assert [one["sequence_number"] for one in got] == list(range(len(got)))
            assert got[-1]["response"]["error"]["message"] == heard.value.message
            assert got[-1]["response"]["status"] == "failed"
            assert {one["response"]["id"] for one in got if "response" in one} == {
                got[0]["response"]["id"]
            }
            await world.http.post(f"{world.api}/reset")
        assert world.second.hits == 0


@ANYBODY
async def test_g6_the_helper_raises_what_broke_too(who: str) -> None:
    async with a_world_of(who) as world:
        play(world, who, fault("end_after_words"))
        with pytest.raises(openai.APIError):
            await helped(world)


# Ids


@ANYBODY
async def test_g7_an_id_is_the_same_from_the_first_event_to_the_last(who: str) -> None:
    async with a_world_of(who) as world:
        for fields in ({}, {"tools": [LOOK_UP]}):
            play(world, who, ok(calls_tool=bool(fields)))
            told = await events(world, **fields)
            responses = [one["response"] for one in told if "response" in one]
            items = [one["item"] for one in told if "item" in one]
            (item,) = responses[-1]["output"]

            (response_id,) = {one["id"] for one in responses}
            assert response_id.startswith("resp_first_")
            assert {one["id"] for one in items} == {item["id"]}
            assert {one.get("call_id") for one in items} == {item.get("call_id")}
            assert {one["item_id"] for one in told if "item_id" in one} == {item["id"]}


@pytest.mark.parametrize("who", [who for who in KINDS if who != "native"])
async def test_g7_no_two_answers_share_an_id(who: str) -> None:
    async with a_world_of(who) as world:
        play(world, who, ok())
        answers = [await create(world, stream=stream) for stream in (False, True, False, True)]

        assert len({one.id for one in answers}) == 4
        assert len({one.output[0].id for one in answers}) == 4


@STREAMED
async def test_g7_a_natives_own_id_says_whose_it_is(stream: bool) -> None:
    async with a_world_of("native") as world:
        assert (await create(world, stream=stream)).id == mint("first", "resp_first")


# A server that knows chat alone


@STREAMED
async def test_g11_that_a_server_knows_chat_alone_is_learned_once(stream: bool) -> None:
    async with a_world_of("chat only") as world:
        play(world, "chat only", ok())
        texts = [(await create(world, stream=stream)).output_text for _ in range(3)]

        assert texts == ["Hello from first."] * 3
        assert [call.path.removeprefix("/v1") for call in world.first.calls] == [
            "/responses",
            *["/chat/completions"] * 3,
        ]
        assert attempts(world) == ["first;not_supported", *["first;ok"] * 3]
        assert await world.state_of("first") == "closed"
