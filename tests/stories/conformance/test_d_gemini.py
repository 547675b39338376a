"""Case D: Gemini behind OpenAI's format."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.dialects.dialect import Json
from sidecar.faults.answer import Scene
from sidecar.faults.catalog import OK
from sidecar.faults.fault import Fault
from sidecar.faults.refusals import Body, google
from tests.dialects.anthropic.requests import assistant, call, function, result, user
from tests.observe.logbook import a_log
from tests.stories.agents import gemini_rule
from tests.stories.conformance.scripts import (
    STREAMED,
    a_world_with,
    ask,
    attempts,
    chunks,
    completion,
    delta,
    dropped,
    finish_of,
    heard,
    message_of,
    metric,
    says,
    streams_chat,
    strict,
)
from tests.stories.world import World, eventually

FLASH = "gemini-3-flash"
CALLED = '{"city":"Oslo"}'
SIGNED = {"google": {"thought_signature": f"signed-{CALLED}"}}  # as the strict one wants it back
WEATHER = function("get_weather")
BYPASS = "skip_thought_signature_validator"


def objection(scene: Scene) -> tuple[int, Body] | None:
    """What Gemini refuses: fields that it does not know, calls without their signature."""
    wrong = gemini_rule(scene.asked)
    return (400, google(400, "INVALID_ARGUMENT", wrong)) if wrong else None


def gemini(good: Fault = OK) -> Fault:
    return strict(objection, good)


def signed_call(**more: Any) -> Json:
    named = {"name": "get_weather", "arguments": CALLED}
    return {"id": "", "type": "function", "function": named, **more}


# Signatures

WHOLE = says(completion("stop", tool_calls=[signed_call(extra_content=SIGNED)]))
CALLS = {
    "on the call, whole": WHOLE,
    "on the message, whole": says(
        completion("stop", tool_calls=[signed_call()], extra_content=SIGNED)
    ),
    "on the call, streamed": streams_chat(
        delta(role="assistant", tool_calls=[signed_call(extra_content=SIGNED)]), delta("stop")
    ),
    "in a delta of its own, streamed": streams_chat(
        delta(role="assistant", tool_calls=[signed_call()]),
        delta(content="", extra_content=SIGNED),
        delta("stop"),
    ),
    "before its call, streamed": streams_chat(
        delta(role="assistant", extra_content=SIGNED),
        delta(tool_calls=[signed_call()]),
        delta("stop"),
    ),
}


def replayed(answer: Json) -> Json:
    """A past answer as applications send it: with what OpenAI's format has, and no more."""
    kept = [
        {name: one[name] for name in ("id", "type", "function")}
        for one in message_of(answer)["tool_calls"]
    ]
    return {"role": "assistant", "content": None, "tool_calls": kept}


@pytest.mark.parametrize("place", CALLS)
async def test_d1_a_signature_that_the_client_loses_is_back_in_the_next_turn(place: str) -> None:
    asked: Json = {"tools": [WEATHER], "stream": "streamed" in place}
    async with a_world_with("gemini", FLASH) as world:
        world.first.plays(gemini(CALLS[place]), gemini())
        first = await ask(world, **asked)
        past = replayed(first)
        [made] = past["tool_calls"]
        turns = [user("Weather?"), past, result(made["id"])]
        second = await ask(world, messages=turns, **asked)

    assert made["id"]
    assert heard(world)["messages"][1]["tool_calls"] == [{**made, "extra_content": SIGNED}]
    assert message_of(second)["content"] == "Hello from first."
    assert attempts(world) == ["first;ok"] * 2


async def test_d1_a_signature_that_the_client_kept_is_sent_as_it_is() -> None:
    past = assistant(None, {**call("call_1", "get_weather", CALLED), "extra_content": SIGNED})
    async with a_world_with("gemini", FLASH) as world:
        world.first.plays(gemini())
        await ask(world, messages=[user("Weather?"), past, result("call_1")], tools=[WEATHER])

    assert heard(world)["messages"][1] == past
    assert attempts(world) == ["first;ok"]


def two_calls() -> list[Json]:
    return [call(f"toolu_{place}", "get_weather", CALLED) for place in (1, 2)]


async def test_d2_calls_that_another_provider_made_are_accepted_without_a_signature() -> None:
    turns = [
        user("Weather?"),
        assistant(None, *two_calls()),
        result("toolu_1"),
        result("toolu_2"),
    ]
    async with a_world_with("gemini", FLASH) as world:
        world.first.plays(gemini())
        await ask(world, messages=turns, tools=[WEATHER])

    first, second = heard(world)["messages"][1]["tool_calls"]
    assert first["extra_content"] == {"google": {"thought_signature": BYPASS}}
    assert "extra_content" not in second  # of parallel calls only the first has to have one
    assert attempts(world) == ["first;ok"]


async def test_d2_what_other_vendors_signed_is_not_shown_to_gemini() -> None:
    theirs = {"extra_content": {"acme": {"signature": "s"}}, "reasoning_content": "Hm."}
    past = {**assistant(None, {**call("a", "get_weather", CALLED), **theirs}), **theirs}
    async with a_world_with("gemini", FLASH) as world:
        world.first.plays(gemini())
        await ask(world, messages=[user("Weather?"), past, result("a")], tools=[WEATHER])

    assert b"acme" not in world.first.calls[-1].body
    assert b"Hm." not in world.first.calls[-1].body
    assert attempts(world) == ["first;ok"]


# How much to think

EFFORTS = {  # by model: what becomes of each effort that OpenAI knows
    FLASH: {"none": "minimal", "minimal": "minimal", "high": "high", "max": "high"},
    "gemini-flash-latest": {"none": "minimal", "xhigh": "high"},
    "gemini-2.5-pro": {"none": "minimal", "medium": "medium", "xhigh": "high"},
    "gemini-2.5-flash": {"none": "none", "low": "low", "max": "high"},
}


@pytest.mark.parametrize("model", EFFORTS)
async def test_d3_an_effort_that_gemini_does_not_know_becomes_the_nearest_that_it_does(
    model: str,
) -> None:
    async with a_world_with("gemini", model) as world:
        for effort, understood in EFFORTS[model].items():
            await ask(world, reasoning_effort=effort)
            assert (effort, heard(world)["reasoning_effort"]) == (effort, understood)
            assert dropped(world) == ()


async def test_d3_googles_own_options_reach_it_as_they_are() -> None:
    own = {"google": {"thinking_config": {"thinking_level": "low", "include_thoughts": True}}}
    async with a_world_with("gemini", FLASH) as world:
        world.first.plays(gemini())
        await ask(world, extra_body={"extra_body": own})

    assert heard(world)["extra_body"] == own


# Usage

ODD_USAGE = {  # what is told, and what it comes to: thinking is counted in the total alone
    "thinking in the total alone": (
        {"prompt_tokens": 12, "completion_tokens": 35, "total_tokens": 109},
        {"prompt_tokens": 12, "completion_tokens": 97, "total_tokens": 109},
    ),
    "no output": (
        {"prompt_tokens": 12, "total_tokens": 109},
        {"prompt_tokens": 12, "completion_tokens": 97, "total_tokens": 109},
    ),
}


@STREAMED
@pytest.mark.parametrize("case", ODD_USAGE)
async def test_d4_usage_adds_up_in_the_answer_in_the_metrics_and_in_the_log(
    case: str, stream: bool
) -> None:
    told, meant = ODD_USAGE[case]
    whole = {**completion(content="Hi"), "usage": told}
    told_last = {**delta("stop"), "usage": told}
    async with a_world_with("gemini", FLASH) as world:
        world.first.plays(streams_chat(delta(content="Hi"), told_last) if stream else says(whole))
        answer = await ask(world, stream=stream)
        await eventually(lambda: bool(world.requests()))

        assert answer["usage"] == meant
        assert await tokens(world, "input") == meant["prompt_tokens"]
        assert await tokens(world, "output") == meant["completion_tokens"]
        assert logged(world) == (meant["prompt_tokens"], meant["completion_tokens"])


async def tokens(world: World, kind: str) -> float:
    return await metric(world, "tokens_total", provider="first", model=FLASH, type=kind)


def logged(world: World) -> tuple[int, int]:
    """The tokens in the access line of the last request."""
    with a_log() as log:
        log.tell(world.requests()[-1])
        [line] = log.lines
    return line["tokens_in"], line["tokens_out"]


async def test_d4_a_blocked_answer_has_a_message_all_the_same() -> None:
    blocked = completion()
    blocked["choices"] = [{"index": 0, "finish_reason": "content_filter"}]
    async with a_world_with("gemini", FLASH) as world:
        world.first.plays(says(blocked))
        answer = await ask(world)

    assert finish_of(answer) == "content_filter"
    assert message_of(answer) == {"role": "assistant"}


# What it refuses


@STREAMED
async def test_d5_a_400_for_its_key_is_the_operators_and_sets_the_provider_aside(
    stream: bool,
) -> None:
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    wrong = google(
        *(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."), reason
    )
    async with a_world_with("gemini", FLASH) as world:
        world.first.plays(says(wrong, 400))
        answers = [await ask(world, stream=stream) for _ in range(2)]

        assert [message_of(one)["content"] for one in answers] == ["Hello from second."] * 2
        assert attempts(world) == ["first;auth", "second;ok", "second;ok"]
        assert await metric(world, "skips_total", provider="first", reason="parked") == 1


FORM = {
    "type": "json_schema",
    "json_schema": {"name": "n", "schema": {"type": "object", "properties": {}}},
}


@pytest.mark.parametrize(("model", "keeps"), [(FLASH, True), ("gemini-2.5-flash", False)])
async def test_d6_where_tools_and_a_form_do_not_go_together_the_tools_do(
    model: str, keeps: bool
) -> None:
    async with a_world_with("gemini", model) as world:
        world.first.plays(gemini())
        await ask(world, tools=[WEATHER], response_format=FORM)
        count = await metric(world, "dropped_params_total", param="response_format")

    assert heard(world)["tools"] == [WEATHER]
    assert ("response_format" in heard(world)) is keeps
    assert dropped(world) == (() if keeps else ("response_format",))
    assert count == (0 if keeps else 1)


async def test_d6_a_model_that_objects_to_both_passes_the_call_on() -> None:
    says_so = "Function calling with a response mime type: 'application/json' is unsupported"
    async with a_world_with("gemini", FLASH) as world:
        world.first.plays(says(google(400, "INVALID_ARGUMENT", says_so), 400))
        await ask(world, tools=[WEATHER], response_format=FORM)

    assert attempts(world) == ["first;unsupported_param", "second;ok"]


def refusing(name: str) -> Fault:
    """Gemini, to whom this field is unknown."""

    def wrong(scene: Scene) -> tuple[int, Body] | None:
        if name not in scene.asked:
            return None
        said = f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
        return 400, google(400, "INVALID_ARGUMENT", said)

    return strict(wrong)


@STREAMED
async def test_d7_a_field_that_it_calls_unknown_is_spared_it_from_then_on(stream: bool) -> None:
    async with a_world_with("gemini", FLASH) as world:
        world.first.plays(refusing("seed"))
        answers = [await ask(world, stream=stream, seed=7) for _ in range(2)]

        assert [message_of(one)["content"] for one in answers] == ["Hello from first."] * 2
        assert attempts(world) == ["first;unsupported_param", "first;ok", "first;ok"]
        assert await metric(world, "dropped_params_total", provider="first", param="seed") == 2
        assert await world.state_of("first") == "closed"


async def test_d7_a_field_that_the_answer_hangs_on_is_never_spared() -> None:
    async with a_world_with("gemini", FLASH) as world:
        world.first.plays(refusing("response_format"))
        answer = await ask(world, response_format=FORM)

    assert message_of(answer)["content"] == "Hello from second."
    assert attempts(world) == ["first;unsupported_param", "second;ok"]


def nameless(city: str, **more: Any) -> Json:
    return {"function": {"name": "get_weather", "arguments": f'{{"city":"{city}"}}'}, **more}


TOGETHER = delta(role="assistant", tool_calls=[nameless("Oslo"), nameless("Rome")])
APART = [
    delta(role="assistant", tool_calls=[nameless(city, index=index, id="")])
    for city, index in (("Oslo", 0), ("Rome", 0))
]
UNNUMBERED = [
    delta(role="assistant", tool_calls=[nameless(city, index=None, id=None)])
    for city in ("Oslo", "Rome")
]
ENDS = {
    "together": [TOGETHER, delta("stop")],
    "apart, all numbered zero": [*APART, delta("stop")],
    "apart, not numbered": [*UNNUMBERED, delta("stop")],
    "in the chunk that finishes": [delta("stop", **TOGETHER["choices"][0]["delta"])],
    "with an empty text at the end": [TOGETHER, delta("stop", content="")],
}


@pytest.mark.parametrize("case", ENDS)
async def test_d8_streamed_calls_without_number_or_id_get_both(case: str) -> None:
    async with a_world_with("gemini", FLASH) as world:
        world.first.plays(streams_chat(*ENDS[case]), streams_chat(*ENDS[case]))
        answer = await ask(world, stream=True, tools=[WEATHER])
        told = [one["choices"][0] for one in await chunks(world, tools=[WEATHER])]

    called = message_of(answer)["tool_calls"]
    pieces = [piece for one in told for piece in one["delta"].get("tool_calls", ())]
    assert [one["function"]["arguments"] for one in called] == [CALLED, '{"city":"Rome"}']
    assert len({one["id"] for one in called} - {""}) == 2
    assert [piece["index"] for piece in pieces] == [0, 1]
    assert [one["finish_reason"] for one in told if one["finish_reason"]] == ["tool_calls"]
    assert finish_of(answer) == "tool_calls"
