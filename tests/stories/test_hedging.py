"""A second provider asked beside a slow one: whoever shows something first answers."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.core.events import AttemptEnded, BreakerMoved, FailedOver, Hedged
from sidecar.core.outcome import RequestOutcome
from sidecar.core.policies import (
    BreakerPolicy,
    Hedge,
    RetryBudget,
    RetryPolicy,
    Streaming,
    Timeouts,
    UpstreamMode,
)
from sidecar.faults.catalog import cut, ok
from tests.stories.test_retries import attempts, served_by
from tests.stories.world import CHAT, ONE_TRY, World, a_world, eventually

SOON = Hedge(after=0.1)
PATIENT = Timeouts()
SLOW = ok(first_after_s=2.0)


def hedged(world: World) -> list[str]:
    """What became of those asked beside another."""
    events = [event for event in world.events if isinstance(event, Hedged)]
    return [f"{event.provider} {event.result}" for event in events]


async def test_the_next_answers_where_the_first_is_slow() -> None:
    async with a_world(hedge=SOON, timeouts=PATIENT) as world:
        world.first.plays(SLOW)

        answer = await world.chat(stream=True)
        body = await answer.text()

        assert "second" in body
        assert body.endswith("data: [DONE]\n\n")
        told = [one.split(";")[:2] for one in answer.headers["x-sidecar-attempts"].split(", ")]
        assert told == [["first", "hedge_lost"], ["second", "ok"]]
        await eventually(lambda: len(attempts(world)) == 2)
        assert attempts(world) == ["first hedge_lost", "second ok"]
        assert hedged(world) == ["second won"]


async def test_the_slower_one_is_let_go_at_once_and_counts_for_nobody() -> None:
    policy = BreakerPolicy(failure_threshold=1)
    async with a_world(hedge=SOON, timeouts=PATIENT, policy=policy) as world:
        world.first.plays(SLOW)

        assert await served_by(world, stream=True) == "second"

        async with asyncio.timeout(0.1):
            await world.first.calls[0].closed_early.wait()
        assert await world.state_of("first") == "closed"
        assert not [event for event in world.events if isinstance(event, BreakerMoved)]


async def test_a_hedge_that_wins_is_no_failover() -> None:
    async with a_world(hedge=SOON, timeouts=PATIENT) as world:
        world.first.plays(SLOW)
        await served_by(world, stream=True)
        await eventually(lambda: bool(world.requests()))

        assert world.requests()[-1].outcome is RequestOutcome.SUCCESS
        assert not [event for event in world.events if isinstance(event, FailedOver)]


async def test_the_first_may_still_win() -> None:
    async with a_world(hedge=SOON, timeouts=PATIENT) as world:
        world.first.plays(ok(first_after_s=0.25))
        world.second.plays(SLOW)

        assert await served_by(world, stream=True) == "first"

        assert hedged(world) == ["second lost"]
        assert "second hedge_lost" in attempts(world)
        await eventually(lambda: bool(world.requests()))
        assert world.requests()[-1].outcome is RequestOutcome.SUCCESS


async def test_nobody_else_is_asked_where_the_first_is_quick() -> None:
    async with a_world(hedge=SOON, timeouts=PATIENT) as world:
        assert await served_by(world, stream=True) == "first"

        await asyncio.sleep(0.2)
        assert world.second.hits == 0
        assert hedged(world) == []


async def test_a_first_that_fails_while_the_second_is_at_work_is_a_failover() -> None:
    async with a_world(hedge=SOON, timeouts=Timeouts(first_token_s=0.3)) as world:
        world.first.plays("silence")
        world.second.plays(ok(first_after_s=0.28))

        assert await served_by(world, stream=True) == "second"

        assert attempts(world)[0] == "first timeout_first_token"
        failed_over = [event for event in world.events if isinstance(event, FailedOver)]
        assert [(one.from_provider, one.to_provider) for one in failed_over] == [
            ("first", "second")
        ]
        await eventually(lambda: bool(world.requests()))
        assert world.requests()[-1].outcome is RequestOutcome.FAILOVER_SUCCESS


async def test_both_may_fail() -> None:
    async with a_world(hedge=SOON, timeouts=Timeouts(first_token_s=0.3)) as world:
        world.first.plays("silence")
        world.second.plays("status_503")

        answer = await world.chat(stream=True)

        assert answer.status == 503
        assert (await answer.json())["error"]["code"] == "all_providers_failed"
        assert (world.first.hits, world.second.hits) == (1, 1)
        assert hedged(world) == ["second lost"]


async def test_hedges_are_within_the_budget() -> None:
    broke = RetryPolicy(attempts=0, budget=RetryBudget(ratio=0.0, floor=0))
    async with a_world(hedge=SOON, timeouts=PATIENT, retry=broke) as world:
        world.first.plays(ok(first_after_s=0.3))

        assert await served_by(world, stream=True) == "first"

        assert world.second.hits == 0
        assert hedged(world) == ["second no_budget"]


async def test_who_was_too_dear_to_ask_beside_is_still_there_to_fail_over_to() -> None:
    broke = RetryPolicy(attempts=0, budget=RetryBudget(ratio=0.0, floor=0))
    timeouts = Timeouts(first_token_s=0.3)
    async with a_world(hedge=SOON, timeouts=timeouts, retry=broke) as world:
        world.first.plays("silence")

        assert await served_by(world, stream=True) == "second"


async def test_usually_is_what_the_last_calls_took() -> None:
    async with a_world(hedge=Hedge(after="p95"), timeouts=PATIENT) as world:
        world.first.plays(ok(first_after_s=0.02))
        for _ in range(20):
            await served_by(world, stream=True)
        assert world.second.hits == 0  # nobody knew what is usual
        world.first.plays(SLOW)

        assert await served_by(world, stream=True) == "second"

        assert hedged(world) == ["second won"]


async def test_an_unstreamed_call_is_hedged_only_where_its_answer_is_streamed_to_us() -> None:
    streaming = Streaming(upstream=UpstreamMode.ALWAYS)
    async with a_world(hedge=SOON, timeouts=PATIENT, streaming=streaming) as world:
        world.first.plays(SLOW)
        assert await served_by(world) == "second"
    async with a_world(hedge=SOON, timeouts=PATIENT) as world:
        world.first.plays(ok(first_after_s=0.3))
        assert await served_by(world) == "first"
        assert world.second.hits == 0


@pytest.mark.parametrize("leave_after_s", [0.05, 0.3], ids=["before", "during"])
async def test_who_hangs_up_lets_both_go_at_once(leave_after_s: float) -> None:
    async with a_world(hedge=SOON, timeouts=PATIENT, retry=ONE_TRY) as world:
        world.first.plays("silence")
        world.second.plays("headers_then_silence")
        call = asyncio.create_task(world.chat(stream=True))
        await asyncio.sleep(leave_after_s)

        call.cancel()
        left_s = asyncio.get_running_loop().time()
        for provider in (world.first, world.second):
            for one in provider.calls:
                await asyncio.wait_for(one.closed_early.wait(), 1)

        assert asyncio.get_running_loop().time() - left_s < 0.1
        await eventually(lambda: bool(world.requests()))
        assert {one.partition(" ")[2] for one in attempts(world)} == {"cancelled"}
        ended = [event for event in world.events if isinstance(event, AttemptEnded)]
        assert len(ended) == world.first.hits + world.second.hits


async def test_who_has_begun_to_answer_is_not_hedged_while_the_answer_is_put_together() -> None:
    streaming = Streaming(upstream=UpstreamMode.ALWAYS)
    async with a_world(hedge=SOON, timeouts=PATIENT, streaming=streaming) as world:
        world.first.plays(ok(words=10, delay_s=0.04))

        assert await served_by(world) == "first"

        assert world.second.hits == 0


async def test_who_has_begun_to_answer_is_not_hedged_while_the_answer_is_held() -> None:
    async with a_world(hedge=SOON, timeouts=PATIENT) as world:
        world.first.plays(ok(words=10, delay_s=0.04))

        answer = await world.http.post(
            f"{world.api}/v1/chat/completions",
            json={**CHAT, "stream": True},
            headers={"x-sidecar-after-content": "buffer"},
        )

        assert (await answer.text()).endswith("data: [DONE]\n\n")
        assert world.second.hits == 0


async def test_a_winner_that_breaks_before_anybody_heard_of_it_fails_over() -> None:
    streaming = Streaming(upstream=UpstreamMode.ALWAYS)
    async with a_world(hedge=SOON, timeouts=PATIENT, streaming=streaming) as world:
        world.first.plays(SLOW, "ok")
        world.second.plays(cut(2))

        assert await served_by(world) == "first"

        assert attempts(world) == ["first hedge_lost", "second transport", "first ok"]
