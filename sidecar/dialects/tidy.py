"""Rewrites those stream chunks that OpenAI's clients choke on; all others stay as they are.

The clients put a message together by concatenating what repeats, and find tool calls by their
index. So a role is said once, a tool call's id and name once, indexes are dense, and lists hold
what can be indexed (openai-python, lib/streaming/_deltas.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sidecar.dialects.dialect import Json, dumps
from sidecar.dialects.odd import entries, object_in

OBJECT = "chat.completion.chunk"
WHOLE = ("stop", "tool_calls")  # how an answer ends whose tool calls are all there


@dataclass(slots=True)
class Calls:
    """The tool calls of one choice so far, by what the provider calls them."""

    by_id: dict[str, int] = field(default_factory=dict)
    by_index: dict[int, int] = field(default_factory=dict)
    count: int = 0
    wordless: set[int] = field(default_factory=set)  # those that have no arguments yet

    def place(self, call: Json) -> tuple[int, bool]:
        """The dense index of `call`, and whether it begins there."""
        name, index = call.get("id"), call.get("index")
        name = name if isinstance(name, str) else ""
        index = index if isinstance(index, int) else None
        known = self.by_id.get(name) if name else None
        if known is None:
            known = self._continued(call, index, has_id=bool(name))
        place = self.count if known is None else known
        self.count = max(self.count, place + 1)
        if name:
            self.by_id[name] = place
        if index is not None:
            self.by_index[index] = place
        return place, known is None

    def note(self, call: Json, *, begins: bool) -> None:
        """Note whether `call`, tidied, has said anything by now."""
        function = call.get("function")
        if not isinstance(function, dict):
            return
        if function.get("arguments"):
            self.wordless.discard(call["index"])
        elif begins:
            self.wordless.add(call["index"])

    def fill(self, delta: Json) -> bool:
        """A function that was called without arguments was called with none, in JSON."""
        if not self.wordless:
            return False
        delta["tool_calls"] = calls = entries(delta.get("tool_calls"))
        here = {call["index"]: call for call in calls}
        for place in sorted(self.wordless):
            if place not in here:
                here[place] = {"index": place, "function": {}}
                calls.append(here[place])
            here[place]["function"] = {**object_in(here[place], "function"), "arguments": "{}"}
        return True

    def _continued(self, call: Json, index: int | None, *, has_id: bool) -> int | None:
        """Which call a piece goes on with: that of its index, else the last.

        What names a tool begins a call. An id alone does not: some servers make up one for every
        piece.
        """
        if names_tool(call):
            return None
        if index is not None:
            return self.by_index.get(index)
        return None if has_id or not self.count else self.count - 1


class Tidier:
    """Tidies one stream. `seed` makes the ids unique that a provider left out."""

    __slots__ = ("_calls", "_finished", "_roles", "_seed")

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._roles: set[int] = set()
        self._finished: set[int] = set()
        self._calls: dict[int, Calls] = {}

    def tidy(self, chunk: Json) -> bool:
        """Mend `chunk` in place. Returns whether anything had to change."""
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            chunk["choices"] = []
            return True
        changed = "object" not in chunk and tidy_object(chunk, choices)
        for choice in choices:
            changed |= not isinstance(choice, dict) or self._tidy_choice(choice)
        if changed:
            choices[:] = [choice for choice in choices if isinstance(choice, dict)]
        return changed

    def _tidy_choice(self, choice: Json) -> bool:
        changed = tidy_shape(choice)
        delta, index = choice.get("delta"), choice["index"]
        if isinstance(delta, dict):
            if "role" in delta or index not in self._roles:
                changed |= self._tidy_role(delta, index)
            if list in map(type, delta.values()):
                changed |= self._tidy_lists(delta, index)
        return (bool(choice.get("finish_reason")) and self._tidy_finish(choice, index)) or changed

    def _tidy_role(self, delta: Json, index: int) -> bool:
        if index in self._roles:
            del delta["role"]
            return True
        self._roles.add(index)
        return tidy_role(delta)

    def _tidy_finish(self, choice: Json, index: int) -> bool:
        """An answer finishes once, and with its tool calls if it has any."""
        if index in self._finished:
            choice["finish_reason"] = None
            return True
        self._finished.add(index)
        calls = self._calls.get(index)
        if calls is None or choice["finish_reason"] not in WHOLE:
            return False
        return tidy_finish(choice) | calls.fill(object_in(choice, "delta"))

    def _tidy_lists(self, delta: Json, index: int) -> bool:
        changed = in_parts = False
        for name, value in delta.items():
            if isinstance(value, list):
                if name == "content":
                    in_parts = True
                elif name == "tool_calls":
                    changed |= self._tidy_calls(value, index)
                else:
                    changed |= number(value)
        return tidy_content(delta) if in_parts else changed

    def _tidy_calls(self, calls: list[Any], index: int) -> bool:
        changed = False
        for call in calls:
            if not isinstance(call, dict):
                changed = True
                continue
            known = self._calls.setdefault(index, Calls())
            place, begins = known.place(call)
            changed |= self._begin(call, place) if begins else repeat_nothing(call)
            changed |= tidy_arguments(call) | (call.get("index") != place)
            call["index"] = place
            known.note(call, begins=begins)
        if changed:
            calls[:] = [call for call in calls if isinstance(call, dict)]
        return changed

    def _begin(self, call: Json, place: int) -> bool:
        changed = tidy_type(call)
        if not (isinstance(call.get("id"), str) and call["id"]):
            call["id"], changed = made_id(self._seed, place), True
        return changed


def tidy_object(chunk: Json, choices: list[Any]) -> bool:
    """The clients pass over a chunk that does not say that it is one."""
    if not any(isinstance(choice, dict) and "text" not in choice for choice in choices):
        return False
    chunk["object"] = OBJECT
    return True


def tidy_shape(choice: Json) -> bool:
    """A choice has an index, and a delta unless it is a completion's."""
    changed = type(choice.get("index")) is not int
    if changed:
        choice["index"] = 0
    if isinstance(choice.get("delta"), dict) or "text" in choice:
        return changed
    choice["delta"] = {}
    return True


def names_tool(call: Json) -> bool:
    """Whether a piece says which tool is called."""
    return any(object_in(call, kind).get("name") for kind in ("function", "custom"))


def repeat_nothing(call: Json) -> bool:
    """Take out of a call that goes on what was said when it began."""
    function = call.get("function")
    gone = [call.pop(name, None) for name in ("id", "type")]
    if isinstance(function, dict):
        gone.append(function.pop("name", None))
    return any(one is not None for one in gone)


def made_id(seed: str, place: int) -> str:
    """An id for the tool call at `place` of an answer, for which the provider made none."""
    return f"call_{seed}_{place}"


def tidy_role(said: Json) -> bool:
    """Who answers is the assistant; it has to be said."""
    if said.get("role"):
        return False
    said["role"] = "assistant"
    return True


def tidy_type(call: Json) -> bool:
    """A tool call has a type."""
    if call.get("type"):
        return False
    call["type"] = "custom" if "custom" in call else "function"
    return True


def tidy_arguments(call: Json) -> bool:
    """The arguments of a call are JSON as text."""
    function = call.get("function")
    arguments = function.get("arguments") if isinstance(function, dict) else None
    if arguments is None or isinstance(arguments, str):
        return False
    try:
        call["function"]["arguments"] = dumps(arguments).decode()
    except RecursionError:  # then the whole cannot be written either; whoever tries will find out
        return False
    return True


def tidy_finish(choice: Json) -> bool:
    """An answer that called tools says so at its end."""
    if choice["finish_reason"] != "stop":
        return False
    choice["finish_reason"] = "tool_calls"
    return True


def tidy_content(said: Json) -> bool:
    """Content in parts becomes text; what was only thought becomes reasoning."""
    parts = said["content"]
    said["content"] = joined(parts)
    if thought := joined_thoughts(parts):
        before = said.get("reasoning_content")
        said["reasoning_content"] = (before if isinstance(before, str) else "") + thought
    return True


def joined(parts: list[Any]) -> str:
    """The text of content that came as a list of parts."""
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return "".join(text for text in texts if isinstance(text, str))


def joined_thoughts(parts: list[Any]) -> str:
    """The thinking in content that came as a list of parts, each a text or a list again."""
    thoughts = (part.get("thinking") for part in parts if isinstance(part, dict))
    return "".join(
        joined(thought if isinstance(thought, list) else [thought]) for thought in thoughts
    )


def number(entries: list[Any]) -> bool:
    """Give each entry the index that clients want of a list."""
    missing = [
        (place, entry)
        for place, entry in enumerate(entries)
        if isinstance(entry, dict) and not isinstance(entry.get("index"), int)
    ]
    for place, entry in missing:
        entry["index"] = place
    return bool(missing)


def normal_usage(usage: Any) -> Any:
    """Token counts that add up; the very same where they do, or where there are none.

    Gemini counts its thinking in the total alone, and may leave the output out.
    """
    prompt = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    if type(prompt) is not int:
        return usage
    counts = usage.get("completion_tokens"), usage.get("total_tokens")
    output, total = [count if type(count) is int else 0 for count in counts]
    output = max(output, total - prompt)
    if counts == (output, prompt + output):
        return usage
    return {**usage, "completion_tokens": output, "total_tokens": prompt + output}
