"""What was spent: every answer's tokens are counted and priced, whoever asked for the count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from sidecar.faults.answer import Scene
from sidecar.faults.catalog import Effect, Fault, status
from sidecar.faults.changes import finish_as, leave_out, rewrite
from sidecar.faults.fault import headers, speak, stream
from sidecar.faults.healthy import body_of, speech_of
from sidecar.faults.steps import Send, Step
from sidecar.faults.wire import whole
from tests.stories.desk import Desk, Json, a_desk
from tests.stories.voices import VOICES, Voice, Wish
from tests.stories.world import CHAT

CONFIG = """
providers:
  first: {{kind: {kind}, base_url: "${{FIRST}}", api_key: key-of-first}}
  second: {{kind: openai, base_url: "${{SECOND}}", api_key: key-of-second}}
routes:
  - {{models: [unpriced], chain: [first/claude-opus-5-5]}}
  - {{models: [own], chain: [first]}}
  - {{models: ["*"], chain: [first/claude-haiku-5-5, second/a-model]}}
prices:
  first/claude-haiku-5-5: {{input: 2, {cached} output: 10}}
"""
KINDS = pytest.mark.parametrize("kind", ["openai", "gemini", "anthropic"])
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
SPOKEN = pytest.mark.parametrize("voice", VOICES.values(), ids=VOICES.keys())
INPUT, OUTPUT = 7, 3  # of "Hello from first."
PRICE_USD = (INPUT * 2 + OUTPUT * 10) / 1e6


def desk_of(
    kind: str = "openai", cached: str = "cached_input: 0.5,"
) -> AbstractAsyncContextManager[Desk]:
    return a_desk(CONFIG.format(kind=kind, cached=cached))


async def tokens(desk: Desk, provider: str = "first") -> tuple[float, float, float]:
    """What was counted of a provider: input, output, and how much of the input was cached."""
    count = [
        await desk.counted("tokens_total", provider=provider, type=one)
        for one in ("input", "output", "cached_input")
    ]
    return count[0], count[1], count[2]


async def usd(desk: Desk) -> float:
    return await desk.counted("cost_usd_total", provider="first")


def logged_tokens(desk: Desk) -> list[tuple[object, object]]:
    """What the access log says of each request."""
    return [(line.get("tokens_in"), line.get("tokens_out")) for line in desk.logged("request")]


@KINDS
@SPOKEN
async def test_every_answer_is_counted_and_priced(kind: str, voice: Voice) -> None:
    async with desk_of(kind) as desk:
        assert (await voice.ask(f"http://{desk.sidecar.api}", Wish())).text == "Hello from first."

        assert await tokens(desk) == (INPUT, OUTPUT, 0)
        assert await usd(desk) == pytest.approx(PRICE_USD)
        assert logged_tokens(desk) == [(INPUT, OUTPUT)]
        assert await desk.counted("usage_missing_total", provider="first") == 0
        assert await desk.counted("unpriced_tokens_total", provider="first") == 0


@STREAMED
async def test_text_completions_are_counted(streamed: bool) -> None:
    async with desk_of() as desk:
        await desk.ask("/v1/completions", model="m", prompt="Say hello.", stream=streamed)

        assert await tokens(desk) == (INPUT, OUTPUT, 0)


async def test_embeddings_cost_their_input() -> None:
    async with desk_of() as desk:
        await desk.ask("/v1/embeddings", model="m", input="Say hello.")

        assert await tokens(desk) == (INPUT, 0, 0)
        assert await usd(desk) == pytest.approx(INPUT * 2 / 1e6)


async def test_who_answered_is_who_is_paid() -> None:
    async with desk_of() as desk:
        desk["first"].plays(status(500))
        await desk.chat()

        assert (await tokens(desk), await tokens(desk, "second")) == ((0, 0, 0), (INPUT, OUTPUT, 0))


# The count that nobody asked for


def chunks(text: str) -> list[Json]:
    """The chunks of a streamed chat completion."""
    events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data:")]
    return [json.loads(event) for event in events if event != "[DONE]"]


@pytest.mark.parametrize("kind", ["openai", "gemini"])
async def test_a_stream_is_asked_to_count_although_the_application_did_not(kind: str) -> None:
    async with desk_of(kind) as desk:
        await desk.chat(stream=True)

        assert desk["first"].calls[-1].json["stream_options"] == {"include_usage": True}


@KINDS
async def test_and_the_application_hears_nothing_of_it(kind: str) -> None:
    async with desk_of(kind) as desk:
        said = chunks((await desk.chat(stream=True)).text)

        assert [chunk for chunk in said if chunk.get("usage") or not chunk["choices"]] == []


@KINDS
async def test_who_asks_for_the_count_hears_it_once_and_last(kind: str) -> None:
    async with desk_of(kind) as desk:
        heard = await desk.chat(stream=True, stream_options={"include_usage": True})

        *others, last = chunks(heard.text)
        assert last["choices"] == []
        assert (last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]) == (7, 3)
        assert {chunk["usage"] for chunk in others} == {None}


async def test_an_answer_that_is_not_streamed_is_not_asked_for_a_count() -> None:
    async with desk_of() as desk:
        await desk.chat()

        assert "stream_options" not in desk["first"].calls[-1].json


# Cached input, and thoughts


def in_other_words(old: bytes, new: bytes) -> Fault:
    """A good answer in which `new` stands for `old`."""

    def play(scene: Scene) -> Iterator[Step]:
        if scene.streams:
            yield from speak(scene, rewrite(lambda said: said.replace(old, new))(speech_of(scene)))
            return
        body, kind = body_of(scene)
        yield Send(whole(200, headers(scene, kind), body.replace(old, new)))

    return Fault("other_words", "says the same otherwise", Effect.SERVED, play)


CACHED = {
    "openai": in_other_words(
        b'"prompt_tokens":7', b'"prompt_tokens":100,"prompt_tokens_details":{"cached_tokens":60}'
    ),
    "anthropic": in_other_words(
        b'"input_tokens":7', b'"input_tokens":40,"cache_read_input_tokens":60'
    ),
    "responses": in_other_words(
        b'"input_tokens":7,"input_tokens_details":{"cached_tokens":0',
        b'"input_tokens":100,"input_tokens_details":{"cached_tokens":60',
    ),
}
MESSAGE = {"max_tokens": 9, "messages": [{"role": "user", "content": "Say hello."}]}
CALLS = pytest.mark.parametrize(
    ("kind", "path", "fields", "said"),
    [
        ("openai", "/v1/chat/completions", CHAT, CACHED["openai"]),
        ("gemini", "/v1/chat/completions", CHAT, CACHED["openai"]),
        ("anthropic", "/v1/chat/completions", CHAT, CACHED["anthropic"]),
        ("anthropic", "/v1/messages", MESSAGE, CACHED["anthropic"]),
        ("gemini", "/v1/messages", MESSAGE, CACHED["openai"]),
        ("openai", "/v1/responses", {"input": "Say hello."}, CACHED["responses"]),
        ("anthropic", "/v1/responses", {"input": "Say hello."}, CACHED["anthropic"]),
    ],
    ids=lambda value: value.rpartition("/")[2] if isinstance(value, str) else "",
)


@CALLS
@STREAMED
async def test_cached_input_has_its_own_price(
    kind: str, path: str, fields: Json, said: Fault, streamed: bool
) -> None:
    async with desk_of(kind) as desk:
        desk["first"].plays(said)
        await desk.ask(path, **{**fields, "model": "m", "stream": streamed})

        assert await tokens(desk) == (100, OUTPUT, 60)
        assert await usd(desk) == pytest.approx((40 * 2 + 60 * 0.5 + OUTPUT * 10) / 1e6)


async def test_without_a_price_of_its_own_cached_input_costs_as_input() -> None:
    async with desk_of(cached="") as desk:
        desk["first"].plays(CACHED["openai"])
        await desk.chat()

        assert await usd(desk) == pytest.approx((100 * 2 + OUTPUT * 10) / 1e6)


@STREAMED
async def test_thoughts_that_gemini_counts_in_the_total_alone_are_output(streamed: bool) -> None:
    async with desk_of("gemini") as desk:
        desk["first"].plays(in_other_words(b'"total_tokens":10', b'"total_tokens":50'))
        await desk.chat(stream=streamed)

        assert await tokens(desk) == (INPUT, 50 - INPUT, 0)


# What has no price, and what was not counted


async def test_whatever_model_the_application_names_may_have_one_price() -> None:
    text = CONFIG.format(kind="openai", cached="") + "  first/*: {input: 1, output: 1}\n"
    async with a_desk(text) as desk:
        await desk.chat(model="own")

        assert await usd(desk) == pytest.approx((INPUT + OUTPUT) / 1e6)


@pytest.mark.parametrize("model", ["unpriced", "own"])
async def test_tokens_without_a_price_are_counted_as_such(model: str) -> None:
    async with desk_of() as desk:
        await desk.chat(model=model)

        assert await desk.counted("unpriced_tokens_total", provider="first") == INPUT + OUTPUT
        assert await usd(desk) == 0


UNCOUNTED = {
    "openai": stream(leave_out("usage")),
    "gemini": stream(leave_out("usage")),
    "anthropic": in_other_words(b'"usage":', b'"abusage":').script,
}


@KINDS
async def test_a_good_answer_without_a_count_is_counted_as_missing(kind: str) -> None:
    async with desk_of(kind) as desk:
        desk["first"].plays(Fault("u", "does not count", Effect.SERVED, UNCOUNTED[kind]))
        await desk.chat(stream=True)

        assert await desk.counted("usage_missing_total", provider="first") == 1
        assert await tokens(desk) == (0, 0, 0)
        assert logged_tokens(desk) == [(None, None)]


async def test_a_failed_attempt_misses_no_count() -> None:
    async with desk_of() as desk:
        desk["first"].plays(status(500))
        await desk.chat()

        assert await desk.counted("usage_missing_total") == 0


# What is paid for although nobody got an answer

FILTERED = finish_as("content_filter")


def filtered(scene: Scene) -> Iterator[Step]:
    """Says something, and that its policy refused it."""
    if scene.streams:
        yield from speak(scene, FILTERED(replace(speech_of(scene), words=[])))
    else:
        yield from in_other_words(b'"stop"', b'"content_filter"').script(scene)


@STREAMED
async def test_an_answer_that_policy_refused_is_paid_for(streamed: bool) -> None:
    text = CONFIG.format(kind="openai", cached="") + "content_filter: fail_over\n"
    async with a_desk(text) as desk:
        desk["first"].plays(Fault("filtered", "refuses", Effect.CALLER, filtered))

        heard = await desk.chat(stream=streamed)

        assert heard.attempts == ["first;content_filter;200", "second;ok;200"]
        assert await tokens(desk) == (INPUT, OUTPUT, 0)


async def test_of_an_answer_that_broke_off_is_paid_what_was_counted() -> None:
    async with desk_of("anthropic") as desk:
        desk["first"].plays("end_after_words")
        await desk.chat(stream=True)

        assert await tokens(desk) == (INPUT, 1, 0)
        assert logged_tokens(desk) == [(INPUT, 1)]


async def test_what_is_passed_through_misses_no_count() -> None:
    async with desk_of() as desk:
        await desk.ask("/v1/moderations", input="Say hello.")

        assert await desk.counted("usage_missing_total") == 0
