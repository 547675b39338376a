"""JSON schemas as Anthropic's API takes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sidecar.dialects.dialect import Json
from sidecar.dialects.odd import object_in, text_in

MAX_NODES = 5_000  # references are written out: a few of them may stand for very many
MAX_DEPTH = 40
KEPT = frozenset(
    ("type", "enum", "const", "title", "description", "default", "pattern", "required")
)
CONSTRAINTS = frozenset(  # to which answers cannot be held
    (
        *("minItems", "maxItems", "uniqueItems", "prefixItems", "additionalItems"),
        *("contains", "minContains", "maxContains", "unevaluatedItems", "unevaluatedProperties"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
        *("minLength", "maxLength", "minProperties", "maxProperties", "patternProperties"),
        *("propertyNames", "dependencies", "dependentRequired", "dependentSchemas"),
        *("if", "then", "else", "not"),
    )
)
ALTERNATIVES = {"anyOf": "anyOf", "oneOf": "anyOf", "allOf": "allOf"}
FORMATS = frozenset(
    (
        *("date-time", "time", "date", "duration", "email", "hostname", "uri"),
        *("ipv4", "ipv6", "uuid"),
    )
)


class Unsayable(Exception):
    """A schema that refers to itself, to nothing, or is too large."""


def strict_schema(schema: object) -> Json | None:
    """`schema` with nothing but what answers can be held to; `None` where that cannot be done.

    References are written out, keywords that are not supported left out, and no object takes
    members that it does not name.
    """
    return cleaned(schema)[0]


def cleaned(schema: object) -> tuple[Json | None, bool]:
    """The strict schema, and whether it says all that `schema` does."""
    if not isinstance(schema, dict):
        return None, False
    cleaner = Cleaner(schema)
    try:
        return cleaner.clean(schema, ("#",)), not cleaner.loses
    except Unsayable:
        return None, False


def tool_schema(schema: object) -> Json:
    """`schema` for a tool's input: its root is an object and has no alternatives."""
    given = schema if isinstance(schema, dict) else {}
    root = {name: value for name, value in given.items() if name not in ALTERNATIVES}
    branches = [branch for name in ALTERNATIVES for branch in listed(given.get(name))]
    properties: Json = {}
    for one in (*branches, given):
        if isinstance(one, dict):
            properties |= object_in(one, "properties")
    return {**root, "type": "object", "properties": properties}


def is_object(schema: Json) -> bool:
    kind = schema.get("type")
    return kind == "object" or "properties" in schema or "object" in listed(kind)


def loses(schema: Json) -> bool:
    """Whether `schema` itself asks for something that answers cannot be held to."""
    return text_in(schema, "format") not in FORMATS | {""} or not CONSTRAINTS.isdisjoint(schema)


def listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


@dataclass(slots=True)
class Cleaner:
    """Cleans one schema. `left` is how many more parts it may have.

    `loses`: it asked for something that answers cannot be held to.
    """

    root: Json
    left: int = MAX_NODES
    loses: bool = False

    def clean(self, schema: object, path: tuple[str, ...]) -> Json:
        """`schema`, which was reached through the references in `path`."""
        if not isinstance(schema, dict):
            return {}
        self.left -= 1
        if self.left < 0 or len(path) > MAX_DEPTH:
            raise Unsayable
        reference = schema.get("$ref")
        if isinstance(reference, str):
            if reference in path:
                raise Unsayable
            beside = {name: value for name, value in schema.items() if name != "$ref"}
            return self.clean({**self._find(reference), **beside}, (*path, reference))
        return self._cleaned(schema, (*path, ""))

    def _cleaned(self, schema: Json, path: tuple[str, ...]) -> Json:
        clean = {name: value for name, value in schema.items() if name in KEPT}
        if text_in(schema, "format") in FORMATS:
            clean["format"] = schema["format"]
        self.loses |= loses(schema)
        if isinstance(schema.get("items"), dict):
            clean["items"] = self.clean(schema["items"], path)
        for name, said in ALTERNATIVES.items():
            if branches := listed(schema.get(name)):
                clean[said] = self._all(branches, path)
        if is_object(schema):
            clean["properties"] = self._properties(schema, path)
            clean["additionalProperties"] = False
        return clean

    def _all(self, branches: Iterable[object], path: tuple[str, ...]) -> list[Json]:
        return [self.clean(branch, path) for branch in branches]

    def _properties(self, schema: Json, path: tuple[str, ...]) -> Json:
        properties = object_in(schema, "properties")
        return {name: self.clean(value, path) for name, value in properties.items()}

    def _find(self, reference: str) -> Json:
        """What a reference into this document stands for (RFC 6901)."""
        found: object = self.root
        start, *steps = reference.split("/")
        if start != "#":
            raise Unsayable
        for step in steps:
            name = step.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            raise Unsayable
        return found
