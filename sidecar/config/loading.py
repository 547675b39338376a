"""Find the configuration and load it; every problem of it comes at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sidecar.config.build import build, idle
from sidecar.config.cursor import Cursor
from sidecar.config.document import Node, parse
from sidecar.config.environment import SOURCE, from_environment, overridden
from sidecar.config.problem import ConfigError, Place, Problem
from sidecar.config.show import redacted
from sidecar.core.settings import Settings

DEFAULT_PATH = Path("/etc/sidecar/config.yaml")
FILE_BYTES = 1024 * 1024  # what a ConfigMap can hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Settings and where they came from.

    `source` is the file's path or `environment`. `sha256` is that of the file's bytes; of the
    redacted settings where there is no file.
    """

    settings: Settings
    source: str
    sha256: str
    warnings: tuple[str, ...] = ()


def find_config(argument: str | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read: the one named on the command line, in `SIDECAR_CONFIG`, or the usual one.

    A file that is named need not be there: that is for `load` to report. `None` is a start from
    the environment.
    """
    named = argument or environ.get("SIDECAR_CONFIG")
    if named:
        return Path(named)
    return DEFAULT_PATH if DEFAULT_PATH.is_file() else None


def load(path: Path | None, environ: Mapping[str, str]) -> Loaded:
    """Read the file, or the environment alone. Raises `ConfigError` with everything wrong in it."""
    if path is None:
        return _load_environment(environ)
    text = _read(path)
    settings = read_settings(text.decode(), str(path), environ)
    return Loaded(
        settings=settings,
        source=str(path),
        sha256=sha256(text).hexdigest(),
        warnings=tuple(f"{path}: {unused}: no chain asks it" for unused in idle(settings)),
    )


def read_settings(text: str, source: str, environ: Mapping[str, str]) -> Settings:
    """The settings that a YAML text asks for. `source` is its name in messages."""
    problems: list[Problem] = []
    return _settings(parse(text, source, problems), environ, problems)


def _load_environment(environ: Mapping[str, str]) -> Loaded:
    root, warnings = from_environment(environ)
    settings = _settings(root, environ, [])
    told = json.dumps(redacted(settings), sort_keys=True).encode()
    return Loaded(
        settings=settings, source=SOURCE, sha256=sha256(told).hexdigest(), warnings=warnings
    )


def _settings(root: Node, environ: Mapping[str, str], problems: list[Problem]) -> Settings:
    cursor = Cursor(node=overridden(root, environ), environ=environ, problems=problems)
    settings = build(cursor)
    if problems:
        raise ConfigError(problems)
    return settings


def _read(path: Path) -> bytes:
    """The bytes of a UTF-8 text that is not too long."""
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES + 1)
        text.decode()
    except OSError as error:
        raise _unreadable(path, error.strerror or "no reason given") from None
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"not UTF-8 at byte {error.start}") from None
    if len(text) > FILE_BYTES:
        raise _unreadable(path, f"larger than {FILE_BYTES} bytes")
    return text


def _unreadable(path: Path, reason: str) -> ConfigError:
    return ConfigError([Problem(place=Place(str(path)), what=f"cannot be read: {reason}")])
