"""What every dialect offers: a call in a provider's words, and its answer read back.

Everything meets in OpenAI's chat completions. A provider's side turns a chat request into its own
format and reads its answers as chat chunks; an application's side turns its own format into a chat
request and writes chat chunks as it expects them. Where both speak the same format, the bytes go
on as they came.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import orjson

from sidecar.core.answer import Piece
from sidecar.core.events import Usage
from sidecar.core.sse import Event
from sidecar.dialects.memory import Memory
from sidecar.dialects.presets import Preset

Json = dict[str, Any]


class Untranslatable(Exception):
    """What a call asks for cannot be said to this provider. `param` names the field at fault.

    The message is for the application: it says what and why, and nothing of the prompt.
    """

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class Target(NamedTuple):
    """Whom a call is put into words for.

    `model` is the name that it is asked for; `version` that of its API, where it has one.
    `without` are the fields that it is known to refuse, `max_tokens` the longest answer that it is
    known to grant; `lacks_responses`: its own Responses API proved to be missing. `seed` is unique
    to the call; `created` is Unix time in whole seconds.
    """

    provider: str
    preset: Preset
    model: str
    seed: str
    created: int
    memory: Memory
    version: str = ""
    without: frozenset[str] = frozenset()
    max_tokens: int | None = None
    lacks_responses: bool = False


class Outgoing(NamedTuple):
    """A request in the provider's format. `path` follows its base URL.

    `headers` go with it beside those of the provider; `dropped` are the fields of the call that it
    could not carry.
    """

    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = ()


class Reading(NamedTuple):
    """What one event of a stream means, and what it says as chunks of a chat completion.

    `raw` are the bytes of a whole event, where they may go on to an application that speaks the
    same format as the provider.
    """

    piece: Piece
    chunks: Sequence[Json] = ()
    raw: bytes = b""


class Reader(Protocol):
    """Reads one stream of a provider."""

    def read(self, event: Event) -> Reading:
        """What the next event means and says."""
        ...

    def end(self) -> Sequence[Json]:
        """What is left to say after the last event of a whole answer: its usage."""
        ...


class Writer(Protocol):
    """Writes one stream for an application."""

    def write(self, reading: Reading) -> bytes:
        """The bytes for what was read; perhaps none."""
        ...

    def end(self) -> bytes:
        """What ends a whole answer."""
        ...

    def broken(self, error: Json) -> bytes:
        """What ends an answer that broke. `error` has `message`, `type`, `param` and `code`."""
        ...


class Answered(NamedTuple):
    """A whole answer, as a chat completion (or as what the endpoint has in its place).

    `raw` is the body where it may go on as it came. `filtered`: it was refused by content policy;
    `empty`: it is complete and says nothing.
    """

    answer: Json
    raw: bytes = b""
    usage: Usage | None = None
    filtered: bool = False
    empty: bool = False


class Assembler(Protocol):
    """Puts a streamed answer together into the whole one, for who asked for no stream.

    It is told every reading that the judge lets pass, in order, and the chunks that the reader has
    left at the end as one more. Either may raise `AnswerFailed`.
    """

    def add(self, reading: Reading) -> None:
        """Take in what was read next."""
        ...

    def answered(self) -> Answered:
        """The answer as if it had come whole. Raises `AnswerFailed` for what is none."""
        ...


class ProviderSide(Protocol):
    """One call as one provider hears it."""

    @property
    def outgoing(self) -> Outgoing:
        """The request."""
        ...

    def reader(self) -> Reader:
        """What reads its streamed answer."""
        ...

    def assembler(self) -> Assembler:
        """What makes a whole answer of a streamed one."""
        ...

    def read_answer(self, body: bytes) -> Answered:
        """Read its whole answer. Raises `AnswerFailed` for what is none."""
        ...


class ApplicationSide(Protocol):
    """How the application wants its answer."""

    def writer(self) -> Writer:
        """What writes a streamed answer."""
        ...

    def write_answer(self, answered: Answered) -> bytes:
        """A whole answer. Raises `AnswerFailed` for what cannot be written."""
        ...

    def write_stream(self, answered: Answered) -> bytes:
        """A whole answer as the stream that was asked for. Raises `AnswerFailed`."""
        ...


def loads(data: bytes | str) -> Any:
    """JSON read as clients read it, also what the strict reader refuses: lone surrogates, NaN.

    Raises `ValueError` for what is none, or is nested deeper than anybody reads.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            return json.loads(data)
        except RecursionError:
            raise ValueError("nested too deep") from None


def dumps(value: Any) -> bytes:
    """`value` as JSON, also what the strict writer refuses: lone surrogates, deep nesting.

    Raises `RecursionError` for what is nested deeper than anybody reads.
    """
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value).encode()
