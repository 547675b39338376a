"""The sidecar owns the retries: no SDK multiplies them, and none gives up before it does."""

from __future__ import annotations

import pytest

from tests.stories.conformance.applications import (
    BY_SDK,
    FIRST_OK,
    OF_SECOND,
    SDKS,
    SHARED,
    STREAMED,
    Chain,
    a_chain,
    url_of,
)
from tests.stories.conformance.tongues import KINDS, refuses

pytestmark = SHARED

PATIENCE_S = 0.4


@STREAMED
@KINDS
@BY_SDK
async def test_e_an_outage_of_everybody_costs_each_one_try_of_one_call(
    sdk: str, kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind, kind)
    desk["first"].plays(refuses(kind, 503))
    desk["second"].plays(refuses(kind, 503))
    told = await SDKS[sdk](url_of(desk), stream=stream)

    assert (told.status, told.code) == (503, "all_providers_failed")
    assert (desk["first"].hits, desk["second"].hits) == (1, 1)
    assert told.tries == 1


@BY_SDK
async def test_e_what_a_provider_says_of_retries_goes_no_further(sdk: str, chain: Chain) -> None:
    desk = await chain("openai")
    for name in ("first", "second"):
        desk[name].plays(refuses("openai", 503, x_should_retry="true", retry_after_ms=1))
    told = await SDKS[sdk](url_of(desk))

    assert told.headers["x-should-retry"] == "false"
    assert told.tries == 1
    assert "retry-after-ms" not in told.headers
    assert (desk["first"].hits, desk["second"].hits) == (1, 1)


@STREAMED
@BY_SDK
async def test_e_an_sdk_that_waits_for_less_than_the_chain_hears_of_it_in_time(
    sdk: str, stream: bool, chain: Chain
) -> None:
    desk = await chain("openai")
    desk["first"].plays("silence")
    desk["second"].plays("silence")
    began_s = desk.clock.monotonic()
    told = await SDKS[sdk](url_of(desk), stream=stream, timeout=PATIENCE_S)

    assert desk.clock.monotonic() - began_s < 2 * PATIENCE_S  # it timed out nowhere
    assert (told.status, told.code) == (504, "deadline_exceeded")
    assert told.headers["x-should-retry"] == "false"
    assert told.tries == 1
    assert (desk["first"].hits, desk["second"].hits) == (1, 1)


@STREAMED
@BY_SDK
async def test_e_a_short_deadline_leaves_the_next_provider_its_share(
    sdk: str, stream: bool, chain: Chain
) -> None:
    desk = await chain("openai")
    desk["first"].plays("silence")
    told = await SDKS[sdk](url_of(desk), stream=stream, timeout=PATIENCE_S)

    assert told.text == OF_SECOND


@BY_SDK
@pytest.mark.parametrize(("count", "told"), [("0", None), ("2", 2)])
async def test_e_a_retry_of_the_sdks_own_is_logged(sdk: str, count: str, told: int | None) -> None:
    async with a_chain("openai") as desk:
        headers = {"x-stainless-retry-count": count}
        answer = await SDKS[sdk](url_of(desk), extra_headers=headers)

        assert answer.attempts == [FIRST_OK]
        assert desk.logged("request")[0].get("client_retry") == told
