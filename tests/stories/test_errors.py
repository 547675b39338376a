"""When nobody can answer, the application hears the truth, once, in OpenAI's shape."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest
from yarl import URL

from sidecar.core.outcome import RequestOutcome
from sidecar.core.settings import Limits
from sidecar.faults.catalog import Effect, Fault, status
from sidecar.faults.fault import reply
from tests.stories.world import CHAT, MESSAGES, MODEL, World, a_world, eventually


async def test_an_exhausted_chain_makes_the_sdk_call_once(world: World) -> None:
    world.first.plays(status(503))
    world.second.plays(status(503))

    with pytest.raises(openai.InternalServerError) as heard:
        await world.openai.chat.completions.create(model=MODEL, messages=MESSAGES)

    assert world.first.hits == world.second.hits == 1
    assert heard.value.status_code == 503
    assert heard.value.code == "all_providers_failed"
    assert heard.value.body["attempts"][0]["outcome"] == "overloaded"  # type: ignore[index]  # the SDK types it as object
    assert len(world.requests()) == 1


async def test_every_provider_rate_limited_is_a_rate_limit(world: World) -> None:
    world.first.plays(status(429, retry_after=30))
    world.second.plays(status(429, retry_after=12))

    with pytest.raises(openai.RateLimitError) as heard:
        await world.openai.chat.completions.create(model=MODEL, messages=MESSAGES)

    assert heard.value.response.headers["retry-after"] == "12"
    assert heard.value.response.headers["x-should-retry"] == "false"
    assert world.first.hits == world.second.hits == 1


async def test_a_bad_request_is_asked_of_each_provider_once_and_comes_back_as_the_first_said_it(
    world: World,
) -> None:
    def fault_of(who: str) -> dict[str, Any]:
        return {"error": {"message": f"{who}: bad messages", "type": "invalid_request_error"}}

    world.first.plays(status(400, fault_of("first")))
    world.second.plays(status(400, fault_of("second")))

    with pytest.raises(openai.BadRequestError) as heard:
        await world.openai.chat.completions.create(model=MODEL, messages=MESSAGES)

    assert "first: bad messages" in str(heard.value)
    assert world.first.hits == world.second.hits == 1
    assert world.requests()[-1].outcome is RequestOutcome.CLIENT_ERROR


async def test_a_bad_key_of_the_operator_is_never_the_applications_401(world: World) -> None:
    world.first.plays(status(401))
    world.second.plays(status(401))

    with pytest.raises(openai.InternalServerError) as heard:
        await world.openai.chat.completions.create(model=MODEL, messages=MESSAGES)

    assert heard.value.code == "all_providers_failed"


async def test_a_key_that_a_provider_echoes_goes_no_further(world: World) -> None:
    echo = {"error": {"message": "bad key key-of-first", "type": "invalid_request_error"}}
    world.first.plays(status(400, echo))
    world.second.plays(status(400, echo))

    answer = await world.chat()

    assert "key-of-first" not in await answer.text()


async def test_html_of_a_provider_never_reaches_the_application(world: World) -> None:
    world.first.plays("body_html")
    world.second.plays("body_html")

    answer = await world.chat()

    assert answer.status == 503
    assert "<" not in await answer.text()


BAD_CALLS: list[tuple[str, bytes, int, str | None]] = [
    ("malformed JSON", b'{"model": ', 400, None),
    ("no object", b"[1]", 400, None),
    ("empty", b"", 400, None),
    ("no model", b'{"messages": []}', 400, "model"),
    ("model of the wrong type", b'{"model": 7}', 400, "model"),
    ("stream of the wrong type", b'{"model": "m", "stream": "yes"}', 400, "stream"),
    ("too large", b'{"model": "' + b"m" * 300_000 + b'"}', 413, None),
]


@pytest.mark.parametrize(
    ("body", "code", "param"), [row[1:] for row in BAD_CALLS], ids=[row[0] for row in BAD_CALLS]
)
async def test_a_bad_call_is_refused_before_any_provider_is_asked(
    body: bytes, code: int, param: str | None, world: World
) -> None:
    async with world.http.post(f"{world.api}/v1/chat/completions", data=body) as answer:
        error = (await answer.json())["error"]

    assert answer.status == code
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param
    assert world.first.hits == 0


async def test_a_body_that_is_not_what_it_says_is_the_callers_fault(world: World) -> None:
    headers = {"Content-Encoding": "gzip"}
    async with world.http.post(
        f"{world.api}/chat", data=b"not gzip at all", headers=headers
    ) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == "invalid_request"


async def test_what_is_no_http_is_told_so_in_openais_shape(world: World) -> None:
    host, port = str(world.sidecar.api).split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Length: five\r\n\r\n")

    answer = (await reader.read()).decode()
    writer.close()

    assert answer.split()[1] == "400"
    assert json.loads(answer.partition("\r\n\r\n")[2])["error"]["code"] == "invalid_http"


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
async def test_a_page_from_elsewhere_cannot_spend_the_keys(origin: str, world: World) -> None:
    headers = {"Origin": origin, "Content-Type": "text/plain"}
    async with world.http.post(f"{world.api}/chat", json=CHAT, headers=headers) as answer:
        assert answer.status == 403
    assert world.first.hits == 0


async def test_a_page_of_this_machine_is_an_application(world: World) -> None:
    headers = {"Origin": "http://localhost:3000"}
    async with world.http.post(f"{world.api}/chat", json=CHAT, headers=headers) as answer:
        assert answer.status == 200


async def test_a_content_policy_is_told_also_after_another_failure(world: World) -> None:
    world.first.plays(status(500))
    world.second.plays("content_filter")

    answer = await world.chat()

    assert answer.status == 400
    assert (await answer.json())["error"]["code"] == "content_filter"


async def test_a_key_echoed_after_content_goes_no_further(world: World) -> None:
    word = {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}
    error = {"error": {"message": "bad key key-of-first", "type": "server_error"}}
    events = b"".join(b"data: %b\n\n" % json.dumps(one).encode() for one in (word, error))
    script = reply(200, events, "text/event-stream", {})
    world.first.plays(Fault("echo", "echoes the key", Effect.INTERRUPTED, script))

    answer = await world.chat(stream=True)
    text = await answer.text()

    assert "bad key ***" in text
    assert "key-of-first" not in text


ODD_ANSWERS: list[tuple[str, Any]] = [
    ("choices of nothing", {"choices": [None]}),
    ("choices of words", {"choices": ["a"]}),
    ("an empty choice", {"choices": [{}]}),
    ("a finish that is a list", {"choices": [{"message": [], "finish_reason": []}]}),
    ("calls of words", {"choices": [{"message": {"tool_calls": ["a"]}}]}),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("body", [row[1] for row in ODD_ANSWERS], ids=[r[0] for r in ODD_ANSWERS])
async def test_an_answer_of_an_unheard_of_shape_costs_no_request(
    body: Any, stream: bool, world: World
) -> None:
    world.first.plays(status(200, body))

    answer = await world.chat(stream=stream)
    await answer.read()

    assert answer.status == 200
    if stream or body["choices"] != [{"message": {"tool_calls": ["a"]}}]:
        assert answer.headers["x-sidecar-attempts"].startswith("first;protocol;200;")


async def test_an_answer_too_deep_to_be_written_again_costs_no_request(world: World) -> None:
    deep: Any = {}
    for _ in range(400):
        deep = {"a": deep}
    chunk = {"choices": None, "usage": {"prompt_tokens": 1}, "deep": deep}
    events = b"data: %b\n\n" % json.dumps(chunk).encode()
    script = reply(200, events, "text/event-stream", {})
    world.first.plays(Fault("deep", "nests deeply", Effect.FAILS_OVER, script))

    answer = await world.chat(stream=True)
    await answer.read()

    assert answer.headers["x-sidecar-provider"] == "second"


async def test_a_deep_request_goes_on_as_it_is(world: World) -> None:
    deep: Any = {}
    for _ in range(400):
        deep = {"a": deep}

    answer = await world.chat(deep=deep)

    assert answer.status == 200
    assert world.first.calls[-1].body.count(b'{"a"') == 400


async def chunked(size: int) -> Any:
    for _ in range(size // 1024):
        yield b"x" * 1024


async def test_a_body_over_the_limit_is_refused_also_without_its_length(world: World) -> None:
    async with world.http.post(f"{world.api}/chat", data=chunked(300_000)) as answer:
        assert answer.status == 413
        assert (await answer.json())["error"]["code"] == "request_too_large"


PATHS: list[tuple[str, str, int, str]] = [
    ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
    ("DELETE", "/v1/models/m", 405, "method_not_allowed"),
    ("GET", "/nowhere", 404, "not_found"),
    ("GET", "/v1/../secrets", 404, "not_found"),
    ("GET", "/v1/%2e%2e/secrets", 404, "not_found"),
    ("GET", "/", 404, "not_found"),
]


@pytest.mark.parametrize(("method", "path", "code", "word"), PATHS)
async def test_what_is_not_served_is_said_in_openais_shape(
    method: str, path: str, code: int, word: str, world: World
) -> None:
    url = URL(world.api + path, encoded=True)
    async with world.http.request(method, url) as answer:
        error = (await answer.json())["error"]

    assert (answer.status, error["code"]) == (code, word)
    assert world.first.hits == 0


async def test_a_websocket_is_refused_in_openais_shape(world: World) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
    async with world.http.get(f"{world.api}/v1/realtime", headers=headers) as answer:
        assert answer.status == 501
        assert (await answer.json())["error"]["code"] == "not_implemented"


async def test_a_model_that_no_route_serves_is_not_found() -> None:
    async with a_world(models=("gpt-*",)) as world:
        async with world.http.post(f"{world.api}/chat", json={**CHAT, "model": "claude"}) as answer:
            assert answer.status == 404
            assert (await answer.json())["error"]["code"] == "model_not_found"
        async with world.http.get(f"{world.api}/v1/files") as answer:
            assert answer.status == 404


async def test_one_request_too_many_is_told_to_come_back(world: World) -> None:
    async with a_world(limits=Limits(in_flight=1)) as small:
        small.first.plays("silence")
        first = asyncio.create_task(small.chat())
        await eventually(lambda: small.first.hits == 1)

        answer = await small.chat()

        assert answer.status == 503
        assert (await answer.json())["error"]["code"] == "sidecar_overloaded"
        await first
