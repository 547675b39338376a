"""Objects that come in deltas, put together: texts grow, objects are merged, lists go on.

That takes time in proportion to what the deltas hold: texts are gathered, and joined at the end.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Protocol

from sidecar.dialects.dialect import Json
from sidecar.dialects.odd import text_in

DEPTH = 4  # of objects within each other that grow; what is deeper is said whole every time
NOTHING: tuple[object, ...] = (None, "", [], {})
WORDS = frozenset(  # texts that are never cut: said again, they are repeated
    ("id", "type", "role", "name", "format", "signature", "thought_signature")
)
ENCODED = "data"
UNCUT = frozenset(("annotations", "images", "citations"))  # lists whose entries come whole
NUMBERED = frozenset(("reasoning_details",))  # lists that keep their numbers in whole answers, too


class Growth(Protocol):
    """A value that grows."""

    def add(self, value: Any) -> None:
        """Take in the next piece of it."""
        ...

    def whole(self) -> Any:
        """The value so far."""
        ...


class Last:
    """A value of which the last word counts."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value: Any = None

    def add(self, value: Any) -> None:
        """It is this now."""
        self._value = value

    def whole(self) -> Any:
        """The last that was said."""
        return self._value


class Text:
    """A text that came in pieces."""

    __slots__ = ("_pieces",)

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def add(self, value: str) -> None:
        """It goes on."""
        self._pieces.append(value)

    def whole(self) -> str:
        """All of it."""
        return "".join(self._pieces)


class Encoded(Text):
    """A text in base64, of which each piece may have been padded by itself."""

    __slots__ = ()

    def whole(self) -> str:
        """All of it, padded at its end alone."""
        pieces = [piece for piece in self._pieces if piece]
        if not any(piece.endswith("=") for piece in pieces[:-1]):
            return "".join(pieces)
        try:
            data = b"".join([base64.b64decode(piece, validate=True) for piece in pieces])
        except (binascii.Error, ValueError):
            return "".join(pieces)
        return base64.b64encode(data).decode()


class Object:
    """An object that grows by its deltas. Objects in it grow, too, down to `depth`."""

    __slots__ = ("_depth", "_members")

    def __init__(self, depth: int = DEPTH) -> None:
        self._depth = depth
        self._members: dict[str, Growth] = {}

    def add(self, delta: Mapping[str, Any]) -> None:
        """Take in a delta. What says nothing takes nothing back."""
        for name, value in delta.items():
            known = self._members.get(name)
            if known is not None and value in NOTHING:
                continue
            grown = growth_for(name, value, self._depth)
            if type(known) is not type(grown):
                self._members[name] = known = grown
            known.add(value)

    def said(self, name: str) -> Any:
        """What was said under `name`; `None` for nothing."""
        known = self._members.get(name)
        return known and known.whole()

    def whole(self) -> Json:
        """All that was said."""
        return {name: grown.whole() for name, grown in self._members.items()}


class Entries:
    """A list whose entries grow, told apart by their index or, without it, by their place.

    The indexes are of the stream alone, and are left out at the end, but for `numbered` ones.
    """

    __slots__ = ("_depth", "_entries", "_numbered", "_open", "_uncut")

    def __init__(self, name: str, depth: int) -> None:
        self._depth = depth
        self._uncut = name in UNCUT
        self._numbered = name in NUMBERED
        self._entries: list[Any] = []
        self._open: dict[int, Object] = {}

    def add(self, value: list[Any]) -> None:
        """Some entries begin or go on."""
        for place, entry in enumerate(value):
            if isinstance(entry, dict):
                self._entry(entry, place).add(entry)
            else:
                self._entries.append(entry)

    def whole(self) -> list[Any]:
        """All entries, in the order in which they began."""
        return [self._whole(one) if isinstance(one, Object) else one for one in self._entries]

    def _entry(self, piece: Json, place: int) -> Object:
        """The entry that a piece belongs to."""
        index = piece.get("index")
        index = index if isinstance(index, int) else place
        known = self._open.get(index)
        if known is None or self._uncut or differs(known, piece):
            self._open[index] = known = Object(self._depth)
            self._entries.append(known)
        return known

    def _whole(self, entry: Object) -> Json:
        whole = entry.whole()
        if not self._numbered:
            whole.pop("index", None)
        return whole


def differs(entry: Object, piece: Json) -> bool:
    """Whether a piece is of another entry, by what it says of itself."""
    for name in ("type", "id"):
        said = text_in(piece, name)
        if said and entry.said(name) not in (said, *NOTHING):
            return True
    return False


def growth_for(name: str, value: object, depth: int) -> Growth:
    """How a value under `name` grows."""
    match value:
        case str() if name not in WORDS:
            return Encoded() if name == ENCODED else Text()
        case dict() if depth:
            return Object(depth - 1)
        case list() if depth:
            return Entries(name, depth - 1)
    return Last()
