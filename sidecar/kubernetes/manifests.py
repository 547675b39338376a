"""Manifests with the sidecar in them, or out of them: YAML in, YAML out.

Documents that stay as they are come out to the byte. Others are written anew by ruamel.yaml, which
keeps comments, quotes and the order of keys, but not every line's break.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from itertools import pairwise
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from sidecar.kubernetes.comments import kept, lists
from sidecar.kubernetes.injection import Injection, apply, patch, reason_to_pass
from sidecar.kubernetes.removal import remove
from sidecar.kubernetes.shapes import Malformed, check
from sidecar.kubernetes.workloads import Place, pods, title

# in the first column it begins a document wherever it stands, amid quotes and texts, too
START = re.compile(r"^---(?=\s|$)", re.MULTILINE)
HEAD = re.compile(r"\A(?:(?:[ \t]*(?:#.*)?|%.*)\n)*(?:---[ \t]*(?:#.*)?(?:\n|\Z))?")
KEY_THEN_ITEM = re.compile(r"^( *)[^\s#-][^\n]*:[ \t]*\n( *)- ", re.MULTILINE)
KEY_THEN_KEY = re.compile(r"^( *)[^\s#-][^\n]*:[ \t]*\n(\1 +)[^\s#-]", re.MULTILINE)
NO_WIDTH = 1 << 30  # lines are broken where they were

Change = Callable[[Place], str | None]  # why it changed nothing, in words if they are needed


class Unreadable(ValueError):
    """A manifest that cannot be changed: `document 2 (Deployment web): where: what is wrong`."""


@dataclass(slots=True)
class Changed:
    """The manifests as they should be, how many pods were changed, and who was left alone."""

    text: str = ""
    pods: int = 0
    notes: list[str] = field(default_factory=list)


def injected(text: str, injection: Injection) -> Changed:
    """`text` with the sidecar in every pod. Raises `Unreadable`."""
    return changed(text, partial(put_in, injection))


def cleaned(text: str) -> Changed:
    """`text` without what `injected` added. Raises `Unreadable`."""
    return changed(text, take_out)


def put_in(injection: Injection, place: Place) -> str | None:
    """Put the sidecar into a pod."""
    if reason := reason_to_pass(place.pod, place.path):
        return reason
    operations = patch(place.pod, injection, place.path)
    if operations:
        unshare(place.pod)
        kept(place.pod, partial(apply, operations, place.pod))
    return None if operations else ""


def take_out(place: Place) -> str | None:
    """Take the sidecar out of a pod."""
    unshare(check(place.pod, place.path))
    return None if kept(place.pod, partial(remove, place.pod, place.path)) else ""


def changed(text: str, change: Change) -> Changed:
    """`text` with `change` made to every pod."""
    by_windows = 0 < text.count("\n") == text.count("\r\n")
    read = text.replace("\r\n", "\n") if by_windows else text
    result = Changed()
    line = 0
    for number, document in enumerate(documents(read), start=1):
        result.text += Document(document, number, line).changed(change, result)
        line += document.count("\n")
    if by_windows:
        result.text = result.text.replace("\n", "\r\n")
    return result


def documents(text: str) -> Iterator[str]:
    """The documents, each with what leads to it."""
    starts = [found.start() for found in START.finditer(text)]
    if starts and HEAD.sub("", text[: starts[0]]) == "":
        starts[0] = 0  # comments and directives belong to what follows
    for start, end in pairwise(sorted({0, *starts, len(text)})):
        yield text[start:end]


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a text, with its number and the line where it begins, for messages."""

    text: str
    number: int
    line: int

    def changed(self, change: Change, result: Changed) -> str:
        """The document with `change` made to its pods; what became of them goes to `result`."""
        head = HEAD.match(self.text)
        lead = head[0] if head else ""
        yaml = reader(self.text)
        loaded = self._load(yaml, lead)
        where = f"document {self.number}" + (f" ({title(loaded)})" if title(loaded) else "")
        before = result.pods
        try:
            for place in pods(loaded):
                why_not = change(place)
                result.pods += why_not is None
                if why_not:
                    result.notes.append(f"{where}: left alone: {why_not}")
        except Malformed as error:
            raise Unreadable(f"{where}: {error}") from error
        if result.pods == before:
            return self.text
        out = StringIO()
        yaml.dump(loaded, out)
        return lead + out.getvalue()

    def _load(self, yaml: YAML, lead: str) -> Any:
        """What the document says."""
        try:
            return yaml.load(self.text[len(lead) :])
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = self.line + lead.count("\n") + (mark.line + 1 if mark else 1)
            column = mark.column + 1 if mark else 1
            raise Unreadable(
                f"document {self.number}: line {line}, column {column}: {error.problem}"
            ) from error
        except (YAMLError, ValueError, RecursionError) as error:
            what = (str(error).splitlines() or [type(error).__name__])[0]
            raise Unreadable(f"document {self.number}: cannot be read: {what}") from error


def reader(text: str) -> YAML:
    """A YAML that writes in the manner of `text`."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = NO_WIDTH
    item, key = KEY_THEN_ITEM.search(text), KEY_THEN_KEY.search(text)
    offset = max(0, len(item[2]) - len(item[1])) if item else 0
    yaml.indent(mapping=len(key[2]) - len(key[1]) if key else 2, sequence=offset + 2, offset=offset)
    return yaml


def unshare(pod: Any) -> None:
    """Give what stands in several places (`*name`) a copy in each that may be changed."""
    seen: set[int] = set()
    own_copy(pod, "metadata", seen)
    own_copy(pod.get("metadata") or {}, "labels", seen)
    own_copy(pod, "spec", seen)
    for holder, key in lists(pod):
        own_copy(holder, key, seen)
        if key != "env":
            for place in range(len(holder[key])):
                own_copy(holder[key], place, seen)


def own_copy(holder: Any, key: Any, seen: set[int]) -> None:
    """Put a copy in the place of what was seen elsewhere already."""
    value = holder.get(key) if isinstance(holder, dict) else holder[key]
    if not isinstance(value, CommentedMap | CommentedSeq):
        return
    if id(value) in seen:
        holder[key] = value = deepcopy(value)
        value.yaml_set_anchor(None)
    seen.add(id(value))
