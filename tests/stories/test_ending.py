"""A sidecar that is told to leave ends what has begun by saying so; what it tells of it is true."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sidecar.core.outcome import RequestOutcome
from sidecar.core.policies import Hedge, RetryPolicy, Streaming, Timeouts
from sidecar.faults.answer import Answer
from sidecar.faults.catalog import cut, ok, stall
from tests.stories.test_retries import attempts
from tests.stories.world import CHAT, World, a_world, eventually

OFTEN = Streaming(keep_alive_s=0.1)
PATIENT = Timeouts()
TEXT = "one two three four five six seven"


async def body_of(world: World, mode: str = "error") -> str:
    """All that a streamed call hears."""
    answer = await world.http.post(
        f"{world.api}/v1/chat/completions",
        json={**CHAT, "stream": True},
        headers={"x-sidecar-after-content": mode},
    )
    return await answer.text()


CASES: dict[str, tuple[Any, str]] = {
    "only comments are out": ("silence", "error"),
    "an answer is held": (stall(4), "buffer"),
    "words are out": (stall(4), "error"),
    "another one is to go on": (cut(4), "resume"),
}


@pytest.mark.parametrize(("first", "mode"), CASES.values(), ids=CASES)
async def test_what_has_begun_ends_with_an_error_in_band(first: Any, mode: str) -> None:
    async with a_world(streaming=OFTEN, timeouts=PATIENT, drain_timeout_s=0.05) as world:
        for provider in (world.first, world.second):
            provider.answer = Answer(text=TEXT)
        world.first.plays(first)
        world.second.plays("silence")
        call = asyncio.create_task(body_of(world, mode))
        await asyncio.sleep(0.4)

        await world.sidecar.drain()
        body = await call

        assert '"error":' in body.rpartition("data: ")[2]
        assert "[DONE]" not in body
        assert '"finish_reason":"stop"' not in body
        await eventually(lambda: bool(world.requests()))
        assert world.requests()[-1].outcome in (
            RequestOutcome.INTERRUPTED,
            RequestOutcome.EXHAUSTED,
        )


@pytest.mark.parametrize("hedge", [Hedge(), Hedge(after=0.1)], ids=["alone", "hedged"])
@pytest.mark.parametrize("mode", ["whole", "buffer"])
async def test_what_has_not_begun_is_told_of_the_end(mode: str, hedge: Hedge) -> None:
    async with a_world(timeouts=PATIENT, hedge=hedge, drain_timeout_s=0.05) as world:
        world.first.plays(ok(words=100, delay_s=0.05))
        world.second.plays("silence")
        stream = {"stream": True} if mode == "buffer" else {}
        headers = {"x-sidecar-after-content": "buffer"}
        asked = world.http.post(
            f"{world.api}/v1/chat/completions", json={**CHAT, **stream}, headers=headers
        )
        call = asyncio.ensure_future(asked)
        await asyncio.sleep(0.4)

        await world.sidecar.drain()
        answer = await call

        assert answer.status == 503
        assert (await answer.json())["error"]["code"] == "shutting_down"
        assert answer.headers["x-sidecar-attempts"].startswith("first;cancelled;")
        assert "x-sidecar-provider" not in answer.headers
        assert world.requests()[-1].outcome is RequestOutcome.EXHAUSTED


async def test_a_held_answer_leaves_the_next_provider_its_time() -> None:
    async with a_world(timeouts=Timeouts(first_token_s=1.0, total_s=2.0)) as world:
        world.first.plays(ok(words=100, delay_s=0.05))

        body = await body_of(world, "buffer")

        assert "second" in body
        assert body.endswith("data: [DONE]\n\n")


async def test_what_is_passed_through_is_sent_once() -> None:
    async with a_world(retry=RetryPolicy(attempts=3), timeouts=PATIENT) as world:
        url = f"{world.api}/v1/fine_tuning/jobs"
        async with world.http.post(url, json={}) as answer:
            assert answer.status == 200  # now there is a pooled connection
        world.first.plays("reset_before_headers")

        async with world.http.post(url, json={}) as answer:
            assert answer.status == 503

        assert world.first.hits == 2


async def test_who_leaves_amid_a_held_answer_did_not_get_it() -> None:
    async with a_world(timeouts=PATIENT) as world:
        world.first.plays(ok(text="x" * 20_000_000))
        answer = await world.http.post(
            f"{world.api}/v1/chat/completions",
            json={**CHAT, "stream": True},
            headers={"x-sidecar-after-content": "buffer"},
        )
        await answer.content.readany()
        answer.close()

        await eventually(lambda: bool(world.requests()))
        assert world.requests()[-1].outcome is RequestOutcome.CANCELLED


async def test_the_first_token_is_the_applications_own() -> None:
    async with a_world(timeouts=PATIENT) as world:
        for provider in (world.first, world.second):
            provider.answer = Answer(text=TEXT)
        world.first.plays(cut(4))
        world.second.plays(ok(text=TEXT, first_after_s=0.5))
        await body_of(world, "resume")
        world.first.plays(ok(words=5, delay_s=0.1))
        await body_of(world, "buffer")
        await eventually(lambda: len(world.requests()) == 2)
        resumed, held = world.requests()

        assert resumed.ttft_s is not None
        assert resumed.ttft_s < 0.3  # the first word came from the first
        assert held.ttft_s is not None
        assert held.ttft_s > 0.35  # all words came with the last


async def test_time_that_is_waited_for_a_provider_is_not_our_own() -> None:
    async with a_world(streaming=OFTEN, timeouts=PATIENT) as world:
        world.first.plays("silence")
        answer = await world.chat(stream=True)
        await asyncio.sleep(0.3)
        answer.close()
        await eventually(lambda: bool(world.requests()))

        ours, _ = answer.headers["server-timing"].split(", ")
        assert float(ours.removeprefix("sidecar;dur=")) < 80
        assert world.requests()[-1].overhead_s < 0.1


async def test_the_wait_before_a_retry_is_not_our_own_either() -> None:
    async with a_world(retry=RetryPolicy(), timeouts=PATIENT) as world:
        world.first.plays("status_500", "ok")
        await world.chat()
        await eventually(lambda: bool(world.requests()))

        (request,) = world.requests()
        assert request.lost_s >= 0.05
        assert request.overhead_s < 0.05
        assert attempts(world)[0] == "first server_error"
