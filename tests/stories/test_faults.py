"""Every fault there is, at the first provider of a chain whose second is well."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import openai
import pytest

from sidecar.core.events import AttemptEnded
from sidecar.core.outcome import RequestOutcome
from sidecar.core.policies import Timeouts
from sidecar.faults.catalog import CATALOG, Effect, Fault
from tests.stories.told import WORDS, word_for
from tests.stories.world import MESSAGES, MODEL, QUICK, World, a_world, eventually

SECOND = "Hello from second."
# These are odd chunks of a chat completion: in a message of Anthropic's they change nothing.
OF_CHAT = frozenset(
    (
        *("choices_missing", "choices_empty", "choices_null", "null_choices", "preamble"),
        *("role_everywhere", "filtered", "finish_error", "content_parts", "unknown_fields"),
        *("reasoning", "reasoning_content"),
        *("usage_at_the_finish", "usage_missing", "usage_unasked"),
        *("tool_call", "tool_index_missing", "tool_index_null", "tool_index_one"),
        *("tool_id_empty", "tool_finish_stop"),
    )
)
TAKES_LONG = "tiny_events"  # an SDK needs seconds for it; one dialect is enough
FAULTS = [pytest.param(one, "openai", id=one.id) for one in CATALOG.values()] + [
    pytest.param(one, "anthropic", id=f"{one.id} of anthropic")
    for one in CATALOG.values()
    if one.id not in OF_CHAT and one.id != TAKES_LONG
]
PATIENT = Timeouts()  # for what is served however slow the machine is

Ask = Callable[[openai.AsyncOpenAI], Awaitable[str]]


async def streamed(client: openai.AsyncOpenAI) -> str:
    """The whole text, as the SDK's own helper puts it together."""
    async with client.chat.completions.stream(model=MODEL, messages=MESSAGES) as stream:
        try:
            completion = await stream.get_final_completion()
        except openai.ContentFilterFinishReasonError:
            return "(filtered)"  # how the SDK tells of a refusal that arrived whole
    message = completion.choices[0].message
    return message.content or str(message.tool_calls or "")


async def unstreamed(client: openai.AsyncOpenAI) -> str:
    completion = await client.chat.completions.create(model=MODEL, messages=MESSAGES)
    return completion.choices[0].message.content or ""


@asynccontextmanager
async def struck_by(fault: Fault, kind: str, *, stream: bool) -> AsyncIterator[World]:
    """A world whose first provider plays `fault`; the attempt at it must be called by its name."""
    timeouts = PATIENT if fault.effect is Effect.SERVED else QUICK
    async with a_world(timeouts=timeouts, kinds={"first": kind}) as world:
        world.first.plays(fault)
        yield world
        await eventually(lambda: bool(ended(world)))
        assert ended(world)[0].outcome is word_for(fault, stream=stream)


def ended(world: World) -> list[AttemptEnded]:
    return [event for event in world.events if isinstance(event, AttemptEnded)]


async def assert_told(fault: Fault, world: World, ask: Ask) -> None:
    """When every provider says that the call is at fault, the application hears it."""
    world.second.plays(fault)
    with pytest.raises(openai.APIStatusError) as heard:
        await ask(world.openai)
    assert 400 <= heard.value.status_code < 500
    assert world.first.hits == 1


@pytest.mark.parametrize(("fault", "kind"), FAULTS)
async def test_a_streamed_call_meets(fault: Fault, kind: str) -> None:
    async with struck_by(fault, kind, stream=True) as world:
        match fault.effect:
            case Effect.SERVED:
                assert await streamed(world.openai)
                assert world.second.hits == 0
            case Effect.FAILS_OVER:
                assert await streamed(world.openai) == SECOND
                assert world.first.hits <= 1
            case Effect.INTERRUPTED:
                with pytest.raises(openai.APIError):
                    await streamed(world.openai)
                assert world.second.hits == 0
                assert world.requests()[-1].outcome is RequestOutcome.INTERRUPTED
            case Effect.CALLER:
                await assert_told(fault, world, streamed)


@pytest.mark.parametrize(("fault", "kind"), FAULTS)
async def test_an_unstreamed_call_meets(fault: Fault, kind: str) -> None:
    async with struck_by(fault, kind, stream=False) as world:
        if fault.effect is Effect.CALLER:
            await assert_told(fault, world, unstreamed)
        elif fault.streamed or fault.effect is Effect.SERVED:
            assert await unstreamed(world.openai)
            assert world.second.hits == 0
        else:
            assert await unstreamed(world.openai) == SECOND
            assert world.first.hits <= 1


def test_every_name_is_that_of_a_fault() -> None:
    assert set(WORDS) | OF_CHAT <= set(CATALOG)
