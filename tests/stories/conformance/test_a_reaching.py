"""Providers that cannot be reached, or that break off before they have said anything."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trustme
from aiohttp.resolver import ThreadedResolver

from sidecar.core.outcome import Outcome
from sidecar.faults.provider import ScriptedProvider
from tests.stories.conformance.applications import (
    BY_SDK,
    OF_FIRST,
    OF_SECOND,
    SDKS,
    SECOND_OK,
    SHARED,
    STREAMED,
    Chain,
    a_chain,
    chat,
    failures,
    reset,
    url_of,
)
from tests.stories.conformance.tongues import KINDS

pytestmark = SHARED

BREAKS = {
    **dict.fromkeys(("accept_close", "accept_reset", "half_header"), Outcome.TRANSPORT),
    **dict.fromkeys(("close_before_headers", "reset_before_headers"), Outcome.TRANSPORT),
    "garbage": Outcome.PROTOCOL,
}
STALLS = ("half_header_stall", "headers_then_silence")


@STREAMED
@KINDS
async def test_a22_a_connection_that_is_refused_fails_over(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    desk["first"].plays("refuse")
    told = await chat(url_of(desk), stream=stream)

    assert (told.text, told.attempts) == (OF_SECOND, ["first;connect;0", SECOND_OK])
    assert await failures(desk) == 1

    desk["first"].plays("ok")
    await desk["first"].listen()

    assert (await chat(url_of(desk), stream=stream)).text == OF_FIRST


@STREAMED
@BY_SDK
async def test_a22_a_name_that_does_not_resolve_fails_over(
    sdk: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: object, **__: object) -> None:
        raise OSError(None, "no such host")

    monkeypatch.setattr(ThreadedResolver, "resolve", nobody)
    async with a_chain("openai", url="http://nobody.test/v1") as desk:
        told = await SDKS[sdk](url_of(desk), stream=stream)

        assert (told.text, told.attempts) == (OF_SECOND, ["first;connect;0", SECOND_OK])
        assert await failures(desk) == 1


@asynccontextmanager
async def an_impostor() -> AsyncIterator[ScriptedProvider]:
    """A provider behind TLS whose certificate nobody vouches for."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with ScriptedProvider("impostor", ssl_context=context) as provider:
        yield provider


@STREAMED
@BY_SDK
async def test_a22_a_certificate_that_nobody_vouches_for_fails_over(sdk: str, stream: bool) -> None:
    async with an_impostor() as impostor, a_chain("openai", url=impostor.base_url) as desk:
        told = await SDKS[sdk](url_of(desk), stream=stream)

        assert (told.text, told.attempts) == (OF_SECOND, ["first;connect;0", SECOND_OK])
        assert await failures(desk) == 1
        assert impostor.hits == 0


@STREAMED
@KINDS
async def test_a22_a_connection_that_breaks_before_the_answer_fails_over(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    desk["first"].plays("close_before_headers")
    await chat(url_of(desk))  # on a connection of before, perhaps: that says nothing of anybody
    for name, outcome in BREAKS.items():
        await reset(desk)
        desk["first"].plays(name)
        told = await chat(url_of(desk), stream=stream)

        assert (told.text, told.attempts) == (OF_SECOND, [f"first;{outcome};0", SECOND_OK])
        assert await failures(desk) == 1


@STREAMED
@pytest.mark.parametrize("name", STALLS)
async def test_a22_a_provider_that_falls_silent_amid_its_head_or_after_it_fails_over(
    name: str, stream: bool, chain: Chain
) -> None:
    desk = await chain("openai")
    desk["first"].plays(name)
    told = await chat(url_of(desk), stream=stream)

    late = Outcome.TIMEOUT_FIRST_TOKEN if stream else Outcome.TIMEOUT_ANSWER
    assert told.text == OF_SECOND
    assert told.attempts[0].startswith(f"first;{late};")
    assert await failures(desk) == 1
