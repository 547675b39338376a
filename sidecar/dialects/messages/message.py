"""What an Anthropic message is made of, out of what a chat completion says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sidecar.core.events import Usage
from sidecar.dialects.anthropic.schema import listed
from sidecar.dialects.dialect import Json, dumps
from sidecar.dialects.messages.names import tool_names, tool_use_id
from sidecar.dialects.odd import object_in, text_in
from sidecar.dialects.openai import choice_index, is_count, read_usage

STOP_REASONS = {"length": "max_tokens", "content_filter": "refusal"}
REASONING = ("reasoning_content", "reasoning")  # whoever sends both says the same twice
WORDS = ("content", "refusal")
HIDDEN = "omitted"
RAW = "_raw"  # where arguments are kept that are none


@dataclass(frozen=True, slots=True)
class Terms:
    """How an application wants to be answered.

    `seed` is unique to the call; `thinking`: it wants to see the reasoning; `tools` are its names
    for those functions that had to be called otherwise.
    """

    seed: str
    thinking: bool
    tools: Mapping[str, str]


def terms_of(fields: Json, seed: str) -> Terms:
    """What a request says about its answer."""
    thinking = object_in(fields, "thinking")
    shown = thinking.get("type") in ("enabled", "adaptive") and thinking.get("display") != HIDDEN
    return Terms(seed=seed, thinking=shown, tools=tool_names(fields))


def opened(answer: Mapping[str, Any], terms: Terms) -> Json:
    """A message before it says anything."""
    given = text_in(answer, "id")
    return {
        "id": given if given.startswith("msg_") else f"msg_{terms.seed}",
        "type": "message",
        "role": "assistant",
        "model": text_in(answer, "model"),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": as_usage(None),
    }


def first_choice(answer: Mapping[str, Any]) -> Json | None:
    """The only choice that a message can hold, in an answer or a chunk of one."""
    choices = (choice for choice in listed(answer.get("choices")) if isinstance(choice, dict))
    return next((choice for choice in choices if choice_index(choice) == 0), None)


def reasoning_of(said: Mapping[str, Any]) -> str:
    """What a message or delta says of its reasoning."""
    return next((text for name in REASONING if (text := text_in(said, name))), "")


def words_of(said: Mapping[str, Any]) -> str:
    """What a message or delta says to the user; a refusal is said, too."""
    return "".join([text_in(said, name) for name in WORDS])


def calls_of(said: Mapping[str, Any]) -> list[Json]:
    """The tool calls of a message or delta."""
    return [call for call in listed(said.get("tool_calls")) if isinstance(call, dict)]


def tool_use(call: Json, place: int, terms: Terms) -> Json:
    """The block of a tool call, its input still empty."""
    name = text_in(object_in(call, "function"), "name")
    return {
        "type": "tool_use",
        "id": tool_use_id(text_in(call, "id"), terms.seed, place),
        "name": terms.tools.get(name, name),
        "input": {},
    }


def arguments_of(call: Json) -> str:
    """The arguments of a tool call, or a piece of them."""
    return text_in(object_in(call, "function"), "arguments")


def as_input(arguments: str) -> Json:
    """A tool's input. A model may write what is no JSON object: the tool is to judge that."""
    if not (text := arguments.strip()):
        return {}
    read = read_object(text)
    return {RAW: text} if read is None else read


def read_object(text: str) -> Json | None:
    """The JSON object that `text` is, if it is one."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def whole_object(arguments: str) -> str:
    """The JSON of a tool's input; empty where it has none."""
    text = arguments.strip()
    if not text or read_object(text) is not None:
        return text
    return dumps({RAW: text}).decode()


def stop_reason(finish: str, *, called: bool, refused: bool) -> str | None:
    """Why a message ends; `None` where nobody said. That it was a stop sequence is not told."""
    if not finish:
        return None
    if finish in STOP_REASONS:
        return STOP_REASONS[finish]
    if refused:
        return "refusal"
    return "tool_use" if called else "end_turn"


def as_usage(usage: object) -> Json:
    """Tokens counted; those of the prompt less what was read from a cache or written to it."""
    counted = read_usage(usage) or Usage(0, 0)
    given = usage if isinstance(usage, dict) else {}
    written = object_in(given, "prompt_tokens_details").get("cache_write_tokens")
    written = written if is_count(written) else 0
    thought = object_in(given, "completion_tokens_details").get("reasoning_tokens")
    told: Json = {
        "input_tokens": max(0, counted.input - counted.cached_input - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": counted.cached_input,
        "output_tokens": counted.output,
    }
    if is_count(thought):
        told["output_tokens_details"] = {"thinking_tokens": thought}
    return told
