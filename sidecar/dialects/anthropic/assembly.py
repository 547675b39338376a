"""The events of a Messages stream, put together into the whole message."""

from __future__ import annotations

import sys
from collections.abc import Callable

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome
from sidecar.core.sse import Parser
from sidecar.dialects.anthropic.events import GROWING, NO_USAGE, parsed
from sidecar.dialects.anthropic.usage import ITERATIONS
from sidecar.dialects.dialect import Answered, Json, Reading, loads
from sidecar.dialects.growth import Text
from sidecar.dialects.messages.message import RAW
from sidecar.dialects.odd import entries, object_in, text_in
from sidecar.dialects.openai import choice_index

TEXTS = ("text", "thinking")  # blocks, and the members of them and of their deltas
NOT_TOLD = frozenset(("type", "delta", "usage"))  # what is no member of the message itself


class MessageAssembler:
    """Puts one message together, out of the bytes of its events.

    `finish` judges it, and raises `AnswerFailed` for what is none.
    """

    __slots__ = ("_blocks", "_finish", "_message", "_open", "_parser", "_usage")

    def __init__(self, finish: Callable[[Json], Answered]) -> None:
        self._finish = finish
        self._parser = Parser(sys.maxsize)  # whoever read the events bounds them
        self._message: Json = {}
        self._usage: Json = {}
        self._blocks: list[Block] = []
        self._open: dict[int, Block] = {}

    def add(self, reading: Reading) -> None:
        """Take in what was read next."""
        for event in self._parser.feed(reading.raw):
            said = parsed(event)
            if isinstance(said, dict):
                self._read(said)

    def answered(self) -> Answered:
        """The answer as if it had come whole. Raises `AnswerFailed` for what is none."""
        if not self._message:
            raise AnswerFailed(Outcome.PROTOCOL, "the provider's stream has no message")
        content = [block.whole() for block in self._blocks]
        return self._finish({**self._message, "content": content, "usage": self._usage})

    def _read(self, said: Json) -> None:
        match said.get("type"):
            case "message_start" if not self._message:  # some streams say so again later
                self._message = dict(object_in(said, "message"))
                self._count(object_in(self._message, "usage"))
            case "content_block_start":
                self._begin(choice_index(said), object_in(said, "content_block"))
            case "content_block_delta":
                self._go_on(choice_index(said), object_in(said, "delta"))
            case "message_delta" if self._message:
                self._tell(object_in(said, "delta"))
                self._tell({name: said[name] for name in said if name not in NOT_TOLD})
                self._count(object_in(said, "usage"))

    def _begin(self, index: int, begun: Json) -> None:
        self._open[index] = block = Block(begun)
        self._blocks.append(block)
        if begun.get("type") == "fallback":  # a whole message names the model that took over
            self._tell({"model": text_in(object_in(begun, "to"), "model") or None})

    def _go_on(self, index: int, delta: Json) -> None:
        """A block goes on; text may do so outside every block."""
        if index not in self._open and delta.get("type") == "text_delta":
            self._begin(index, {"type": "text", "text": ""})
        if index in self._open:
            self._open[index].add(delta)

    def _tell(self, members: Json) -> None:
        """The last word counts, but nothing is taken back by `None`."""
        for name, value in members.items():
            if value is not None or name not in self._message:
                self._message[name] = value

    def _count(self, usage: Json) -> None:
        """Take in counts, each of all so far. What the reader made up counts nothing."""
        if self._usage and usage == NO_USAGE:
            return
        self._usage.pop(ITERATIONS, None)  # older ones would hide the newer sums
        for name, value in usage.items():
            if value is not None or name not in self._usage:
                self._usage[name] = value


class Block:
    """A block of a message. One that nobody knows yet stays as it began."""

    __slots__ = ("_begun", "_citations", "_input", "_kind", "_text")

    def __init__(self, begun: Json) -> None:
        self._begun = dict(begun)
        self._kind = text_in(begun, "type")
        self._text = Text()
        self._input = Text()
        self._citations: list[object] = []

    def add(self, delta: Json) -> None:
        """Take in what is added to it."""
        match delta.get("type"):
            case "text_delta" | "thinking_delta":
                self._text.add(text_in(delta, self._kind))
            case "input_json_delta":
                self._input.add(text_in(delta, "partial_json"))
            case "signature_delta" if self._kind == "thinking":
                self._begun["signature"] = text_in(delta, "signature")
            case "citations_delta":
                self._citations.append(delta.get("citation"))
            case "compaction_delta" if self._kind == "compaction":
                self._begun.update({**delta, "type": self._kind})

    def whole(self) -> Json:
        """All of it."""
        block = dict(self._begun)
        if self._kind in TEXTS:
            block[self._kind] = text_in(block, self._kind) + self._text.whole()
        if self._citations and self._kind == "text":
            block["citations"] = [*entries(block.get("citations")), *self._citations]
        if "input" in block or "input" in GROWING.get(self._kind, ()):
            told = self._input.whole().strip()
            block["input"] = input_of(told) if told else block.get("input", {})
        return block


def input_of(text: str) -> Json:
    """A tool's input. A model may write what is no JSON object: the tool is to judge that."""
    try:
        said = loads(text)
    except ValueError:
        return {RAW: text}
    return said if isinstance(said, dict) else {RAW: text}
