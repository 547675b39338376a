"""The output of a Response as it grows, item by item.

Reasoning and messages come one after another; each is done when the next thing begins. Tool calls
stay open until the end, because the pieces of several may come mixed.
"""

from __future__ import annotations

from sidecar.dialects.dialect import Json
from sidecar.dialects.messages.message import arguments_of
from sidecar.dialects.odd import object_in, text_in
from sidecar.dialects.responses.growth import (
    REFUSAL,
    SUMMARY,
    TEXT,
    Call,
    CustomCall,
    Item,
    Kind,
    Parted,
    Say,
)
from sidecar.dialects.responses.ids import mint_reasoning


class Output:
    """All items of one answer.

    Their ids are made of `token`. `custom` names the tools that take plain text.
    """

    def __init__(self, token: str, custom: frozenset[str], say: Say) -> None:
        self._token = token
        self._custom = custom
        self._say = say
        self._items: list[Item] = []
        self._calls: dict[int, Call] = {}
        self._told: Parted | None = None  # the reasoning or message under way
        self._last: Item | None = None  # whom the latest piece went to

    def reason(self, piece: str) -> None:
        """The model thinks."""
        self._grow("reasoning", SUMMARY, piece, [])

    def speak(self, piece: str, logprobs: list[Json]) -> None:
        """The model answers."""
        self._grow("message", TEXT, piece, logprobs)

    def refuse(self, piece: str) -> None:
        """The model says why not."""
        self._grow("message", REFUSAL, piece, [])

    def call(self, call: Json) -> None:
        """The model calls a tool: a piece of a chat's `tool_calls`."""
        index = call.get("index")
        index = index if isinstance(index, int) else 0
        if index not in self._calls:
            self._end_told()
            self._calls[index] = self._begin_call(call)
        self._last = self._calls[index]
        self._last.grow(arguments_of(call))

    def close(self, *, cut_short: bool) -> list[Json]:
        """Nothing more comes. `cut_short`: the item that grew last would have grown further."""
        for item in self._items:
            if item.is_open:
                cut = cut_short and item is self._last
                item.close("incomplete" if cut else "completed")
        return self._said()

    def settle(self) -> list[Json]:
        """What there is of the output, where it broke off."""
        for item in self._items:
            if item.is_open:
                item.settle()
        return self._said()

    def _said(self) -> list[Json]:
        return [item.said for item in self._items]

    def _grow(self, sort: str, kind: Kind, piece: str, logprobs: list[Json]) -> None:
        if self._told is None or self._told.said["type"] != sort:
            self._end_told()
            self._told = self._begin(sort)
        self._told.grow(kind, piece, logprobs)
        self._last = self._told

    def _end_told(self) -> None:
        if self._told:
            self._told.close("completed")
            self._told = None

    def _begin(self, sort: str) -> Parted:
        parts = list[Json]()
        if sort == "reasoning":
            said = {"id": mint_reasoning(self._token, self._next), "type": sort, "summary": parts}
        else:
            said = {"id": self._id("msg"), "type": sort, "role": "assistant", "content": parts}
        item = Parted(said, parts, self._next, self._say)
        self._items.append(item)
        return item

    def _begin_call(self, call: Json) -> Call:
        name = text_in(object_in(call, "function"), "name")
        said = {"call_id": text_in(call, "id") or self._id("call"), "name": name}
        item: Call
        if name in self._custom:
            said = {"id": self._id("ctc"), "type": "custom_tool_call", **said, "input": ""}
            item = CustomCall(said, self._next, self._say)
        else:
            said = {"id": self._id("fc"), "type": "function_call", **said, "arguments": ""}
            item = Call(said, self._next, self._say)
        self._items.append(item)
        return item

    @property
    def _next(self) -> int:
        """The place of the next item."""
        return len(self._items)

    def _id(self, sort: str) -> str:
        return f"{sort}_{self._token}_{self._next}"
