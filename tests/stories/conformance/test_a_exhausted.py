"""When nobody can answer, the application hears one final word of it."""

from __future__ import annotations

import anthropic
import openai
import pytest

from sidecar.core.outcome import Outcome
from sidecar.faults.catalog import Fault, fault
from tests.stories.conformance.applications import (
    BY_SDK,
    SDKS,
    SHARED,
    STREAMED,
    Chain,
    reset,
    url_of,
)
from tests.stories.conformance.tongues import KINDS, refuses

pytestmark = SHARED

LIMITED = (openai.RateLimitError, anthropic.RateLimitError)
DOWN = (openai.InternalServerError, anthropic.InternalServerError)
MESSAGE_CHARS = 300


@STREAMED
@KINDS
@BY_SDK
async def test_a10_everybody_rate_limited_is_a_rate_limit_until_the_first_is_back(
    sdk: str, kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind, kind)
    desk["first"].plays(refuses(kind, 429, retry_after=30))
    desk["second"].plays(refuses(kind, 429, retry_after=12))
    for attempts in (
        ["first;rate_limit;429", "second;rate_limit;429"],
        ["first;skipped;cooldown", "second;skipped;cooldown"],
    ):
        told = await SDKS[sdk](url_of(desk), stream=stream)

        assert isinstance(told.error, LIMITED)
        assert told.code == "rate_limit_exceeded"
        assert told.headers["retry-after"] == "12"
        assert told.headers["x-should-retry"] == "false"
        assert told.tries == 1
        assert told.attempts == attempts
    assert (desk["first"].hits, desk["second"].hits) == (1, 1)


# What each of two providers says, and what that comes to.
MIXED: list[tuple[tuple[int, str], tuple[int, str]]] = [
    ((503, "overloaded"), (429, "rate_limit")),
    ((401, "auth"), (500, "server_error")),
    ((400, "bad_request"), (504, "timeout_upstream")),
    ((402, "quota_exhausted"), (403, "forbidden")),
    ((429, "rate_limit"), (529, "overloaded")),
]


@KINDS
@BY_SDK
async def test_a11_everybody_failing_in_his_own_way_is_one_final_error(
    sdk: str, kind: str, chain: Chain
) -> None:
    desk = await chain(kind, kind)
    for codes in MIXED:
        await reset(desk)
        for name, (code, _) in zip(("first", "second"), codes, strict=True):
            desk[name].plays(refuses(kind, code, f"<b>{name}</b> has something to say"))
        told = await SDKS[sdk](url_of(desk))

        assert isinstance(told.error, DOWN)
        assert (told.status, told.code) == (503, "all_providers_failed")
        assert [f"{one['outcome']};{one['status']}" for one in told.body["attempts"]] == [
            f"{outcome};{code}" for code, outcome in codes
        ]
        assert told.headers["x-should-retry"] == "false"
        assert told.tries == 1
        assert len(told.message) <= MESSAGE_CHARS
        assert "<" not in told.message
    assert (desk["first"].hits, desk["second"].hits) == (len(MIXED), len(MIXED))


FALLEN = [("close_before_headers", Outcome.TRANSPORT), ("ok_html", Outcome.PROTOCOL)]


@STREAMED
@BY_SDK
async def test_a11_everybody_broken_is_one_final_error_too(
    sdk: str, stream: bool, chain: Chain
) -> None:
    desk = await chain("openai")
    faults: list[Fault] = [fault(name) for name, _ in FALLEN]
    desk["first"].plays(faults[0])
    desk["second"].plays(faults[1])
    told = await SDKS[sdk](url_of(desk), stream=stream)

    assert (told.status, told.code) == (503, "all_providers_failed")
    assert [one["outcome"] for one in told.body["attempts"]] == [outcome for _, outcome in FALLEN]
    assert (desk["first"].hits, desk["second"].hits) == (1, 1)


@BY_SDK
@pytest.mark.parametrize("kind", ["openai", "anthropic"])
async def test_a11_every_breaker_open_is_said_with_the_time_until_one_is_not(
    sdk: str, kind: str, chain: Chain
) -> None:
    desk = await chain(kind, kind)
    desk["first"].plays(refuses(kind, 500))
    desk["second"].plays(refuses(kind, 500))
    told = [await SDKS[sdk](url_of(desk)) for _ in range(4)]

    assert [one.code for one in told] == ["all_providers_failed"] * 3 + ["all_providers_open"]
    assert told[-1].headers["x-should-retry"] == "false"
    assert told[-1].tries == 1
    assert 55 <= int(told[-1].headers["retry-after"]) <= 60
    assert desk["first"].hits == desk["second"].hits == 3
