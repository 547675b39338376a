"""Responses: the same events whoever answers, and what is kept stays with who keeps it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from itertools import groupby
from typing import Any, NamedTuple

import openai
import orjson
import pytest

from sidecar.core.settings import Timeouts
from sidecar.dialects.dialect import Json
from sidecar.dialects.responses.ids import mint
from sidecar.faults.answer import MESSAGES, RESPONSES, Scene
from sidecar.faults.catalog import fault, ok, status
from sidecar.faults.fault import Effect, Fault, headers, reply, speak
from sidecar.faults.refusals import JSON, refuse_with
from sidecar.faults.refusals import openai as openai_error
from sidecar.faults.responses import Numbered, message_item, start_of, used
from sidecar.faults.speech import DONE, Event, Speech, encode
from sidecar.faults.steps import Send, Step
from sidecar.faults.wire import whole
from sidecar.proxy.answers import SSE
from tests.dialects.anthropic.wire import message as a_message
from tests.stories.conformance.claude import tell
from tests.stories.conformance.scripts import (
    STREAMED,
    attempts,
    completion,
    delta,
    says,
    streams_chat,
)
from tests.stories.world import MODEL, World, a_world

PATIENT = Timeouts()  # these stories are not about clocks
HELLO: Json = {"model": MODEL, "input": "Say hello."}
SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}
LOOK_UP: Json = {"type": "function", "name": "look_up", "parameters": SCHEMA, "strict": False}


# Who answers: one that has Responses itself, or one whose words are translated


def chat_only(good: Fault | None = None) -> Fault:
    """A server that knows chat completions alone, whatever its kind says."""
    rest = good or ok()

    def script(scene: Scene) -> Any:
        if RESPONSES in scene.path:
            return refuse_with(404, openai_error("Not Found"))(scene)
        return rest.script(scene)

    return Fault("chat_only", "knows no Responses", Effect.SERVED, script)


KINDS = {"native": "openai", "gemini": "gemini", "anthropic": "anthropic", "chat only": "openai"}
ANYBODY = pytest.mark.parametrize("who", KINDS)


def a_world_of(who: str, second: str = "native") -> AbstractAsyncContextManager[World]:
    return a_world(kinds={"first": KINDS[who], "second": KINDS[second]}, timeouts=PATIENT)


def play(world: World, who: str, good: Fault) -> None:
    world.first.plays(chat_only(good) if who == "chat only" else good)


class Saying(NamedTuple):
    """An answer of one message."""

    text: str = ""
    refusal: str = ""
    finish: str = "stop"


def saying(said: Saying) -> Fault:
    """A provider that says this in whichever format it is asked."""
    return Fault("saying", "", Effect.SERVED, lambda scene: say(scene, said))


def say(scene: Scene, said: Saying) -> Iterator[Step]:
    if scene.path.endswith(MESSAGES):
        yield from tell(scene, as_message(said))
    elif scene.streams:
        native = scene.path.endswith(RESPONSES)
        speech = response_events(scene, said) if native else chat_events(said)
        yield from speak(scene, Speech(words=list(speech)))
    else:
        native = scene.path.endswith(RESPONSES)
        body = response_of(scene, said) if native else chat_of(said)
        yield Send(whole(200, headers(scene, JSON), orjson.dumps(body)))


def as_message(said: Saying) -> Json:
    reason = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}[said.finish]
    return a_message({"type": "text", "text": said.text}, stop_reason=reason)


def spoken(said: Saying) -> Json:
    return {"refusal": said.refusal} if said.refusal else {"content": said.text}


def chat_of(said: Saying) -> Json:
    return completion(said.finish, **spoken(said))


def chat_events(said: Saying) -> list[Event]:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    pieces = [delta(role="assistant"), delta(**spoken(said)), delta(said.finish)]
    return [*({**head, **piece} for piece in pieces), DONE]


REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


def part_of(said: Saying, *, full: bool = True) -> Json:
    if said.refusal:
        return {"type": "refusal", "refusal": said.refusal if full else ""}
    return {"type": "output_text", "text": said.text if full else "", "annotations": []}


def response_of(scene: Scene, said: Saying) -> Json:
    reason = REASONS.get(said.finish)
    state = "incomplete" if reason else "completed"
    item = {**message_item(scene), "content": [part_of(said)], "status": state}
    details = {"reason": reason} if reason else None
    about = {"status": state, "incomplete_details": details, "usage": used(scene)}
    return {**start_of(scene), **about, "output": [item]}


def response_events(scene: Scene, said: Saying) -> list[Event]:
    event, response = Numbered().event, response_of(scene, said)
    item = response["output"][0]
    place = {"output_index": 0, "content_index": 0, "item_id": item["id"]}
    kind, member = ("refusal", "refusal") if said.refusal else ("output_text", "text")
    probable: Json = {} if said.refusal else {"logprobs": []}
    full = said.refusal or said.text
    return [
        event("response.created", response=start_of(scene)),
        event("response.in_progress", response=start_of(scene)),
        event("response.output_item.added", output_index=0, item=message_item(scene)),
        event("response.content_part.added", **place, part=part_of(said, full=False)),
        event(f"response.{kind}.delta", **place, delta=full, **probable),
        event(f"response.{kind}.done", **place, **{member: full}, **probable),
        event("response.content_part.done", **place, part=part_of(said)),
        event("response.output_item.done", output_index=0, item=item),
        event(f"response.{response['status']}", response=response),
    ]


# What the application hears, by the real client


async def hear(world: World, got: list[Json], **fields: Any) -> None:
    """Add every event to `got`, until the stream ends or breaks."""
    responses: Any = world.openai.responses
    async for event in await responses.create(**{**HELLO, "stream": True, **fields}):
        got.append(event.to_dict(mode="json", warnings=False))  # noqa: PERF401  what came before it broke is to be kept


async def events(world: World, **fields: Any) -> list[Json]:
    """Every event of a whole answer, numbered without a gap."""
    got: list[Json] = []
    await hear(world, got, **fields)
    assert [one["sequence_number"] for one in got] == list(range(len(got)))
    return got


async def helped(world: World, **fields: Any) -> tuple[list[str], Any]:
    """The types of the events as the helper gives them, and the response that it ends with."""
    responses: Any = world.openai.responses
    async with responses.stream(**{**HELLO, **fields}) as stream:
        types = [event.type async for event in stream]
        return in_order(types), await stream.get_final_response()


async def create(world: World, *, stream: bool = False, **fields: Any) -> Any:
    """The whole response."""
    responses: Any = world.openai.responses
    if not stream:
        return await responses.create(**{**HELLO, **fields})
    async with responses.stream(**{**HELLO, **fields}) as events:
        return await events.get_final_response()


def types_of(got: list[Json]) -> list[str]:
    return in_order([one["type"] for one in got])


def in_order(types: list[str]) -> list[str]:
    """The types in order, the same in a row but once."""
    return [kind.removeprefix("response.") for kind, _ in groupby(types)]


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


# A conversation that goes on elsewhere

THOUGHT = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Hm."}],
    "encrypted_content": "c2VjcmV0",
}
CALLED = {
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
