"""Every other path goes on to the first provider of the `*` route, as it is."""

from __future__ import annotations

import hashlib
import os

import aiohttp
import openai
import pytest

from sidecar.faults.answer import FILE
from sidecar.faults.catalog import status
from tests.stories.world import World


async def test_a_multipart_upload_arrives_byte_for_byte(world: World) -> None:
    voice = os.urandom(50_000)
    form = aiohttp.FormData()
    form.add_field("file", voice, filename="voice.wav", content_type="audio/wav")
    form.add_field("model", "whisper-1")

    async with world.http.post(f"{world.api}/v1/audio/transcriptions", data=form) as answer:
        assert answer.status == 200

    call = world.first.calls[-1]
    assert call.path == "/v1/audio/transcriptions"
    assert call.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert voice in call.body


async def test_a_binary_body_comes_back_byte_for_byte(world: World) -> None:
    async with world.http.get(f"{world.api}/v1/files/f1/content") as answer:
        assert await answer.read() == FILE


async def test_method_query_and_body_go_on_as_they_are(world: World) -> None:
    body = os.urandom(1000)
    async with world.http.put(f"{world.api}/v1/uploads/a%2Fb?x=1&y=%20", data=body) as answer:
        echo = await answer.json()

    assert echo["method"] == "PUT"
    assert world.first.calls[-1].path == "/v1/uploads/a%2Fb?x=1&y=%20"
    assert echo["sha256"] == hashlib.sha256(body).hexdigest()


async def test_the_real_client_uploads_a_file(world: World) -> None:
    answer = await world.openai.files.with_raw_response.create(
        file=("a.txt", b"hello"), purpose="assistants"
    )

    assert answer.status_code == 200
    assert b"hello" in world.first.calls[-1].body


async def test_an_error_is_the_providers_own_and_nobody_else_is_asked(world: World) -> None:
    world.first.plays(status(404, {"error": {"message": "no such file"}}))

    with pytest.raises(openai.NotFoundError) as heard:
        await world.openai.files.retrieve("f9")

    assert "no such file" in str(heard.value)
    assert world.second.hits == 0


async def test_a_provider_that_cannot_be_reached_is_a_503(world: World) -> None:
    world.first.plays("refuse")

    async with world.http.get(f"{world.api}/v1/files") as answer:
        assert answer.status == 503
        assert (await answer.json())["error"]["code"] == "all_providers_failed"
    assert world.second.hits == 0


async def test_an_answer_that_breaks_is_never_taken_for_whole(world: World) -> None:
    world.first.plays("reset")

    with pytest.raises(aiohttp.ClientError):
        async with world.http.get(f"{world.api}/v1/files") as answer:
            await answer.read()
