"""Rewrites those stream chunks that OpenAI's clients choke on; all others stay as they are.

The clients put a message together by concatenating what repeats, and find tool calls by their
index. So a role is said once, a tool call's id and name once, indexes are dense, and lists hold
what can be indexed (openai-python, lib/streaming/_deltas.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Calls:
    """The tool calls of one choice so far, by what the provider calls them."""

    by_id: dict[str, int] = field(default_factory=dict)
    by_index: dict[int, int] = field(default_factory=dict)
    count: int = 0

    def place(self, call: Json) -> tuple[int, bool]:
        """The dense index of `call`, and whether it begins there."""
        name, index = call.get("id"), call.get("index")
        name = name if isinstance(name, str) else ""
        index = index if isinstance(index, int) else None
        known = self.by_id.get(name) if name else self._continued(call, index)
        place = self.count if known is None else known
        self.count = max(self.count, place + 1)
        if name:
            self.by_id[name] = place
        if index is not None:
            self.by_index[index] = place
        return place, known is None

    def _continued(self, call: Json, index: int | None) -> int | None:
        """Which call a piece without id goes on with: that of its index, else the last."""
        function = call.get("function")
        named = isinstance(function, dict) and bool(function.get("name"))
        if index is not None and not (named and index in self.by_index):
            return self.by_index.get(index)
        return None if named or not self.count else self.count - 1


class Tidier:
    """Tidies one stream. `seed` makes the ids unique that a provider left out."""

    __slots__ = ("_calls", "_roles", "_seed")

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._roles: set[int] = set()
        self._calls: dict[int, Calls] = {}

    def tidy(self, chunk: Json) -> bool:
        """Mend `chunk` in place. Returns whether anything had to change."""
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            chunk["choices"] = []
            return True
        changed = False
        for choice in choices:
            if isinstance(choice, dict):
                changed |= self._tidy_choice(choice)
        return changed

    def _tidy_choice(self, choice: Json) -> bool:
        delta, index = choice.get("delta"), choice.get("index")
        index = index if isinstance(index, int) else 0
        changed = False
        if isinstance(delta, dict):
            changed = self._tidy_role(delta, index) | self._tidy_lists(delta, index)
        if choice.get("finish_reason") == "stop" and index in self._calls:
            choice["finish_reason"] = "tool_calls"
            return True
        return changed

    def _tidy_role(self, delta: Json, index: int) -> bool:
        if "role" not in delta:
            return False
        if index not in self._roles:
            self._roles.add(index)
            return False
        del delta["role"]
        return True

    def _tidy_lists(self, delta: Json, index: int) -> bool:
        changed = False
        for name, value in delta.items():
            if isinstance(value, list):
                if name == "content":
                    delta[name], changed = joined(value), True
                elif name == "tool_calls":
                    changed |= self._tidy_calls(value, index)
                else:
                    changed |= number(value)
        return changed

    def _tidy_calls(self, calls: list[Any], index: int) -> bool:
        known = self._calls.setdefault(index, Calls())
        changed = False
        for call in calls:
            if isinstance(call, dict):
                place, begins = known.place(call)
                changed |= self._begin(call, place) if begins else repeat_nothing(call)
                changed |= call.get("index") != place
                call["index"] = place
        return changed

    def _begin(self, call: Json, place: int) -> bool:
        if call.get("id"):
            return False
        call["id"] = f"call_{self._seed}_{place}"
        call.setdefault("type", "function")
        return True


def repeat_nothing(call: Json) -> bool:
    """Take out of a call that goes on what was said when it began."""
    function = call.get("function")
    gone = [call.pop(name, None) for name in ("id", "type")]
    if isinstance(function, dict):
        gone.append(function.pop("name", None))
    return any(one is not None for one in gone)


def joined(parts: list[Any]) -> str:
    """The text of content that came as a list of parts."""
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


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
