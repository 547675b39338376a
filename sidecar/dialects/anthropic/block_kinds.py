"""The kinds of blocks of an Anthropic message, each as deltas of a chat completion.

A block comes whole, or in pieces as a stream has it: whole is to begin with everything and to end.
"""

from __future__ import annotations

from typing import NamedTuple

from sidecar.core.answer import Piece
from sidecar.dialects.dialect import Json
from sidecar.dialects.memory import ENTRY_BYTES
from sidecar.dialects.odd import object_in, text_in, written
from sidecar.dialects.openai import CONTENT, REASONING, SILENT


class Said(NamedTuple):
    """What a piece of a block means, and its delta, empty where it says nothing."""

    piece: Piece
    delta: Json


NOTHING = Said(SILENT, {})


class Block:
    """A block that a chat completion cannot say: a server's own tool at work, or news."""

    def begin(self) -> Said:
        """What is said before the first delta."""
        return NOTHING

    def go_on(self, _kind: str, _text: str) -> Said:
        """What the text of a delta of a known kind says."""
        return NOTHING

    def end(self) -> Said:
        """What is left to say."""
        return NOTHING


class Text(Block):
    """Text; also what a delta outside every block belongs to."""

    def __init__(self, text: str) -> None:
        self._prefilled = text

    def begin(self) -> Said:
        """Nearly always nothing."""
        return content(self._prefilled)

    def go_on(self, kind: str, text: str) -> Said:
        """More text."""
        return content(text) if kind == "text_delta" else NOTHING


class Thinking(Block):
    """Reasoning, with the signature without which it cannot be shown to Anthropic again."""

    def __init__(self, block: Json, signed: list[Json]) -> None:
        self._texts = [text_in(block, "thinking")]
        self._size = len(self._texts[0])
        self._signature = text_in(block, "signature")
        self._signed = signed

    def begin(self) -> Said:
        """A thought has begun, be it that its text is kept from us."""
        return thought(self._texts[0])

    def go_on(self, kind: str, text: str) -> Said:
        """More of the thought, or its signature."""
        if kind == "signature_delta":
            self._signature = text
        if kind != "thinking_delta":
            return NOTHING
        if self._size <= ENTRY_BYTES:  # longer ones are not kept, so they need not be gathered
            self._texts.append(text)
            self._size += len(text)
        return thought(text)

    def end(self) -> Said:
        """Nothing; what is signed is kept."""
        if self._signature:
            thinking = "".join(self._texts)
            self._signed.append(
                {"type": "thinking", "thinking": thinking, "signature": self._signature}
            )
        return NOTHING


class Redacted(Block):
    """Reasoning that only Anthropic can read."""

    def __init__(self, block: Json, signed: list[Json]) -> None:
        if data := text_in(block, "data"):
            signed.append({"type": "redacted_thinking", "data": data})

    def begin(self) -> Said:
        """A thought, without words."""
        return thought("")


class Answer(Block):
    """The input of the tool that stands for an answer in JSON: it is the answer's text."""

    def __init__(self, block: Json) -> None:
        self._input = object_in(block, "input")
        self._told = False

    def go_on(self, kind: str, text: str) -> Said:
        """More of the input."""
        if kind != "input_json_delta" or not text:
            return NOTHING
        self._told = True
        return self._said(text)

    def end(self) -> Said:
        """The input as the block began with it, if no delta told it: mostly that there is none."""
        return NOTHING if self._told else self._said(written(self._input).decode())

    def _said(self, text: str) -> Said:
        return content(text)


class Call(Answer):
    """A call of a tool, the answer's number `index`."""

    def __init__(self, block: Json, index: int, call_id: str, name: str) -> None:
        super().__init__(block)
        self._index = index
        self._id = call_id
        self._name = name

    def begin(self) -> Said:
        """Which tool."""
        function = {"name": self._name, "arguments": ""}
        call = {"index": self._index, "id": self._id, "type": "function", "function": function}
        return Said(CONTENT, {"tool_calls": [call]})

    def _said(self, text: str) -> Said:
        call = {"index": self._index, "function": {"arguments": text}}
        return Said(CONTENT, {"tool_calls": [call]})


def content(text: str) -> Said:
    return Said(CONTENT, {"content": text}) if text else NOTHING


def thought(text: str) -> Said:
    return Said(REASONING, {"reasoning_content": text} if text else {})
