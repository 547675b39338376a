"""DeepSeek behind OpenAI's format: it wants its thoughts back, and its choice of tools free.

While it thinks it refuses a conversation in which one of its answers that called tools has lost its
`reasoning_content` (https://api-docs.deepseek.com/guides/thinking_mode#tool-calls). Most clients
lose it, so it is kept here by the id of the first call. What another model answered never had one;
an empty one will do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate

from sidecar.dialects.dialect import Json, Target
from sidecar.dialects.memory import ENTRY_BYTES
from sidecar.dialects.mends import each_turn, role_of, without
from sidecar.dialects.odd import entries, object_in, text_in

FAMILY = "deepseek"
THOUGHTS = "reasoning_content"
THOUGHTLESS = "deepseek-chat"  # its oldest model thinks only where it is told to


@dataclass(slots=True)
class Thoughts:
    """Remembers what was thought before tools were called, in an answer whole or in chunks."""

    target: Target
    texts: list[str] = field(default_factory=list)
    size: int = 0
    call_id: str = ""

    def note(self, answer: Json) -> None:
        """Remember what a chunk or a whole answer carries. Changes nothing in it."""
        for choice in entries(answer.get("choices")):
            if isinstance(choice, dict):
                said = object_in(choice, "delta" if "delta" in choice else "message")
                self._note_turn(said)
                if choice.get("finish_reason"):
                    self._keep()

    def _note_turn(self, said: Json) -> None:
        thought = text_in(said, THOUGHTS)
        if thought and self.size <= ENTRY_BYTES:  # longer ones are not kept
            self.texts.append(thought)
            self.size += len(thought)
        if not self.call_id:
            self.call_id = first_call(said)

    def _keep(self) -> None:
        if self.call_id and self.texts:
            thoughts = "".join(self.texts).encode("utf-8", "replace")
            self.target.memory.keep(FAMILY, self.call_id, thoughts)


def first_call(said: Json) -> str:
    """The id of the first tool call of a message; empty where there is none."""
    first = next(iter(entries(said.get("tool_calls"))), None)
    return text_in(first, "id") if isinstance(first, dict) else ""


def thinks(fields: Json, target: Target) -> bool:
    """Whether the model thinks before it answers."""
    kind = text_in(object_in(fields, "thinking"), "type")
    return kind == "enabled" or (kind != "disabled" and target.model != THOUGHTLESS)


def thoughts(fields: Json, target: Target) -> Json:
    """Its thoughts back where it called tools to answer, and nowhere else."""
    turns = fields["messages"]
    numbers = list(accumulate(role_of(turn) == "user" for turn in turns))  # of the answers
    acting = {number for number, turn in zip(numbers, turns, strict=True) if calls_tools(turn)}
    kept = {id(turn) for number, turn in zip(numbers, turns, strict=True) if number in acting}
    wanted = thinks(fields, target)

    def thought(turn: Json) -> Json:
        if id(turn) not in kept:
            return without(turn, frozenset((THOUGHTS,)))
        if not wanted or role_of(turn) != "assistant" or isinstance(turn.get(THOUGHTS), str):
            return turn
        recalled = target.memory.recall(FAMILY, first_call(turn)) or b""
        return {**turn, THOUGHTS: recalled.decode()}

    return each_turn(fields, thought)


def calls_tools(turn: object) -> bool:
    """Whether a message has tool calls."""
    return isinstance(turn, dict) and bool(turn.get("tool_calls"))


def free_choice(fields: Json, target: Target) -> Json:
    """It refuses to be told to call a tool while it thinks."""
    choice = fields.get("tool_choice")
    forced = choice == "required" or isinstance(choice, dict)
    if not forced or not thinks(fields, target):
        return fields
    return without(fields, frozenset(("tool_choice",)))
