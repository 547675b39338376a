"""`${NAME}`, `${NAME:-default}` and `${file:/path}` in the configuration's strings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from sidecar.config.problem import Wrong

FILE_BYTES = 64 * 1024  # a key or a token, with much room

_TEMPLATE = re.compile(r"\$\$\{|\$\{(?P<inner>[^}]*)(?P<end>\}?)")
_INNER = re.compile(
    r"file:(?P<file>[^${\x00]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^${]*))?"
)


def has_variable(text: str) -> bool:
    """Whether `text` says something else once it is expanded."""
    return "${" in text


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Put the values in. `$${` is a plain `${`; the default also stands in for an empty variable.

    Raises `Wrong` for what is unset, unreadable or malformed; its text never holds a value.
    """
    unset = [name for name in _names_needed(text) if name not in environ]
    if unset:
        raise Wrong(f"not set in the environment: {', '.join(unset)}", shows_value=False)
    return _TEMPLATE.sub(lambda found: _value(found, environ), text)


def _names_needed(text: str) -> Iterator[str]:
    for found in _TEMPLATE.finditer(text):
        inner = _INNER.fullmatch(found["inner"] or "")
        if inner and inner["name"] and inner["default"] is None:
            yield inner["name"]


def _value(found: re.Match[str], environ: Mapping[str, str]) -> str:
    if found["inner"] is None:
        return "${"
    inner = _INNER.fullmatch(found["inner"])
    if inner is None or not found["end"]:
        raise Wrong("is malformed; write ${NAME}, ${NAME:-default}, ${file:/path} or a plain $${")
    if inner["file"]:
        return _file_text(inner["file"])
    return environ.get(inner["name"]) or inner["default"] or ""


def _file_text(path: str) -> str:
    """What the file says, less the white space around it: editors end a file with a newline."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise Wrong(f"cannot read {path}: {error.strerror}", shows_value=False) from None
    if len(text) > FILE_BYTES:
        raise Wrong(f"{path} is larger than {FILE_BYTES} bytes", shows_value=False)
    try:
        return text.decode().strip()
    except UnicodeDecodeError:
        raise Wrong(f"{path} is not UTF-8 text", shows_value=False) from None
