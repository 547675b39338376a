"""The input items of a Responses request as the messages of a chat.

What the assistant says between two other speakers is one message, its tool calls included, as
chat providers want it. Reasoning is left out: it is another provider's, or encrypted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sidecar.dialects.dialect import Json, Untranslatable, dumps

ROLES = frozenset(("user", "assistant", "system", "developer"))
BREAKPOINT = "prompt_cache_breakpoint"
IT_FOLLOWS = "The output follows in the next message."


def to_messages(items: list[Any]) -> list[Json]:
    """The chat that `items` are. Raises `Untranslatable`."""
    dialogue = Dialogue()
    for place, item in enumerate(items):
        dialogue.hear(item, f"input[{place}]")
    dialogue.show()
    return dialogue.messages


def kind_of(item: Json) -> str:
    """The type of an input item, also where it may go without saying."""
    kind = item.get("type")
    if kind is None:
        return "message" if "role" in item else "item_reference"
    return kind if isinstance(kind, str) else ""


class Dialogue:
    """The messages so far, and what of a tool's output no tool message can carry."""

    def __init__(self) -> None:
        self.messages: list[Json] = []
        self._unshown: list[Json] = []

    def hear(self, item: Any, where: str) -> None:
        """Add the next item. `where` names it in errors."""
        if not isinstance(item, dict) or kind_of(item) not in ITEMS:
            raise Untranslatable(f"`{where}` is no item of a known type.", where)
        ITEMS[kind_of(item)](self, item, where)

    def show(self) -> None:
        """Say what tools have shown, now that all their messages are in a row."""
        if self._unshown:
            self.messages.append({"role": "user", "content": self._unshown})
            self._unshown = []

    def message(self, item: Json, where: str) -> None:
        """Somebody says something."""
        role = item.get("role")
        if not isinstance(role, str) or role not in ROLES:
            raise Untranslatable(f"`{where}.role` is no known role.", f"{where}.role")
        content = content_of(item.get("content"), role, f"{where}.content")
        if role == "assistant":
            turn = self._turn()
            turn["content"] = both(turn["content"], content)
        else:
            self.show()
            self.messages.append({"role": role, "content": content})

    def call(self, item: Json, where: str) -> None:
        """The assistant calls a function."""
        self._add_call(item, where, text(item, "arguments", where))

    def custom_call(self, item: Json, where: str) -> None:
        """The assistant calls a tool that takes plain text: a function with one argument."""
        self._add_call(item, where, dumps({"input": text(item, "input", where)}).decode())

    def output(self, item: Json, where: str) -> None:
        """A tool answers. Its texts are joined; images and files follow in a user's message."""
        output = item.get("output")
        parts = parts_of(output, f"{where}.output") if not isinstance(output, str) else []
        shown = [part for part in parts if part["type"] != "text"]
        said = output if isinstance(output, str) else joined(parts)
        self.messages.append(
            {
                "role": "tool",
                "tool_call_id": text(item, "call_id", where),
                "content": said or (IT_FOLLOWS if shown else ""),
            }
        )
        self._unshown += shown

    def nothing(self, item: Json, where: str) -> None:
        """What no chat has a place for and none misses."""

    def _add_call(self, item: Json, where: str, arguments: str) -> None:
        function = {"name": text(item, "name", where), "arguments": arguments}
        call = {"id": text(item, "call_id", where), "type": "function", "function": function}
        self._turn().setdefault("tool_calls", []).append(call)

    def _turn(self) -> Json:
        """The assistant's message under way, or a new one."""
        self.show()
        if not self.messages or self.messages[-1]["role"] != "assistant":
            self.messages.append({"role": "assistant", "content": None})
        return self.messages[-1]


ITEMS: dict[str, Callable[[Dialogue, Json, str], None]] = {
    "message": Dialogue.message,
    "function_call": Dialogue.call,
    "custom_tool_call": Dialogue.custom_call,
    "function_call_output": Dialogue.output,
    "custom_tool_call_output": Dialogue.output,
    "reasoning": Dialogue.nothing,
}


def content_of(content: Any, role: str, where: str) -> str | list[Json]:
    """Content as a string where it may be: not every provider reads lists from every role."""
    if isinstance(content, str):
        return content
    parts = parts_of(content, where)
    plain = all(part.keys() == {"type", "text"} for part in parts)
    return joined(parts) if plain and (role != "user" or len(parts) == 1) else parts


def both(first: str | list[Json] | None, second: str | list[Json]) -> str | list[Json]:
    """What was said in two items, as one content."""
    if not first or not second:
        return first or second
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n{second}"
    return [*as_parts(first), *as_parts(second)]


def as_parts(content: str | list[Json]) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def joined(parts: list[Json]) -> str:
    return "\n".join(part["text"] for part in parts if part["type"] == "text")


def parts_of(parts: Any, where: str) -> list[Json]:
    """Content parts in the words of a chat. Raises `Untranslatable`."""
    if not isinstance(parts, list):
        raise Untranslatable(f"`{where}` must be a string or a list of parts.", where)
    return [to_part(part, f"{where}[{place}]") for place, part in enumerate(parts)]


def to_part(part: Any, where: str) -> Json:
    if not isinstance(part, dict) or part_kind(part) not in PARTS:
        raise Untranslatable(f"`{where}` is no part of a known type.", where)
    chat = PARTS[part_kind(part)](part, where)
    return {**chat, BREAKPOINT: part[BREAKPOINT]} if part.get(BREAKPOINT) else chat


def part_kind(part: Json) -> str:
    """The type of a content part; empty for what is none."""
    kind = part.get("type")
    return kind if isinstance(kind, str) else ""


def text_part(part: Json, where: str) -> Json:
    return {"type": "text", "text": text(part, "text", where)}


def refusal_part(part: Json, where: str) -> Json:
    return {"type": "refusal", "refusal": text(part, "refusal", where)}


def image_part(part: Json, where: str) -> Json:
    image = {"url": text(part, "image_url", where), **given(part, "detail")}
    return {"type": "image_url", "image_url": image}


def file_part(part: Json, where: str) -> Json:
    """A file by its content or, where the provider fetches it itself, by its address."""
    source = "file_url" if part.get("file_url") else "file_data"
    file = {"file_data": text(part, source, where), **given(part, "filename")}
    return {"type": "file", "file": file}


def audio_part(part: Json, where: str) -> Json:
    audio = part.get("input_audio")
    if not isinstance(audio, dict):
        raise Untranslatable(f"`{where}.input_audio` must be an object.", f"{where}.input_audio")
    return {"type": "input_audio", "input_audio": audio}


PARTS: dict[str, Callable[[Json, str], Json]] = {
    "input_text": text_part,
    "output_text": text_part,
    "refusal": refusal_part,
    "input_image": image_part,
    "input_file": file_part,
    "input_audio": audio_part,
}


def parts_in(item: Json) -> Iterator[tuple[str, Any]]:
    """Every content part of an item, with its place in it."""
    for member in ("content", "output"):
        parts = item.get(member)
        for place, part in enumerate(parts if isinstance(parts, list) else []):
            yield f"{member}[{place}]", part


def given(source: Json, *names: str) -> Json:
    """Those members of `source` that are there and not null."""
    return {name: source[name] for name in names if source.get(name) is not None}


def text(source: Json, name: str, where: str) -> str:
    """A member that must be a string. Raises `Untranslatable`."""
    value = source.get(name)
    if not isinstance(value, str):
        raise Untranslatable(f"`{where}.{name}` must be a string.", f"{where}.{name}")
    return value
