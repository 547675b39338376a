"""What all credentials have in common: how a request asks for one, and what must not leak."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any, NamedTuple, Protocol

SECRET_CHARS = 8  # a shorter value is a word, not a secret


class UnusableCredential(ValueError):
    """A credential that can never work as the process is set up; the message says why."""


class Unsigned(NamedTuple):
    """A request as it will go out, but for its credentials. `url` is whole, query included."""

    method: str
    url: str
    body: bytes


class Credential(Protocol):
    """What a provider believes us by."""

    async def headers(self, request: Unsigned, /) -> list[tuple[str, str]]:
        """The headers to send with `request`. Raises `AnswerFailed` where there is no credential.

        The list is not the caller's to change.
        """
        ...

    def secrets(self) -> tuple[bytes, ...]:
        """What no answer may carry on to an application."""
        ...

    async def close(self) -> None:
        """Stop whatever goes on in the background."""
        ...


def secrets_among(texts: Iterable[str | None]) -> tuple[bytes, ...]:
    """Those of `texts` that are long enough to be secrets, as bytes."""
    return tuple(text.encode() for text in texts if text and len(text) >= SECRET_CHARS)


def library(name: str, kind: str, extra: str) -> Any:
    """The module `name`, which `extra` installs. Raises `UnusableCredential` if it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        hint = f"pip install llm-failover-sidecar[{extra}]"
        raise UnusableCredential(f"kind {kind} needs the extra: {hint}") from error
