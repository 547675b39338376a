"""Every other path goes on to the first provider of the `*` route, as it is."""

from __future__ import annotations

import asyncio
import hashlib
import os

import aiohttp
import openai
import pytest

from sidecar.faults.answer import FILE
from sidecar.faults.catalog import ok, status
from tests.stories.world import World, eventually


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


async def test_the_operators_bad_key_is_not_the_applications(world: World) -> None:
    echo = {"error": {"message": "Incorrect API key: key-of-first"}}
    world.first.plays(status(401, echo, x_debug="key-of-first"))

    async with world.http.get(f"{world.api}/v1/files") as answer:
        assert answer.status == 503
        assert answer.headers["x-sidecar-attempts"].startswith("first;auth;401;")
        assert "key-of-first" not in str(answer.headers) + await answer.text()


async def test_a_key_in_any_error_goes_no_further(world: World) -> None:
    echo = {"error": {"message": "you sent key-of-first"}}
    world.first.plays(status(422, echo, x_debug="key-of-first"))

    async with world.http.get(f"{world.api}/v1/files") as answer:
        assert answer.status == 422
        assert answer.headers["x-sidecar-attempts"].startswith("first;bad_request;422;")
        assert "you sent ***" in await answer.text()
        assert "key-of-first" not in str(answer.headers)


async def test_it_says_who_answered_and_whose_time_it_took(world: World) -> None:
    world.first.plays(ok(first_after_s=0.2))

    async with world.http.post(f"{world.api}/v1/responses", json={"model": "m"}) as answer:
        assert answer.headers["x-sidecar-provider"] == "first"
        assert answer.headers["x-sidecar-attempts"].startswith("first;ok;200;0.2")
        await answer.read()

    await eventually(lambda: len(world.requests()) == 1)
    ended = world.requests()[0]
    assert ended.provider == "first"
    assert ended.overhead_s < 0.1 < ended.duration_s


async def test_a_rate_limit_cools_down_for_as_long_as_it_says(world: World) -> None:
    world.first.plays(status(429, retry_after=300))
    await world.http.get(f"{world.api}/v1/files")

    async with world.http.get(f"{world.api}/v1/files") as answer:
        assert answer.status == 429
        assert 295 <= int(answer.headers["retry-after"]) <= 300
    assert world.first.hits == 1


async def test_a_clients_deadline_holds_here_too(world: World) -> None:
    world.first.plays("silence")

    async with world.http.get(
        f"{world.api}/v1/files", headers={"x-request-timeout": "0.2"}
    ) as answer:
        assert answer.status == 504


async def test_one_who_hangs_up_lets_the_provider_go(world: World) -> None:
    world.first.plays("silence")
    call = asyncio.create_task(world.http.get(f"{world.api}/v1/files"))
    await eventually(lambda: world.first.hits == 1)

    call.cancel()

    async with asyncio.timeout(1):
        await world.first.calls[-1].closed_early.wait()
    assert await world.state_of("first") == "closed"


async def test_its_failures_open_the_breaker_and_it_is_spared(world: World) -> None:
    world.first.plays(status(500))
    for _ in range(3):
        await world.http.get(f"{world.api}/v1/files")

    async with world.http.get(f"{world.api}/v1/files") as answer:
        assert (await answer.json())["error"]["code"] == "all_providers_open"
    assert world.first.hits == 3


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
