"""The blocks of an Anthropic message, one by one, as deltas of a chat completion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.dialects.anthropic.block_kinds import (
    NOTHING,
    Answer,
    Block,
    Call,
    Redacted,
    Said,
    Text,
    Thinking,
)
from sidecar.dialects.dialect import Json
from sidecar.dialects.memory import Memory
from sidecar.dialects.odd import object_in, text_in, written
from sidecar.dialects.openai import choice_index

FAMILY = "anthropic"
DELTA_TEXTS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
OUTSIDE = Text("")


class Blocks:
    """The blocks of one answer.

    `names` are the application's names of the tools, by those that the provider knows them by;
    `answer_tool` is the one that stands for an answer in JSON, empty where there is none; `seed`
    makes the ids unique that a provider left out.
    """

    __slots__ = ("_answer_tool", "_calls", "_first_call", "_names", "_open", "_seed", "_signed")

    def __init__(self, names: Mapping[str, str], answer_tool: str, seed: str) -> None:
        self._names = names
        self._answer_tool = answer_tool
        self._seed = seed
        self._open: dict[int, Block] = {}
        self._calls = 0
        self._first_call = ""
        self._signed: list[Json] = []

    @property
    def called(self) -> bool:
        """Whether the answer calls a tool."""
        return self._calls > 0

    def begin(self, index: int, block: Json) -> Said:
        """A block begins."""
        self._open[index] = begun = self._block(block)
        return begun.begin()

    def read(self, event: Mapping[str, Any]) -> Said:
        """What an event says; nothing if it is not of a block."""
        match event.get("type"):
            case "content_block_delta":
                return self._go_on(choice_index(event), object_in(event, "delta"))
            case "content_block_start":
                return self.begin(choice_index(event), object_in(event, "content_block"))
            case "content_block_stop":
                return self.end(choice_index(event))
        return NOTHING

    def end(self, index: int) -> Said:
        """A block ends."""
        block = self._open.pop(index, None)
        return block.end() if block else NOTHING

    def end_all(self) -> list[Said]:
        """Every block ends that has not yet."""
        return [self.end(index) for index in tuple(self._open)]

    def keep(self, memory: Memory) -> None:
        """Keep the signed thoughts: Anthropic wants them back with the results of the calls."""
        if self._signed and self._first_call:
            memory.keep(FAMILY, self._first_call, written(self._signed))

    def _go_on(self, index: int, delta: Json) -> Said:
        kind = text_in(delta, "type")
        name = DELTA_TEXTS.get(kind)
        return self._open.get(index, OUTSIDE).go_on(kind, text_in(delta, name)) if name else NOTHING

    def _block(self, block: Json) -> Block:
        match block.get("type"):
            case "text":
                return Text(text_in(block, "text"))
            case "tool_use":
                return self._tool(block)
            case "thinking":
                return Thinking(block, self._signed)
            case "redacted_thinking":
                return Redacted(block, self._signed)
        return Block()

    def _tool(self, block: Json) -> Block:
        name = text_in(block, "name")
        if name and name == self._answer_tool:
            return Answer(block)
        index = self._calls
        call_id = text_in(block, "id") or f"call_{self._seed}_{index}"
        self._calls += 1
        self._first_call = self._first_call or call_id
        return Call(block, index, call_id, self._names.get(name, name))
