"""Lists and mappings in YAML, of as many items as somebody likes, all of one form."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any, Literal

from sidecar.config.cursor import Cursor
from sidecar.config.problem import Wrong
from sidecar.config.shapes import Json, Shape


class ListOf(Shape):
    """A list, an empty one only where `least` is 0. What is wrong is reported and left out."""

    def __init__(self, item: Shape, *, least: Literal[0, 1] = 1) -> None:
        self._item = item
        self._least = least

    def read(self, at: Cursor) -> Collection[Any]:
        """The right items."""
        values = []
        items = at.items()
        if len(items) < self._least:
            raise Wrong("must not be empty", shows_value=False)
        for item in items:
            with item.reporting(sensitive=self._item.sensitive):
                values.append(self._item.read(item))
        return tuple(values)

    def write(self, value: Iterable[Any]) -> list[Any] | None:
        """The items in their order, or `None` for a list that may not be empty and is."""
        items = [self._item.write(item) for item in value]
        return items if len(items) >= self._least else None

    def schema(self) -> Json:
        """A list of so many items at least."""
        least = {"minItems": self._least} if self._least else {}
        return {"type": "array", "items": self._item.schema(), **least}


class SetOf(ListOf):
    """A list whose order says nothing; perhaps an empty one."""

    def __init__(self, item: Shape) -> None:
        super().__init__(item, least=0)

    def read(self, at: Cursor) -> frozenset[Any]:
        """The right items, each once."""
        return frozenset(super().read(at))

    def write(self, value: Iterable[Any]) -> list[Any] | None:
        """The items in the order of their names."""
        return super().write(sorted(value))


class MapOf(Shape):
    """A mapping with free keys of one form, as pairs. What is wrong is reported and left out."""

    def __init__(self, item: Shape, keys: str) -> None:
        self._item = item
        self._keys = f"^{keys}$"

    def read(self, at: Cursor) -> tuple[tuple[str, Any], ...]:
        """The right pairs, in the order of the file."""
        pairs = []
        for name, child in at.children().items():
            if not re.fullmatch(self._keys, name):
                child.report(f"the name must match {self._keys}", at=at.node.keys.get(name))
            with child.reporting(sensitive=self._item.sensitive):
                pairs.append((name, self._item.read(child)))
        return tuple(pairs)

    def write(self, value: Iterable[Any]) -> dict[str, Any]:
        """The pairs as a mapping."""
        return {name: self._item.write(item) for name, item in value}

    def schema(self) -> Json:
        """A mapping whose keys match the pattern."""
        return {
            "type": "object",
            "propertyNames": {"pattern": self._keys},
            "additionalProperties": self._item.schema(),
        }
