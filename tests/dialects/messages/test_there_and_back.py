"""Messages that reach Anthropic by way of a chat request, as those for Bedrock and Vertex do."""

from __future__ import annotations

from sidecar.dialects.anthropic.request import write_request
from sidecar.dialects.dialect import Json, Target
from sidecar.dialects.memory import Memory
from sidecar.dialects.messages.request import to_chat
from sidecar.dialects.presets import PRESETS
from tests.dialects.messages.requests import IMAGE, TOOL, asked, result, said, text, use

TARGET = Target(
    provider="p",
    preset=PRESETS["anthropic"],
    model="claude-sonnet-4-5",
    seed="s",
    created=1,
    memory=Memory(),
)
TURNS: list[Json] = [
    said("user", text("What is the weather?")),
    said("assistant", text("Let me see."), use("t1", city="Oslo"), use("t2", city="Rome")),
    said("user", result("rain", "t1"), result("sun", "t2"), text("Well?"), IMAGE),
]


def returned(**fields: object) -> Json:
    return dict(write_request(to_chat(asked(**fields)), TARGET).body)


def test_turns_come_back_as_they_were() -> None:
    assert returned(messages=TURNS, tools=[TOOL])["messages"] == TURNS


def test_the_system_prompt_comes_back() -> None:
    assert returned(system="Be kind.")["system"] == "Be kind."


def test_tools_and_the_choice_among_them_come_back() -> None:
    choice = {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}

    told = returned(tools=[TOOL], tool_choice=choice)

    assert (told["tools"], told["tool_choice"]) == ([TOOL], choice)


def test_limits_come_back() -> None:
    told = returned(stop_sequences=["a"], metadata={"user_id": "u1"})

    assert (told["max_tokens"], told["stop_sequences"]) == (9, ["a"])
    assert told["metadata"] == {"user_id": "u1"}
