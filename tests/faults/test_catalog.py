"""The catalog: complete, and every fault of it plays in bounds."""

from __future__ import annotations

import asyncio

import aiohttp
import orjson
import pytest

from sidecar.faults.catalog import CATALOG, Effect, fault, ok, status
from sidecar.faults.provider import ScriptedProvider

SILENT = frozenset(
    (
        *("half_header_stall", "silence", "headers_then_silence", "comments_only"),
        *("stall", "done_then_open"),
    )
)
BREAKS_HTTP = frozenset(
    (
        *("refuse", "accept_close", "accept_reset", "close_before_headers"),
        *("reset_before_headers", "half_header", "garbage", "headers_then_close", "bad_chunk"),
        *("ok_short", "cut", "reset", "tool_call_cut"),
    )
)


async def ask(provider: ScriptedProvider, *, stream: bool = False) -> tuple[int, bytes]:
    """One call on a connection of its own. Raises as aiohttp does."""
    timeout = aiohttp.ClientTimeout(total=1)
    async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
        asked = {"model": "m", "stream": stream, "tools": [{"function": {"name": "f"}}]}
        url = f"{provider.base_url}/chat/completions"
        async with session.post(url, json=asked, allow_redirects=False) as answer:
            return answer.status, await answer.read()


def content_of(stream: bytes) -> str:
    events = [orjson.loads(line[6:]) for line in stream.splitlines() if line.startswith(b"data: {")]
    return "".join(event["choices"][0]["delta"].get("content", "") for event in events)


@pytest.mark.parametrize("name", [name for name in CATALOG if name not in SILENT | BREAKS_HTTP])
async def test_what_does_not_break_http_is_whole_http(
    name: str, provider: ScriptedProvider
) -> None:
    provider.plays(name)

    code, _ = await ask(provider, stream=True)

    assert code == 200 or code >= 300


@pytest.mark.parametrize("name", sorted(BREAKS_HTTP))
async def test_what_breaks_http_is_an_error_to_the_client(
    name: str, provider: ScriptedProvider
) -> None:
    provider.plays(name)

    with pytest.raises(aiohttp.ClientError):
        await ask(provider, stream=True)


@pytest.mark.parametrize("name", sorted(SILENT))
async def test_what_falls_silent_ends_with_the_peer(name: str, provider: ScriptedProvider) -> None:
    provider.plays(name)
    asking = asyncio.create_task(ask(provider, stream=True))
    await asyncio.sleep(0.05)
    asking.cancel()

    await asyncio.wait_for(provider.calls[0].closed_early.wait(), 1)

    assert asking.cancelled()


@pytest.mark.parametrize("name", [name for name, one in CATALOG.items() if one.streamed])
async def test_a_fault_of_streams_leaves_whole_answers_alone(
    name: str, provider: ScriptedProvider
) -> None:
    provider.plays(name)

    _, body = await ask(provider)

    assert orjson.loads(body)["choices"][0]["finish_reason"] in ("stop", "tool_calls")


@pytest.mark.parametrize("name", ["stall", "cut", "reset", "end_after_words", "error_after_words"])
def test_what_interrupts_says_so(name: str) -> None:
    assert CATALOG[name].effect is Effect.INTERRUPTED


def test_every_fault_is_found_by_its_own_id() -> None:
    assert all(name == one.id for name, one in CATALOG.items())


def test_no_two_faults_do_the_same() -> None:
    told = [one.does for one in CATALOG.values()]

    assert len(set(told)) == len(told)


def test_an_unknown_id_is_an_error_that_knows_better() -> None:
    with pytest.raises(ValueError, match=r"got silense \(did you mean silence"):
        fault("silense")


async def test_a_status_carries_the_headers_it_is_given(
    provider: ScriptedProvider, client: aiohttp.ClientSession
) -> None:
    provider.plays(status(503, retry_after=2))

    async with client.get("models") as answer:
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")


async def test_an_error_body_comes_in_openais_shape(provider: ScriptedProvider) -> None:
    provider.plays("bad_key")

    _, body = await ask(provider)

    assert orjson.loads(body)["error"]["code"] == "invalid_api_key"


async def test_the_date_to_wait_for_is_in_the_future(
    provider: ScriptedProvider, client: aiohttp.ClientSession
) -> None:
    provider.plays("rate_limit_date")

    async with client.get("models") as answer:
        assert answer.headers["retry-after"].endswith("GMT")


async def test_a_stream_can_be_told_to_say_more(provider: ScriptedProvider) -> None:
    provider.plays(ok(words=5))

    _, body = await ask(provider, stream=True)

    assert content_of(body) == "Hello from gemini. Hello from"


@pytest.mark.parametrize("name", ["utf8", "one_byte", "unknown_fields", "role_everywhere", "ids"])
async def test_an_odd_hand_writes_the_same_words(name: str, provider: ScriptedProvider) -> None:
    provider.plays(name)

    _, body = await ask(provider, stream=True)

    assert content_of(body).endswith(("Hello from gemini.", "👩‍🚀."))


async def test_words_come_before_the_cut(provider: ScriptedProvider) -> None:
    provider.plays("end_after_words")

    _, body = await ask(provider, stream=True)

    assert content_of(body) == "Hello from"
