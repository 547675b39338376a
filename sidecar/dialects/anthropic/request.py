"""A chat request as a request of Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sidecar.dialects.anthropic.calls import SIGNED
from sidecar.dialects.anthropic.output import Output
from sidecar.dialects.anthropic.parts import cache_mark
from sidecar.dialects.anthropic.plan import Plan, make_plan, manner_of
from sidecar.dialects.anthropic.reasoning import Reasoning
from sidecar.dialects.anthropic.schema import listed, tool_schema
from sidecar.dialects.anthropic.tools import Tools
from sidecar.dialects.anthropic.turns import write_turns
from sidecar.dialects.dialect import Json, Target, Untranslatable
from sidecar.dialects.legal import safe_id

__all__ = ["Written", "safe_id", "write_request"]

Turns = tuple[list[Json], list[Json]]  # the system's blocks, and the messages after them


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A request. `dropped`: the fields of the call that it could not carry, each once.

    `names` are those tools' names that had to change: as Anthropic hears them, the application's.
    `answer_tool` is the tool whose input is the answer; empty where the answer is one itself.
    """

    body: Json
    dropped: tuple[str, ...] = ()
    names: Mapping[str, str]
    answer_tool: str = ""


def write_request(fields: Json, target: Target) -> Written:
    """`fields` of a chat request in Anthropic's words. Raises `Untranslatable`."""
    messages = checked(fields)
    given = {name: value for name, value in fields.items() if name not in target.without}
    plan, turns = write_chat(given, messages, target)
    return Written(
        body=write_body(given, turns, plan, target),
        dropped=dropped(fields, frozenset(given) & plan.carried),
        names=plan.tools.names,
        answer_tool=plan.output.tool["name"] if plan.output.tool else "",
    )


def checked(fields: Json) -> list[Json]:
    """The messages. Raises `Untranslatable` for what Claude cannot be asked at all."""
    count, modalities = fields.get("n"), fields.get("modalities")
    if isinstance(count, int) and count > 1:
        raise Untranslatable("Claude gives one answer to a request, so n must be 1", "n")
    if "audio" in listed(modalities):
        raise Untranslatable("Claude does not speak, so modalities must be text", "modalities")
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Untranslatable("messages must be a list with something in it", "messages")
    if not all(isinstance(message, dict) for message in messages):
        raise Untranslatable("messages must be objects", "messages")
    return messages


def write_chat(given: Json, messages: list[Json], target: Target) -> tuple[Plan, Turns]:
    """The plan, and the messages as planned. Raises `Untranslatable`.

    Where the thoughts before the latest tool calls are lost, no budget may be set for more.
    """
    plan = make_plan(given, target, may_budget=True)
    said = write_turns(messages, manner_of(messages, plan, target))
    if plan.reasoning.by_budget and acts_without_thought(said[1]):
        plan = make_plan(given, target, may_budget=False)
        said = write_turns(messages, manner_of(messages, plan, target))
    return plan, said


def acts_without_thought(turns: list[Json]) -> bool:
    """Whether the latest of the assistant's turns calls tools, and no thinking comes first."""
    latest = next((turn for turn in reversed(turns) if turn["role"] == "assistant"), None)
    kinds = [block["type"] for block in latest["content"]] if latest else []
    return "tool_use" in kinds and kinds[0] not in SIGNED


def write_body(given: Json, said: Turns, plan: Plan, target: Target) -> Json:
    """The request as planned."""
    system, turns = said
    return {
        "model": target.model,
        "max_tokens": plan.max_tokens,
        **write_system(system, plan.output.instruction),
        "messages": turns,
        **write_offer(plan.tools, turns),
        **write_effort(plan.reasoning, plan.output),
        **{name: value for _, option in plan.options for name, value in option.items()},
        **cache_mark(given),
        "stream": given.get("stream") is True,
    }


def write_system(system: list[Json], instruction: str) -> Json:
    """One text; blocks where the application marked some for the cache."""
    blocks = [*system, {"type": "text", "text": instruction}] if instruction else system
    if any("cache_control" in block for block in blocks):
        return {"system": blocks}
    return {"system": "\n\n".join(block["text"] for block in blocks)} if blocks else {}


def write_offer(tools: Tools, turns: list[Json]) -> Json:
    """The tools on offer. Without any, those of the past must still be there, not to be called."""
    if tools.tools:
        return {"tools": tools.tools} | ({"tool_choice": tools.choice} if tools.choice else {})
    past = {
        block["name"]: {"name": block["name"], "input_schema": tool_schema(None)}
        for turn in turns
        for block in turn["content"]
        if block["type"] == "tool_use"
    }
    return {"tools": [*past.values()], "tool_choice": {"type": "none"}} if past else {}


def write_effort(reasoning: Reasoning, output: Output) -> Json:
    """Thinking, and what goes into `output_config`."""
    config = {"effort": reasoning.level, "format": output.format}
    config = {name: value for name, value in config.items() if value}
    thinking = {"thinking": reasoning.thinking} if reasoning.thinking else {}
    return {**thinking, **({"output_config": config} if config else {})}


def dropped(fields: Json, carried: frozenset[str]) -> tuple[str, ...]:
    """The fields that ask for something and are not carried."""
    return tuple(
        name
        for name, value in fields.items()
        if value is not None and value is not False and name not in carried
    )
