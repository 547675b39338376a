"""Case C, first half: what Claude hears of a chat request, to the letter."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.dialects.anthropic.tools import safe_name
from sidecar.dialects.dialect import Json
from tests.dialects.anthropic.requests import (
    assistant,
    call,
    function,
    result,
    returned,
    system,
    text,
    turn,
    used,
    user,
)
from tests.dialects.anthropic.wire import LOOK_UP
from tests.stories.conformance.claude import NEWEST, claude
from tests.stories.conformance.claude_table import HI, PARIS, THEMES, WEATHER, file, image
from tests.stories.conformance.scripts import a_world_with, attempts, dropped, heard, metric
from tests.stories.world import MODEL, World


def plain(model: str) -> Json:
    return {"model": model, "max_tokens": 16_000, "messages": [HI], "stream": False}


async def asked(world: World, fields: Json) -> Any:
    """The answer to one call of the real client, and the provider's own every time."""
    call = {"model": MODEL, "messages": [user("Hi.")], **fields}
    answer = await world.openai.chat.completions.create(**call)
    assert world.second.hits == 0
    return answer


@pytest.mark.parametrize("theme", THEMES)
async def test_c1_every_row_of_the_table_reaches_claude_to_the_letter(theme: str) -> None:
    model, rows = THEMES[theme]
    async with a_world_with("anthropic", model) as world:
        world.first.plays(claude())
        for name, row in rows.items():
            await asked(world, row.asked)
            assert {name: heard(world)} == {name: plain(model) | row.heard}
            assert {name: dropped(world)} == {name: row.dropped}


async def test_c1_a_stream_may_be_longer_and_is_asked_for_as_one() -> None:
    async with a_world_with("anthropic", NEWEST) as world:
        world.first.plays(claude())
        async for _ in await asked(world, {"stream": True}):
            pass

    assert heard(world) == plain(NEWEST) | {"max_tokens": 64_000, "stream": True}


BEYOND: dict[str, Json] = {
    "audio": {
        "messages": [
            user([{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}])
        ]
    },
    "a file that only OpenAI has": {"messages": [user([file(file_id="file-1")])]},
    "an image of a kind it cannot see": {
        "messages": [user([image("data:image/tiff;base64,AA==")])]
    },
    "several answers": {"n": 2},
    "a voice": {"modalities": ["text", "audio"], "audio": {"voice": "ash", "format": "wav"}},
    "a tool with a grammar": {"tools": [{"type": "custom", "custom": {"name": "sql"}}]},
}


async def test_c1_what_claude_cannot_be_asked_goes_to_the_next_provider() -> None:
    async with a_world_with("anthropic", NEWEST) as world:
        for name, fields in BEYOND.items():
            call = {"model": MODEL, "messages": [user("Hi.")], **fields}
            answer = await world.openai.chat.completions.create(**call)
            assert (name, answer.choices[0].message.content) == (name, "Hello from second.")

        assert world.first.hits == 0
        assert await world.state_of("first") == "closed"


async def test_c1_what_is_dropped_is_counted_by_its_name() -> None:
    async with a_world_with("anthropic", NEWEST) as world:
        world.first.plays(claude())
        await asked(world, {"seed": 7, "extra_body": {"top_a": 1}})

        assert await metric(world, "dropped_params_total", provider="first", param="seed") == 1
        assert await metric(world, "dropped_params_total", provider="first", param="other") == 1


async def test_c1_a_tools_illegal_name_comes_back_as_the_application_knows_it() -> None:
    name = "weather.of/Paris"
    async with a_world_with("anthropic", NEWEST) as world:
        world.first.plays(claude())
        await asked(world, {"tools": [function(name)]})
        [told] = heard(world)["tools"]
        world.first.plays(claude({**LOOK_UP, "name": told["name"]}, reason="tool_use"))
        answer = await asked(world, {"tools": [function(name)]})

    assert told["name"] == safe_name(name) != name
    assert answer.choices[0].message.tool_calls[0].function.name == name


# How random: by the version of the API, and by the model

RANDOM = {"temperature": 1.7, "top_p": 0.9}


@pytest.mark.parametrize(
    ("version", "model", "taken"),
    [
        ("2023-06-01", "claude-3-5-haiku-20241022", {"temperature": 1, "top_p": 0.9}),
        ("2023-06-01", "claude-sonnet-4-5", {"temperature": 1}),
        ("2023-06-01", "claude-opus-4-7", {}),
        ("2026-10-21", "claude-3-5-haiku-20241022", {}),
        ("2026-10-21", "claude-opus-5-5", {}),
    ],
)
async def test_c17_sampling_is_clamped_or_dropped_by_version_and_model(
    version: str, model: str, taken: Json
) -> None:
    async with a_world_with("anthropic", model, headers={"Anthropic-Version": version}) as world:
        world.first.plays(claude())
        await asked(world, RANDOM)

        assert {name: heard(world)[name] for name in RANDOM if name in heard(world)} == taken
        assert set(dropped(world)) == RANDOM.keys() - taken.keys()
        assert world.first.calls[-1].headers["anthropic-version"] == version


async def test_c17_without_a_word_of_the_operator_the_older_version_is_asked_for() -> None:
    async with a_world_with("anthropic", "claude-3-5-haiku-20241022") as world:
        world.first.plays(claude())
        await asked(world, {"temperature": 0.5})

    assert world.first.calls[-1].headers["anthropic-version"] == "2023-06-01"
    assert heard(world)["temperature"] == 0.5


# Instructions amid the conversation

LATER = [user("Hi."), system("Speak French."), assistant("Salut."), user("Bye.")]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            "claude-opus-4-8",
            [HI, turn("system", text("Speak French."))],
        ),
        (
            "claude-opus-4-7",
            [turn("user", text("Hi."), text("<system>\nSpeak French.\n</system>"))],
        ),
    ],
    ids=["as such", "folded into the user's turn"],
)
async def test_c18_a_later_instruction_stays_in_its_place(model: str, said: list[Json]) -> None:
    async with a_world_with("anthropic", model) as world:
        world.first.plays(claude())
        await asked(world, {"messages": LATER})

    assert "system" not in heard(world)
    assert heard(world)["messages"] == [
        *said,
        turn("assistant", text("Salut.")),
        turn("user", text("Bye.")),
    ]


async def test_c19_ids_that_are_illegal_to_claude_are_rewritten_alike_in_call_and_result() -> None:
    ids = ["call:1.a", "call:1/a"]  # which must not become the same
    messages = [
        user("Hi."),
        assistant(None, *(call(one, "weather", PARIS) for one in ids)),
        *(result(one, one) for one in ids),
    ]
    async with a_world_with("anthropic", NEWEST) as world:
        world.first.plays(claude())
        await asked(world, {"messages": messages, "tools": [WEATHER]})

    _, calls, results = heard(world)["messages"]
    called = [block["id"] for block in calls["content"]]
    assert {block["tool_use_id"]: block["content"] for block in results["content"]} == dict(
        zip(called, ids, strict=True)
    )


async def test_c19_claudes_own_ids_go_to_the_application_and_back_as_they_are() -> None:
    async with a_world_with("anthropic", NEWEST) as world:
        world.first.plays(claude({**LOOK_UP, "id": "toolu_01A-b"}, reason="tool_use"), claude())
        answer = await asked(world, {"tools": [function("look_up")]})
        message = answer.choices[0].message.to_dict()
        [called] = message["tool_calls"]
        turns = [user("Hi."), message, result(called["id"])]
        await asked(world, {"messages": turns, "tools": [function("look_up")]})

    assert called["id"] == "toolu_01A-b"
    assert heard(world)["messages"][1:] == [
        turn("assistant", used("toolu_01A-b", "look_up", {"q": "cats"})),
        turn("user", returned("toolu_01A-b")),
    ]


UNSUPPORTED: Json = {
    "$defs": {"tag": {"type": "string", "minLength": 1, "maxLength": 9}},
    "type": "object",
    "minProperties": 1,
    "patternProperties": {"^x": {}},
    "properties": {
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1, "maxItems": 3},
        "size": {"type": "integer", "minimum": 0, "exclusiveMaximum": 9, "multipleOf": 3},
        "kind": {"oneOf": [{"const": "a"}, {"type": "null"}], "not": {"const": "b"}},
        "when": {"type": "string", "format": "date-time"},
        "nick": {"type": "string", "format": "regex"},
    },
    "required": ["tags"],
    "if": {},
    "then": {},
}
SUPPORTED: Json = {
    "type": "object",
    "properties": {
        "tags": {"type": "array", "items": {"type": "string"}},
        "size": {"type": "integer"},
        "kind": {"anyOf": [{"const": "a"}, {"type": "null"}]},
        "when": {"type": "string", "format": "date-time"},
        "nick": {"type": "string"},
    },
    "required": ["tags"],
    "additionalProperties": False,
}


async def test_c20_a_schema_goes_without_the_keywords_that_are_not_supported() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": UNSUPPORTED}}
    async with a_world_with("anthropic", NEWEST) as world:
        world.first.plays(claude())
        await asked(world, {"response_format": form})

    assert heard(world)["output_config"]["format"] == {"type": "json_schema", "schema": SUPPORTED}


async def test_c21_the_page_that_asks_is_not_shown_to_claude() -> None:
    async with a_world_with("anthropic", NEWEST) as world:
        world.first.plays(claude())
        page = {"Origin": "http://localhost:3000", "Referer": "http://localhost:3000/chat"}
        await asked(world, {"extra_headers": page})

        assert attempts(world) == ["first;ok"]
        assert {"origin", "referer"}.isdisjoint(world.first.calls[-1].headers)


AUTH = {"authorization", "x-api-key", "api-key", "x-goog-api-key", "cf-aig-authorization"}


async def test_c22_of_all_the_keys_that_are_about_only_the_operators_reaches_claude() -> None:
    theirs = {"x-api-key": "app-1", "api-key": "app-2", "cf-aig-authorization": "Bearer app-3"}
    async with a_world_with("anthropic", NEWEST) as world:
        world.first.plays(claude())
        await asked(world, {"extra_headers": theirs})

    sent = world.first.calls[-1].headers
    assert {name: sent[name] for name in AUTH & sent.keys()} == {"x-api-key": "key-of-first"}
