"""Whoever asks us to stay away is passed over for as long as that, and blamed for nothing."""

from __future__ import annotations

import pytest

from sidecar.faults.catalog import Fault
from tests.stories.conformance.applications import (
    FIRST_OK,
    OF_SECOND,
    SECOND_OK,
    SHARED,
    STREAMED,
    Chain,
    chat,
    reset,
    url_of,
)
from tests.stories.conformance.scripts import says
from tests.stories.conformance.tongues import KINDS, geminis, refuses

pytestmark = SHARED

INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo"}
WAITS: dict[str, dict[float, Fault]] = {  # how each says how long to stay away
    "openai": {
        0.2: refuses("openai", 429, retry_after_ms=200),
        34.4: refuses("openai", 429, "Rate limit. Please try again in 34.4s."),
    },
    "gemini": {
        0.2: says(geminis(429, "Quota exceeded", {**INFO, "retryDelay": "0.2s"}), 429),
        34.4: says(geminis(429, "Quota exceeded", {**INFO, "retryDelay": "34.4s"}), 429),
    },
    "huggingface": {
        0.2: refuses("huggingface", 429, retry_after="0.2"),
        34.0: refuses("huggingface", 429, ratelimit='"api";r=0;t=34'),
    },
    "anthropic": {
        0.2: refuses("anthropic", 429, retry_after="0.2"),
        34.0: refuses("anthropic", 429, retry_after=34),
    },
    "cloudflare": {
        0.2: refuses("cloudflare", 429, retry_after="0.2"),
        34.0: refuses("cloudflare", 429, retry_after=34),
    },
}
LONGEST_WAIT_S = 2.0  # for the same provider


@STREAMED
@KINDS
async def test_a8_a_short_wait_never_costs_more_than_its_budget(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    desk["first"].plays(WAITS[kind][0.2])
    began_s = desk.clock.monotonic()
    told = await chat(url_of(desk), stream=stream)

    assert told.text == OF_SECOND
    assert desk.clock.monotonic() - began_s < LONGEST_WAIT_S
    assert 0 < (await desk.standing("first"))["cooldown_s"][0]["retry_in_s"] <= 1.0


@STREAMED
@KINDS
async def test_a9_a_long_wait_is_kept_to_the_second_and_counts_as_no_failure(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    wait_s, fault = next((s, fault) for s, fault in WAITS[kind].items() if s > 1)
    desk["first"].plays(fault, "ok")
    told = await chat(url_of(desk), stream=stream)
    standing = await desk.standing("first")

    assert told.attempts == ["first;rate_limit;429", SECOND_OK]
    assert standing["cooldown_s"][0]["retry_in_s"] == pytest.approx(wait_s, abs=0.5)
    assert standing["consecutive_failures"] == 0
    desk.clock.ahead_s += wait_s - 1
    assert (await chat(url_of(desk))).attempts == ["first;skipped;cooldown", SECOND_OK]
    desk.clock.ahead_s += 1
    assert (await chat(url_of(desk))).attempts == [FIRST_OK]


@STREAMED
async def test_a18_a_cold_model_is_passed_over_for_as_long_as_it_says(
    stream: bool, chain: Chain
) -> None:
    cold = {"error": "Model demo is currently loading", "estimated_time": 20.0}
    desk = await chain("huggingface")
    for code in (503, 200):  # older paths of theirs call it a success
        await reset(desk)
        desk["first"].plays(says(cold, code))
        told = await chat(url_of(desk), stream=stream)
        standing = await desk.standing("first")

        assert (told.text, told.attempts) == (OF_SECOND, [f"first;warming;{code}", SECOND_OK])
        assert standing["cooldown_s"][0]["retry_in_s"] == pytest.approx(20, abs=0.5)
        assert standing["consecutive_failures"] == 0
