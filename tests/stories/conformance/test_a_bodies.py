"""Whatever a provider's answer looks like, it is read for what it is, and little of it shown."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest

from sidecar.core.outcome import FAILURES, Outcome
from sidecar.faults.catalog import Fault, fault, status
from sidecar.faults.refusals import PAGE, Body
from sidecar.faults.speech import data
from tests.stories.conformance.applications import (
    BY_SDK,
    OF_SECOND,
    SDKS,
    SECOND_OK,
    SHARED,
    STREAMED,
    Chain,
    chat,
    failures,
    reset,
    url_of,
)
from tests.stories.conformance.scripts import says, streams
from tests.stories.conformance.tongues import KINDS, TONGUES, Json, anthropics, cloudflares, geminis

pytestmark = SHARED

MESSAGE_CHARS = 300


def packed(kind: str, code: int) -> Fault:
    """An error of `kind`, compressed although nobody asked for that."""
    body = gzip.compress(orjson.dumps(TONGUES[kind](code, "Something is wrong.")), mtime=0)
    return status(code, body, content_encoding="gzip")


def western(kind: str, code: int) -> Fault:
    """An error of `kind`, in another charset than JSON has."""
    body = orjson.dumps(TONGUES[kind](code, "Désolé, désolé.")).decode().encode("latin-1")
    return status(code, body)


def endless(kind: str, code: int) -> Fault:
    """An error of `kind` that fills five megabytes."""
    return status(code, TONGUES[kind](code, "so long " * 650_000))


def odd_bodies(kind: str, code: int) -> list[Fault]:
    """What an error may look like that is not what it should be."""
    made = [make(kind, code) for make in (packed, western, endless)]
    return [status(code, PAGE), status(code, b""), *made]


@STREAMED
@KINDS
async def test_a12_an_odd_body_is_read_by_its_status(kind: str, stream: bool, chain: Chain) -> None:
    desk = await chain(kind)
    for odd in odd_bodies(kind, 502):
        await reset(desk)
        desk["first"].plays(odd)
        told = await chat(url_of(desk), stream=stream)

        assert (told.text, told.attempts) == (OF_SECOND, ["first;server_error;502", SECOND_OK])
        assert await failures(desk) == 1


@KINDS
@BY_SDK
async def test_a12_no_more_of_an_odd_body_is_told_than_a_short_plain_sentence(
    sdk: str, kind: str, chain: Chain
) -> None:
    desk = await chain(kind, kind)
    messages = []
    for odd in odd_bodies(kind, 400):
        desk["first"].plays(odd)
        desk["second"].plays(odd)
        told = await SDKS[sdk](url_of(desk))
        messages.append(told.message)
        assert told.status == 400

    page, empty, unpacked, other_charset, cut_short = messages
    assert page == "502 Bad Gateway"
    assert empty == "The provider rejected the request."
    assert unpacked == "Something is wrong."
    assert other_charset == "D\ufffdsol\ufffd, d\ufffdsol\ufffd."
    assert len(cut_short) <= MESSAGE_CHARS


# Errors that call themselves a success, and what they say that they are, if they do.
UNHAPPY: dict[str, list[tuple[Any, Outcome | None]]] = {
    "openai": [
        (TONGUES["openai"](500, "It broke."), None),
        ({"error": {"code": 429, "message": "Slow down."}}, Outcome.RATE_LIMIT),
        ({"error": {"code": 502, "message": "The model is down."}}, Outcome.SERVER_ERROR),
        ({"error": {"code": 402, "message": "Nothing left."}}, Outcome.QUOTA_EXHAUSTED),
    ],
    "gemini": [
        (geminis(503, "The model is overloaded."), Outcome.OVERLOADED),
        (geminis(429, "Quota exceeded."), Outcome.RATE_LIMIT),
        (geminis(500, "An internal error."), Outcome.SERVER_ERROR),
    ],
    "huggingface": [
        ({"error": "Model is overloaded", "error_type": "overloaded"}, Outcome.OVERLOADED),
        ({"error": "Something is wrong"}, None),
    ],
    "anthropic": [
        (anthropics(529, "Overloaded"), Outcome.OVERLOADED),
        (anthropics(429, "Slow down."), Outcome.RATE_LIMIT),
        (anthropics(401, "invalid x-api-key"), Outcome.AUTH),
    ],
    "cloudflare": [
        (cloudflares(200, "Capacity temporarily exceeded", 3040), Outcome.OVERLOADED),
        (cloudflares(200, "AiError: failed to generate", 5012), None),
        ({"success": False, "error": [{"code": 2009, "message": "No."}]}, Outcome.AUTH),
    ],
}


@STREAMED
@KINDS
@BY_SDK
async def test_a13_an_error_that_calls_itself_a_success_is_judged_by_what_it_says(
    sdk: str, kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    for body, said in UNHAPPY[kind]:
        await reset(desk)
        desk["first"].plays(says(body))
        told = await SDKS[sdk](url_of(desk), stream=stream)

        outcome = said or Outcome.SERVER_ERROR
        assert (told.text, told.attempts) == (OF_SECOND, [f"first;{outcome};200", SECOND_OK])
        assert await failures(desk) == int(outcome in FAILURES)


@KINDS
@BY_SDK
async def test_a13_an_error_that_is_the_first_event_of_a_stream_is_judged_likewise(
    sdk: str, kind: str, chain: Chain
) -> None:
    desk = await chain(kind)
    for body, said in UNHAPPY[kind]:
        for event in (data(body), b"event: error\n" + data(body)):
            await reset(desk)
            desk["first"].plays(streams(event))
            told = await SDKS[sdk](url_of(desk), stream=True)

            outcome = said or Outcome.STREAM_ERROR
            assert (told.text, told.attempts) == (
                OF_SECOND,
                [f"first;{outcome};200", SECOND_OK],
            )
            assert await failures(desk) == int(outcome in FAILURES)


NO_ANSWERS: dict[str, Body | str] = {
    "a page": PAGE,
    "text": "It works!",
    "nothing": b"",
    "null": b"null",
    "a number": b"7",
    "a list": b"[]",
    "half": b'{"id": "chatcmpl-1", "choices": [{"index": 0, "mess',
}


@STREAMED
@KINDS
async def test_a14_what_is_no_answer_at_all_fails_over(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    for body in NO_ANSWERS.values():
        await reset(desk)
        desk["first"].plays(status(200, body))
        told = await chat(url_of(desk), stream=stream)

        assert (told.text, told.attempts) == (OF_SECOND, ["first;protocol;200", SECOND_OK])
        assert await failures(desk) == 1


@STREAMED
@KINDS
@BY_SDK
async def test_a15_an_answer_that_is_cut_short_fails_over(
    sdk: str, kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    for name, outcome in (("ok_half", "protocol"), ("ok_short", "transport")):
        await reset(desk)
        desk["first"].plays(fault(name))
        told = await SDKS[sdk](url_of(desk), stream=stream)

        assert (told.text, told.attempts) == (OF_SECOND, [f"first;{outcome};200", SECOND_OK])
        assert await failures(desk) == 1


WHOLE: Json = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
MESSAGE: Json = {"id": "1", "type": "message", "role": "assistant", "stop_reason": "end_turn"}
NO_CHOICES: list[Any] = [[], None, {}, "none", [None], [{}]]
NO_CONTENT: list[Any] = [None, {}, "none"]
HOLLOW = [WHOLE, *({**WHOLE, "choices": one} for one in NO_CHOICES)]
HOLLOW_MESSAGES = [MESSAGE, *({**MESSAGE, "content": one} for one in NO_CONTENT)]


@STREAMED
@KINDS
async def test_a16_an_answer_with_nothing_to_choose_from_fails_over(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    for body in HOLLOW_MESSAGES if kind == "anthropic" else HOLLOW:
        await reset(desk)
        desk["first"].plays(says(body))
        told = await chat(url_of(desk), stream=stream)

        assert (told.text, told.attempts) == (OF_SECOND, ["first;protocol;200", SECOND_OK])
        assert await failures(desk) == 1


@STREAMED
@pytest.mark.parametrize("kind", ["anthropic", "cloudflare"])
async def test_a16_a_message_with_nothing_in_it_fails_over(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    for body in HOLLOW_MESSAGES:
        await reset(desk)
        desk["first"].plays(says(body))
        told = await SDKS["anthropic"](url_of(desk), stream=stream)

        assert (told.text, told.attempts) == (OF_SECOND, ["first;protocol;200", SECOND_OK])
