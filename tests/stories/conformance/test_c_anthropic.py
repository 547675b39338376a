"""Case C, second half: what an application hears of Claude, whole and streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
import orjson
import pytest

from sidecar.core.outcome import RequestOutcome
from sidecar.dialects.dialect import Json
from sidecar.faults.fault import Effect, Fault, headers
from sidecar.faults.refusals import JSON
from sidecar.faults.steps import Send
from sidecar.faults.wire import whole
from tests.dialects.anthropic.requests import function, result, returned, text, turn, used, user
from tests.dialects.anthropic.wire import (
    HI,
    LOOK_UP,
    PING,
    REDACTED,
    SEARCH,
    STOP,
    THOUGHT,
    block,
    end,
    start,
    text_delta,
    thinking,
    tool,
)
from tests.dialects.anthropic.wire import message as a_message
from tests.dialects.anthropic.wire import text as said
from tests.stories.conformance.claude import (
    NEWEST,
    OLDER,
    claude,
    claude_streams,
    error,
    events_of,
    tell,
)
from tests.stories.conformance.scripts import (
    STREAMED,
    a_world_with,
    ask,
    attempts,
    chunks,
    finish_of,
    heard,
    listen,
    message_of,
)
from tests.stories.world import World, eventually

LOOK = function("look_up")


@asynccontextmanager
async def a_world_of_claude(
    *plays: Fault, model: str = NEWEST, **more: Any
) -> AsyncIterator[World]:
    async with a_world_with("anthropic", model, **more) as world:
        world.first.plays(*plays)
        yield world


def tool_call(call_id: str, arguments: str, name: str = "look_up") -> Json:
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


# Every event of the table

EVERY_EVENT = [
    start(usage={"input_tokens": 43, "output_tokens": 1}),
    PING,
    *thinking("Hm", ".", signature="c2ln"),
    *block(1, {"type": "text", "text": "He"}, text_delta("llo")),
    PING,
    *block(2, SEARCH, {"type": "input_json_delta", "partial_json": '{"q":"x"}'}),
    *block(3, {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}),
    *block(
        4,
        {"type": "text", "text": ""},
        text_delta("!"),
        {"type": "citations_delta", "citation": {"type": "page_location"}},
    ),
    *tool('{"q":', '"cats"}', index=5),
    *block(6, {"type": "fallback"}),
    {"type": "never_heard_of", "delta": {"text": "x"}},
    end("tool_use", {"input_tokens": 61, "output_tokens": 9}),
    STOP,
]


def chunk_of(delta: Json, finish: str | None = None) -> Json:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def calls(**piece: Any) -> Json:
    return {"tool_calls": [{"index": 0, **piece}]}


async def test_c2_every_event_of_a_stream_becomes_the_chunk_of_the_table() -> None:
    async with a_world_of_claude(claude_streams(*EVERY_EVENT)) as world:
        got = await chunks(world, stream_options={"include_usage": True})

    heads = [{name: one.pop(name) for name in ("id", "object", "model")} for one in got]
    created = [one.pop("created") for one in got]
    usages = [one.pop("usage", None) for one in got]
    head = {"id": "msg_1", "object": "chat.completion.chunk", "model": "claude-haiku-5-5"}
    assert heads == [head] * len(got)
    assert len(set(created)) == 1
    assert got == [
        chunk_of({"role": "assistant", "content": ""}),
        chunk_of({"reasoning_content": "Hm"}),
        chunk_of({"reasoning_content": "."}),
        chunk_of({"content": "He"}),
        chunk_of({"content": "llo"}),
        chunk_of({"content": "!"}),
        chunk_of(
            calls(id="toolu_1", type="function", function={"name": "look_up", "arguments": ""})
        ),
        chunk_of(calls(function={"arguments": '{"q":'})),
        chunk_of(calls(function={"arguments": '"cats"}'})),
        chunk_of({}, "tool_calls"),
        {"choices": []},
    ]
    *without, usage = usages
    assert without == [None] * len(without)
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] == 70


async def test_c2_a_stream_ends_with_its_finish_where_nobody_asked_for_its_usage() -> None:
    async with a_world_of_claude(claude_streams(*EVERY_EVENT)) as world:
        *_, last = await chunks(world)

    assert last["choices"] == chunk_of({}, "tool_calls")["choices"]


@STREAMED
@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("pause_turn", "stop"),
        ("compaction", "stop"),
        ("never_heard_of", "stop"),
    ],
)
async def test_c2_every_stop_reason_has_its_finish_reason(
    reason: str, finish: str, stream: bool
) -> None:
    async with a_world_of_claude(claude(HI, reason=reason)) as world:
        answer = await ask(world, stream=stream)

    assert finish_of(answer) == finish
    assert message_of(answer) == {"role": "assistant", "content": "Hi"}
    assert answer["id"] == "msg_1"


async def test_c3_a_message_that_starts_twice_is_told_once() -> None:
    events = [start(), *said("He"), start(id="msg_2"), *said("llo", index=1), end(), STOP]
    async with a_world_of_claude(claude_streams(*events)) as world:
        got = await chunks(world)

    assert [one["choices"][0]["delta"] for one in got] == [
        {"role": "assistant", "content": ""},
        {"content": "He"},
        {"content": "llo"},
        {},
    ]
    assert {one["id"] for one in got} == {"msg_1"}


@STREAMED
async def test_c4_a_tool_without_arguments_is_called_with_an_empty_object(stream: bool) -> None:
    silent = [start(), *tool(""), end("tool_use"), STOP]
    called = claude_streams(*silent) if stream else claude({**LOOK_UP, "input": {}})
    async with a_world_of_claude(called) as world:
        answer = await ask(world, stream=stream, tools=[LOOK])

    [call] = message_of(answer)["tool_calls"]
    assert call["function"]["arguments"] == "{}"
    assert finish_of(answer) == "tool_calls"


@STREAMED
async def test_c5_parallel_tools_are_numbered_from_zero_whatever_comes_before(
    stream: bool,
) -> None:
    both = [{**LOOK_UP, "id": f"toolu_{place}", "input": {"q": place}} for place in (1, 2)]
    async with a_world_of_claude(claude(THOUGHT, HI, *both, reason="tool_use")) as world:
        answer = await ask(world, stream=stream, tools=[LOOK])

    called = message_of(answer)["tool_calls"]
    assert [(one["id"], one["function"]["arguments"]) for one in called] == [
        ("toolu_1", '{"q":1}'),
        ("toolu_2", '{"q":2}'),
    ]
    assert [one.get("index", place) for place, one in enumerate(called)] == [0, 1]


# Thinking


def replayed(answer: Json) -> Json:
    """A past answer as applications send it: with what OpenAI's format has, and no more."""
    message = message_of(answer)
    kept = [
        {name: one[name] for name in ("id", "type", "function")} for one in message["tool_calls"]
    ]
    return {"role": "assistant", "content": message.get("content"), "tool_calls": kept}


@STREAMED
@pytest.mark.parametrize("model", [OLDER, NEWEST, "claude-opus-5"])
@pytest.mark.parametrize("thought", [THOUGHT, REDACTED], ids=["signed", "redacted"])
async def test_c6_thinking_comes_back_signed_with_what_its_tools_found(
    model: str, thought: Json, stream: bool
) -> None:
    thinks = claude(thought, LOOK_UP, reason="tool_use")
    async with a_world_of_claude(thinks, claude(), model=model) as world:
        asked: Json = {"stream": stream, "tools": [LOOK], "reasoning_effort": "low"}
        first = await ask(world, **asked)
        turns = [user("Hi."), replayed(first), result("toolu_1")]
        second = await ask(world, messages=turns, **asked)

    assert heard(world)["messages"] == [
        turn("user", text("Hi.")),
        turn("assistant", thought, used("toolu_1", "look_up", {"q": "cats"})),
        turn("user", returned("toolu_1")),
    ]
    assert heard(world)["thinking"]["type"] in ("enabled", "adaptive")
    assert message_of(first).get("reasoning_content") == thought.get("thinking")
    assert message_of(second)["content"] == "Hi"
    assert attempts(world) == ["first;ok"] * 2


async def test_c6_what_another_provider_thought_is_not_shown_to_claude() -> None:
    called = tool_call("call_1", "{}")
    turns: list[Any] = [
        user("Hi."),
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "Hm.",
            "tool_calls": [called],
        },
        result("call_1"),
    ]
    async with a_world_of_claude(claude(), model=OLDER) as world:
        await ask(world, messages=turns, tools=[LOOK], reasoning_effort="low")

    assert attempts(world) == ["first;ok"]
    assert "thinking" not in heard(world)  # it may not go on without the thought before the call
    assert b"Hm." not in world.first.calls[-1].body


# Refusals, and other ends

REFUSAL = {"type": "refusal", "category": "cyber", "explanation": "I cannot help with that."}


@STREAMED
async def test_c7_a_refusal_before_any_output_is_the_answer(stream: bool) -> None:
    refuses = a_message(stop_reason="refusal", stop_details=REFUSAL)
    async with a_world_of_claude(playing(refuses)) as world:
        answer = await ask(world, stream=stream)

    assert finish_of(answer) == "content_filter"
    assert message_of(answer)["refusal"] == "I cannot help with that."
    assert world.second.hits == 0


@STREAMED
async def test_c7_a_refusal_before_any_output_fails_over_where_the_operator_wants_it(
    stream: bool,
) -> None:
    refuses = a_message(stop_reason="refusal", stop_details=REFUSAL)
    route = {"content_filter": "fail_over"}
    async with a_world_of_claude(playing(refuses), route=route) as world:
        answer = await ask(world, stream=stream)

    assert message_of(answer)["content"] == "Hello from second."
    assert attempts(world) == ["first;content_filter", "second;ok"]


def playing(message: Json) -> Fault:
    """Claude says this message, be there nothing in it."""
    return Fault("claude", "", Effect.SERVED, lambda scene: tell(scene, message))


@pytest.mark.parametrize("policy", ["return", "fail_over"])
async def test_c8_a_refusal_amid_the_output_ends_it_and_nobody_else_goes_on(policy: str) -> None:
    events = [start(), *said("Well, "), end("refusal", stop_details=REFUSAL), STOP]
    route = {"content_filter": policy}
    async with a_world_of_claude(claude_streams(*events), route=route) as world:
        answer = await ask(world, stream=True)

    assert finish_of(answer) == "content_filter"
    assert message_of(answer)["content"] == "Well, "
    assert message_of(answer)["refusal"] == "I cannot help with that."
    assert world.second.hits == 0


@STREAMED
async def test_c9_a_full_context_window_is_an_answer_cut_short(stream: bool) -> None:
    async with a_world_of_claude(claude(HI, reason="model_context_window_exceeded")) as world:
        answer = await ask(world, stream=stream)

    assert finish_of(answer) == "length"
    assert message_of(answer)["content"] == "Hi"


# Usage

FULL = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 4,
    "output_tokens": 9,
    "output_tokens_details": {"thinking_tokens": 2},
}
TOLD = {
    "prompt_tokens": 17,
    "completion_tokens": 9,
    "total_tokens": 26,
    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


@STREAMED
async def test_c10_usage_counts_what_was_cached_and_what_was_thought(stream: bool) -> None:
    async with a_world_of_claude(claude(HI, usage=FULL)) as world:
        answer = await ask(world, stream=stream)

    assert answer["usage"] == TOLD


async def test_c10_of_usage_that_is_revised_the_last_word_counts() -> None:
    events = [
        start(usage={"input_tokens": 43, "output_tokens": 1}),
        *said("Hi"),
        end(None, {"output_tokens": 4}),
        end("end_turn", {"input_tokens": 61, "output_tokens": 7}),
        STOP,
    ]
    async with a_world_of_claude(claude_streams(*events)) as world:
        usage = (await ask(world, stream=True))["usage"]
        await eventually(lambda: bool(world.requests()))

    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (61, 7)
    counted = world.requests()[-1].usage
    assert counted is not None
    assert (counted.input, counted.output) == (61, 7)


@STREAMED
async def test_c10_an_answer_of_several_runs_counts_them_all(stream: bool) -> None:
    runs = [{"input_tokens": 5, "output_tokens": 2}, {"input_tokens": 7, "output_tokens": 3}]
    usage = {"input_tokens": 7, "output_tokens": 3, "iterations": runs}
    async with a_world_of_claude(claude(HI, usage=usage)) as world:
        counted = (await ask(world, stream=stream))["usage"]

    assert (counted["prompt_tokens"], counted["completion_tokens"]) == (12, 5)


# Odd streams

ODD: dict[str, list[Json]] = {
    "c11": [PING, PING, start(), PING, *said("Hi"), PING, end(), PING, STOP],
    "c12": [
        {"type": "news"},
        start(),
        *said("Hi"),
        {"type": "content_block_delta", "index": 0, "delta": {"type": "news_delta", "news": "x"}},
        *block(1, {"type": "news", "text": "x"}, text_delta("x")),
        end(),
        STOP,
    ],
    "c16": [start(), *said("Hi"), end()],
}


WHOLE = ({"role": "assistant", "content": "Hi"}, "stop", ["first;ok"])


async def told(events: list[Json]) -> tuple[Json, str, list[str]]:
    """What the application hears of these events: the message, why it ends, and from whom."""
    async with a_world_of_claude(claude_streams(*events)) as world:
        answer = await ask(world, stream=True)
        await eventually(lambda: bool(attempts(world)))
        return message_of(answer), finish_of(answer), attempts(world)


async def test_c11_pings_are_nothing_wherever_they_come() -> None:
    assert await told(ODD["c11"]) == WHOLE


async def test_c12_events_and_blocks_that_nobody_knows_yet_are_nothing() -> None:
    assert await told(ODD["c12"]) == WHOLE


OVERLOADED = error("overloaded_error", "Overloaded")
WRONG_BEFORE: dict[str, list[Json]] = {
    "at once": [OVERLOADED],
    "after its start": [start(), PING, OVERLOADED],
    "after its thoughts": [start(), *thinking("Hm."), OVERLOADED],
    "within its first block": [start(), block(0, {"type": "text", "text": ""})[0], OVERLOADED],
}


@pytest.mark.parametrize("events", WRONG_BEFORE.values(), ids=WRONG_BEFORE.keys())
async def test_c13_an_error_before_the_first_word_is_never_noticed(events: list[Json]) -> None:
    async with a_world_of_claude(claude_streams(*events)) as world:
        answer = await ask(world, stream=True)

    assert message_of(answer)["content"] == "Hello from second."
    assert attempts(world) == ["first;overloaded", "second;ok"]


@pytest.mark.parametrize(
    "words", [said("Hi"), tool('{"q":')], ids=["after text", "within a tool call"]
)
async def test_c14_an_error_after_the_first_word_is_told_and_nobody_goes_on(
    words: list[Json],
) -> None:
    got: list[Json] = []
    async with a_world_of_claude(claude_streams(start(), *words, OVERLOADED)) as world:
        with pytest.raises(openai.APIError, match="Overloaded"):
            await listen(world, got)
        await eventually(lambda: bool(world.requests()))

    assert got[-1]["choices"][0]["delta"]
    assert got[-1]["choices"][0]["finish_reason"] is None
    assert attempts(world) == ["first;overloaded"]
    assert world.requests()[-1].outcome is RequestOutcome.INTERRUPTED


@STREAMED
async def test_c15_json_with_blanks_around_it_is_read(stream: bool) -> None:
    padded = b"\n\n  " + orjson.dumps(a_message(HI)) + b"   \n"
    blanks = Fault(
        *("claude", "", Effect.SERVED),
        lambda scene: [Send(whole(200, headers(scene, JSON), padded))],
    )
    async with a_world_of_claude(claude(HI) if stream else blanks) as world:
        answer = await ask(world, stream=stream)  # the scripted streams are always padded

    assert message_of(answer)["content"] == "Hi"


async def test_c16_an_answer_that_says_why_it_ends_needs_no_further_word() -> None:
    assert await told(ODD["c16"]) == WHOLE


@pytest.mark.parametrize(
    "events",
    [events_of(a_message(HI))[:-2], events_of(a_message(HI))[:-3]],
    ids=["after its block", "within its block"],
)
async def test_c16_an_answer_that_does_not_is_told_to_be_cut_off(events: list[Json]) -> None:
    async with a_world_of_claude(claude_streams(*events)) as world:
        with pytest.raises(openai.APIError) as broken:
            await ask(world, stream=True)

    assert broken.value.code == "stream_truncated"
    assert attempts(world) == ["first;stream_truncated"]


async def test_c16_an_answer_that_ends_before_its_first_word_is_never_noticed() -> None:
    async with a_world_of_claude(claude_streams(start(), PING)) as world:
        answer = await ask(world, stream=True)

    assert message_of(answer)["content"] == "Hello from second."
    assert attempts(world) == ["first;stream_truncated", "second;ok"]
