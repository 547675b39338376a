"""The provider on real sockets: it does what it says, and closes cleanly."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import cast

import aiohttp
import orjson
import pytest
import trustme

from sidecar.faults.answer import FILE
from sidecar.faults.catalog import OK, Effect, Fault, ok, slow_first_token, stall, status
from sidecar.faults.provider import ScriptedProvider, perform, refusing_port
from sidecar.faults.steps import Send, Step, Until, Wait
from sidecar.faults.wire import whole

CALL = b"GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n"
CHAT = {"model": "m", "messages": [], "stream": True}


async def dial(provider: ScriptedProvider) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", provider.port)


async def converse(provider: ScriptedProvider, sent: bytes) -> bytes:
    """Send bytes on a raw connection, and read until the provider closes it."""
    reader, writer = await dial(provider)
    writer.write(sent)
    try:
        return await asyncio.wait_for(reader.read(), 1)
    finally:
        writer.close()


async def codes(client: aiohttp.ClientSession, count: int) -> list[int]:
    found = []
    for _ in range(count):
        async with client.get("models") as answer:
            found.append(answer.status)
    return found


# The script


async def test_each_call_takes_the_next_fault_and_the_last_repeats(
    provider: ScriptedProvider, client: aiohttp.ClientSession
) -> None:
    provider.plays(status(500), "ok", status(503))

    assert await codes(client, 4) == [500, 200, 503, 503]


async def test_a_provider_without_a_script_answers_well(client: aiohttp.ClientSession) -> None:
    assert await codes(client, 2) == [200, 200]


async def test_a_new_script_replaces_the_old(
    provider: ScriptedProvider, client: aiohttp.ClientSession
) -> None:
    provider.plays("status_500")
    provider.plays()

    assert await codes(client, 1) == [200]


async def test_calls_on_one_connection_are_answered_in_turn(
    provider: ScriptedProvider, client: aiohttp.ClientSession
) -> None:
    await codes(client, 3)

    assert (provider.hits, len(provider.calls)) == (3, 3)


async def test_a_call_is_recorded_as_it_came(
    provider: ScriptedProvider, client: aiohttp.ClientSession
) -> None:
    async with client.post("chat/completions?a=b", json=CHAT, headers={"X-Key": "k"}):
        call = provider.calls[-1]

    assert (call.method, call.path, call.json) == ("POST", "/v1/chat/completions?a=b", CHAT)
    assert call.headers["x-key"] == "k"


async def test_a_multipart_body_is_echoed_by_its_digest(
    provider: ScriptedProvider, client: aiohttp.ClientSession
) -> None:
    form = aiohttp.FormData()
    form.add_field("file", b"abc", filename="a.wav")

    async with client.post("audio/transcriptions", data=form) as answer:
        echo = await answer.json()

    assert (echo["method"], echo["size"]) == ("POST", len(provider.calls[0].body))


async def test_a_file_comes_as_bytes(client: aiohttp.ClientSession) -> None:
    async with client.get("files/f1/content") as answer:
        assert await answer.read() == FILE


async def test_a_head_has_no_body(provider: ScriptedProvider) -> None:
    answer = await converse(provider, b"HEAD /v1/x HTTP/1.1\r\nconnection: close\r\n\r\n")

    assert answer.endswith(b"\r\n\r\n")


# Below HTTP


async def test_a_reset_is_a_reset(provider: ScriptedProvider) -> None:
    provider.plays("reset_before_headers")

    with pytest.raises(ConnectionResetError):
        await converse(provider, CALL)


async def test_a_reset_lets_the_words_before_it_be_read(
    provider: ScriptedProvider, client: aiohttp.ClientSession
) -> None:
    provider.plays("reset")
    said = b""

    async with client.post("chat/completions", json=CHAT) as answer:
        with suppress(aiohttp.ClientPayloadError):
            async for piece in answer.content.iter_any():
                said += piece

    assert b'" from"' in said


async def test_a_close_is_not_a_reset(provider: ScriptedProvider) -> None:
    provider.plays("close_before_headers")

    assert await converse(provider, CALL) == b""


async def test_half_a_header_is_half_a_header(provider: ScriptedProvider) -> None:
    provider.plays("half_header")

    assert await converse(provider, CALL) == b"HTTP/1.1 200 OK\r\ncontent-ty"


async def test_closing_on_accept_does_not_wait_for_a_call(provider: ScriptedProvider) -> None:
    provider.plays("accept_close")

    assert await converse(provider, b"") == b""
    assert provider.hits == 1


async def test_bytes_go_out_in_writes_as_small_as_asked(provider: ScriptedProvider) -> None:
    def script(_scene: object) -> Iterator[Step]:
        yield Send(whole(200, {}, b"0123456789"))

    provider.plays(Fault("slow", "writes byte by byte", Effect.SERVED, script, write_bytes=1))
    reader, writer = await dial(provider)
    writer.write(CALL)

    first = await reader.read(1000)

    assert len(first) < 10
    writer.close()


async def test_nonsense_is_answered_and_ends_the_connection(provider: ScriptedProvider) -> None:
    assert (await converse(provider, b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


async def test_a_refused_connection_is_refused(provider: ScriptedProvider) -> None:
    provider.plays("refuse")

    with pytest.raises(ConnectionRefusedError):
        await dial(provider)


async def test_after_refusing_it_listens_again_at_the_same_port(
    provider: ScriptedProvider, client: aiohttp.ClientSession
) -> None:
    provider.plays("refuse")
    provider.plays("ok")
    await provider.listen()

    assert await codes(client, 1) == [200]


async def test_refusing_ends_open_connections(provider: ScriptedProvider) -> None:
    reader, writer = await dial(provider)
    await asyncio.sleep(0.01)
    provider.plays("refuse")

    assert await asyncio.wait_for(reader.read(), 1) == b""
    writer.close()


def test_refusing_stands_alone() -> None:
    with pytest.raises(ValueError, match="stand alone"):
        ScriptedProvider().plays("ok", "refuse")


def test_nobody_listens_on_a_refusing_port() -> None:
    with refusing_port() as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


# The peer


async def test_a_peer_that_hangs_up_is_noticed_at_once(provider: ScriptedProvider) -> None:
    provider.plays("silence")
    _, writer = await dial(provider)
    writer.write(CALL)
    await asyncio.sleep(0.05)
    writer.close()

    await asyncio.wait_for(provider.calls[0].closed_early.wait(), 1)

    closed_s = provider.calls[0].closed_s
    assert closed_s is not None
    assert 0.04 < closed_s - provider.calls[0].opened_s < 1


async def test_a_peer_that_hangs_up_while_words_flow_is_noticed(
    provider: ScriptedProvider, client: aiohttp.ClientSession
) -> None:
    provider.plays(ok(words=1000, delay_s=0.005))
    async with client.post("chat/completions", json=CHAT) as answer:
        await answer.content.readany()
        answer.close()

    await asyncio.wait_for(provider.calls[0].closed_early.wait(), 1)

    assert provider.calls[0].closed_s is not None


async def test_a_peer_that_hangs_up_on_one_who_never_reads_is_noticed(
    provider: ScriptedProvider,
) -> None:
    deaf = Fault("deaf", "never reads", Effect.FAILS_OVER, lambda _: (Wait(),), on_accept=True)
    provider.plays(deaf)
    _, writer = await dial(provider)
    writer.write(CALL)
    await asyncio.sleep(0.05)
    writer.close()

    await asyncio.wait_for(provider.calls[0].closed_early.wait(), 1)

    assert provider.hits == 1


async def test_a_peer_that_leaves_after_the_answer_did_not_leave_early(
    provider: ScriptedProvider,
) -> None:
    await converse(provider, CALL.replace(b"host: a", b"connection: close"))

    assert not provider.calls[0].closed_early.is_set()


async def test_a_peer_that_reads_nothing_does_not_keep_the_provider_open() -> None:
    async with ScriptedProvider() as provider:
        provider.plays("big_event")
        _, writer = await dial(provider)
        writer.write(CALL.replace(b"GET /v1/models", b"POST /v1/chat/completions"))
        await asyncio.sleep(0.05)
    writer.close()

    assert provider.hits == 1


# Time


async def test_a_slow_first_word_is_slow(
    provider: ScriptedProvider, client: aiohttp.ClientSession
) -> None:
    provider.plays(slow_first_token(0.1))
    async with client.post("chat/completions", json=CHAT) as answer:
        early = await answer.content.readany()

        assert b"Hello" not in early


async def test_a_pace_counts_from_the_beginning() -> None:
    unused = cast("asyncio.StreamWriter", None)
    began_s = asyncio.get_running_loop().time()

    await perform((Wait(0.1), Until(0.15)), unused, 0)

    assert 0.14 < asyncio.get_running_loop().time() - began_s < 0.24


async def test_closing_the_provider_ends_a_silence() -> None:
    async with ScriptedProvider() as provider:
        provider.plays(stall())
        reader, writer = await dial(provider)
        writer.write(CALL)
        await asyncio.sleep(0.05)
    writer.close()

    assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")


async def test_a_script_that_crashes_is_not_kept_secret() -> None:
    def broken(_scene: object) -> Iterator[Step]:
        raise RuntimeError("the script is wrong")

    async def scene() -> None:
        async with ScriptedProvider() as provider:
            provider.plays(Fault("broken", "crashes", Effect.SERVED, broken))
            await converse(provider, CALL)

    with pytest.raises(RuntimeError, match="the script is wrong"):
        await scene()


async def test_it_speaks_tls() -> None:
    authority = trustme.CA()
    server, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(trusting)
    async with ScriptedProvider("safe", ssl_context=server) as provider:
        connector = aiohttp.TCPConnector(ssl=trusting)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"{provider.base_url}/models") as answer,
        ):
            listed = orjson.loads(await answer.read())

    assert listed["data"][0]["id"] == "safe-model"


async def test_ok_is_the_fault_that_is_none(
    provider: ScriptedProvider, client: aiohttp.ClientSession
) -> None:
    provider.plays(OK)

    async with client.post("chat/completions", json=CHAT) as answer:
        assert (await answer.read()).endswith(b"data: [DONE]\n\n")
