"""Items of a Response that grow, and the events that tell of them as they do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from sidecar.dialects.dialect import Json


class Say(Protocol):
    """Tells of an event: its type, and the members that go with it."""

    def __call__(self, kind: str, /, **members: Any) -> None:
        """Say it now: the members may change later."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """How a growing text is told of: what its events are called, and the member that is all of it.

    Where it is one of several parts: what its parts' events are called, what those call its place
    among them, and what makes a new one.
    """

    events: str
    whole: str
    part_events: str = ""
    part_index: str = ""
    part: Callable[[], Json] = dict


TEXT = Kind(
    "response.output_text",
    "text",
    "response.content_part",
    "content_index",
    lambda: {"type": "output_text", "text": "", "annotations": [], "logprobs": []},
)
REFUSAL = Kind(
    "response.refusal",
    "refusal",
    "response.content_part",
    "content_index",
    lambda: {"type": "refusal", "refusal": ""},
)
SUMMARY = Kind(
    "response.reasoning_summary_text",
    "text",
    "response.reasoning_summary_part",
    "summary_index",
    lambda: {"type": "summary_text", "text": ""},
)
ARGUMENTS = Kind("response.function_call_arguments", "arguments")
INPUT = Kind("response.custom_tool_call_input", "input")


class Strand:
    """One text that grows: a part of a message or summary, or what a call says.

    `place` is where the events say that it is, `holder` what holds it once it is whole.
    """

    __slots__ = ("_delta", "_holder", "_pieces", "_place", "_say", "kind")

    def __init__(self, kind: Kind, holder: Json, place: Json, say: Say) -> None:
        self.kind = kind
        self._delta = f"{kind.events}.delta"
        self._holder = holder
        self._place = place
        self._say = say
        self._pieces: list[str] = []
        if kind.part_events:
            say(f"{kind.part_events}.added", **place, part=holder)

    def grow(self, piece: str, logprobs: list[Json]) -> None:
        """Add to it."""
        self._pieces.append(piece)
        if self.kind is TEXT:
            self._holder["logprobs"] += logprobs
            self._say(self._delta, **self._place, delta=piece, logprobs=logprobs)
        else:
            self._say(self._delta, **self._place, delta=piece)

    def settle(self) -> None:
        """Put what there is of it where it belongs."""
        self._holder[self.kind.whole] = "".join(self._pieces)

    def close(self) -> None:
        """It is whole."""
        self.settle()
        repeated = ("text", "logprobs") if self.kind is TEXT else (self.kind.whole,)
        whole = {name: self._holder[name] for name in repeated}
        self._say(f"{self.kind.events}.done", **self._place, **whole)
        if self.kind.part_events:
            self._say(f"{self.kind.part_events}.done", **self._place, part=self._holder)


class Item:
    """One item of the output. `said` is it as it stands; more may come while it `is_open`."""

    __slots__ = ("_index", "_place", "_say", "_strand", "is_open", "said")

    def __init__(self, said: Json, index: int, say: Say) -> None:
        self.said = said
        self.is_open = True
        self._index = index
        self._place: Json = {"item_id": said["id"], "output_index": index}
        self._say = say
        self._strand: Strand | None = None
        said["status"] = "in_progress"
        say("response.output_item.added", output_index=index, item=said)

    def settle(self) -> None:
        """Show what there is of it in `said`, and that it will stay so."""
        if self._strand:
            self._strand.settle()
        self._end("incomplete")

    def close(self, status: str) -> None:
        """Nothing more comes."""
        if self._strand:
            self._strand.close()
        self._end(status)
        self._say("response.output_item.done", output_index=self._index, item=self.said)

    def _end(self, status: str) -> None:
        self.said["status"] = status
        self.is_open = False


class Parted(Item):
    """Reasoning or a message: parts, one after another."""

    __slots__ = ("_parts",)

    def __init__(self, said: Json, parts: list[Json], index: int, say: Say) -> None:
        super().__init__(said, index, say)
        self._parts = parts

    def grow(self, kind: Kind, piece: str, logprobs: list[Json]) -> None:
        """Add to its last part, or begin one of another kind."""
        if self._strand is None or self._strand.kind is not kind:
            self._strand = self._next(kind)
        self._strand.grow(piece, logprobs)

    def _next(self, kind: Kind) -> Strand:
        if self._strand:
            self._strand.close()
        place = {**self._place, kind.part_index: len(self._parts)}
        part = kind.part()
        self._parts.append(part)
        return Strand(kind, part, place, self._say)


class Call(Item):
    """A call of a function: its arguments are told as they come."""

    __slots__ = ()

    def __init__(self, said: Json, index: int, say: Say) -> None:
        super().__init__(said, index, say)
        self._strand = Strand(self.kind, said, self._place, say)

    @property
    def kind(self) -> Kind:
        """What its text is."""
        return ARGUMENTS

    def grow(self, piece: str) -> None:
        """Add to its arguments."""
        if self._strand and piece:
            self._strand.grow(piece, [])


class CustomCall(Call):
    """A call of a tool that takes plain text. It comes wrapped in JSON, and is told when whole."""

    __slots__ = ("_arguments",)

    def __init__(self, said: Json, index: int, say: Say) -> None:
        super().__init__(said, index, say)
        self._arguments: list[str] = []

    @property
    def kind(self) -> Kind:
        """What its text is."""
        return INPUT

    def grow(self, piece: str) -> None:
        """Add to the arguments that it comes in."""
        self._arguments.append(piece)

    def close(self, status: str) -> None:
        """Nothing more comes, so what came can be unwrapped."""
        super().grow(unwrapped("".join(self._arguments)))
        super().close(status)


def unwrapped(arguments: str) -> str:
    """The text in the arguments of a function of one string, or what stands in its place."""
    try:
        wrapped = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    text = wrapped.get("input") if isinstance(wrapped, dict) else None
    return text if isinstance(text, str) else arguments
