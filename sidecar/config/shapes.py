"""The forms of single values in YAML: how each is read, written back, and described by a schema."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Any, Protocol

from sidecar.config.cursor import Cursor
from sidecar.config.problem import Wrong, closest
from sidecar.config.quantity import SCALES, format_quantity, parse_quantity
from sidecar.core.settings import Secret
from sidecar.core.units import Unit

Json = dict[str, Any]
TEMPLATE: Json = {"type": "string", "pattern": r"\$\{"}  # a variable may come to anything
UNPRINTABLE = "must not hold a line break or another control character"


class Shape(Protocol):
    """The form of one value. `sensitive` keeps the value out of every message."""

    sensitive: bool = False

    def read(self, at: Cursor) -> Any:
        """The value there. Raises `Wrong`, or reports what is wrong inside it and reads on."""
        ...

    def write(self, value: Any) -> Any:
        """`value` as YAML has it, secrets hidden."""
        return value

    def schema(self) -> Json:
        """What a JSON Schema says of it."""
        ...


class Text(Shape):
    """A string that says something."""

    def read(self, at: Cursor) -> Any:
        """The text, parsed."""
        text = at.text()
        if text is None:
            quoted = isinstance(at.node.content, bool | int | float)
            raise Wrong("must be text", meant=f'"{at.node.shown}"' if quoted else "")
        return self.parse(text)

    def parse(self, text: str) -> Any:
        """The value that `text` stands for. Raises `Wrong`."""
        if not text.strip():
            raise Wrong("must not be empty", shows_value=False)
        if not text.isprintable():  # it may go into a header, a label or a path
            raise Wrong(UNPRINTABLE)
        return text

    def schema(self) -> Json:
        """Any string."""
        return {"type": "string"}


class SecretText(Text):
    """A string that is never shown."""

    sensitive = True

    def parse(self, text: str) -> Secret:
        """Wrap the text, less the white space around it. Raises `Wrong`."""
        text = text.strip()  # a secret that was made with `echo` ends with a line break
        # a line break within a header would be the start of another header
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
            raise Wrong(UNPRINTABLE)
        return Secret(text)

    def write(self, value: Secret) -> str:
        """Three stars."""
        return str(value)


class Word(Text):
    """Text of a form that YAML may take for a number or a truth value: read as it was written."""

    def read(self, at: Cursor) -> Any:
        """The text as it was written, parsed."""
        text = at.text()
        return self.parse(at.node.shown if text is None else text)


class Choice(Word):
    """One of a few words."""

    def __init__(self, words: Collection[str]) -> None:
        self._words = {str(word): word for word in words}

    def parse(self, text: str) -> str:
        """The word, or the member of the enumeration that has it. Raises `Wrong`."""
        if text not in self._words:
            listed = ", ".join(self._words)
            raise Wrong(f"must be one of {listed}", meant=closest(text, self._words))
        return self._words[text]

    def write(self, value: str) -> str:
        """The word."""
        return str(value)

    def schema(self) -> Json:
        """The words there are."""
        return {"anyOf": [{"enum": list(self._words)}, TEMPLATE]}


class Quantity(Word):
    """A duration or a size."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    def parse(self, text: str) -> float:
        """The number in seconds or bytes. Raises `Wrong`."""
        return parse_quantity(text, self._unit)

    def write(self, value: float) -> str:
        """The number with its unit."""
        return format_quantity(value, self._unit)

    def schema(self) -> Json:
        """A string with a unit at its end."""
        scale = SCALES[self._unit]
        description = f"A {self._unit} such as {scale.examples}."
        pattern = rf"{scale.pattern}|{TEMPLATE['pattern']}"
        return {"type": "string", "pattern": pattern, "description": description}


class Number(Shape):
    """A finite number; a variable may hold its text."""

    noun = "a number"
    kind = "number"
    pattern = r"-?[0-9]{1,18}(\.[0-9]{1,18})?"

    def read(self, at: Cursor) -> float:
        """The number. Raises `Wrong` for text, truth values and what is not finite."""
        value = at.node.content
        if at.node.template:
            value = self._parse(at.text() or "")
        elif isinstance(value, str):
            raise Wrong(f"must be {self.noun}, not text")
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise Wrong(f"must be {self.noun}")
        return value

    def _parse(self, text: str) -> float | None:
        if re.fullmatch(self.pattern, text, re.ASCII) is None:
            return None
        return float(text) if "." in text else int(text)

    def schema(self) -> Json:
        """A number, or a variable that holds one."""
        return {"anyOf": [{"type": self.kind}, TEMPLATE]}


class Whole(Number):
    """A whole number, `least` or more where that is said."""

    noun = "a whole number"
    kind = "integer"
    pattern = r"-?[0-9]{1,18}"

    def __init__(self, least: int | None = None) -> None:
        self._least = least

    def read(self, at: Cursor) -> int:
        """The number. Raises `Wrong` for a fraction and for less than the least."""
        value = super().read(at)
        if not isinstance(value, int):
            raise Wrong(f"must be {self.noun}")
        if self._least is not None and value < self._least:
            raise Wrong(f"must be at least {self._least}")
        return value

    def schema(self) -> Json:
        """A whole number, or a variable that holds one."""
        whole: Json = {"type": self.kind}
        if self._least is not None:
            whole["minimum"] = self._least
        return {"anyOf": [whole, TEMPLATE]}


class Truth(Word):
    """True or false, also as a variable may hold it."""

    def parse(self, text: str) -> bool:
        """Which of the two. Raises `Wrong`."""
        if text.lower() not in ("true", "false"):
            raise Wrong("must be true or false")
        return text.lower() == "true"

    def schema(self) -> Json:
        """One of the two, or a variable that holds it."""
        return {"anyOf": [{"type": "boolean"}, TEMPLATE]}


class Optional(Shape):
    """A value that may be left out, which `off`, `null` and an empty string do as well."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self.sensitive = shape.sensitive

    def read(self, at: Cursor) -> Any:
        """The value, or `None` where it is left out."""
        is_off = at.node.content is None or at.node.content is False
        left_out = is_off or at.text() in ("", "off", "false")
        return None if left_out else self._shape.read(at)

    def write(self, value: Any) -> Any:
        """The value, or `None`."""
        return None if value is None else self._shape.write(value)

    def schema(self) -> Json:
        """The value, `null` or `false`."""
        return {"anyOf": [self._shape.schema(), {"enum": [None, False]}]}
