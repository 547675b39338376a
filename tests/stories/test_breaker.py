"""A breaker in front of each provider: opens, spares, probes, closes."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.core.events import BreakerMoved, Cause, ProbeEnded, ProbeVerdict, State
from sidecar.core.policies import BreakerPolicy, Scope
from sidecar.faults.catalog import ok, status
from tests.stories.world import CHAT, World, a_world

BRIEF = BreakerPolicy(open_timeout_s=0.3)


async def calls(world: World, count: int) -> list[str]:
    """The attempts of `count` calls, one after the other."""
    return [(await world.chat()).headers["x-sidecar-attempts"] for _ in range(count)]


def moves(world: World) -> list[tuple[State, State, Cause]]:
    return [
        (event.from_state, event.to_state, event.cause)
        for event in world.events
        if isinstance(event, BreakerMoved)
    ]


async def test_three_failures_open_it_and_then_it_costs_nothing(world: World) -> None:
    world.first.plays(status(500))

    attempts = await calls(world, 5)

    assert world.first.hits == 3
    assert attempts[3].startswith("first;skipped;open;0, second;ok;200;")
    assert await world.state_of("first") == "open"


async def test_a_success_between_failures_keeps_it_closed(world: World) -> None:
    world.first.plays(status(500), status(500), "ok", status(500), status(500), "ok")

    await calls(world, 6)

    assert world.first.hits == 6
    assert await world.state_of("first") == "closed"


async def test_after_its_time_probes_close_it() -> None:
    async with a_world(policy=BRIEF) as world:
        world.first.plays(*[status(500)] * 3, "ok")
        await calls(world, 3)
        await asyncio.sleep(0.35)

        attempts = await calls(world, 3)

        assert all(one.startswith("first;ok;200;") for one in attempts)
        assert await world.state_of("first") == "closed"
        assert moves(world) == [
            (State.CLOSED, State.OPEN, Cause.FAILURES),
            (State.OPEN, State.HALF_OPEN, Cause.OPEN_TIMEOUT),
            (State.HALF_OPEN, State.CLOSED, Cause.PROBES_SUCCEEDED),
        ]


async def test_a_probe_that_fails_opens_it_again_and_the_call_is_served() -> None:
    async with a_world(policy=BRIEF) as world:
        world.first.plays(status(500))
        await calls(world, 3)
        await asyncio.sleep(0.35)

        attempts = await calls(world, 2)

        assert attempts[0].startswith("first;server_error;500;")
        assert attempts[1].startswith("first;skipped;open;0")
        assert world.first.hits == 4
        assert moves(world)[-1] == (State.HALF_OPEN, State.OPEN, Cause.PROBE_FAILED)


async def test_a_recovering_provider_gets_one_probe_at_a_time_from_this_pod() -> None:
    async with a_world(policy=BRIEF) as world:
        world.first.plays(*[status(500)] * 3, ok(first_after_s=0.2))
        await calls(world, 3)
        await asyncio.sleep(0.35)

        await asyncio.gather(*(world.chat() for _ in range(10)))

        assert world.first.hits == 3 + 1
        assert world.second.hits == 3 + 9


async def test_a_streamed_probe_has_shown_enough_with_its_first_content() -> None:
    async with a_world(policy=BRIEF) as world:
        world.first.plays(*[status(500)] * 3, ok(words=8, delay_s=0.1))
        await calls(world, 3)
        await asyncio.sleep(0.35)

        probes = [await world.chat(stream=True) for _ in range(2)]

        assert await world.state_of("first") == "closed"
        assert [event.verdict for event in world.events if isinstance(event, ProbeEnded)] == [
            ProbeVerdict.SUCCESS
        ] * 2
        for probe in probes:
            probe.close()


async def test_a_rate_limit_cools_down_and_does_not_count(world: World) -> None:
    world.first.plays(status(429, retry_after=30))

    attempts = await calls(world, 5)

    assert world.first.hits == 1
    assert attempts[1].startswith("first;skipped;cooldown;0")
    assert await world.state_of("first") == "closed"


async def test_a_rate_limit_is_over_when_the_provider_said(world: World) -> None:
    world.first.plays(status(429, retry_after=1), "ok")

    attempts = await calls(world, 2)
    await asyncio.sleep(1.05)
    attempts += await calls(world, 1)

    assert attempts[1].startswith("first;skipped;cooldown;0")
    assert attempts[2].startswith("first;ok;200;")


@pytest.mark.parametrize("code", [401, 402, 403])
async def test_the_operators_fault_sets_the_provider_aside_but_opens_nothing(
    code: int, world: World
) -> None:
    world.first.plays(status(code))

    attempts = await calls(world, 4)

    assert world.first.hits == 1
    assert attempts[1].startswith("first;skipped;parked;0, second;ok;200;")
    assert await world.state_of("first") == "closed"


async def test_a_provider_set_aside_is_asked_when_nobody_else_is_left(world: World) -> None:
    world.first.plays(status(401), "ok")
    world.second.plays("ok", status(500))

    attempts = await calls(world, 2)

    assert "first;skipped;parked;0, second;server_error;500;" in attempts[1]
    assert ", first;ok;200;" in attempts[1]


async def test_a_provider_set_aside_is_back_with_its_first_answer(world: World) -> None:
    world.first.plays(status(401), "ok")
    world.second.plays("ok", status(500))

    attempts = await calls(world, 3)

    assert attempts[2].startswith("first;ok;200;")


async def test_every_breaker_open_says_when_to_come_back(world: World) -> None:
    world.first.plays(status(500))
    world.second.plays(status(500))
    for _ in range(3):
        assert (await world.chat()).status == 503

    answer = await world.chat()

    assert answer.status == 503
    assert (await answer.json())["error"]["code"] == "all_providers_open"
    assert 55 <= int(answer.headers["retry-after"]) <= 60
    assert answer.headers["x-sidecar-attempts"] == "first;skipped;open;0, second;skipped;open;0"
    assert world.first.hits == world.second.hits == 3


async def test_a_reset_closes_it_at_once(world: World) -> None:
    world.first.plays(*[status(500)] * 3, "ok")
    await calls(world, 3)

    async with world.http.post(f"{world.api}/reset", json={"provider": "first"}) as answer:
        assert answer.status == 200

    assert (await calls(world, 1))[0].startswith("first;ok;200;")


async def test_a_reset_of_nobody_is_not_found(world: World) -> None:
    async with world.http.post(f"{world.api}/reset", json={"provider": "third"}) as answer:
        assert answer.status == 404


async def test_a_page_in_a_browser_cannot_reset(world: World) -> None:
    headers = {"Origin": "http://evil.example"}
    async with world.http.post(f"{world.api}/reset", headers=headers) as answer:
        assert answer.status == 403


async def test_a_model_of_its_own_can_have_a_breaker_of_its_own() -> None:
    async with a_world(policy=BreakerPolicy(scope=Scope.MODEL)) as world:
        world.first.plays(status(500))
        await calls(world, 3)

        assert await world.state_of("first/first-model") == "open"
        url = f"{world.admin}/-/breakers/first/reset"
        async with world.http.post(url, json={}) as answer:
            assert (await answer.json())["name"] == "first/first-model"
        assert await world.state_of("first/first-model") == "closed"


async def test_failures_after_content_count_too(world: World) -> None:
    world.first.plays("cut")
    for _ in range(3):
        async with world.http.post(f"{world.api}/chat", json={**CHAT, "stream": True}) as answer:
            await answer.read()

    assert await world.state_of("first") == "open"
