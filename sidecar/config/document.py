"""YAML text to nodes that know where they stand; the only module that talks to PyYAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from sidecar.config.problem import ConfigError, Place, Problem, shortened
from sidecar.config.variables import has_variable

Path = tuple[str, ...]

_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_TYPED = {f"{_TAG}{name}" for name in ("bool", "float", "int", "null")}
# A date or a lone `=` or `<<` is text to us: nothing in the format is one.
_PLAIN = {f"{_TAG}{name}" for name in ("map", "merge", "seq", "str", "timestamp", "value")}


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands.

    `shown` is how a message may show it: as it was written, variables not expanded. `keys` says
    where the keys of a mapping stand. `template` is text whose variables are still to be expanded;
    `refused` a value whose problem is reported already.
    """

    place: Place
    content: bool | float | str | tuple[Node, ...] | dict[str, Node] | None
    shown: str = "nothing"
    template: bool = False
    refused: bool = False
    keys: Mapping[str, Place] = field(default_factory=dict)


def parse(text: str, source: str, problems: list[Problem]) -> Node:
    """Read one YAML document. An empty one is a node without content.

    Duplicate keys and the like go to `problems`; a text that is no YAML raises `ConfigError`.
    """
    start = Place(source, 1, 1)
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        return _Conversion(loader, source, problems).node(root, ()) if root else Node(start, None)
    except yaml.YAMLError as error:
        # not `from error`: a traceback with PyYAML's own message would show lines of the file
        raise ConfigError([_syntax_problem(error, text, source)]) from None
    except RecursionError:
        raise ConfigError([Problem(place=start, what="is nested too deeply")]) from None


def _syntax_problem(error: yaml.YAMLError, text: str, source: str) -> Problem:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        place = _place(error.problem_mark, source)
        # a longer quotation is an alias or a tag, which may be a secret that starts with * or !
        what = re.sub(r"'[^'<\\]{2,}'", "'***'", error.problem or "cannot be read")
        return Problem(place=place, what=f"is not YAML: {what}")
    before = text[: getattr(error, "position", 0)]
    place = Place(source, before.count("\n") + 1, len(before) - before.rfind("\n"))
    return Problem(place=place, what="is not YAML: a control character")


def _place(mark: yaml.Mark, source: str) -> Place:
    return Place(source, mark.line + 1, mark.column + 1)


class _Conversion:
    """PyYAML's nodes to ours, each once, however often an alias repeats it."""

    def __init__(self, loader: yaml.SafeLoader, source: str, problems: list[Problem]) -> None:
        self._loader = loader
        self._source = source
        self._problems = problems
        self._done: dict[yaml.Node, Node] = {}
        self._open: set[yaml.Node] = set()

    def node(self, node: yaml.Node, path: Path) -> Node:
        if node in self._open:
            return self._refuse(node, path, "contains itself")
        if node not in self._done:
            self._open.add(node)
            self._done[node] = self._convert(node, path)
            self._open.remove(node)
        return self._done[node]

    def _convert(self, node: yaml.Node, path: Path) -> Node:
        if node.tag not in _TYPED | _PLAIN:
            return self._refuse(node, path, "must not have a tag")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            items = tuple(
                self.node(item, (*path, str(index))) for index, item in enumerate(node.value)
            )
            return Node(_place(node.start_mark, self._source), items, "a list")
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Node:
        text = str(node.value)
        return Node(
            _place(node.start_mark, self._source),
            self._typed(node) if node.tag in _TYPED else text,
            shortened(text) or "nothing",
            template=has_variable(text),
        )

    def _typed(self, node: yaml.Node) -> bool | float | str | None:
        try:
            value: bool | float | None = self._loader.construct_object(node)
        except (ValueError, KeyError):  # `!!int x`, or more digits than Python reads
            return str(node.value)
        return value

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Node:
        content: dict[str, Node] = {}
        keys: dict[str, Place] = {}
        merged: list[Node] = []
        for key, value in node.value:
            name = str(key.value)
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, path, "a key must be text")
            elif key.tag == _MERGE:
                merged += self._merged(value, path)
            elif name in content:
                first = keys[name].line
                self._refuse(key, (*path, name), f"is there twice, first in line {first}")
            else:
                content[name] = self.node(value, (*path, name))
                keys[name] = _place(key.start_mark, self._source)
        for other in merged:
            if isinstance(other.content, dict):
                content = other.content | content
                keys = {**other.keys, **keys}
        return Node(_place(node.start_mark, self._source), content, "a mapping", keys=keys)

    def _merged(self, node: yaml.Node, path: Path) -> Iterator[Node]:
        """What `<<` brings in, the strongest first: a mapping, or a list of mappings."""
        values = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for value in values:
            if isinstance(value, yaml.MappingNode):
                yield self.node(value, path)
            else:
                self._refuse(value, (*path, "<<"), "must be a mapping, or a list of them")

    def _refuse(self, node: yaml.Node, path: Path, what: str) -> Node:
        place = _place(node.start_mark, self._source)
        self._problems.append(Problem(place=place, path=".".join(path), what=what))
        return Node(place, None, refused=True)


def _join(path: Path, part: str) -> str:
    return f"{path}.{part}" if path else part
