"""The section: a mapping in YAML whose keys are a dataclass's fields.

A setting is named, given its default and its rule in its dataclass alone: a new field there is a
new key of the file, of the schema and of what is shown of the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import StrEnum
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from sidecar.config.addresses import AddressText
from sidecar.config.containers import ListOf, SetOf
from sidecar.config.cursor import Cursor, Given
from sidecar.config.not_yet import NOT_YET, is_refused
from sidecar.config.problem import closest
from sidecar.config.quantity import SCALES
from sidecar.config.shapes import (
    Choice,
    Json,
    Number,
    Optional,
    Quantity,
    SecretText,
    Shape,
    Text,
    Truth,
    Whole,
)
from sidecar.core.settings import Address, Secret
from sidecar.core.units import Unit

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of a section, and the field that it sets. `default` is as YAML has it."""

    field: str
    shape: Shape
    required: bool = False
    default: Any = None

    def schema(self) -> Json:
        """What a JSON Schema says of the value."""
        default = {} if self.default is None else {"default": self.default}
        return self.shape.schema() | default


class Section(Shape):
    """A mapping whose keys are the fields of `settings`, less the unit of their numbers.

    `renamed` gives fields another key; `changed` gives keys another shape than their field's type
    says, or adds keys; `without` takes keys away. Where the section is `partial`, what is left out
    is inherited, not the default.
    """

    def __init__(
        self,
        settings: type[DataclassInstance],
        *,
        without: Collection[str] = (),
        renamed: Mapping[str, str] | None = None,
        partial: bool = False,
        **changed: Shape,
    ) -> None:
        self._settings = settings
        self._without = without
        self._partial = partial
        own = dict(self._own_keys(changed))
        added = {name: Key(field=name, shape=changed[name]) for name in changed if name not in own}
        names = renamed or {}
        self.keys = {names.get(name, name): key for name, key in (own | added).items()}

    def _own_keys(self, changed: dict[str, Shape]) -> Iterator[tuple[str, Key]]:
        hints = get_type_hints(self._settings, include_extras=True)
        for field in fields(self._settings):
            name = field.name.removesuffix(_suffix(hints[field.name]))
            if name not in self._without:
                shape = changed.get(name) or shape_of(hints[field.name], partial=self._partial)
                yield name, self._key(field, shape)

    def _key(self, field: Field[Any], shape: Shape) -> Key:
        required = field.default is MISSING and field.default_factory is MISSING
        known = field.default is not MISSING and field.default is not None and not self._partial
        return Key(
            field=field.name,
            shape=shape,
            required=required and not isinstance(shape, Optional),
            default=shape.write(field.default) if known else None,
        )

    def read(self, at: Cursor) -> Given:
        """What is given. Unknown, refused and missing keys are reported."""
        children = at.children()
        for name in children.keys() - self.keys.keys():
            self._report_unknown(at, name)
        values: dict[str, Any] = {}
        for name, key in self.keys.items():
            child = at.child(name)
            if name in children:
                with child.reporting(sensitive=key.shape.sensitive):
                    values[key.field] = key.shape.read(child)
            elif key.required:
                child.report("is required")
        return Given(at, values)

    def _report_unknown(self, at: Cursor, name: str) -> None:
        child, place = at.child(name), at.node.keys.get(name)
        if is_refused(child.path):
            child.report(NOT_YET, at=place)
        elif name in self._without:
            child.report("cannot be set here", at=place)
        else:
            child.report("unknown key", at=place, meant=closest(name, self.keys))

    def write(self, value: Any) -> dict[str, Any]:
        """The fields of `value` that are set."""
        written = {
            name: key.shape.write(getattr(value, key.field))
            for name, key in self.keys.items()
            if hasattr(value, key.field)
        }
        return {name: item for name, item in written.items() if item is not None}

    def schema(self) -> Json:
        """The keys, their defaults and which of them have to be there."""
        required = [name for name, key in self.keys.items() if key.required]
        return {
            "type": "object",
            "description": (self._settings.__doc__ or "").partition(".")[0],
            "additionalProperties": False,
            "properties": {name: key.schema() for name, key in self.keys.items()},
            **({"required": required} if required else {}),
        }


_SIMPLE: dict[Any, Shape] = {
    str: Text(),
    bool: Truth(),
    int: Whole(),
    float: Number(),
    Secret: SecretText(),
    Address: AddressText(),
    tuple[str, ...]: ListOf(Text()),
}
_GENERIC: dict[Any, Callable[[tuple[Any, ...]], Shape]] = {
    Annotated: lambda parts: Quantity(parts[1]),
    Literal: Choice,
    UnionType: lambda parts: Optional(shape_of(parts[0])),
    Union: lambda parts: Optional(shape_of(parts[0])),  # as `|` writes it after an annotation
    frozenset: lambda parts: SetOf(shape_of(parts[0])),
}


def shape_of(hint: Any, *, partial: bool = False) -> Shape:
    """The shape of a field of this type."""
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if (origin := get_origin(hint)) in _GENERIC:
        return _GENERIC[origin](get_args(hint))
    if is_dataclass(hint) and isinstance(hint, type):
        return Section(hint, partial=partial)
    if issubclass(hint, StrEnum):
        return Choice(list(hint))
    raise TypeError(f"no YAML form is known for {hint}")


def _suffix(hint: Any) -> str:
    said = get_args(hint)[0] if get_origin(hint) is Union else hint
    marks = getattr(said, "__metadata__", ())
    return next((SCALES[mark].suffix for mark in marks if isinstance(mark, Unit)), "")
