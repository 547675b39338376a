"""A provider that has as many calls as it may have is passed over, never waited for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sidecar.core.settings import Settings
from sidecar.faults.catalog import ok
from sidecar.faults.provider import ScriptedProvider
from tests.stories.test_retries import served_by
from tests.stories.world import World, a_world_of, eventually, settings_for


def narrow(first: ScriptedProvider, second: ScriptedProvider) -> Settings:
    """Settings with room for two calls at the first provider."""
    settings = settings_for(first, second)
    (route,) = settings.routes
    provider = replace(settings.providers[0], max_in_flight=2)
    chain = (replace(route.chain[0], provider=provider), *route.chain[1:])
    return replace(
        settings,
        providers=(provider, *settings.providers[1:]),
        routes=(replace(route, chain=chain),),
    )


def in_flight(world: World) -> Any:
    return world.sidecar._upstreams["first"].in_flight


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
async def test_one_that_is_full_is_passed_over(stream: bool) -> None:
    async with a_world_of(narrow) as world:
        world.first.plays(ok(first_after_s=0.2, delay_s=0.05))
        busy = [asyncio.create_task(served_by(world, stream=stream)) for _ in range(2)]
        await eventually(lambda: world.first.hits == 2)

        answer = await world.chat(stream=stream)

        assert answer.headers["x-sidecar-attempts"].startswith("first;skipped;full;0, second;ok")
        assert await asyncio.gather(*busy) == ["first", "first"]
        assert await served_by(world, stream=stream) == "first"
        assert world.first.hits == 3


async def test_a_caller_who_hangs_up_makes_room() -> None:
    async with a_world_of(narrow) as world:
        world.first.plays("silence")
        busy = [asyncio.create_task(world.chat()) for _ in range(2)]
        await eventually(lambda: world.first.hits == 2)

        for call in busy:
            call.cancel()
        await eventually(lambda: in_flight(world) == 0)
        world.first.plays("ok")

        assert await served_by(world) == "first"


async def test_where_everybody_is_full_there_is_one_clear_error() -> None:
    def alone(first: ScriptedProvider, second: ScriptedProvider) -> Settings:
        settings = narrow(first, second)
        (route,) = settings.routes
        return replace(settings, routes=(replace(route, chain=route.chain[:1]),))

    async with a_world_of(alone) as world:
        world.first.plays("silence")
        busy = [asyncio.create_task(world.chat()) for _ in range(2)]
        await eventually(lambda: world.first.hits == 2)

        answer = await world.chat()

        assert answer.status == 503
        error = (await answer.json())["error"]
        assert error["attempts"] == [
            {"provider": "first", "model": "first-model", "skipped": "full"}
        ]
        for call in busy:
            call.cancel()
