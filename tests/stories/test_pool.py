"""Connections that serve one call after another: no call ever gets what belongs to another."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO

import aiohttp
import orjson
import pytest

from sidecar.app import Sidecar
from sidecar.faults.answer import Scene
from sidecar.faults.catalog import Effect, Fault
from sidecar.faults.fault import play_well
from sidecar.faults.steps import Send, Step, Wait
from sidecar.faults.wire import whole
from tests.stories.world import CHAT, World, a_world, settings_for

STALE = {
    "choices": [{"index": 0, "message": {"content": "of another call"}, "finish_reason": "stop"}]
}
JSON = {"content-type": "application/json"}
UNASKED = {
    "a second answer": whole(200, JSON, orjson.dumps(STALE)),
    "a timeout": whole(408, {**JSON, "connection": "close"}, b"{}"),
}


@pytest.mark.parametrize("unasked", UNASKED.values(), ids=UNASKED)
async def test_what_a_provider_says_unasked_is_nobodys_answer(unasked: bytes, world: World) -> None:
    def play(scene: Scene) -> Iterator[Step]:
        yield from play_well(scene)
        yield Wait(0.03)
        yield Send(unasked)

    world.first.plays(Fault("unasked", "says more than it was asked", Effect.SERVED, play))

    for _ in range(4):
        answer = await world.chat()
        text = (await answer.json())["choices"][0]["message"]["content"]
        assert text == "Hello from first."
        await asyncio.sleep(0.1)
    assert world.second.hits == 0


async def test_an_answer_before_the_upload_was_sent_holds_up_nobody(world: World) -> None:
    over = asyncio.Event()

    async def refuse_uploads(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            while b"/files" not in (head := await reader.readuntil(b"\r\n\r\n")):
                length = head.lower().split(b"content-length: ")[1].split()[0]
                await reader.readexactly(int(length))
                writer.write(whole(200, JSON, orjson.dumps(STALE)))
            writer.write(whole(413, JSON, b"{}"))  # and reads no further
            await over.wait()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(refuse_uploads, "127.0.0.1", 0, limit=1024)
    port = server.sockets[0].getsockname()[1]
    settings = settings_for(world.first)
    provider = replace(settings.providers[0], base_url=f"http://127.0.0.1:{port}/v1")
    entry = replace(settings.routes[0].chain[0], provider=provider)
    settings = replace(
        settings,
        providers=(provider,),
        routes=(replace(settings.routes[0], chain=(entry,)),),
        limits=replace(settings.limits, request_body_bytes=32 * 1024**2),
    )
    async with Sidecar(settings) as sidecar, aiohttp.ClientSession() as http:
        upload = await http.post(f"http://{sidecar.api}/v1/files", data=BytesIO(b"x" * 20_000_000))
        chat = await http.post(f"http://{sidecar.api}/chat", json=CHAT)

        assert (upload.status, chat.status) == (413, 200)
    over.set()
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.05)  # for the connections to notice


async def test_the_length_of_a_download_goes_on(world: World) -> None:
    async with world.http.head(f"{world.api}/v1/files/f1/content") as answer:
        assert answer.status == 200
    async with world.http.get(f"{world.api}/v1/files/f1/content") as answer:
        assert answer.headers["content-length"] == str(len(await answer.read()))


async def test_a_model_that_cannot_be_written_is_not_found() -> None:
    async with a_world(models=("gpt-*",)) as world:
        body = b'{"model": "\\ud800x", "messages": []}'
        async with world.http.post(f"{world.api}/chat", data=body) as answer:
            assert answer.status == 404
            assert "x-request-id" in answer.headers
