"""Anthropic's whole messages, read: which are none, and what they are as chat completions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome
from sidecar.dialects.anthropic.blocks import Blocks
from sidecar.dialects.anthropic.usage import chat_usage
from sidecar.dialects.dialect import Json, Target
from sidecar.dialects.odd import object_in, text_in
from sidecar.dialects.openai_whole import parse_answer

REFUSAL = "refusal"
FINISHES = {  # by stop reason
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    REFUSAL: "content_filter",
    "pause_turn": "stop",  # only ever a pause of the server's own tools
    "compaction": "stop",
}


def parse_message(body: bytes) -> Json:
    """A whole 200 answer as a message. Raises `AnswerFailed` for what only looks like one."""
    message = parse_answer(body)
    check_message(message)
    return message


def check_message(message: Mapping[str, Any]) -> None:
    """Raise `AnswerFailed` for what is no message, or not finished."""
    if not isinstance(message.get("content"), list):
        raise AnswerFailed(Outcome.PROTOCOL, "the provider's answer has no content")
    if not text_in(message, "stop_reason"):
        raise AnswerFailed(Outcome.PROTOCOL, "the provider's answer is not finished")


def read_message(message: Json, names: Mapping[str, str], answer_tool: str, target: Target) -> Json:
    """A message that `parse_message` gave, as a chat completion; its signed thoughts are kept."""
    blocks = Blocks(names, answer_tool, target.seed)
    deltas = []
    for index, block in enumerate(message["content"]):
        if isinstance(block, dict):
            deltas += [blocks.begin(index, block).delta, blocks.end(index).delta]
    blocks.keep(target.memory)
    finish, last = read_stop(message, called=blocks.called)
    choice = {
        "index": 0,
        "message": joined([*deltas, last]),
        "finish_reason": finish,
        "logprobs": None,
    }
    completion = {**head_of(message, target, "chat.completion"), "choices": [choice]}
    usage = chat_usage(object_in(message, "usage"))
    return {**completion, "usage": usage} if usage else completion


def head_of(message: Mapping[str, Any], target: Target, kind: str) -> Json:
    """What a chat completion and each of its chunks begin with."""
    return {
        "id": text_in(message, "id") or f"chatcmpl-{target.seed}",
        "object": kind,
        "created": target.created,
        "model": text_in(message, "model") or target.model,
    }


def read_stop(stop: Mapping[str, Any], *, called: bool) -> tuple[str, Json]:
    """Why an answer ended, as a finish reason, and what that adds to it.

    `stop` is a message or the delta of a `message_delta`; `called`: the answer calls a tool.
    """
    reason = text_in(stop, "stop_reason")
    finish = FINISHES.get(reason, "stop")
    if finish in ("stop", "tool_calls"):  # no call is heard without its word, and the reverse
        finish = "tool_calls" if called else "stop"
    explanation = text_in(object_in(stop, "stop_details"), "explanation")
    refuses = reason == REFUSAL and explanation
    return finish, {"refusal": explanation} if refuses else {}


def joined(deltas: list[Json]) -> Json:
    """The message that deltas make."""
    message: Json = {
        "role": "assistant",
        "content": joined_text(deltas, "content"),
        "refusal": joined_text(deltas, "refusal"),
    }
    if reasoning := joined_text(deltas, "reasoning_content"):
        message["reasoning_content"] = reasoning
    if calls := joined_calls(call for delta in deltas for call in delta.get("tool_calls", ())):
        message["tool_calls"] = calls
    return message


def joined_text(deltas: list[Json], name: str) -> str | None:
    return "".join([delta.get(name, "") for delta in deltas]) or None


def joined_calls(pieces: Iterable[Json]) -> list[Json]:
    """The calls that pieces make, which come one call after the other."""
    calls: list[Json] = []
    for piece in pieces:
        if "id" in piece:
            calls.append({name: piece[name] for name in ("id", "type", "function")})
        else:
            calls[-1]["function"]["arguments"] += piece["function"]["arguments"]
    return calls
