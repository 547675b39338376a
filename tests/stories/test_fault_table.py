"""The fault table: what an application of the real SDK sees of each fault, and how long it takes.

The clocks are the defaults and time is virtual, so the seconds are those of a day in production.
A healthy answer has 60 words and takes one second.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import openai
import pytest
import trustme
from aiohttp.resolver import ThreadedResolver

from sidecar.core.events import BreakerMoved
from sidecar.core.outcome import RequestOutcome
from sidecar.core.policies import AfterContent, RetryPolicy, Timeouts
from sidecar.core.settings import Settings
from sidecar.faults.answer import Answer, Scene
from sidecar.faults.catalog import (
    Effect,
    Fault,
    cut,
    fault,
    ok,
    reset,
    slow_first_token,
    slow_words,
    stall,
    status,
)
from sidecar.faults.fault import open_answer, send
from sidecar.faults.healthy import speech_of
from sidecar.faults.provider import ScriptedProvider
from sidecar.faults.refusals import LIMITED
from sidecar.faults.speech import encode
from sidecar.faults.steps import Send, Step, Wait
from sidecar.faults.wire import LAST_CHUNK, chunk
from tests.stories.world import MESSAGES, MODEL, World, a_world_of, eventually, settings_for
from tests.virtual import now_s, run

WORDS = 60
ANSWER_S = 1.0
NUMBERS = [f"w{number}" for number in range(WORDS)]
TEXT = " ".join(NUMBERS)
HEALTHY = Answer(text=TEXT, delay_s=ANSWER_S / (WORDS - 1))
AFTER_20 = " ".join(NUMBERS[:20])
FIRST_TOKEN_S = Timeouts().first_token_s
IDLE_S = Timeouts().idle_s
A_TICK_S = 0.001
TOOLS: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


@dataclass(slots=True)
class Seen:
    """What the application saw of one call."""

    text: str = ""
    error: openai.APIError | None = None
    seconds: float = 0.0
    finish: str | None = None
    tools: list[str] = field(default_factory=list)

    @property
    def is_served(self) -> bool:
        return self.error is None and self.text == TEXT and self.finish == "stop"


Ask = Callable[[World], Coroutine[Any, Any, Seen]]


async def streamed(world: World, **fields: Any) -> Seen:
    """One streamed call of the SDK, with its default retries."""
    seen, began_s = Seen(), now_s()
    try:
        stream = await sdk(world).chat.completions.create(
            model=MODEL, messages=MESSAGES, stream=True, **fields
        )
        async for chunk in stream:
            for choice in chunk.choices:
                seen.text += choice.delta.content or ""
                seen.finish = choice.finish_reason or seen.finish
                seen.tools += [call.id or "" for call in choice.delta.tool_calls or ()]
    except openai.APIError as error:
        seen.error = error
    seen.seconds = now_s() - began_s
    return seen


async def whole(world: World, **fields: Any) -> Seen:
    """One call of the SDK that is not streamed, with its default retries."""
    seen, began_s = Seen(), now_s()
    try:
        completion = await sdk(world).chat.completions.create(
            model=MODEL, messages=MESSAGES, **fields
        )
        seen.text = completion.choices[0].message.content or ""
        seen.finish = completion.choices[0].finish_reason
    except openai.APIError as error:
        seen.error = error
    seen.seconds = now_s() - began_s
    return seen


def sdk(world: World) -> openai.AsyncOpenAI:
    """The client as applications have it: it would try three times."""
    return world.openai.with_options(max_retries=openai.DEFAULT_MAX_RETRIES)


@asynccontextmanager
async def a_chain(mode: AfterContent = AfterContent.ERROR, **changes: Any) -> AsyncIterator[World]:
    """Two providers with the defaults of the configuration, healthy until told otherwise."""

    def settings_of(first: ScriptedProvider, second: ScriptedProvider) -> Settings:
        settings = settings_for(first, second, timeouts=Timeouts(), retry=RetryPolicy(), **changes)
        (route,) = settings.routes
        return replace(settings, routes=(replace(route, after_content=mode),))

    async with a_world_of(settings_of) as world:
        world.first.answer = world.second.answer = HEALTHY
        yield world


BOTH = pytest.mark.parametrize("ask", [streamed, whole], ids=["streamed", "whole"])


async def asked_with(ask: Ask, *script: Fault | str, **changes: Any) -> tuple[Seen, int, int]:
    """What is seen of a call while the first provider plays `script`, and who was hit how often."""
    async with a_chain(**changes) as world:
        world.first.plays(*script)
        seen = await ask(world)
        return seen, world.first.hits, world.second.hits


def limited(seconds: int) -> Fault:
    return status(429, LIMITED, retry_after=seconds)


# Served


@BOTH
def test_a_short_stated_wait_is_waited_for(ask: Ask) -> None:
    async def story() -> None:
        async with a_chain() as world:
            world.first.plays(limited(2), "ok")

            seen = await ask(world)

            assert seen.is_served
            assert 3.0 <= seen.seconds <= 3.2
            one, other = world.first.calls
            assert other.opened_s - one.opened_s >= 2.0
            assert world.second.hits == 0

    run(story)


QUICKLY = {
    "429 with a wait that is too long": ((limited(3),), 1.6, 1),
    "429 always, no header": (("rate_limit",), 1.6, 2),
    "500 once": (("status_500", "ok"), 1.3, 2),
    "500 always": (("status_500",), 1.6, 2),
    "502 once": (("status_502", "ok"), 1.3, 2),
    "503 always": (("status_503",), 1.6, 1),
    "reset before headers": (("reset_before_headers",), 1.3, 1),
    "closed before headers": (("close_before_headers",), 1.3, 1),
    "accepts and resets": (("accept_reset",), 1.3, 1),
    "refused": (("refuse",), 1.3, 0),
    "no HTTP": (("garbage",), 1.3, 1),
    "200 with an error": (("ok_error",), 1.6, 1),
    "HTML": (("ok_html",), 1.6, 1),
}


@BOTH
@pytest.mark.parametrize("row", QUICKLY.values(), ids=QUICKLY)
def test_it_is_served_quickly(row: tuple[tuple[Fault | str, ...], float, int], ask: Ask) -> None:
    script, within_s, most_hits = row

    seen, first_hits, _ = run(lambda: asked_with(ask, *script))

    assert seen.is_served
    assert ANSWER_S - A_TICK_S <= seen.seconds <= within_s
    assert first_hits <= most_hits


STREAMED_QUICKLY = {
    "error event": "error_first",
    "benign events, then an error": "error_after_preamble",
    "role, then an error": "error_after_role",
    "comments, then an end": "comments_then_end",
    "nothing": "nothing",
}


@pytest.mark.parametrize("name", STREAMED_QUICKLY.values(), ids=STREAMED_QUICKLY)
def test_an_error_before_the_first_word_is_not_seen(name: str) -> None:
    seen, first_hits, second_hits = run(lambda: asked_with(streamed, name))

    assert seen.is_served
    assert seen.seconds <= 1.6
    assert (first_hits, second_hits) == (1, 1)


def behind(scheme: str, host: str) -> Callable[..., Settings]:
    """Settings in which the first provider is looked for elsewhere than it is."""

    def settings_of(first: ScriptedProvider, second: ScriptedProvider) -> Settings:
        settings = settings_for(first, second, timeouts=Timeouts(), retry=RetryPolicy())
        (route,) = settings.routes
        address = f"{scheme}://{host}:{first.port}/v1"
        elsewhere = replace(settings.providers[0], base_url=address)
        chain = (replace(route.chain[0], provider=elsewhere), route.chain[1])
        providers = (elsewhere, settings.providers[1])
        return replace(settings, providers=providers, routes=(replace(route, chain=chain),))

    return settings_of


@BOTH
def test_a_certificate_of_nobody_we_trust_is_served_quickly(ask: Ask) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def story() -> None:
        first = ScriptedProvider("first", ssl_context=context)
        async with a_world_of(behind("https", "127.0.0.1"), first=first) as world:
            world.second.answer = HEALTHY
            seen = await ask(world)

            assert seen.is_served
            assert seen.seconds <= 1.3
            assert world.first.hits == 0

    run(story)


@BOTH
def test_a_name_that_does_not_resolve_is_served_quickly(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(ThreadedResolver, "resolve", nobody)

    async def story() -> None:
        async with a_world_of(behind("http", "nobody.invalid")) as world:
            world.second.answer = HEALTHY
            seen = await ask(world)

            assert seen.is_served
            assert seen.seconds <= 1.3

    run(story)


SILENT = {
    "accepts and never answers": "silence",
    "headers, then only comments": "comments_only",
    "headers, then nothing": "headers_then_silence",
    "first content after 20 s": slow_first_token(20.0),
}


@pytest.mark.parametrize("name", SILENT.values(), ids=SILENT)
def test_silence_is_served_by_the_next_after_one_clock(name: Fault | str) -> None:
    seen, first_hits, second_hits = run(lambda: asked_with(streamed, name))

    assert seen.is_served
    assert FIRST_TOKEN_S <= seen.seconds <= FIRST_TOKEN_S + 1.3
    assert (first_hits, second_hits) == (1, 1)


def test_silence_before_a_whole_answer_takes_the_clock_of_whole_answers() -> None:
    seen, first_hits, _ = run(lambda: asked_with(whole, "silence"))

    assert seen.is_served
    assert seen.seconds <= Timeouts().answer_s + 1.3
    assert first_hits == 1


@pytest.mark.parametrize("name", ["malformed_event", "no_done", "comments_between", "one_byte"])
def test_what_is_only_odd_is_served_by_the_first(name: str) -> None:
    seen, _, second_hits = run(lambda: asked_with(streamed, name))

    assert seen.is_served
    assert second_hits == 0


# Broken after the first content


WORDS_S = 20 * HEALTHY.delay_s
BROKEN = {
    "cut": (cut(20), WORDS_S),
    "reset": (reset(20), WORDS_S),
    "stalled": (stall(20), WORDS_S + IDLE_S),
    "no finish, no [DONE]": (fault("neither"), ANSWER_S),
}
ANY_BREAK = pytest.mark.parametrize("row", BROKEN.values(), ids=BROKEN)


@ANY_BREAK
def test_a_break_is_a_typed_error_and_never_looks_complete(row: tuple[Fault, float]) -> None:
    seen, first_hits, second_hits = run(lambda: asked_with(streamed, row[0]))

    assert seen.error is not None
    assert TEXT.startswith(seen.text)
    assert seen.text.startswith(AFTER_20)
    assert seen.finish is None
    assert (first_hits, second_hits) == (1, 0)
    assert seen.seconds <= row[1] + 0.3


@ANY_BREAK
def test_a_break_is_gone_on_with_by_the_next(row: tuple[Fault, float]) -> None:
    seen, first_hits, second_hits = run(
        lambda: asked_with(streamed, row[0], mode=AfterContent.RESUME)
    )

    assert seen.is_served
    assert (first_hits, second_hits) == (1, 1)
    assert seen.seconds <= row[1] + ANSWER_S + 0.3


@ANY_BREAK
def test_a_break_of_a_held_answer_is_not_seen(row: tuple[Fault, float]) -> None:
    seen, first_hits, second_hits = run(
        lambda: asked_with(streamed, row[0], mode=AfterContent.BUFFER)
    )

    assert seen.is_served
    assert (first_hits, second_hits) == (1, 1)
    assert seen.seconds <= row[1] + ANSWER_S + 0.3


@pytest.mark.parametrize("mode", [AfterContent.ERROR, AfterContent.RESUME])
def test_a_tool_call_that_was_begun_is_never_run_by_another(mode: AfterContent) -> None:
    async def story() -> None:
        async with a_chain(mode) as world:
            world.first.plays("tool_call_cut")

            seen = await streamed(world, tools=TOOLS)

            assert seen.error is not None
            assert seen.tools
            assert seen.finish is None
            assert world.second.hits == 0

    run(story)


# The caller's


def test_a_context_that_is_too_long_goes_to_a_window_that_may_be_larger() -> None:
    seen, first_hits, second_hits = run(lambda: asked_with(streamed, "context_length"))

    assert seen.is_served
    assert (first_hits, second_hits) == (1, 1)


@BOTH
def test_a_refusal_by_policy_is_returned_as_it_is(ask: Ask) -> None:
    seen, first_hits, second_hits = run(lambda: asked_with(ask, "content_filter"))

    assert isinstance(seen.error, openai.BadRequestError)
    assert seen.error.code == "content_filter"
    assert (first_hits, second_hits) == (1, 0)


# Outages


def test_an_outage_of_a_minute_is_not_noticed() -> None:
    async def story() -> None:
        async with a_chain() as world:
            world.first.plays("status_503")
            began_s = now_s()
            for number in range(20):
                await asyncio.sleep(max(0.0, began_s + 4 * number - now_s()))
                if number == 15:
                    hits_in_outage = world.first.hits
                    world.first.plays("ok")
                seen = await streamed(world)
                assert seen.is_served
                assert seen.seconds <= 1.6

            assert hits_in_outage == 3
            opened_s, back_s = [call.opened_s for call in world.first.calls][2:4]
            assert 60 - A_TICK_S <= back_s - opened_s <= 65
            assert await world.state_of("first") == "closed"

    run(story)


def test_once_open_a_provider_is_not_hit() -> None:
    async def story() -> None:
        async with a_chain() as world:
            world.first.plays("status_503")
            for _ in range(3):
                assert (await streamed(world)).is_served
            hits = world.first.hits

            for _ in range(5):
                seen = await streamed(world)
                assert seen.is_served
                assert seen.seconds <= ANSWER_S + 0.1
            assert world.first.hits == hits

    run(story)


@BOTH
@pytest.mark.parametrize("name", ["status_503", "refuse", "status_500", "reset_before_headers"])
def test_everybody_down_is_one_clear_error_of_one_call(name: str, ask: Ask) -> None:
    async def story() -> None:
        async with a_chain() as world:
            for provider in (world.first, world.second):
                provider.plays(name)

            seen = await ask(world)

            assert isinstance(seen.error, openai.InternalServerError)
            assert seen.error.status_code == 503
            assert seen.error.code == "all_providers_failed"
            assert seen.seconds <= 1.0
            assert len(world.requests()) == 1
            assert world.requests()[0].outcome is RequestOutcome.EXHAUSTED

    run(story)


def test_everybody_silent_is_one_clear_error_within_the_deadline() -> None:
    async def story() -> None:
        async with a_chain() as world:
            for provider in (world.first, world.second):
                provider.plays("silence")

            seen = await streamed(world)

            assert seen.error is not None
            assert "timeout_first_token" in str(seen.error)
            assert seen.seconds <= 2 * FIRST_TOKEN_S + 0.1
            assert (world.first.hits, world.second.hits) == (1, 1)
            assert len(world.requests()) == 1

    run(story)


def test_a_clients_own_deadline_shortens_the_chain() -> None:
    async def story() -> None:
        async with a_chain() as world:
            world.first.plays("silence")

            seen = await streamed(world, timeout=6.0)

            assert seen.is_served
            assert seen.seconds <= 6.0

    run(story)


# Sizes


@pytest.mark.parametrize("name", ["big_event", "tiny_events", "utf8", "one_byte"])
def test_the_text_is_the_same_however_it_comes(name: str) -> None:
    async def story() -> None:
        async with a_chain() as world:
            world.first.answer = replace(HEALTHY, delay_s=0.0)
            world.first.plays(name)
            direct = openai.AsyncOpenAI(base_url=world.first.base_url, api_key="none")
            stream = await direct.chat.completions.create(
                model=MODEL, messages=MESSAGES, stream=True
            )
            said = [
                choice.delta.content or "" async for chunk in stream for choice in chunk.choices
            ]
            await direct.close()

            seen = await streamed(world)

            assert seen.error is None
            assert seen.text == "".join(said)
            assert world.second.hits == 0

    run(story)


def a_byte_a_second(scene: Scene) -> Iterator[Step]:
    """The first word at once, the next byte by byte, the rest at once."""
    speech = speech_of(scene)
    first, slow, *rest = speech.words
    yield open_answer(scene)
    yield from send([*speech.opening, first])
    for byte in encode(slow):
        yield Wait(1.0)
        yield Send(chunk(bytes([byte])))
    yield from send([*rest, *speech.finish, *speech.usage, *speech.done])
    yield Send(LAST_CHUNK)


def test_a_byte_a_second_is_served_whole() -> None:
    async def story() -> None:
        async with a_chain() as world:
            world.first.plays(Fault("a_byte_a_second", "", Effect.SERVED, a_byte_a_second))

            seen = await streamed(world)

            assert seen.is_served
            assert seen.seconds > 100
            assert world.second.hits == 0

    run(story)


WAITED = limited(2)
LEAVING = {
    "while the head is awaited": "silence",
    "after the head": "headers_then_silence",
    "while comments come": "comments_only",
    "between words": slow_words(5.0),
    "while a wait is waited": WAITED,
    "while the next is asked": fault("status_503"),
}


@BOTH
@pytest.mark.parametrize("name", LEAVING.values(), ids=LEAVING)
def test_who_leaves_lets_everybody_go_at_once_and_moves_no_breaker(
    name: Fault | str, ask: Ask
) -> None:
    async def story() -> None:
        async with a_chain() as world:
            world.first.plays(name)
            world.second.plays("silence")
            asking = asyncio.create_task(ask(world))
            await asyncio.sleep(1.5)

            asking.cancel()
            left_s = now_s()
            await eventually(lambda: bool(world.requests()))

            calls = [*world.first.calls, *world.second.calls]
            closed_s = [call.closed_s for call in calls if call.closed_s is not None]
            assert all(at_s - left_s <= 0.1 for at_s in closed_s)
            assert bool(closed_s) == (name is not WAITED)
            assert world.requests()[0].outcome is RequestOutcome.CANCELLED
            assert not [one for one in world.events if isinstance(one, BreakerMoved)]
            hits = world.first.hits, world.second.hits
            await asyncio.sleep(30)
            assert (world.first.hits, world.second.hits) == hits
            assert [one.in_flight for one in world.sidecar._upstreams.values()] == [0, 0]

    run(story)


def test_who_takes_nothing_of_its_answer_holds_nobody_up_for_ever() -> None:
    async def story() -> None:
        async with a_chain() as world:
            world.first.plays(
                ok(words=60_000, delay_s=0.0)
            )  # more than lies in the buffers on its way
            host, port = str(world.sidecar.api).split(":")
            narrow = socket.socket()
            narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            narrow.connect((host, int(port)))
            _, writer = await asyncio.open_connection(sock=narrow, limit=1024)
            body = f'{{"model": "{MODEL}", "messages": [], "stream": true}}'
            head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: "
            writer.write(f"{head}{len(body)}\r\n\r\n{body}".encode())
            total_s = Timeouts().total_s
            await asyncio.sleep(total_s - 1)
            assert [one.in_flight for one in world.sidecar._upstreams.values()] == [1, 0]

            await asyncio.sleep(20)

            assert [one.in_flight for one in world.sidecar._upstreams.values()] == [0, 0]
            assert world.requests()[0].outcome is RequestOutcome.CANCELLED
            writer.transport.abort()

    run(story)


def test_a_deadline_is_told_as_one_every_time() -> None:
    async def story() -> None:
        async with a_chain() as world:
            for provider in (world.first, world.second):
                provider.plays("silence")
            for tenths in range(5, 25):
                answer = await world.http.post(
                    f"{world.api}/v1/chat/completions",
                    json={"model": MODEL, "messages": MESSAGES},
                    headers={"x-request-timeout": f"{tenths / 10}"},
                )
                assert (await answer.json())["error"]["code"] == "deadline_exceeded"

    run(story)


def test_the_last_of_a_chain_keeps_the_time_for_a_whole_answer() -> None:
    async def story() -> None:
        async with a_chain() as world:
            world.first.plays("silence")

            seen = await whole(world, timeout=4.0)

            assert seen.is_served
            assert seen.seconds <= 3.5

    run(story)
