"""A place in the configuration that is being read: what stands there, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from sidecar.config.document import Node
from sidecar.config.problem import Place, Problem, Wrong
from sidecar.config.variables import expand

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Values = TypeVar("Values", bound=DataclassInstance)

HIDDEN = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """One value of the configuration. All cursors of one reading share `problems`."""

    node: Node
    path: tuple[str, ...] = ()
    environ: Mapping[str, str]
    problems: list[Problem]

    def text(self) -> str | None:
        """The value with its variables put in, if it is text. Raises `Wrong` as `expand` does."""
        content = self.node.content
        if not isinstance(content, str):
            return None
        return expand(content, self.environ) if self.node.template else content

    def items(self) -> tuple[Cursor, ...]:
        """The parts of a list; nothing is an empty one."""
        content = () if self.node.content is None else self.node.content
        if not isinstance(content, tuple):
            raise Wrong(f"must be a list, got {self._sort()}", shows_value=False)
        return tuple(self._part(str(index), node) for index, node in enumerate(content))

    def children(self) -> dict[str, Cursor]:
        """The parts of a mapping; nothing is an empty one."""
        content = {} if self.node.content is None else self.node.content
        if not isinstance(content, dict):
            raise Wrong(f"must be a mapping, got {self._sort()}", shows_value=False)
        return {name: self._part(name, node) for name, node in content.items()}

    def child(self, name: str) -> Cursor:
        """The part `name`; where it is missing, the place where it is missed."""
        parts = self.node.content if isinstance(self.node.content, dict) else {}
        return self._part(name, parts.get(name, Node(self.node.place, None)))

    def is_mapping(self) -> bool:
        """Whether the value has named parts."""
        return isinstance(self.node.content, dict)

    def report(self, what: str, *, got: str = "", meant: str = "", at: Place | None = None) -> None:
        """Remember a problem with this value, or with what stands `at` another place.

        One that is no usable YAML has its problem already.
        """
        if self.node.refused:
            return
        place, path = at or self.node.place, ".".join(self.path)
        self.problems.append(Problem(place=place, path=path, what=what, got=got, meant=meant))

    @contextmanager
    def reporting(self, *, sensitive: bool = False) -> Iterator[None]:
        """Report the `Wrong` that ends the block. A sensitive value is not shown."""
        try:
            yield
        except Wrong as wrong:
            got = wrong.got or (HIDDEN if sensitive else self.node.shown)
            # what was meant is made from what was read, and a variable's value stays hidden
            meant = "" if sensitive or self.node.template else wrong.meant
            self.report(str(wrong), got=got if wrong.shows_value else "", meant=meant)

    def _part(self, name: str, node: Node) -> Cursor:
        return replace(self, node=node, path=(*self.path, name))

    def _sort(self) -> str:
        # not the value itself: `providers: {openai: sk-…}` happens
        return self.node.shown if isinstance(self.node.content, tuple | dict) else "a single value"


@dataclass(frozen=True, slots=True)
class Given:
    """What a mapping says: its values by field name."""

    at: Cursor
    values: Mapping[str, Any]

    def is_wrong(self, name: str) -> bool:
        """Whether something was written for `name` that was reported and left out."""
        return self.at.is_mapping() and name in self.at.children() and name not in self.values

    def onto(self, base: Values, *, keep: tuple[str, ...] = ()) -> Values:
        """`base` with the given values in place of its own, except the fields to `keep`.

        Nested mappings go onto the nested values. A value that breaks a rule of the dataclass is
        reported, and `base` comes back.
        """
        changes: dict[str, Any] = {
            field.name: self.over(field.name, getattr(base, field.name))
            for field in fields(base)
            if field.name in self.values and field.name not in keep
        }
        try:
            return replace(base, **changes)
        except ValueError as error:
            self._report_broken_rules(base, changes, error)
            return base

    def over(self, name: str, base: Any) -> Any:
        """The value given for `name`, put onto `base` where it is a mapping; `base` without one."""
        value = self.values.get(name, base)
        return value.onto(base) if isinstance(value, Given) else value

    def _report_broken_rules(self, base: Values, changes: dict[str, Any], all_: ValueError) -> None:
        """Try the changes one by one: a dataclass tells only of the first rule that is broken."""
        errors = []
        for name, value in changes.items():
            try:
                replace(base, **{name: value})
            except ValueError as error:
                errors.append(error)
        for broken in errors or [all_]:
            name, _, rule = str(broken).partition(": ")
            place = self.at.child(name)
            # the value as it was written, with its unit
            place.report(rule.partition(", got ")[0], got=place.node.shown)
