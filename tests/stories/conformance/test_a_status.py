"""Whatever status a provider answers with, the application gets its answer from the next one."""

from __future__ import annotations

from typing import Any

from sidecar.core.outcome import FAILURES, Outcome
from sidecar.faults.catalog import status
from sidecar.faults.provider import ScriptedProvider
from sidecar.faults.refusals import PAGE
from tests.stories.conformance.applications import (
    BY_SDK,
    FIRST_OK,
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
from tests.stories.conformance.tongues import KINDS, anthropics, refuses

pytestmark = SHARED

UNHAPPY = {
    **dict.fromkeys((408, 504, 524), Outcome.TIMEOUT_UPSTREAM),
    **dict.fromkeys((409, 499, 500, 502), Outcome.SERVER_ERROR),
    **dict.fromkeys((520, 521, 522, 523, 525, 526, 530), Outcome.SERVER_ERROR),
    **dict.fromkeys((498, 503, 529), Outcome.OVERLOADED),
    425: Outcome.WARMING,
    429: Outcome.RATE_LIMIT,
}


@STREAMED
@KINDS
@BY_SDK
async def test_a1_a_good_answer_is_passed_on_and_nobody_else_asked(
    sdk: str, kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    told = await SDKS[sdk](url_of(desk), stream=stream)

    assert (told.text, told.attempts) == (OF_FIRST, [FIRST_OK])
    assert desk["second"].hits == 0


@STREAMED
@KINDS
async def test_a2_an_unhappy_status_fails_over_and_most_are_counted(
    kind: str, stream: bool, chain: Chain
) -> None:
    desk = await chain(kind)
    seen = {}
    for code in UNHAPPY:
        await reset(desk)
        desk["first"].plays(refuses(kind, code))
        told = await chat(url_of(desk), stream=stream)
        seen[code] = (told.text, told.attempts, await failures(desk))

    assert seen == {
        code: (OF_SECOND, [f"first;{outcome};{code}", SECOND_OK], int(outcome in FAILURES))
        for code, outcome in UNHAPPY.items()
    }


@STREAMED
@BY_SDK
async def test_a2_a_page_of_html_at_the_providers_edge_fails_over(
    sdk: str, stream: bool, chain: Chain
) -> None:
    desk = await chain("anthropic")
    edge = {code: outcome for code, outcome in UNHAPPY.items() if code >= 500}
    for code, outcome in edge.items():
        await reset(desk)
        desk["first"].plays(status(code, PAGE))
        told = await SDKS[sdk](url_of(desk), stream=stream)

        assert (told.text, told.attempts) == (OF_SECOND, [f"first;{outcome};{code}", SECOND_OK])
        assert await failures(desk) == 1


POOR = "Your credit balance is too low to access the Anthropic API."
TOO_LARGE = "<html><body><h1>413 Request Entity Too Large</h1></body></html>"
ANTHROPICS_OWN: list[tuple[int, Any, Outcome]] = [
    (529, anthropics(529, "Overloaded"), Outcome.OVERLOADED),
    (413, TOO_LARGE, Outcome.TOO_LARGE),
    (400, anthropics(400, POOR), Outcome.QUOTA_EXHAUSTED),
]


@STREAMED
@BY_SDK
async def test_a20_anthropics_own_errors_fail_over(sdk: str, stream: bool, chain: Chain) -> None:
    desk = await chain("anthropic")
    for code, body, outcome in ANTHROPICS_OWN:
        await reset(desk)
        desk["first"].plays(status(code, body))
        told = await SDKS[sdk](url_of(desk), stream=stream)

        assert (told.text, told.attempts) == (
            OF_SECOND,
            [f"first;{outcome};{code}", SECOND_OK],
        )
        assert await failures(desk) == int(outcome in FAILURES)


@STREAMED
@BY_SDK
async def test_a20_what_is_too_large_for_everybody_is_told_so(
    sdk: str, stream: bool, chain: Chain
) -> None:
    desk = await chain("anthropic", "anthropic")
    desk["first"].plays(status(413, TOO_LARGE))
    desk["second"].plays(status(413, TOO_LARGE))
    told = await SDKS[sdk](url_of(desk), stream=stream)

    assert (told.status, told.message) == (413, "413 Request Entity Too Large")


@STREAMED
@KINDS
async def test_a17_a_redirect_is_not_followed_and_the_key_goes_nowhere(
    kind: str, stream: bool
) -> None:
    async with ScriptedProvider("elsewhere") as elsewhere, a_chain(kind) as desk:
        for code in (301, 302, 303, 307, 308):
            await reset(desk)
            desk["first"].plays(status(code, "", location=elsewhere.base_url))
            told = await chat(url_of(desk), stream=stream)

            assert (told.text, told.attempts) == (
                OF_SECOND,
                [f"first;protocol;{code}", SECOND_OK],
            )
            assert await failures(desk) == 1
        assert elsewhere.hits == 0
