"""Responses: what is kept stays with who keeps it, and what is not goes on anywhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import orjson
import pytest

from sidecar.dialects.dialect import Json
from sidecar.dialects.responses.ids import mint
from sidecar.faults.catalog import ok, status
from sidecar.faults.fault import Effect, Fault, reply
from sidecar.faults.refusals import openai as openai_error
from sidecar.faults.responses import Numbered
from sidecar.faults.speech import DONE, encode
from sidecar.proxy.answers import SSE
from tests.stories.conformance.responders import (
    LOOK_UP,
    a_world_of,
    chat_only,
    create,
    events,
    play,
)
from tests.stories.conformance.scripts import (
    STREAMED,
    completion,
    delta,
    says,
    streams,
    streams_chat,
)
from tests.stories.world import World

# A conversation that a provider keeps


async def born_at_second(world: World, *, stream: bool = False) -> str:
    """The id of a response of the second provider, while the first is up again."""
    world.first.plays("status_500")
    response = await create(world, stream=stream)
    world.first.plays(ok())
    assert response.id == mint("second", "resp_second")
    return str(response.id)


@STREAMED
async def test_g8_a_follow_up_goes_to_who_gave_the_answer_under_its_own_id(stream: bool) -> None:
    async with a_world_of("native") as world:
        previous = await born_at_second(world, stream=stream)
        hits = world.first.hits
        followed = await create(world, stream=stream, previous_response_id=previous)

        assert followed.output_text == "Hello from second."
        assert world.second.calls[-1].json["previous_response_id"] == "resp_second"
        assert world.first.hits == hits


@STREAMED
async def test_g8_nobody_else_is_asked_when_who_gave_the_answer_is_down(stream: bool) -> None:
    async with a_world_of("native") as world:
        previous = await born_at_second(world)
        hits = world.first.hits
        world.second.plays("status_500")
        heard = [await refused(world, stream, previous_response_id=previous) for _ in range(4)]

        assert [one.status_code for one in heard] == [503] * 4
        assert [one.code for one in heard] == [*["all_providers_failed"] * 3, "all_providers_open"]
        assert world.first.hits == hits


async def refused(world: World, stream: bool, **fields: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as heard:
        await create(world, stream=stream, **fields)
    return heard.value


@STREAMED
@pytest.mark.parametrize("who", ["gemini", "anthropic"])
async def test_g8_a_follow_up_to_what_nobody_kept_is_refused_with_the_reason(
    who: str, stream: bool
) -> None:
    async with a_world_of(who) as world:
        first = await create(world)
        hits = world.first.hits
        heard = await refused(world, stream, previous_response_id=first.id)

        assert (heard.status_code, heard.param) == (400, "previous_response_id")
        assert "which keeps none: send the whole conversation" in heard.message
        assert (world.first.hits, world.second.hits) == (hits, 0)


async def test_g8_a_chat_only_server_that_was_found_out_keeps_nothing_either() -> None:
    async with a_world_of("chat only") as world:
        play(world, "chat only", ok())
        first = await create(world)
        heard = await refused(world, stream=False, previous_response_id=first.id)

        assert (heard.status_code, heard.param) == (400, "previous_response_id")
        assert "this provider has no Responses API" in heard.message
        assert world.second.hits == 0


async def test_g8_a_chat_only_server_that_nobody_found_out_yet_says_so_itself() -> None:
    async with a_world_of("chat only") as world:
        play(world, "chat only", ok())
        heard = await refused(world, stream=False, previous_response_id=mint("first", "resp_1"))

        assert (heard.status_code, heard.param) == (404, "previous_response_id")
        assert "this provider does not know it: Not Found" in heard.message
        assert world.second.hits == 0


@pytest.mark.parametrize("who", ["gemini", "anthropic"])
async def test_g8_an_id_of_nobody_goes_to_the_first_native_as_it_is(who: str) -> None:
    async with a_world_of(who) as world:
        followed = await create(world, previous_response_id="resp_abc_1")

        assert followed.output_text == "Hello from second."
        assert world.second.calls[-1].json["previous_response_id"] == "resp_abc_1"
        assert world.first.hits == 0


async def test_g8_a_provider_that_forgot_says_so_itself() -> None:
    async with a_world_of("native") as world:
        lost = openai_error(
            "Previous response with id 'resp_first' not found.",
            "invalid_request_error",
            "previous_response_not_found",
            "previous_response_id",
        )
        world.first.plays(status(400, lost))
        heard = await refused(world, stream=False, previous_response_id=mint("first", "resp_first"))

        assert (heard.status_code, heard.code) == (400, "previous_response_not_found")
        assert (world.first.hits, world.second.hits) == (1, 0)


# What only a native can do

STATEFUL: list[tuple[str, Json]] = [
    ("conversation", {"conversation": "conv_1"}),
    ("background", {"background": True}),
    ("prompt", {"prompt": {"id": "pmpt_1"}}),
    ("tools[0].type", {"tools": [{"type": "web_search"}]}),
    ("tools[0].type", {"tools": [{"type": "mcp", "server_label": "s", "server_url": "http://s"}]}),
    ("include", {"include": ["never.heard.of"]}),
    ("input[0].type", {"input": [{"type": "item_reference", "id": "msg_1"}]}),
]
ONLY_NATIVE = pytest.mark.parametrize(
    ("param", "fields"), STATEFUL, ids=["/".join(fields) for _, fields in STATEFUL]
)


@STREAMED
@ONLY_NATIVE
async def test_g9_what_only_a_native_can_do_goes_to_a_native_alone(
    param: str, fields: Json, stream: bool
) -> None:
    async with a_world_of("gemini") as world:
        response = await create(world, stream=stream, **fields)

        assert (param, response.output_text) == (param, "Hello from second.")
        assert fields.items() <= world.second.calls[-1].json.items()
        assert world.first.hits == 0


@STREAMED
@ONLY_NATIVE
async def test_g9_what_only_a_native_can_do_is_refused_with_the_reason_where_there_is_none(
    param: str, fields: Json, stream: bool
) -> None:
    async with a_world_of("gemini", "anthropic") as world:
        heard = await refused(world, stream, **fields)

        assert (heard.status_code, heard.code) == (400, "unsupported_parameter")
        assert heard.param == param
        assert "this provider has no Responses API" in heard.message
        assert (world.first.hits, world.second.hits) == (0, 0)


@ONLY_NATIVE
async def test_g9_what_a_chat_only_server_cannot_do_another_native_does(
    param: str, fields: Json
) -> None:
    async with a_world_of("chat only") as world:
        play(world, "chat only", ok())
        if param in ("conversation", "prompt"):  # it is the first native, as far as anybody knows
            heard = await refused(world, stream=False, **fields)
            assert (heard.status_code, heard.param) == (404, param)
        else:
            assert (await create(world, **fields)).output_text == "Hello from second."
        assert world.first.hits == 1
        assert not [call for call in world.first.calls if "chat" in call.path]


async def test_g9_an_item_that_another_keeps_does_not_make_a_native_chat_only() -> None:
    async with a_world_of("native") as world:
        lost = openai_error("Item with id 'rs_1' not found.", "invalid_request_error")
        world.first.plays(status(404, lost), ok())
        texts = [(await create(world)).output_text for _ in range(2)]

        assert texts == ["Hello from second.", "Hello from first."]
        assert [call.path for call in world.first.calls] == ["/v1/responses"] * 2


# What can be done with a response that a provider keeps

KEPT = mint("second", "resp_second")


def kept(state: str = "completed", **more: Any) -> Json:
    return {
        "id": "resp_second",
        "object": "response",
        "created_at": 1,
        "model": "second-model",
        "status": state,
        "output": [],
        "previous_response_id": "resp_before",
        **more,
    }


async def test_g10_a_kept_response_is_fetched_where_it_is_under_the_id_that_it_has_here() -> None:
    async with a_world_of("native") as world:
        world.second.plays(says(kept()))
        found = await world.openai.responses.retrieve(KEPT)

        assert world.second.calls[-1].path == "/v1/responses/resp_second"
        assert (found.id, found.previous_response_id) == (KEPT, mint("second", "resp_before"))
        assert world.first.hits == 0


async def test_g10_an_answer_in_the_background_is_waited_for_by_the_id_that_each_poll_gives() -> (
    None
):
    async with a_world_of("gemini") as world:
        states = ("queued", "in_progress", "completed")
        world.second.plays(*(says(kept(state)) for state in states))
        response = await create(world, background=True)
        seen = [response.status]
        while response.status != "completed":
            response = await world.openai.responses.retrieve(response.id)
            seen.append(response.status)

        assert tuple(seen) == states
        assert [call.path for call in world.second.calls] == [
            "/v1/responses",
            *["/v1/responses/resp_second"] * 2,
        ]
        assert world.first.hits == 0


async def test_g10_a_kept_response_is_cancelled_and_deleted_where_it_is() -> None:
    async with a_world_of("native") as world:
        gone = {"id": "resp_second", "object": "response", "deleted": True}
        world.second.plays(says(kept("cancelled")), says(gone))
        cancelled = await world.openai.responses.cancel(KEPT)
        raw = await world.openai.responses.with_raw_response.delete(KEPT)

        assert (cancelled.id, cancelled.status) == (KEPT, "cancelled")
        assert orjson.loads(raw.content) == {**gone, "id": KEPT}
        assert [(call.method, call.path) for call in world.second.calls] == [
            ("POST", "/v1/responses/resp_second/cancel"),
            ("DELETE", "/v1/responses/resp_second"),
        ]
        assert world.first.hits == 0


async def test_g10_its_input_items_come_as_they_are() -> None:
    async with a_world_of("native") as world:
        items = {
            "object": "list",
            "data": [{"id": "msg_1", "type": "message", "role": "user", "content": []}],
            "first_id": "msg_1",
            "last_id": "msg_1",
            "has_more": False,
        }
        world.second.plays(says(items))
        raw = await world.openai.responses.input_items.with_raw_response.list(KEPT, limit=5)

        assert orjson.loads(raw.content) == items
        assert world.second.calls[-1].path == "/v1/responses/resp_second/input_items?limit=5"


event_of = Numbered().event
RESUMED = b"".join(
    map(
        encode,
        (
            event_of("response.created", response=kept("in_progress")),
            event_of("response.completed", response=kept()),
            DONE,
        ),
    )
)


async def test_g10_a_stream_that_is_taken_up_again_has_the_id_that_it_has_here() -> None:
    async with a_world_of("native") as world:
        world.second.plays(Fault("resumed", "", Effect.SERVED, reply(200, RESUMED, SSE, {})))
        taken_up: AsyncIterator[Any] = await world.openai.responses.retrieve(
            KEPT, stream=True, starting_after=3
        )
        ids = [one.response.id async for one in taken_up]

        assert ids == [KEPT, KEPT]
        assert "starting_after=3" in world.second.calls[-1].path


async def test_g10_an_error_about_it_is_its_providers_own() -> None:
    async with a_world_of("native") as world:
        world.second.plays(status(404, openai_error("No such response", "invalid_request_error")))
        with pytest.raises(openai.NotFoundError, match="No such response"):
            await world.openai.responses.retrieve(KEPT)

        assert world.first.hits == 0


async def test_g10_what_nobody_kept_is_found_nowhere() -> None:
    async with a_world_of("gemini") as world:
        response = await create(world)
        hits = world.first.hits
        with pytest.raises(openai.NotFoundError, match="given by first, which keeps none"):
            await world.openai.responses.retrieve(response.id)

        assert (world.first.hits, world.second.hits) == (hits, 0)


async def test_g10_a_response_of_nobody_is_fetched_from_the_first_native() -> None:
    async with a_world_of("gemini") as world:
        world.second.plays(says(kept()))
        found = await world.openai.responses.retrieve("resp_of_old")

        assert found.id == KEPT
        assert world.second.calls[-1].path == "/v1/responses/resp_of_old"
        assert world.first.hits == 0


async def test_g10_a_base_url_without_version_reaches_a_kept_response_too() -> None:
    async with a_world_of("native") as world:
        world.second.plays(says(kept()))
        async with world.http.get(f"{world.api}/responses/{KEPT}") as answer:
            assert (await answer.json())["id"] == KEPT


# A conversation that goes on elsewhere

THOUGHT: Json = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Hm."}],
    "encrypted_content": "c2VjcmV0",
}
CALLED: Json = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "look_up",
    "arguments": '{"text":"cats"}',
    "status": "completed",
}


def turn_of(response: Any) -> list[Json]:
    """What applications send back of a response: all that it said."""
    return [item.to_dict(mode="json", warnings=False) for item in response.output]


@STREAMED
@pytest.mark.parametrize("second", ["gemini", "anthropic", "chat only"])
async def test_g12_a_conversation_goes_on_elsewhere_without_the_natives_thoughts(
    second: str, stream: bool
) -> None:
    async with a_world_of("native", second) as world:
        world.first.plays(says(kept(id="resp_1", output=[THOUGHT, CALLED])), "status_503")
        world.second.plays(chat_only() if second == "chat only" else ok())
        asked: list[Json] = [{"role": "user", "content": "Look it up."}]
        options: Json = {"tools": [LOOK_UP], "include": ["reasoning.encrypted_content"]}
        asked += turn_of(await create(world, input=asked, **options))
        asked.append({"type": "function_call_output", "call_id": "call_1", "output": "Meow."})
        response = await create(world, stream=stream, input=asked, **options)

        heard = world.second.calls[-1]
        assert response.output_text == "Hello from second."
        assert b"c2VjcmV0" not in heard.body
        assert b"Hm." not in heard.body
        assert [message["role"] for message in heard.json["messages"]] in (
            ["user", "assistant", "tool"],
            ["user", "assistant", "user"],  # as Anthropic wants it
        )
        assert b"call_1" in heard.body
        assert b"Meow." in heard.body


@STREAMED
async def test_g12_back_at_the_native_the_thoughts_of_others_are_not_looked_for(
    stream: bool,
) -> None:
    async with a_world_of("gemini") as world:
        thought = {"reasoning_content": "Hm.", "content": "Hello."}
        world.first.plays(
            *([streams_chat(delta(**thought), delta("stop"))] if stream else []),
            *([] if stream else [says(completion(**thought))]),
            "status_503",
        )
        asked: list[Json] = [{"role": "user", "content": "Think."}]
        first = await create(world, stream=stream, input=asked)
        asked += turn_of(first)
        asked.append({"role": "user", "content": "And now?"})
        response = await create(world, stream=stream, input=asked)

        assert [item.type for item in first.output] == ["reasoning", "message"]
        assert response.output_text == "Hello from second."
        heard = world.second.calls[-1].json["input"]
        assert [item.get("type", item.get("role")) for item in heard] == ["user", "message", "user"]


def thinks_natively(stream: bool) -> Fault:
    """A native that shows that it thought, and calls a tool."""
    response = kept(id="resp_1", output=[THOUGHT, CALLED])
    if not stream:
        return says(response)
    event = Numbered().event
    place = {"output_index": 0, "item_id": THOUGHT["id"], "summary_index": 0}
    part = THOUGHT["summary"][0]
    return streams(
        event("response.created", response=kept("in_progress", id="resp_1")),
        event("response.output_item.added", output_index=0, item={**THOUGHT, "summary": []}),
        event("response.reasoning_summary_part.added", **place, part={**part, "text": ""}),
        event("response.reasoning_summary_text.delta", **place, delta=part["text"]),
        event("response.reasoning_summary_text.done", **place, text=part["text"]),
        event("response.reasoning_summary_part.done", **place, part=part),
        event("response.output_item.done", output_index=0, item=THOUGHT),
        event("response.output_item.added", output_index=1, item={**CALLED, "arguments": ""}),
        event("response.output_item.done", output_index=1, item=CALLED),
        event("response.completed", response=response),
    )


@STREAMED
async def test_g12_a_natives_thoughts_come_back_to_it_as_they_were_and_to_no_other(
    stream: bool,
) -> None:
    async with a_world_of("native") as world:
        world.first.plays(thinks_natively(stream), ok(), "status_503")
        asked: list[Json] = [{"role": "user", "content": "Look it up."}]
        first = await create(world, stream=stream, input=asked, tools=[LOOK_UP])
        asked += turn_of(first)
        asked.append({"type": "function_call_output", "call_id": "call_1", "output": "Meow."})
        texts = [
            (await create(world, stream=stream, input=asked, tools=[LOOK_UP])).output_text
            for _ in range(2)
        ]

        assert first.output[0].id == "rs_first_1"
        assert texts == ["Hello from first.", "Hello from second."]
        by_first, by_second = (one.calls[-1].json["input"] for one in (world.first, world.second))
        assert by_first[1] == THOUGHT
        assert [item.get("type") for item in by_second] == [
            None,
            "function_call",
            "function_call_output",
        ]


async def test_g12_a_thought_has_one_id_in_all_its_events() -> None:
    async with a_world_of("native") as world:
        world.first.plays(thinks_natively(stream=True))
        told = await events(world, tools=[LOOK_UP])

        items = [one["item"] for one in told if "item" in one]
        ids = {item["id"] for item in items if item["type"] == "reasoning"}
        ids |= {one["item_id"] for one in told if "item_id" in one}
        assert ids == {told[-1]["response"]["output"][0]["id"]} == {"rs_first_1"}
