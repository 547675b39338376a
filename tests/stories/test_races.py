"""Two providers at once, at the edges: who wins, who pays, and what is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from sidecar.core.events import FailedOver, Hedged
from sidecar.core.outcome import RequestOutcome
from sidecar.core.policies import BreakerPolicy, Hedge, RetryBudget, RetryPolicy, Timeouts
from sidecar.core.settings import Settings
from sidecar.faults.answer import Answer, Scene
from sidecar.faults.catalog import Effect, Fault, fault, ok
from sidecar.faults.changes import think_first
from sidecar.faults.fault import open_answer, send, telling
from sidecar.faults.healthy import speech_of
from sidecar.faults.provider import ScriptedProvider
from sidecar.faults.steps import Send, Step, Wait
from sidecar.faults.wire import LAST_CHUNK
from tests.stories.test_hedging import hedged
from tests.stories.test_retries import attempts, served_by
from tests.stories.world import ONE_TRY, World, a_world, a_world_of, eventually, settings_for

SOON = Hedge(after=0.1)
PATIENT = Timeouts()
CALM = BreakerPolicy(failure_threshold=1000, min_requests=1000)


def later(name: str, seconds: float) -> Fault:
    """A fault whose first word, if it has one, comes late."""
    one = fault(name)
    return replace(one, script=telling(one.script, first_after_s=seconds))


async def ended(world: World) -> RequestOutcome:
    await eventually(lambda: bool(world.requests()))
    return world.requests()[-1].outcome


async def test_a_hedged_provider_is_not_filled_beyond_its_measure() -> None:
    def narrow(first: ScriptedProvider, second: ScriptedProvider) -> Settings:
        settings = settings_for(first, second, timeouts=PATIENT, hedge=Hedge(after=5.0))
        (route,) = settings.routes
        provider = replace(settings.providers[0], max_in_flight=2)
        chain = (replace(route.chain[0], provider=provider), route.chain[1])
        providers = (provider, settings.providers[1])
        return replace(settings, providers=providers, routes=(replace(route, chain=chain),))

    async with a_world_of(narrow) as world:
        world.first.plays(ok(first_after_s=2.0))
        calls = [asyncio.create_task(served_by(world, stream=True)) for _ in range(20)]

        served = await asyncio.gather(*calls)

        assert served.count("first") == 2
        assert world.first.hits == 2


async def test_a_whole_answer_without_content_wins_too() -> None:
    async with a_world(hedge=SOON, timeouts=PATIENT) as world:
        world.first.plays(later("filtered", 0.0))
        world.first.answer = Answer(first_after_s=0.3)
        world.second.plays("silence")

        answer = await world.chat(stream=True)

        assert answer.headers["x-sidecar-provider"] == "first"
        assert '"content_filter"' in await answer.text()


async def test_hedges_are_paid_by_the_provider_that_is_slow() -> None:
    budget = RetryPolicy(attempts=0, budget=RetryBudget(ratio=0.5, floor=1))
    async with a_world(hedge=SOON, timeouts=PATIENT, retry=budget, policy=CALM) as world:
        slow, quick = ok(first_after_s=2.0), ok()
        for _ in range(3):  # two quick ones pay for a slow one, again and again
            world.first.plays(quick)
            await served_by(world, stream=True)
            await served_by(world, stream=True)
            world.first.plays(slow)
            assert await served_by(world, stream=True) == "second"

        assert hedged(world) == ["second won"] * 3


async def test_a_refusal_by_policy_ends_the_race() -> None:
    async with a_world(hedge=SOON, timeouts=PATIENT) as world:
        world.first.plays(slow_refusal())
        world.second.plays(ok(first_after_s=0.5))

        answer = await world.chat(stream=True)

        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == "content_filter"
        assert not [event for event in world.events if isinstance(event, FailedOver)]
        await eventually(lambda: len(attempts(world)) == 2)
        assert "second hedge_lost" in attempts(world)


def slow_refusal() -> Fault:
    """A refusal that takes its time."""
    one = fault("content_filter")
    return replace(one, script=lambda scene: (Wait(0.3), *one.script(scene)))


async def test_a_retry_that_wins_is_no_failover_to_the_hedge() -> None:
    async with a_world(hedge=Hedge(after=0.02), timeouts=PATIENT, retry=RetryPolicy()) as world:
        world.first.plays("status_500", "ok")
        world.second.plays(ok(first_after_s=2.0))

        assert await served_by(world, stream=True) == "first"

        assert not [event for event in world.events if isinstance(event, FailedOver)]
        assert await ended(world) is RequestOutcome.SUCCESS


async def test_a_hedge_that_fails_makes_no_failover_of_the_answer() -> None:
    async with a_world(hedge=SOON, timeouts=PATIENT) as world:
        world.first.plays(ok(first_after_s=0.4))
        world.second.plays("status_503")

        assert await served_by(world, stream=True) == "first"

        assert await ended(world) is RequestOutcome.SUCCESS
        assert hedged(world) == ["second lost"]


async def test_content_wins_over_thoughts() -> None:
    async with a_world(hedge=SOON, timeouts=PATIENT) as world:
        world.first.plays(thinks_late(0.2))
        world.second.plays(ok(first_after_s=0.3))

        assert await served_by(world, stream=True) == "second"


async def test_thoughts_in_time_keep_the_second_from_being_asked() -> None:
    async with a_world(hedge=SOON, timeouts=PATIENT) as world:
        world.first.plays(thinks_late(0.0))

        assert await served_by(world, stream=True) == "first"

        assert world.second.hits == 0


def thinks_late(seconds: float) -> Fault:
    """Thinks after so long, and speaks half a second later."""

    def script(scene: Scene) -> Iterator[Step]:
        speech = think_first(reasoning_content="Hm.")(speech_of(scene))
        yield open_answer(scene)
        yield Wait(seconds)
        yield from send(speech.opening)
        yield Wait(0.5)
        yield from send([*speech.words, *speech.finish, *speech.usage, *speech.done])
        yield Send(LAST_CHUNK)

    return Fault("thinks_late", "", Effect.SERVED, script)


async def test_nobody_is_left_behind_where_everybody_leaves_at_once() -> None:
    async with a_world(hedge=Hedge(after=0.01), timeouts=PATIENT, retry=ONE_TRY) as world:
        world.first.plays(ok(first_after_s=0.05))
        world.second.plays(ok(first_after_s=0.04))
        calls = [asyncio.create_task(world.chat(stream=True)) for _ in range(30)]
        for number, call in enumerate(calls):
            await asyncio.sleep(0.003)
            if number % 2:
                call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await eventually(lambda: len(world.requests()) == 30)

        upstreams = world.sidecar._upstreams.values()
        await eventually(lambda: all(one.in_flight == 0 for one in upstreams))
        assert len([one for one in world.events if isinstance(one, Hedged)]) >= 15
