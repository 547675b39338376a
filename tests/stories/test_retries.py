"""Another try at the same provider: only for what a moment cures, and within bounds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sidecar.core.events import AttemptEnded, Retried
from sidecar.core.policies import BreakerPolicy, RetryBudget, RetryPolicy, Timeouts
from sidecar.faults.catalog import Fault, status
from sidecar.faults.refusals import LIMITED
from tests.stories.world import World, a_world, eventually

ONCE = RetryPolicy()
PATIENT = Timeouts()
BOTH = pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])


def limited(wait_ms: int) -> Fault:
    """A rate limit that says for how long."""
    return status(429, LIMITED, retry_after_ms=wait_ms)


async def served_by(world: World, *, stream: bool = False) -> str:
    """Who answers a call, which must be answered whole."""
    answer = await world.chat(stream=stream)
    body = await answer.text()
    assert answer.status == 200
    assert "Hello" in body
    assert not stream or body.endswith("data: [DONE]\n\n")
    return answer.headers["x-sidecar-provider"]


def attempts(world: World) -> list[str]:
    """Every attempt that is over."""
    ended = [event for event in world.events if isinstance(event, AttemptEnded)]
    return [f"{event.provider} {event.outcome}" for event in ended]


def retried(world: World) -> list[str]:
    """What became of extra tries."""
    events = [event for event in world.events if isinstance(event, Retried)]
    return [f"{event.provider} {event.result}" for event in events]


def gap_s(world: World) -> float:
    """The time between the first two calls of the first provider."""
    one, other = list(world.first.calls)[:2]
    return other.opened_s - one.opened_s


@BOTH
async def test_a_short_stated_wait_is_waited_for(stream: bool) -> None:
    async with a_world(retry=ONCE, timeouts=PATIENT) as world:
        world.first.plays(limited(300), "ok")

        assert await served_by(world, stream=stream) == "first"

        assert gap_s(world) >= 0.3
        assert world.second.hits == 0
        await eventually(lambda: len(attempts(world)) == 2)
        assert attempts(world) == ["first rate_limit", "first ok"]
        assert retried(world) == ["first recovered"]


@BOTH
async def test_a_long_stated_wait_is_not(stream: bool) -> None:
    async with a_world(retry=ONCE, timeouts=PATIENT) as world:
        world.first.plays(limited(2500), "ok")

        assert await served_by(world, stream=stream) == "second"

        assert world.first.hits == 1


async def test_others_leave_a_limited_provider_alone_while_one_call_waits_for_it() -> None:
    async with a_world(retry=ONCE, timeouts=PATIENT) as world:
        world.first.plays(limited(400), "ok")
        waiting = asyncio.create_task(served_by(world))
        await eventually(lambda: attempts(world) == ["first rate_limit"])

        assert await served_by(world) == "second"
        assert await waiting == "first"


@pytest.mark.parametrize("code", [409, 500, 502])
async def test_a_stumble_is_tried_once_more(code: int) -> None:
    async with a_world(retry=ONCE, timeouts=PATIENT) as world:
        world.first.plays(status(code), "ok")

        assert await served_by(world, stream=True) == "first"

        assert gap_s(world) >= 0.05
        assert attempts(world)[0] == "first server_error"


@pytest.mark.parametrize("attempts_allowed", [1, 3])
async def test_a_stumble_that_comes_again_goes_to_the_next(attempts_allowed: int) -> None:
    async with a_world(retry=RetryPolicy(attempts=attempts_allowed), timeouts=PATIENT) as world:
        world.first.plays("status_500")

        assert await served_by(world) == "second"

        assert world.first.hits == 2
        assert retried(world) == ["first failed"]


@pytest.mark.parametrize(
    "fault", ["status_503", "rate_limit", "status_504", "status_501", "error_first", "garbage"]
)
async def test_what_no_moment_cures_goes_to_the_next_at_once(fault: str) -> None:
    async with a_world(retry=ONCE, timeouts=PATIENT) as world:
        world.first.plays(fault)

        assert await served_by(world, stream=True) == "second"

        assert world.first.hits == 1


async def test_who_ran_into_a_clock_is_not_asked_again() -> None:
    async with a_world(retry=RetryPolicy(attempts=3)) as world:
        world.first.plays("silence")

        assert await served_by(world, stream=True) == "second"

        assert world.first.hits == 1


@BOTH
async def test_a_pooled_connection_that_is_gone_costs_nothing(stream: bool) -> None:
    async with a_world(retry=ONCE, timeouts=PATIENT) as world:
        assert await served_by(world, stream=stream) == "first"
        world.first.plays("reset_before_headers", "ok")

        assert await served_by(world, stream=stream) == "first"

        assert world.second.hits == 0
        assert retried(world) == ["first recovered"]


async def test_a_new_connection_that_is_reset_is_another_matter() -> None:
    async with a_world(retry=ONCE, timeouts=PATIENT) as world:
        world.first.plays("reset_before_headers")

        assert await served_by(world) == "second"

        assert world.first.hits == 1


async def test_each_try_counts_for_the_breaker() -> None:
    policy = BreakerPolicy(failure_threshold=2)
    async with a_world(retry=ONCE, timeouts=PATIENT, policy=policy) as world:
        world.first.plays("status_500")

        assert await served_by(world) == "second"

        assert await world.state_of("first") == "open"


async def test_a_breaker_that_opens_meanwhile_ends_the_tries() -> None:
    policy = BreakerPolicy(failure_threshold=1)
    async with a_world(retry=ONCE, timeouts=PATIENT, policy=policy) as world:
        world.first.plays("status_500", "ok")

        answer = await world.chat()

        told = answer.headers["x-sidecar-attempts"].split(", ")
        assert [one.rpartition(";")[0] for one in told] == [
            "first;server_error;500",
            "first;skipped;open",
            "second;ok;200",
        ]
        assert world.first.hits == 1


async def test_a_wait_that_leaves_the_next_no_time_is_none() -> None:
    async with a_world(retry=ONCE, timeouts=Timeouts(total_s=1.0)) as world:
        world.first.plays(limited(800), "ok")

        assert await served_by(world) == "second"

        assert world.first.hits == 1


async def test_extra_tries_have_a_budget() -> None:
    budget = RetryBudget(ratio=0.25, floor=2)
    calm = BreakerPolicy(failure_threshold=1000, failure_ratio=1.0, min_requests=1000)
    retry = RetryPolicy(budget=budget)
    async with a_world(retry=retry, timeouts=PATIENT, policy=calm) as world:
        world.first.plays("status_500")
        for _ in range(10):
            assert await served_by(world) == "second"

        # the two to start with, and a quarter of the tenth of first tries that came since
        assert world.first.hits == 10 + 4
        assert retried(world).count("first no_budget") == 6


async def test_a_thrown_away_answer_is_let_go_before_the_wait() -> None:
    async with a_world(retry=ONCE, timeouts=PATIENT) as world:
        world.first.plays(limited(1500), "ok")
        waiting = asyncio.create_task(served_by(world))
        await eventually(lambda: attempts(world) == ["first rate_limit"])

        assert upstream(world).in_flight == 0
        assert await waiting == "first"


def upstream(world: World) -> Any:
    """The way to the first provider."""
    return world.sidecar._upstreams["first"]


@BOTH
async def test_who_hangs_up_during_the_wait_ends_it(stream: bool) -> None:
    async with a_world(retry=ONCE, timeouts=PATIENT) as world:
        world.first.plays(limited(500), "ok")
        waiting = asyncio.create_task(served_by(world, stream=stream))
        await eventually(lambda: attempts(world) == ["first rate_limit"])

        waiting.cancel()
        await eventually(lambda: bool(world.requests()))
        await asyncio.sleep(0.6)

        assert world.requests()[-1].outcome == "cancelled"
        assert world.first.hits == 1
        assert world.second.hits == 0
