"""Comments to the application while nobody has anything else to say."""

from __future__ import annotations

import asyncio
import json

import pytest

from sidecar.core.outcome import RequestOutcome
from sidecar.core.policies import AfterContent, Streaming, Timeouts
from sidecar.faults.catalog import ok
from tests.stories.test_faults import streamed
from tests.stories.world import MESSAGES, World, a_world, eventually

OFTEN = Streaming(keep_alive_s=0.1)
COMMENT = ": keep-alive"
PATIENT = Timeouts()


async def body_of(world: World, **fields: object) -> str:
    answer = await world.chat(stream=True, **fields)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    return await answer.text()


async def test_while_a_provider_thinks_comments_go_out() -> None:
    async with a_world(streaming=OFTEN, timeouts=PATIENT) as world:
        world.first.plays(ok(first_after_s=0.45))

        body = await body_of(world)

        before, _, rest = body.partition("data: ")
        assert before.count(COMMENT) >= 3
        assert COMMENT not in rest
        assert body.endswith("data: [DONE]\n\n")


async def test_what_the_head_could_not_say_follows_before_the_end() -> None:
    async with a_world(streaming=OFTEN, timeouts=Timeouts(first_token_s=0.3)) as world:
        world.first.plays("silence")

        answer = await world.chat(stream=True)
        body = await answer.text()

        assert "x-sidecar-provider" not in answer.headers
        told = dict(
            line.removeprefix(": ").split(": ")
            for line in body.splitlines()
            if line.startswith(": x-sidecar")
        )
        assert told["x-sidecar-provider"] == "second"
        assert told["x-sidecar-model"] == "second-model"
        assert told["x-sidecar-attempts"].startswith("first;timeout_first_token;0;0.3")
        assert told["x-sidecar-attempts"].count("second;ok;200") == 1
        assert body.endswith("data: [DONE]\n\n")


async def test_where_the_head_says_all_nothing_follows() -> None:
    async with a_world(streaming=OFTEN, timeouts=PATIENT) as world:
        assert "\n: " not in await body_of(world)


async def test_between_words_comments_go_out_too() -> None:
    async with a_world(streaming=OFTEN, timeouts=PATIENT) as world:
        world.first.plays(ok(words=2, delay_s=0.35))

        body = await body_of(world)

        _, _, after = body.partition('"content":"Hello"')
        assert after.count(COMMENT) >= 2


async def test_while_an_answer_is_held_comments_go_out() -> None:
    streaming = Streaming(keep_alive_s=0.1, after_content=AfterContent.BUFFER)
    async with a_world(streaming=streaming, timeouts=PATIENT) as world:
        world.first.plays(ok(words=5, delay_s=0.1))
        answer = await world.http.post(
            f"{world.api}/v1/chat/completions",
            json={"model": "gpt-4o", "messages": MESSAGES, "stream": True},
            headers={"x-sidecar-after-content": "buffer"},
        )

        body = await answer.text()

        before, _, rest = body.partition("data: ")
        assert before.count(COMMENT) >= 2
        assert COMMENT not in rest
        assert body.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
async def test_a_chain_that_fails_after_a_comment_ends_as_an_error_in_band(path: str) -> None:
    async with a_world(streaming=OFTEN, timeouts=Timeouts(first_token_s=0.25)) as world:
        world.first.plays("silence")
        world.second.plays("status_503")
        asked = {"model": "gpt-4o", "max_tokens": 9, "stream": True}
        said = {"input": "Hi"} if path == "/v1/responses" else {"messages": MESSAGES}

        answer = await world.http.post(f"{world.api}{path}", json={**asked, **said})
        body = await answer.text()

        last = body.strip().rpartition("data: ")[2]
        error = json.loads(last)["error"]
        assert "first: timeout_first_token, second: overloaded" in error["message"]
        assert "event: error" in body or path != "/v1/messages"
        assert ": x-sidecar-attempts: first;timeout_first_token" in body
        assert "[DONE]" not in body
        await eventually(lambda: bool(world.requests()))
        ended = world.requests()[-1]
        assert (ended.outcome, ended.code) == (RequestOutcome.EXHAUSTED, 200)


async def test_the_sdk_reads_past_comments() -> None:
    async with a_world(streaming=OFTEN, timeouts=Timeouts(first_token_s=0.4)) as world:
        world.first.plays("silence")
        world.second.plays(ok(first_after_s=0.25, delay_s=0.15))

        assert await streamed(world.openai) == "Hello from second."


async def test_off_is_silence() -> None:
    async with a_world(streaming=Streaming(keep_alive_s=None), timeouts=PATIENT) as world:
        world.first.plays(ok(first_after_s=0.3))

        assert COMMENT not in await body_of(world)


async def test_a_call_that_is_not_streamed_hears_no_comments() -> None:
    async with a_world(streaming=OFTEN, timeouts=PATIENT) as world:
        world.first.plays(ok(first_after_s=0.3))

        answer = await world.chat()

        assert (await answer.json())["choices"]


async def test_who_hangs_up_between_comments_is_noticed_at_once() -> None:
    async with a_world(streaming=OFTEN, timeouts=PATIENT) as world:
        world.first.plays("silence")
        answer = await world.chat(stream=True)
        assert await answer.content.readline() == b": keep-alive\n"

        answer.close()

        async with asyncio.timeout(0.5):
            await world.first.calls[0].closed_early.wait()
        await eventually(lambda: bool(world.requests()))
        assert world.requests()[-1].outcome is RequestOutcome.CANCELLED
