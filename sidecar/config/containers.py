"""Lists and mappings in YAML, of as many items as somebody likes, all of one form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sidecar.config.cursor import Cursor
from sidecar.config.problem import Wrong
from sidecar.config.shapes import Json, Shape


class ListOf(Shape):
    """A list with something in it. What is wrong is reported and left out."""

    def __init__(self, item: Shape) -> None:
        self._item = item

    def read(self, at: Cursor) -> tuple[Any, ...]:
        """The right items."""
        values = []
        if not (items := at.items()):
            raise Wrong("must not be empty", shows_value=False)
        for item in items:
            with item.reporting(sensitive=self._item.sensitive):
                values.append(self._item.read(item))
        return tuple(values)

    def write(self, value: Iterable[Any]) -> list[Any]:
        """The items in their order."""
        return [self._item.write(item) for item in value]

    def schema(self) -> Json:
        """A list of one item at least."""
        return {"type": "array", "items": self._item.schema(), "minItems": 1}


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
