"""Every fault there is, at the first provider of a chain whose second is well."""

from __future__ import annotations

from collections.abc import Awaitable

import openai
import pytest

from sidecar.core.outcome import RequestOutcome
from sidecar.faults.catalog import CATALOG, Effect, Fault
from tests.stories.world import MESSAGES, MODEL, World

FIRST, SECOND = "Hello from first.", "Hello from second."
FAULTS = [pytest.param(one, id=one.id) for one in CATALOG.values()]


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


async def assert_told(fault: Fault, world: World, call: Awaitable[str]) -> None:
    """When every provider says that the call is at fault, the application hears it."""
    world.second.plays(fault)
    with pytest.raises(openai.APIStatusError) as heard:
        await call
    assert 400 <= heard.value.status_code < 500
    assert world.first.hits == 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_streamed_call_meets(fault: Fault, world: World) -> None:
    world.first.plays(fault)

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
            await assert_told(fault, world, streamed(world.openai))


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_unstreamed_call_meets(fault: Fault, world: World) -> None:
    world.first.plays(fault)

    if fault.effect is Effect.CALLER:
        await assert_told(fault, world, unstreamed(world.openai))
        return
    text = await unstreamed(world.openai)
    if fault.streamed or fault.effect is Effect.SERVED:
        assert world.second.hits == 0
    else:
        assert text == SECOND
        assert world.first.hits <= 1
