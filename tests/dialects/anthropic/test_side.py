"""A chat call as Anthropic hears it, and what is heard of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sidecar.core.answer import AnswerFailed
from sidecar.core.events import Usage
from sidecar.core.outcome import Outcome
from sidecar.dialects.anthropic.side import AnthropicSide
from sidecar.dialects.dialect import Json, Untranslatable
from tests.dialects.anthropic.wire import (
    HI,
    LOOK_UP,
    accumulated,
    chunks_of,
    deep,
    end,
    message,
    readings,
    start,
    target,
    tool,
)

ASKED: Json = {"model": "smart", "messages": [{"role": "user", "content": "Hi"}]}
DOTTED = {"type": "function", "function": {"name": "look.up", "parameters": {"type": "object"}}}
FREE = {"input_tokens": 5, "output_tokens": 0}
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}
FORMAT = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
OLD = "claude-3-5-haiku-latest"  # it knows no output format, so a tool stands for it


def side(fields: Json | None = None, **changes: Any) -> AnthropicSide:
    return AnthropicSide({**ASKED, **(fields or {})}, target(**changes))


def answer(*blocks: Json, asked: AnthropicSide | None = None, **fields: Any) -> Any:
    return (asked or side()).read_answer(orjson.dumps(message(*blocks, **fields)))


def tool_sent(asked: AnthropicSide) -> Json:
    """The tool that Anthropic is offered, called."""
    (offered,) = orjson.loads(asked.outgoing.body)["tools"]
    return {**LOOK_UP, "name": offered["name"]}


def test_the_request_is_one_of_messages() -> None:
    outgoing = side().outgoing
    body = orjson.loads(outgoing.body)

    assert (outgoing.path, body["model"]) == ("/messages", "claude-haiku-5-5")
    assert body["messages"][0]["role"] == "user"


@pytest.mark.parametrize(
    ("version", "says"), [("", "2023-06-01"), ("2026-10-21", "2026-10-21")], ids=["none", "one"]
)
def test_a_version_is_always_named(version: str, says: str) -> None:
    assert side(version=version).outgoing.headers == (("anthropic-version", says),)


def test_what_cannot_be_carried_is_told() -> None:
    assert "seed" in side({"seed": 5}).outgoing.dropped


def test_what_cannot_be_asked_is_not() -> None:
    with pytest.raises(Untranslatable):
        side({"n": 2})


def test_what_is_nested_too_deep_is_not_asked() -> None:
    function = {"name": "f", "parameters": {"type": "object", "properties": deep()}}

    with pytest.raises(Untranslatable):
        side({"tools": [{"type": "function", "function": function}]})


def test_an_answer_is_a_chat_completion() -> None:
    answered = answer(HI, usage={"input_tokens": 3, "output_tokens": 2})

    assert answered.answer["choices"][0]["message"]["content"] == "Hi"
    assert answered.usage == Usage(3, 2)
    assert answered.raw == b""


@pytest.mark.parametrize(("reason", "filtered"), [("refusal", True), ("end_turn", False)])
def test_only_a_refusal_is_filtered(reason: str, filtered: bool) -> None:
    assert answer(HI, stop_reason=reason).filtered is filtered


@pytest.mark.parametrize(
    ("blocks", "fields", "empty"),
    [
        ((), {"usage": FREE}, True),
        ((HI,), {"usage": FREE}, False),
        ((), {}, False),
        ((), {"usage": FREE, "stop_reason": "refusal"}, False),
        ((LOOK_UP,), {"usage": FREE, "stop_reason": "tool_use"}, False),
    ],
    ids=["nothing", "text", "tokens", "refusal", "call"],
)
def test_an_answer_is_empty(blocks: tuple[Json, ...], fields: Json, empty: bool) -> None:
    assert answer(*blocks, **fields).empty is empty


def test_an_error_is_no_answer() -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Busy."}}'

    with pytest.raises(AnswerFailed) as failed:
        side().read_answer(body)

    assert (failed.value.outcome, failed.value.message) == (Outcome.OVERLOADED, "Busy.")


def test_a_tools_name_comes_back_in_an_answer() -> None:
    asked = side({"tools": [DOTTED]})
    answered = answer(tool_sent(asked), asked=asked, stop_reason="tool_use")

    (call,) = answered.answer["choices"][0]["message"]["tool_calls"]
    assert call["function"]["name"] == "look.up"


def test_a_tools_name_comes_back_in_a_stream() -> None:
    asked = side({"tools": [DOTTED]})
    events = (start(), *tool("{}", name=tool_sent(asked)["name"]), end("tool_use"))
    reader = asked.reader()

    (call,) = accumulated(chunks_of(reader, readings(reader, events)))["calls"]
    assert call == ("toolu_1", "look.up", {})


def test_the_tool_that_stands_for_a_format_is_not_heard_of_in_an_answer() -> None:
    asked = side({"response_format": FORMAT}, model=OLD)
    answered = answer(tool_sent(asked), asked=asked, stop_reason="tool_use")

    assert answered.answer["choices"][0]["message"]["content"] == '{"q":"cats"}'


def test_the_tool_that_stands_for_a_format_is_not_heard_of_in_a_stream() -> None:
    asked = side({"response_format": FORMAT}, model=OLD)
    events = (start(), *tool('{"q":', "1}", name=tool_sent(asked)["name"]), end("tool_use"))
    reader = asked.reader()

    heard = accumulated(chunks_of(reader, readings(reader, events)))
    assert (heard["content"], heard["calls"], heard["finish_reason"]) == ('{"q":1}', [], "stop")
