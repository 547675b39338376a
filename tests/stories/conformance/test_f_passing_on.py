"""Case F: what is passed on, both ways, and what is not."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from sidecar.dialects.dialect import Json
from tests.dialects.anthropic.requests import assistant, call, result, user
from tests.stories.conformance.scripts import (
    STREAMED,
    a_world_with,
    ask,
    chunks,
    completion,
    delta,
    dropped,
    heard,
    message_of,
    metric,
    says,
    streams_chat,
)
from tests.stories.world import CHAT, MODEL, World

KINDS = {  # by kind: a model, and how it is told the key
    "openai": ("gpt-5-mini", ("authorization", "Bearer key-of-first")),
    "azure": ("gpt-5-mini", ("api-key", "key-of-first")),
    "gemini": ("gemini-3-flash", ("authorization", "Bearer key-of-first")),
    "huggingface": ("org/model", ("authorization", "Bearer key-of-first")),
    "anthropic": ("claude-haiku-5-5", ("x-api-key", "key-of-first")),
    "cloudflare": ("google/gemini-3-flash", ("authorization", "Bearer key-of-first")),
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
CREDENTIALS = frozenset(
    (
        *("authorization", "x-api-key", "api-key", "x-goog-api-key", "cf-aig-authorization"),
        *("cookie", "proxy-authorization"),
    )
)
OF_OPENAI = {
    "openai-organization": "org-1",
    "openai-project": "proj-1",
    "openai-beta": "assistants=v2",
}
OF_THE_HOP = {
    "accept-encoding": "gzip, deflate",
    "te": "trailers",
    "connection": "keep-alive, x-hop",
    "x-hop": "1",
    "keep-alive": "timeout=5",
    "proxy-authorization": "Basic bWU=",
}
OF_THE_APPLICATION = {
    "cookie": "session=1",
    "x-api-key": "app",
    "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
    "baggage": "user=ann",
    "x-forwarded-for": "10.0.0.1",
    "x-request-id": "r-1",
    "x-request-timeout": "30",
    "x-sidecar-after-content": "error",
    "referer": "http://localhost/",
}
ITS_OWN = {"x-team": "search", "accept-language": "en"}


@EVERY_KIND
async def test_f1_of_the_sdks_headers_a_provider_gets_its_own_key_and_no_more(kind: str) -> None:
    model, (name, key) = KINDS[kind]
    headers = {**OF_OPENAI, **OF_THE_HOP, **OF_THE_APPLICATION, **ITS_OWN}
    async with a_world_with(kind, model) as world:
        await ask(world, extra_headers=headers)

    got = world.first.calls[-1].headers
    theirs = {one: got[one] for one in OF_OPENAI if one in got}
    assert {one: got[one] for one in CREDENTIALS & got.keys()} == {name: key}
    assert theirs == (OF_OPENAI if kind in ("openai", "azure") else {})
    assert not [one for one in got if one.startswith(("x-stainless-", "x-sidecar-"))]
    assert OF_THE_APPLICATION.keys().isdisjoint(got.keys() - {name})
    assert {"te", "connection", "x-hop", "keep-alive", "transfer-encoding"}.isdisjoint(got)
    assert {one: got[one] for one in ITS_OWN} == ITS_OWN


@EVERY_KIND
async def test_f1_what_describes_the_request_is_true_of_the_one_that_goes_out(kind: str) -> None:
    model, _ = KINDS[kind]
    async with a_world_with(kind, model) as world:
        await ask(world)

    sent = world.first.calls[-1]
    assert sent.headers["host"] == f"127.0.0.1:{world.first.port}"
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["content-length"] == str(len(sent.body))
    assert sent.headers["accept-encoding"] == "identity"
    assert "x-stainless-retry-count" not in sent.headers


async def test_f1_anthropics_own_headers_reach_who_understands_them_alone() -> None:
    own = {"anthropic-beta": "context-1m-2025-08-07"}
    understood: dict[str, bool] = {}
    for kind, (model, _) in KINDS.items():
        async with a_world_with(kind, model) as world, a_claude_client(world) as client:
            await client.messages.create(
                model=MODEL, max_tokens=9, messages=[user("Hi.")], extra_headers=own
            )
        got = world.first.calls[-1].headers
        understood[kind] = got.get("anthropic-beta") == own["anthropic-beta"]

    assert {kind for kind, does in understood.items() if does} == {"anthropic", "cloudflare"}


def a_claude_client(world: World) -> Any:
    return anthropic.AsyncAnthropic(base_url=world.api, api_key="app")


# The body, byte by byte

UNKNOWN = (
    b'{ "x_new": {"deep": [1.10, 1e3, 12345678901234567890123]},\r\n\t"model" : "gpt-4o",'
    b' "messages":[{"role":"user","content":"Gr\\u00fc\\u00dfe \\/ \xf0\x9f\x8c\x8d",'
    b' "x_part": null}] , "temperature":1.0}'
)
COUNTED = b'{"stream_options":{"include_usage":true},'


async def post(world: World, body: bytes) -> None:
    json = {"content-type": "application/json"}
    url = f"{world.api}/v1/chat/completions"
    async with world.http.post(url, data=body, headers=json) as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()


@pytest.mark.parametrize("kind", ["openai", "azure", "openrouter", "xai", "cloudflare"])
async def test_f2_unknown_fields_reach_who_is_not_strict_byte_for_byte(kind: str) -> None:
    async with a_world_with(kind, None) as world:
        await post(world, UNKNOWN)

        assert world.first.calls[-1].body == UNKNOWN
        assert dropped(world) == ()


async def test_f2_the_model_is_all_that_changes_where_the_chain_names_another() -> None:
    async with a_world_with("openai", "gpt-5") as world:
        await post(world, UNKNOWN)

    assert world.first.calls[-1].body == UNKNOWN.replace(b'"gpt-4o"', b'"gpt-5"')


async def test_f2_a_stream_is_asked_to_be_counted_and_nothing_else_changes() -> None:
    body = UNKNOWN.replace(b'"x_new"', b'"stream":true, "x_new"')
    async with a_world_with("openai", "gpt-5") as world:
        await post(world, body)

    expected = COUNTED + body[1:].replace(b'"gpt-4o"', b'"gpt-5"')
    assert world.first.calls[-1].body == expected


async def test_f2_other_options_of_the_stream_stay_beside_the_counting() -> None:
    async with a_world_with("openai", "gpt-5") as world:
        options = {"include_obfuscation": False}
        await post_json(world, stream=True, stream_options=options, x_new=1)

    assert heard(world) == {
        **CHAT,
        "model": "gpt-5",
        "stream": True,
        "x_new": 1,
        "stream_options": {"include_obfuscation": False, "include_usage": True},
    }


async def post_json(world: World, **fields: Any) -> None:
    answer = await world.chat(**fields)
    assert answer.status == 200
    await answer.read()


# Who is strict

OPENAI_ONLY: Json = {
    "store": True,
    "metadata": {"a": "b"},
    "prediction": {"type": "content", "content": "x"},
    "logit_bias": {"1": 2},
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "verbosity": "low",
    "web_search_options": {},
    "x_new": 1,
}
STRICT = {  # by kind: what it takes of these
    "gemini": (),
    "vertex": (),
    "groq": (),
    "mistral": ("metadata", "prediction", "prompt_cache_key"),
    "anthropic": (),
}
MODELS = {"anthropic": "claude-haiku-5-5", "gemini": "gemini-3-flash", "vertex": "google/gemini-3"}


@pytest.mark.parametrize("kind", STRICT)
async def test_f3_unknown_fields_are_kept_from_who_is_strict_and_counted(kind: str) -> None:
    taken = STRICT[kind]
    async with a_world_with(kind, MODELS.get(kind, "m")) as world:
        known = {name: value for name, value in OPENAI_ONLY.items() if name != "x_new"}
        await ask(world, **known, extra_body={"x_new": 1})

        lost = OPENAI_ONLY.keys() - set(taken)
        assert OPENAI_ONLY.keys() & heard(world).keys() == set(taken)
        assert set(dropped(world)) == lost
        for name in lost:
            label = "other" if name == "x_new" else name
            counted = await metric(world, "dropped_params_total", provider="first", param=label)
            assert (name, counted) == (name, 1)


@pytest.mark.parametrize("kind", ["gemini", "groq", "mistral"])
async def test_f3_so_are_the_unknown_fields_of_messages_and_calls(kind: str) -> None:
    called = {**call("abcdefghi", "f", "{}"), "index": 0, "x_call": 1}
    past = {**assistant(None, called), "refusal": None, "annotations": [], "x_turn": 1}
    async with a_world_with(kind, MODELS.get(kind, "m")) as world:
        await ask(world, messages=[{**user("Hi."), "x_turn": 1}, past, result("abcdefghi")])

    hi, answer, found = heard(world)["messages"]
    [told] = answer["tool_calls"]
    assert hi == user("Hi.")
    assert answer.keys() == {"role", "content", "tool_calls"}
    assert told.keys() - {"extra_content"} == {"id", "type", "function"}
    assert found == result("abcdefghi")


# What comes back

EXTRAS: Json = {
    "reasoning_content": "Hm.",
    "extra_content": {"google": {"thought": True}},
    "x_said": {"a": 1},
}
BESIDE: Json = {"x_groq": {"id": "req_1"}, "provider": "Acme", "sla_metrics": {"ms": 3}}


@pytest.mark.parametrize("kind", ["openai", "gemini", "huggingface", "cloudflare", "groq"])
async def test_f4_unknown_fields_of_an_answer_reach_the_application(kind: str) -> None:
    choice = {"x_choice": [1]}
    whole = {**completion(content="Hi", **EXTRAS), **BESIDE}
    whole["choices"][0] |= choice
    async with a_world_with(kind, MODELS.get(kind, "m")) as world:
        world.first.plays(says(whole))
        answer = await ask(world)

    message = message_of(answer)
    assert {name: message[name] for name in EXTRAS} == EXTRAS
    assert {name: answer[name] for name in BESIDE} == BESIDE
    assert answer["choices"][0]["x_choice"] == [1]


@pytest.mark.parametrize("kind", ["openai", "gemini", "huggingface", "cloudflare", "groq"])
async def test_f4_and_so_do_those_of_its_stream(kind: str) -> None:
    told = [
        {**delta(role="assistant", content=""), **BESIDE},
        {**delta(**EXTRAS)},
        {**delta(content="Hi"), "obfuscation": "xyz"},
        delta("stop"),
    ]
    async with a_world_with(kind, MODELS.get(kind, "m")) as world:
        world.first.plays(streams_chat(*told))
        first, second, third, _ = await chunks(world)

    said = second["choices"][0]["delta"]
    assert {name: first[name] for name in BESIDE} == BESIDE
    assert {name: said[name] for name in EXTRAS} == EXTRAS
    assert third["obfuscation"] == "xyz"


async def test_f4_a_clean_answer_is_passed_on_byte_for_byte() -> None:
    odd = (
        b'{"id": "c", "object":"chat.completion","created":1, "model":"m",\n "x":1.10,'
        b' "choices":[{"index":0,"message":{"role":"assistant","content":"\\u00fc"},'
        b'"finish_reason":"stop"}]}'
    )
    async with a_world_with("openai", None) as world:
        world.first.plays(says(odd))
        answer = await world.chat()

        assert await answer.read() == odd


@STREAMED
async def test_f4_headers_of_an_answer_that_concern_nobody_here_stay_behind(stream: bool) -> None:
    theirs: Json = {
        "x_should_retry": "true",
        "retry_after": 30,
        "set_cookie": "a=1",
        "server": "cloudflare",
        "x_ratelimit_remaining_requests": 5,
        "openai_processing_ms": 12,
    }
    plays = streams_chat(delta(content="Hi"), delta("stop"))
    async with a_world_with("openai", None) as world:
        world.first.plays(plays if stream else says(completion(content="Hi"), **theirs))
        answer = await world.chat(stream=stream)
        await answer.read()

    got = answer.headers
    assert {"x-should-retry", "retry-after", "set-cookie"}.isdisjoint(got)
    assert got["x-upstream-request-id"] == "req_first"
    assert got["x-request-id"] != "req_first"
    assert stream or got["x-ratelimit-remaining-requests"] == "5"


async def test_f4_the_sdk_sees_the_sidecars_request_id() -> None:
    async with a_world_with("openai", None) as world:
        chats: Any = world.openai.chat.completions
        answer = await chats.create(**CHAT, extra_headers={"x-request-id": "mine-1"})

    assert answer._request_id == "mine-1"
