"""Mends whole chat completions that OpenAI's clients choke on; all others stay as they are."""

from __future__ import annotations

from typing import Any

from sidecar.dialects.dialect import Json
from sidecar.dialects.tidy import (
    made_id,
    normal_usage,
    tidy_arguments,
    tidy_content,
    tidy_finish,
    tidy_role,
    tidy_type,
)

OBJECT = "chat.completion"


def tidy_whole(answer: Json, seed: str) -> bool:
    """Mend `answer` in place. Returns whether anything had to change.

    `seed` makes the ids unique that the provider left out.
    """
    changed = put(answer, "object", OBJECT)
    changed |= put(answer, "usage", normal_usage(answer.get("usage")))
    choices = answer.get("choices")
    if isinstance(choices, list):
        changed |= only_objects(choices)
        for place, choice in enumerate(choices):
            changed |= tidy_choice(choice, place, seed)
    return changed


def put(holder: Json, name: str, value: object) -> bool:
    """Make `name` be `value`. Returns whether it was not; what is missing is as good as `None`."""
    old = holder.get(name)
    if old is value or old == value:  # `==` alone would read all of a dictionary
        return False
    holder[name] = value
    return True


def only_objects(entries: list[Any]) -> bool:
    """Take out of a list what is no object. Returns whether there was any."""
    kept = [entry for entry in entries if isinstance(entry, dict)]
    changed = len(kept) < len(entries)
    entries[:] = kept
    return changed


def tidy_choice(choice: Json, place: int, seed: str) -> bool:
    """Mend one choice."""
    changed = type(choice.get("index")) is not int and put(choice, "index", place)
    message = choice.get("message")
    if isinstance(message, dict):
        changed |= tidy_message(message, seed)
        called = message.get("tool_calls") and choice.get("finish_reason")
        return bool(called and tidy_finish(choice)) or changed
    if choice.get("finish_reason"):  # blocked before it said a word
        return put(choice, "message", {"role": "assistant", "content": None})
    return changed


def tidy_message(message: Json, seed: str) -> bool:
    """Mend what the assistant says."""
    changed = tidy_role(message)
    if isinstance(message.get("content"), list):
        changed |= tidy_content(message)
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        return tidy_calls(calls, seed) or changed
    return put(message, "tool_calls", None) or changed


def tidy_calls(calls: list[Any], seed: str) -> bool:
    """Mend its tool calls."""
    changed = only_objects(calls)
    taken: set[str] = set()
    for place, call in enumerate(calls):
        name = call.get("id")
        if not isinstance(name, str) or not name or name in taken:
            changed |= put(call, "id", made_id(seed, place))
        taken.add(call["id"])
        changed |= tidy_type(call) | tidy_arguments(call) | fill_arguments(call)
    return changed


def fill_arguments(call: Json) -> bool:
    """A function without arguments is called with none, in JSON."""
    function = call.get("function")
    return (
        isinstance(function, dict)
        and not function.get("arguments")
        and put(function, "arguments", "{}")
    )
