"""Streams whose events are odd: every SDK puts the same answer together from them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sidecar.faults.answer import Json
from sidecar.faults.catalog import Fault
from sidecar.faults.changes import (
    all_of,
    between,
    each_choice,
    finish_as,
    leave_out,
    open_with,
    rewrite,
    usage_at_the_finish,
)
from sidecar.faults.speech import Event, Speech, data
from tests.dialects.anthropic.wire import (
    STOP,
    block,
    deltas_of,
    end,
    sse,
    start,
    text_delta,
    thinking,
)
from tests.stories.conformance.scripts import delta, streams, streams_chat
from tests.stories.conformance.strikes import (
    CHAT,
    MESSAGES,
    a_first,
    assert_fails_over,
    assert_interrupted,
    assert_served,
    bytes_of,
    changed,
    chunks_of,
    endpoints,
    finishes_of,
    over,
    tell,
)
from tests.stories.voices import TOOL, Reply, ToolCall, anthropic_at, openai_at
from tests.stories.world import MESSAGES as SAID
from tests.stories.world import MODEL, World

CHATS = (CHAT,)
HI = Reply("Hi")
ROLE = delta(role="assistant", content="")
STOPPED = delta("stop")


# B18 to B21: roles and tool calls

OSLO, ROME = '{"city":"Oslo"}', '{"city":"Rome"}'
CALLED = Reply(
    "", (ToolCall("call_a", TOOL, {"city": "Oslo"}), ToolCall("call_b", TOOL, {"city": "Rome"}))
)


def began(call_id: Any, arguments: str = "", **index: Any) -> Json:
    """A call begins."""
    function = {"name": TOOL, "arguments": arguments}
    return {**index, "id": call_id, "type": "function", "function": function}


def goes_on(arguments: str, **more: Any) -> Json:
    """A call goes on."""
    return {**more, "function": {"arguments": arguments}}


def calling(*pieces: Json | list[Json], finish: str = "tool_calls") -> Fault:
    """A piece of a call in each chunk, or several."""
    said = [delta(tool_calls=one if isinstance(one, list) else [one]) for one in pieces]
    return streams_chat(ROLE, *said, delta(finish))


def whole_calls(*indexes: Json) -> Fault:
    """Each call in one chunk."""
    first, second = indexes
    return calling(began("call_a", OSLO, **first), began("call_b", ROME, **second))


def calls_in_turn(*indexes: Json) -> Fault:
    """One call after the other, in pieces."""
    first, second = indexes
    return calling(
        began("call_a", **first),
        goes_on(OSLO[:6], **first),
        goes_on(OSLO[6:], **first),
        began("call_b", **second),
        goes_on(ROME[:6], **second),
        goes_on(ROME[6:], **second),
    )


def mixed_calls(first: int, second: int) -> Fault:
    """Two calls in pieces that take turns."""
    return calling(
        began("call_a", index=first),
        began("call_b", index=second),
        goes_on(OSLO[:6], index=first),
        goes_on(ROME[:6], index=second),
        goes_on(OSLO[6:], index=first),
        goes_on(ROME[6:], index=second),
    )


def repeated_calls() -> Fault:
    """Every piece says again whose it is."""
    return calling(
        began("call_a", OSLO[:6], index=0),
        began("call_a", OSLO[6:], index=0),
        began("call_b", ROME[:6], index=1),
        began("call_b", ROME[6:], index=1),
    )


NUMBERED: dict[str, tuple[Json, Json]] = {
    "right": ({"index": 0}, {"index": 1}),
    "missing": ({}, {}),
    "null": ({"index": None}, {"index": None}),
    "all zero": ({"index": 0}, {"index": 0}),
    "from one": ({"index": 1}, {"index": 2}),
    "with gaps": ({"index": 3}, {"index": 7}),
    "in words": ({"index": "0"}, {"index": "1"}),
}


@over(CHATS)
async def test_b18_a_role_in_every_chunk_is_heard_once(kind: str) -> None:
    await assert_served(kind, "role_everywhere", wires=CHATS)
    async with a_first(kind) as world:
        world.first.plays("role_everywhere")
        roles = [said["role"] for said in deltas_of(await chunks_of(world)) if "role" in said]

    assert roles == ["assistant"]


@over(CHATS)
@pytest.mark.parametrize("number", NUMBERED)
async def test_b19_tool_calls_are_numbered_from_zero_however_they_come(
    kind: str, number: str
) -> None:
    indexes = NUMBERED[number]
    await assert_calls(kind, whole_calls(*indexes), calls_in_turn(*indexes))


@over(CHATS)
async def test_b19_pieces_of_tool_calls_find_their_own(kind: str) -> None:
    both = calling([began("call_a", OSLO, index=0), began("call_b", ROME, index=0)])
    await assert_calls(kind, repeated_calls(), both)


@over(CHATS)
async def test_b19_calls_that_come_mixed_are_sorted(kind: str) -> None:
    """Where the format allows it: OpenAI's own helper reads no strict tool that comes mixed."""
    async with a_first(kind) as world:
        sorting = [one for one in endpoints(kind, CHATS) if one != CHAT]
        for fault in (mixed_calls(0, 1), mixed_calls(1, 2)):
            heard = await tell(world, fault, sorting, tools=True)

            assert heard == dict.fromkeys(sorting, CALLED)
            said = [call for one in deltas_of(await chunks_of(world)) for call in calls_in(one)]
            assert [call["index"] for call in said] == [0, 1] * 3


async def assert_calls(kind: str, *faults: Fault, reply: Reply = CALLED) -> None:
    """Every SDK hears the calls as they were meant."""
    asked = endpoints(kind, CHATS)
    async with a_first(kind) as world:
        for fault in faults:
            heard = await tell(world, fault, asked, tools=True)

            assert (fault, heard) == (fault, dict.fromkeys(asked, reply))
        assert world.second.hits == 0


@over(CHATS)
async def test_b19_a_call_without_arguments_has_none_in_json(kind: str) -> None:
    silent = (calling(began("call_a")), calling(began("call_a"), finish="stop"))
    await assert_calls(kind, *silent, reply=Reply("", (ToolCall("call_a", TOOL, {}),)))


@over(CHATS)
@pytest.mark.parametrize("call_id", ["", None])
async def test_b20_a_tool_call_without_id_gets_one_that_is_its_own(
    kind: str, call_id: str | None
) -> None:
    async with a_first(kind) as world:
        nameless = calling(began(call_id, OSLO), began(call_id, ROME))
        heard = [await tell(world, nameless, endpoints(kind, CHATS), tools=True) for _ in "ab"]
        replies = [reply for one in heard for reply in one.values() if isinstance(reply, Reply)]
        ids = [call.id for reply in replies for call in reply.calls]

        assert len(ids) == 4 * len(endpoints(kind, CHATS))
        assert all(ids)
        assert len(set(ids)) == len(ids)


@over(CHATS)
async def test_b20_an_id_that_was_made_is_said_once(kind: str) -> None:
    async with a_first(kind) as world:
        pieces = (began("", index=0), goes_on(OSLO[:6], index=0, id=""))
        world.first.plays(calling(*pieces, goes_on(OSLO[6:], index=0, id="")))
        said = [call for one in deltas_of(await chunks_of(world)) for call in calls_in(one)]

    assert [bool(call.get("id")) for call in said] == [True, False, False]


def calls_in(said: Json) -> list[Json]:
    calls: list[Json] = said.get("tool_calls") or []
    return calls


@over(CHATS)
async def test_b21_a_tool_call_that_ends_with_stop_ends_as_a_tool_call(kind: str) -> None:
    at_once = calling(began("call_a", OSLO), began("call_b", ROME), finish="stop")
    later = streams_chat(
        delta("stop", role="assistant", tool_calls=[began("call_a", OSLO), began("call_b", ROME)]),
        delta("stop", content=""),
    )
    await assert_calls(kind, at_once, later)
    async with a_first(kind) as world:
        for fault in (at_once, later):
            world.first.plays(fault)
            assert finishes_of(await chunks_of(world)) == ["tool_calls"]
            if MESSAGES in endpoints(kind, CHATS):
                assert b'"stop_reason":"tool_use"' in await bytes_of(world, MESSAGES)


# B22 and B23: how it ends


def ending_twice(speech: Speech) -> Speech:
    """The second time with the usage."""
    counted = usage_at_the_finish(speech)
    return replace(counted, finish=[*speech.finish, *counted.finish])


def ending_twice_in_messages(speech: Speech) -> Speech:
    """The second `message_delta` counts anew."""
    return replace(speech, finish=[*speech.finish, speech.finish[-1]])


@over((CHAT, MESSAGES))
async def test_b22_an_answer_that_finishes_twice_is_heard_to_finish_once(kind: str) -> None:
    twice = changed(chat=ending_twice, messages=ending_twice_in_messages)
    await assert_served(kind, twice, wires=(CHAT, MESSAGES))
    async with a_first(kind) as world:
        for fault in (twice, "two_finishes"):
            world.first.plays(fault)
            assert finishes_of(await chunks_of(world)) == ["stop"]


@over(CHATS)
async def test_b23_a_finish_for_an_error_is_a_failure(kind: str) -> None:
    wordless = changed(chat=all_of(finish_as("error"), leave_out("words")))
    await assert_fails_over(kind, wordless, wires=CHATS)
    await assert_interrupted(kind, "finish_error", wires=CHATS, code="generation_failed")


# B24: what it cost

NO_USAGE = re.compile(rb',"usage":\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}')
PLACES: dict[str, Fault | str] = {
    "apart": "ok",
    "at the finish": changed(chat=usage_at_the_finish),
    "unasked": "usage_unasked",
    "absent": changed(
        chat=leave_out("usage"),
        messages=rewrite(lambda text: NO_USAGE.sub(b"", text)),
        responses=rewrite(lambda text: NO_USAGE.sub(b"", text)),
    ),
}
COUNTS = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


@over()
@pytest.mark.parametrize("asked", [True, False], ids=["asked", "unasked"])
async def test_b24_tokens_are_counted_last_and_only_where_that_was_asked(
    kind: str, asked: bool
) -> None:
    options: Json = {"stream_options": {"include_usage": True}} if asked else {}
    async with a_first(kind) as world:
        for place, fault in PLACES.items():
            world.first.plays(fault)
            *chunks, last = await chunks_of(world, **options)

            counts = asked and place != "absent"
            assert (last["choices"] == []) is counts, place
            assert (COUNTS.items() <= (last.get("usage") or {}).items()) is counts, place
            assert not any(chunk.get("usage") for chunk in chunks), place
            assert all(chunk["choices"] for chunk in chunks), place


@over()
async def test_b24_no_sdk_minds_where_tokens_are_counted_or_whether(kind: str) -> None:
    await assert_served(kind, *PLACES.values())


@over()
async def test_b24_the_other_formats_count_them_too(kind: str) -> None:
    async with a_first(kind) as world:
        for place in ("apart", "at the finish"):
            world.first.plays(PLACES[place])
            assert await counted_in_messages(world) == (7, 3)
            assert await counted_in_responses(world) == (7, 3)


async def counted_in_messages(world: World) -> tuple[int, int]:
    asked: Json = {"model": MODEL, "max_tokens": 1000, "messages": SAID}
    async with anthropic_at(world.api) as client, client.messages.stream(**asked) as stream:
        usage = (await stream.get_final_message()).usage
    return usage.input_tokens, usage.output_tokens


async def counted_in_responses(world: World) -> tuple[int, int]:
    asked: Json = {"model": MODEL, "input": "Say hello."}
    async with openai_at(world.api) as client, client.responses.stream(**asked) as stream:
        usage = (await stream.get_final_response()).usage
    assert usage
    return usage.input_tokens, usage.output_tokens


# B25 to B28: what is not content, or not text

ODD_CHUNKS: tuple[Event, ...] = (
    {"choices": None},
    {},
    {"choices": {}},
    {"choices": [None]},
    {"choices": [{"index": 0, "delta": None, "finish_reason": None}]},
    {"choices": [{"delta": {}}]},
    {"choices": [{}]},
)
AZURE_FILTERS: Json = {
    "id": "",
    "object": "",
    "created": 0,
    "model": "",
    "choices": [],
    "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
}
AZURE_OFFSETS: Json = {
    **AZURE_FILTERS,
    "choices": [
        {
            "index": 0,
            "finish_reason": None,
            "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}},
            "content_filter_offsets": {"check_offset": 0, "start_offset": 0, "end_offset": 0},
        }
    ],
}


@over(CHATS)
async def test_b25_chunks_without_choices_are_no_news(kind: str) -> None:
    where: tuple[Callable[..., Any], ...] = (open_with, between)
    odd = [changed(chat=change(chunk)) for change in where for chunk in ODD_CHUNKS]
    await assert_served(kind, "null_choices", *odd, wires=CHATS)


@over(CHATS)
async def test_b26_what_a_filter_found_is_no_answer_and_no_fault(kind: str) -> None:
    first = changed(chat=open_with(AZURE_FILTERS))
    each = changed(
        chat=all_of(
            open_with(AZURE_FILTERS),
            between(AZURE_OFFSETS),
            each_choice(lambda choice: choice | {"content_filter_results": {}}),
        )
    )
    await assert_served(kind, "preamble", first, each, wires=CHATS)
    alone = streams(AZURE_FILTERS, AZURE_OFFSETS, data(ROLE))
    await assert_fails_over(kind, alone, wires=CHATS)


THOUGHT = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]
PARTS = streams_chat(
    ROLE, delta(content=THOUGHT), delta(content=[{"type": "text", "text": "Hi"}]), STOPPED
)


@over(CHATS)
async def test_b27_content_in_parts_becomes_text(kind: str) -> None:
    await assert_served(kind, "content_parts", wires=CHATS)
    await assert_served(kind, PARTS, wires=CHATS, reply=HI)
    async with a_first(kind) as world:
        world.first.plays(PARTS)
        said = deltas_of(await chunks_of(world))

    assert "".join(one.get("content") or "" for one in said) == "Hi"
    assert "".join(one.get("reasoning_content") or "" for one in said) == "Hm."


DETAIL = {"type": "reasoning.text", "text": "Hm."}
THOUGHTS: dict[str, tuple[Json, ...]] = {
    "reasoning_content": ({"reasoning_content": "Hm."},) * 2,
    "reasoning": ({"reasoning": "Hm."},) * 2,
    "reasoning_details": ({"reasoning": "Hm.", "reasoning_details": [DETAIL]},) * 3,
    "both": ({"reasoning": "Hm.", "reasoning_content": "Hm."},) * 2,
    "beside content": ({"reasoning_content": "Hm.", "content": ""},) * 2,
    "of no kind that is known": ({"reasoning_content": {"text": "Hm."}, "reasoning": ["Hm."]},) * 2,
}


@over(CHATS)
async def test_b28_thoughts_in_any_field_stay_apart_from_the_answer(kind: str) -> None:
    thinking_first = [
        streams_chat(ROLE, *(delta(**one) for one in thoughts), delta(content="Hi"), STOPPED)
        for thoughts in THOUGHTS.values()
    ]
    await assert_served(kind, *thinking_first, wires=CHATS, reply=HI)


@over(CHATS)
async def test_b28_thoughts_that_are_written_as_text_are_text(kind: str) -> None:
    words = ("<think>", "Hm.", "</think>", "Hi")
    told = streams_chat(ROLE, *(delta(content=word) for word in words), STOPPED)
    await assert_served(kind, told, wires=CHATS, reply=Reply("<think>Hm.</think>Hi"))


@over((MESSAGES,))
async def test_b28_blocks_of_thinking_stay_apart_from_the_answer(kind: str) -> None:
    redacted = block(1, {"type": "redacted_thinking", "data": "c2ln"})
    answer = block(2, {"type": "text", "text": ""}, text_delta("Hi"))
    told = streams(sse(start(), *thinking("Hm", "."), *redacted, *answer, end(), STOP))
    await assert_served(kind, told, wires=(MESSAGES,), reply=HI)
