"""What is no conversation: models, vectors, voices, and every way to ask for what is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anthropic
import openai
import pytest
from yarl import URL

from sidecar.faults.catalog import status
from sidecar.faults.fault import Effect, Fault, reply
from sidecar.faults.refusals import TEXT
from sidecar.faults.refusals import openai as openai_error
from tests.stories.conformance.scripts import says
from tests.stories.conformance.tongues import anthropics
from tests.stories.desk import Desk, a_desk
from tests.stories.voices import anthropic_at, openai_at
from tests.stories.world import CHAT, MESSAGES, World, a_world

Json = dict[str, Any]


def said(body: bytes, content_type: str) -> Fault:
    """Just these bytes."""
    return Fault("said", "", Effect.SERVED, reply(200, body, content_type, {}))


# Models

MERGED = """
providers:
  first: {kind: openai, base_url: "${FIRST}"}
  second: {kind: openai, base_url: "${SECOND}"}
routes:
  - models: ["smart", "gpt-4o*"]
    chain: [first/org/model:fast, second/shared]
  - models: ["*"]
    chain: [second/shared, first]
"""


async def test_h1_the_models_are_the_routes_names_and_the_chains_each_once() -> None:
    async with a_desk(MERGED) as desk, openai_at(f"http://{desk.sidecar.api}") as client:
        models = [model async for model in client.models.list()]

        assert [model.id for model in models] == ["smart", "org/model:fast", "shared"]
        assert {model.object for model in models} == {"model"}
        assert (desk["first"].hits, desk["second"].hits) == (0, 0)


@pytest.mark.parametrize("name", ["smart", "org/model:fast", "größer/als 1%", "a?b#c"])
async def test_h1_a_model_is_found_by_its_percent_encoded_id(name: str) -> None:
    async with a_desk(MERGED) as desk, openai_at(f"http://{desk.sidecar.api}") as client:
        assert (await client.models.retrieve(name)).id == name


async def test_h1_a_model_is_found_by_an_id_whose_slashes_came_as_they_are() -> None:
    async with a_desk(MERGED) as desk:
        url = f"http://{desk.sidecar.api}/v1/models/org/model:fast"
        async with desk.http.get(url) as answer:
            assert (await answer.json())["id"] == "org/model:fast"


async def test_h1_a_model_that_no_route_serves_is_not_found() -> None:
    async with a_world(models=("gpt-*",)) as world:
        with pytest.raises(openai.NotFoundError) as heard:
            await world.openai.models.retrieve("org/other")

        assert (heard.value.code, heard.value.param) == ("model_not_found", "model")


# Vectors


async def test_h2_vectors_never_come_from_another_model(world: World) -> None:
    for fault in (status(500), status(429), status(401), "body_html"):
        world.first.plays(fault)
        with pytest.raises(openai.APIStatusError) as heard:
            await world.openai.embeddings.create(model="e", input="hello")

        assert heard.value.status_code in (429, 503)
        assert "second;skipped;unsupported;0" in heard.value.response.headers["x-sidecar-attempts"]
        await world.http.post(f"{world.api}/reset")
    assert world.second.hits == 0


VECTORS = """
providers:
  first: {{kind: {kind}, base_url: "${{FIRST}}", api_key: k}}
  second: {{kind: openai, base_url: "${{SECOND}}"}}
  third: {{kind: openai, base_url: "${{THIRD}}"}}
routes:
  - models: ["*"]
    chain: [{chain}]
"""


@asynccontextmanager
async def vectors(chain: str, kind: str = "openai") -> AsyncIterator[tuple[Desk, Any]]:
    text = VECTORS.format(chain=chain, kind=kind)
    async with (
        a_desk(text, "first", "second", "third") as desk,
        openai_at(f"http://{desk.sidecar.api}") as client,
    ):
        yield desk, client.embeddings


@pytest.mark.parametrize("chain", ["first/e5, second/bge, third/e5", "first, second/bge, third"])
async def test_h2_the_same_model_elsewhere_is_as_good(chain: str) -> None:
    async with vectors(chain) as (desk, embeddings):
        desk["first"].plays("status_500")
        answer = await embeddings.create(model="e5", input=["one", "two"])

        assert len(answer.data) == 2
        assert answer.model == "e5"
        assert [desk[name].hits for name in ("first", "second", "third")] == [1, 0, 1]


async def test_h2_the_first_that_makes_vectors_says_which_model_makes_them() -> None:
    async with vectors("first/claude-haiku-5-5, second/e5, third/bge", "anthropic") as (desk, all_):
        assert (await all_.create(model="e", input="hello")).model == "e5"
        desk["second"].plays("status_500")
        with pytest.raises(openai.InternalServerError):
            await all_.create(model="e", input="hello")

        assert [desk[name].hits for name in ("first", "second", "third")] == [0, 2, 0]


# Voices and files


async def test_h3_a_recording_to_be_written_down_arrives_byte_for_byte(world: World) -> None:
    voice = bytes(range(256)) * 300
    world.first.plays(says({"text": "Hello."}))
    written = await world.openai.audio.transcriptions.create(
        file=("voice.wav", voice, "audio/wav"), model="whisper-1", language="en"
    )

    call = world.first.calls[-1]
    assert written.text == "Hello."
    assert call.path == "/v1/audio/transcriptions"
    assert call.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert voice in call.body
    assert call.headers["content-length"] == str(len(call.body))


async def test_h3_what_was_written_down_may_be_plain_text(world: World) -> None:
    world.first.plays(said(b"1\n00:00 --> 00:01\nHello.\n", TEXT))
    written: Any = await world.openai.audio.transcriptions.create(
        file=("voice.wav", b"RIFF"), model="whisper-1", response_format="srt"
    )

    assert written == "1\n00:00 --> 00:01\nHello.\n"


async def test_h3_an_upload_without_a_stated_length_is_buffered(world: World) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(3):
            yield b"%d" % at * 1000

    async with world.http.post(f"{world.api}/v1/audio/translations", data=pieces()) as answer:
        assert answer.status == 200

    assert world.first.calls[-1].headers["content-length"] == "3000"


async def test_h3_an_upload_that_is_too_large_to_hold_is_refused(world: World) -> None:
    with pytest.raises(openai.APIStatusError) as heard:
        await world.openai.audio.transcriptions.create(
            file=("voice.wav", bytes(300_000)), model="whisper-1"
        )

    assert (heard.value.status_code, heard.value.code) == (413, "request_too_large")
    assert world.first.hits == 0


async def test_h3_a_provider_that_cannot_write_down_says_so_and_no_other_is_asked(
    world: World,
) -> None:
    world.first.plays(status(500, openai_error("Cannot hear.")))
    with pytest.raises(openai.InternalServerError, match="Cannot hear"):
        await world.openai.with_options(max_retries=0).audio.transcriptions.create(
            file=("voice.wav", b"RIFF"), model="whisper-1"
        )

    assert world.second.hits == 0


VOICE = bytes(range(256)) * 500


async def test_h4_speech_arrives_byte_for_byte(world: World) -> None:
    world.first.plays(said(VOICE, "audio/mpeg"))
    spoken = await world.openai.audio.speech.create(model="tts-1", voice="alloy", input="Hi")

    assert spoken.content == VOICE
    assert spoken.response.headers["content-type"] == "audio/mpeg"


async def test_h4_speech_is_passed_on_as_it_comes(world: World) -> None:
    world.first.plays(said(VOICE, "audio/mpeg"))
    speaking = world.openai.audio.speech.with_streaming_response
    async with speaking.create(model="tts-1", voice="alloy", input="Hi") as answer:
        assert b"".join([piece async for piece in answer.iter_bytes()]) == VOICE


async def test_h4_speech_as_events_goes_on_as_it_is(world: World) -> None:
    events = b'data: {"type":"speech.audio.delta","audio":"AA=="}\n\ndata: {"type":"x"}\n\n'
    world.first.plays(said(events, "text/event-stream"))
    asked = {"model": "tts-1", "input": "Hi", "voice": "alloy", "stream_format": "sse"}
    async with world.http.post(f"{world.api}/v1/audio/speech", json=asked) as answer:
        assert await answer.read() == events


# What is not there

NOWHERE = [
    ("GET", "/nowhere", 404, "not_found"),
    ("POST", "/v2/chat/completions", 404, "not_found"),
    ("POST", "/v1", 404, "not_found"),
    ("POST", "/", 404, "not_found"),
    ("GET", "/v1/../etc", 404, "not_found"),
    ("GET", "/responses/%2e%2e/files", 404, "not_found"),
    *(
        (method, path, 405, "method_not_allowed")
        for path in ("/chat/completions", "/completions", "/embeddings", "/responses", "/chat")
        for method in ("GET", "PUT", "DELETE")
    ),
    ("POST", "/v1/models", 405, "method_not_allowed"),
    ("DELETE", "/v1/models/m", 405, "method_not_allowed"),
    ("POST", "/healthz", 405, "method_not_allowed"),
    ("GET", "/reset", 405, "method_not_allowed"),
]


async def test_h5_what_is_not_there_is_said_in_openais_shape(world: World) -> None:
    for method, path, code, word in NOWHERE:
        url = URL(world.api + path, encoded=True)
        async with world.http.request(method, url, json=CHAT) as answer:
            error = (await answer.json())["error"]

        assert (path, answer.status, error["code"]) == (path, code, word)
        assert set(error) == {"message", "type", "param", "code"}
        assert error["type"] == "invalid_request_error"
        assert bool(answer.headers.get("allow")) is (code == 405)
    assert world.first.hits == 0


async def test_h5_a_path_that_nobody_serves_is_not_found_where_no_route_is_for_everything() -> None:
    async with a_world(models=("gpt-*",)) as world:
        with pytest.raises(openai.NotFoundError) as heard:
            await world.openai.files.list()

        assert heard.value.code == "not_found"
        assert world.first.hits == 0


UPGRADES = ["/v1/responses", "/v1/realtime?model=m", "/realtime", "/live", "/v1/chat/completions"]


@pytest.mark.parametrize("path", UPGRADES)
async def test_h6_a_websocket_is_refused_in_openais_shape(path: str, world: World) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as heard:
        await world.http.ws_connect(world.api + path)
    async with world.http.get(world.api + path, headers=UPGRADE) as answer:
        error = (await answer.json())["error"]

    assert (heard.value.status, answer.status, error["code"]) == (501, 501, "not_implemented")
    assert answer.headers["x-should-retry"] == "false"
    assert world.first.hits == 0


# Where an application may think that the API begins

BASES = ["", "/", "/v1", "/v1/"]


@pytest.mark.parametrize("base", BASES)
async def test_h7_a_base_url_is_as_good_with_the_version_as_without(
    base: str, world: World
) -> None:
    client = world.openai.with_options(base_url=world.api + base)
    chat = await client.chat.completions.create(model="m", messages=MESSAGES)
    response = await client.responses.create(model="m", input="Hi")
    text = await client.completions.create(model="m", prompt="Hi")
    vector = await client.embeddings.create(model="m", input="Hi")

    assert chat.choices[0].message.content == response.output_text == "Hello from first."
    assert text.choices[0].text == "Hello from first."
    assert vector.data[0].embedding
    assert [model.id async for model in client.models.list()] == ["first-model", "second-model"]
    assert (await client.models.retrieve("first-model")).id == "first-model"


@pytest.mark.parametrize("path", ["/v1/v1/chat/completions", "/v1//messages"])
async def test_h7_a_version_too_many_is_told_and_goes_to_nobody(path: str, world: World) -> None:
    answer = await world.http.post(world.api + path, json=CHAT)

    assert answer.status == 404
    assert "say /v1 once" in (await answer.json())["error"]["message"]
    assert world.first.hits == 0


async def test_h7_a_slash_at_the_end_is_nothing(world: World) -> None:
    for path in ("/v1/chat/completions/", "/chat/"):
        async with world.http.post(world.api + path, json=CHAT) as answer:
            assert (path, answer.status) == (path, 200)


@pytest.mark.parametrize("path", ["/v1/files/a%2Fb", "/v1/files/%C3%BC%20?after=a%26b"])
async def test_h8_what_is_percent_encoded_goes_on_as_it_is(path: str, world: World) -> None:
    async with world.http.get(URL(world.api + path, encoded=True)) as answer:
        assert (await answer.json())["path"] == path


# The same for applications that speak Anthropic's Messages

ERROR = {"type", "error", "request_id"}


async def raw(
    world: World, method: str = "POST", path: str = "/v1/messages", **sent: Any
) -> tuple[int, Json, Mapping[str, str]]:
    async with world.http.request(method, URL(world.api + path, encoded=True), **sent) as answer:
        return answer.status, await answer.json(), answer.headers


def assert_in_anthropics_shape(body: Json, headers: Mapping[str, str], kind: str) -> None:
    assert body.keys() == ERROR
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert body["request_id"] == headers["x-request-id"]
    assert body["error"]["message"]


COUNT = "/v1/messages/count_tokens"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
ASKED: Json = {"model": "claude", "max_tokens": 99, "messages": MESSAGES}
COUNTED: Json = {
    "model": "claude",
    "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
    "messages": MESSAGES,
    "tools": [{"name": "look_up", "input_schema": {"type": "object", "properties": {}}}],
}
REFUSED: dict[str, tuple[int, str, Json]] = {
    "no JSON": (400, "invalid_request_error", {"data": b'{"model": '}),
    "no object": (400, "invalid_request_error", {"data": b"[]"}),
    "no model": (400, "invalid_request_error", {"json": {"messages": []}}),
    "too large": (413, "request_too_large", {"data": b" " * 300_000}),
    "wrong method": (405, "invalid_request_error", {"method": "GET"}),
    "a page": (403, "permission_error", {"headers": {"Origin": "http://x.example"}, "json": ASKED}),
    "counting by GET": (405, "invalid_request_error", {"method": "GET", "path": COUNT}),
    "a websocket": (501, "api_error", {"method": "GET", "headers": UPGRADE}),
}


@pytest.mark.parametrize("prefix", ["/v1/messages", "/messages", "/v1/messages/"])
@pytest.mark.parametrize("what", REFUSED)
async def test_h9_what_cannot_be_served_is_said_in_anthropics_shape(
    what: str, prefix: str, world: World
) -> None:
    code, kind, sent = REFUSED[what]
    got, body, headers = await raw(world, **{"path": prefix, **sent})

    assert got == code
    assert_in_anthropics_shape(body, headers, kind)
    assert world.first.hits == 0


async def test_h9_a_model_that_no_route_serves_is_not_found_in_anthropics_shape() -> None:
    async with a_world(models=("gpt-*",)) as world, anthropic_at(world.api) as client:
        messages: Any = client.messages
        for ask, fields in ((messages.create, ASKED), (messages.count_tokens, COUNTED)):
            with pytest.raises(anthropic.NotFoundError) as heard:
                await ask(**fields)

            body: Any = heard.value.body
            assert_in_anthropics_shape(body, heard.value.response.headers, "not_found_error")
            assert "claude" in body["error"]["message"]


EXHAUSTED: dict[str, tuple[Fault | str, Fault | str, int, str, str]] = {
    "limited": (status(429), status(429), 429, "rate_limit_error", "rate_limit_exceeded"),
    "down": (status(500), status(529), 503, "overloaded_error", "all_providers_failed"),
    "bad keys": (status(401), status(403), 503, "overloaded_error", "all_providers_failed"),
    "silent": ("silence", "silence", 504, "timeout_error", "deadline_exceeded"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("why", EXHAUSTED)
async def test_h10_an_exhausted_chain_makes_anthropics_sdk_call_once(
    why: str, stream: bool
) -> None:
    of_first, of_second, code, kind, word = EXHAUSTED[why]
    async with a_world(kinds={"second": "anthropic"}) as world, anthropic_at(world.api) as client:
        world.first.plays(of_first)
        world.second.plays(of_second)
        deadline = {"x-request-timeout": "0.5" if code == 504 else "30"}
        with pytest.raises(anthropic.APIStatusError) as heard:
            await client.messages.create(**ASKED, stream=stream, extra_headers=deadline)

        body: Any = heard.value.body
        headers = heard.value.response.headers
        assert (heard.value.status_code, body["error"]["code"]) == (code, word)
        assert_in_anthropics_shape(body, headers, kind)
        assert headers["x-should-retry"] == "false"
        assert [one["provider"] for one in body["error"]["attempts"]][:1] == ["first"]
        assert len(world.requests()) == 1


async def test_h10_when_every_breaker_is_open_anthropics_sdk_hears_when_to_come_back(
    world: World,
) -> None:
    world.first.plays("status_500")
    world.second.plays("status_500")
    for _ in range(3):
        await raw(world, json=ASKED)
    got, body, headers = await raw(world, json=ASKED)

    assert (got, body["error"]["code"]) == (503, "all_providers_open")
    assert_in_anthropics_shape(body, headers, "overloaded_error")
    assert int(headers["retry-after"]) > 0


@pytest.mark.parametrize("kind", ["openai", "gemini", "anthropic"])
async def test_h10_the_callers_own_fault_is_told_in_anthropics_shape_whoever_finds_it(
    kind: str,
) -> None:
    async with a_world(kinds={"first": kind, "second": kind}) as world:
        world.first.plays(status(400, openai_error("No such role", "invalid_request_error")))
        world.second.plays(status(400, openai_error("Nor here", "invalid_request_error")))
        got, body, headers = await raw(world, json=ASKED)

        assert (got, body["error"]["message"]) == (400, "No such role")
        assert_in_anthropics_shape(body, headers, "invalid_request_error")


async def test_h10_messages_of_other_apis_are_spoken_of_in_openais_shape() -> None:
    async with a_world(models=("gpt-*",)) as world:
        for path in ("/v1/threads/t1/messages", "/v1/chat/completions/c1/messages"):
            got, body, _ = await raw(world, "GET", path)

            assert (path, got, body["error"]["code"]) == (path, 404, "not_found")


# Counting the tokens of a message


@pytest.mark.parametrize("first", ["openai", "gemini", "huggingface"])
async def test_h11_tokens_are_counted_by_the_first_that_serves_messages_itself(first: str) -> None:
    kinds = {"first": first, "second": "anthropic"}
    async with a_world(kinds=kinds) as world, anthropic_at(world.api) as client:
        world.second.plays(says({"input_tokens": 14}))
        counted = await client.messages.count_tokens(**COUNTED)

        call = world.second.calls[-1]
        assert counted.input_tokens == 14
        assert (call.method, call.path) == ("POST", "/v1/messages/count_tokens")
        assert call.json == {**COUNTED, "model": "claude-haiku-5-5"}
        assert call.headers["x-api-key"] == "key-of-second"
        assert "app" not in call.headers.get("authorization", "")
        assert world.first.hits == 0


async def test_h11_who_counts_is_asked_in_the_version_that_the_application_speaks() -> None:
    async with a_world(kinds={"first": "anthropic"}) as world:
        said: dict[str, str] = {"anthropic-version": "2026-10-21", "anthropic-beta": "b-1"}
        for headers in ({}, said):
            world.first.plays(says({"input_tokens": 14}))
            path = "/messages/count_tokens"
            got, body, _ = await raw(world, path=path, json=COUNTED, headers=headers)
            assert (got, body) == (200, {"input_tokens": 14})

        first, second = (call.headers for call in world.first.calls)
        assert first["anthropic-version"] == "2023-06-01"
        assert second["anthropic-version"] == "2026-10-21"
        assert second["anthropic-beta"] == "b-1"


async def test_h11_where_nobody_serves_messages_nobody_counts() -> None:
    kinds = {"first": "gemini"}
    async with a_world(kinds=kinds) as world, anthropic_at(world.api) as client:
        with pytest.raises(anthropic.NotFoundError, match="serves Messages itself") as heard:
            await client.messages.count_tokens(**COUNTED)

        body: Any = heard.value.body
        assert_in_anthropics_shape(body, heard.value.response.headers, "not_found_error")
        assert (world.first.hits, world.second.hits) == (0, 0)


async def test_h11_an_error_in_counting_is_its_providers_own() -> None:
    async with a_world(kinds={"first": "anthropic"}) as world, anthropic_at(world.api) as client:
        world.first.plays(status(400, anthropics(400, "messages: Field required")))
        with pytest.raises(anthropic.BadRequestError, match="Field required"):
            await client.messages.count_tokens(**COUNTED)

        assert world.second.hits == 0


async def test_h11_a_bad_key_for_counting_is_not_the_applications() -> None:
    async with a_world(kinds={"first": "anthropic"}) as world:
        world.first.plays(status(401, anthropics(401, "invalid x-api-key")))
        got, body, headers = await raw(world, path=COUNT, json=COUNTED)

        assert (got, body["error"]["code"]) == (503, "all_providers_failed")
        assert_in_anthropics_shape(body, headers, "overloaded_error")
        assert world.second.hits == 0
