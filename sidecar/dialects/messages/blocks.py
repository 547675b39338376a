"""The content blocks of a stream, one after the other, however their pieces come in."""

from __future__ import annotations

from collections import deque

from sidecar.dialects.dialect import Json
from sidecar.dialects.messages.events import block_delta, block_start, block_stop
from sidecar.dialects.messages.message import read_object, whole_object


class Block:
    """A block of text or thinking. `head` is how it starts."""

    __slots__ = ("head", "kind", "waiting")

    def __init__(self, head: Json) -> None:
        self.head = head
        self.kind: str = head["type"]
        self.waiting: list[str] = []

    @property
    def is_complete(self) -> bool:
        """Whether nothing that belongs to it can still come."""
        return True

    def add(self, piece: str) -> None:
        """More of it."""
        self.waiting.append(piece)

    def take(self) -> str:
        """What is to be written of it now."""
        text = "".join(self.waiting)
        self.waiting.clear()
        return text

    def rest(self) -> str:
        """What is to be written of it before it closes."""
        return self.take()


class ToolBlock(Block):
    """A tool call. `said` are its arguments so far: only as a whole they show whether it is over.

    Arguments that do not begin like an object wait for the end: no application could read them.
    """

    __slots__ = ("begun", "said")

    def __init__(self, head: Json) -> None:
        super().__init__(head)
        self.begun = False
        self.said: list[str] = []

    @property
    def is_complete(self) -> bool:
        return read_object("".join(self.said)) is not None

    def add(self, piece: str) -> None:
        piece = piece if self.said else piece.lstrip()
        if piece:
            self.said.append(piece)
            self.waiting.append(piece)

    def take(self) -> str:
        if not self.said or not self.said[0].startswith("{"):
            return ""
        self.begun = True
        return super().take()

    def rest(self) -> str:
        return self.take() if self.begun else whole_object("".join(self.said))


class Blocks:
    """Writes blocks. None can go on once it is closed, and the next opens only then.

    So where a tool's arguments are not whole yet when something else begins, that waits in line
    behind it until the end: their pieces are mixed.
    """

    __slots__ = ("_index", "_line", "_tools")

    def __init__(self) -> None:
        self._index = -1  # of the first in line, the block that is open
        self._line: deque[Block] = deque()
        self._tools: dict[int, ToolBlock] = {}

    @property
    def called(self) -> bool:
        """Whether there is a tool among them."""
        return bool(self._tools)

    def say(self, kind: str, piece: str) -> bytes:
        """More text or thinking."""
        last = self._line[-1] if self._line else None
        if last is None or last.kind != kind:
            return self._append(Block(HEADS[kind]), piece)
        return self._add(last, piece)

    def knows(self, place: int) -> bool:
        """Whether the tool call at `place` has begun."""
        return place in self._tools

    def begin_call(self, place: int, head: Json) -> bytes:
        """A tool call begins."""
        self._tools[place] = tool = ToolBlock(head)
        return self._append(tool, "")

    def call(self, place: int, piece: str) -> bytes:
        """More of a tool's arguments."""
        return self._add(self._tools[place], piece)

    def end(self) -> bytes:
        """All that waits, and the end of each block: nothing more will come."""
        written = [self._close()] if self._line else []
        while self._line:
            written += (self._open(), self._close())
        return b"".join(written)

    def _append(self, block: Block, piece: str) -> bytes:
        self._line.append(block)
        if len(self._line) == 1:
            return self._open() + self._add(block, piece)
        if len(self._line) == 2 and self._line[0].is_complete:
            return self._close() + self._open() + self._add(block, piece)
        return self._add(block, piece)

    def _add(self, block: Block, piece: str) -> bytes:
        block.add(piece)
        return self._delta(block.take()) if block is self._line[0] else b""

    def _open(self) -> bytes:
        self._index += 1
        return block_start(self._index, self._line[0].head)

    def _close(self) -> bytes:
        rest = self._delta(self._line[0].rest())
        self._line.popleft()
        return rest + block_stop(self._index)

    def _delta(self, piece: str) -> bytes:
        return block_delta(self._index, self._line[0].kind, piece) if piece else b""


HEADS: dict[str, Json] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}
