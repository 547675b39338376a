"""The events of a Response's stream, put together: the last of them says it whole."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from sidecar.core.sse import Parser
from sidecar.dialects.anthropic.events import parsed
from sidecar.dialects.dialect import Answered, Json, Reading
from sidecar.dialects.odd import object_in
from sidecar.dialects.openai import is_count
from sidecar.dialects.responses.meaning import check

ITEM = "response.output_item.done"
ITEM_BYTES = ITEM.encode()


class ResponseAssembler:
    """Keeps what is said whole. `finish` judges it, and raises `AnswerFailed` for what is none.

    Some providers leave the output out of the last event: there it is made of its items.
    """

    __slots__ = ("_finish", "_items", "_last")

    def __init__(self, finish: Callable[[Json], Answered]) -> None:
        self._finish = finish
        self._items: list[bytes] = []
        self._last = b""

    def add(self, reading: Reading) -> None:
        """Take in what was read next."""
        if reading.piece.done:
            self._last = reading.raw
        elif ITEM_BYTES in reading.raw:
            self._items.append(reading.raw)

    def answered(self) -> Answered:
        """The answer as if it had come whole. Raises `AnswerFailed` for what is none."""
        ends = [object_in(said, "response") for said in said_in(self._last)]
        response = ends[-1] if ends else {}
        if not response.get("output") and (items := self._output()):
            response = {**response, "output": items}
        check(response)
        return self._finish(response)

    def _output(self) -> list[Json]:
        """The items that were done, in their places."""
        done = [said for said in said_in(b"".join(self._items)) if said.get("type") == ITEM]
        return [object_in(said, "item") for said in sorted(done, key=place_of)]


def said_in(events: bytes) -> Iterator[Json]:
    """What events say that were read before."""
    parser = Parser(sys.maxsize)  # whoever read them bounds them
    for event in parser.feed(events):
        said = parsed(event)
        if isinstance(said, dict):
            yield said


def place_of(said: Json) -> int:
    """Where an item belongs."""
    place = said.get("output_index")
    return place if is_count(place) else 0
