"""What an application hears: a strict reader of chat completions, whole or streamed.

It shares nothing with the sidecar's own reading. Complete is what has a finish reason and, if
streamed, `[DONE]` after it; everything else must have said that it is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import orjson

Json = dict[str, Any]

SSE, JSON = "text/event-stream", "application/json"
DONE = b"[DONE]"
# What the headers could not say yet, where a comment had to open the stream.
PROVIDER = re.compile(rb"^: x-sidecar-provider: (\S+)$", re.MULTILINE)
UNREADABLE = (ValueError, TypeError, LookupError, AttributeError)


class Ending(StrEnum):
    """How an answer ended, as the application sees it."""

    SERVED = "served"
    INTERRUPTED = "an error in band"
    REFUSED = "one clear error"
    LIE = "a lie"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One answer. `status` is 0 where there was none.

    `text` is what was said, or what a tool was called with. `done`: the stream, or the body, is
    said to be all. `error` came in place of an answer, or in band. `wrong` is what no answer may
    be: cut off, or nothing that an SDK can read. `provider` and `should_retry` are headers; the
    first may also come as a comment of the stream.
    """

    status: int = 0
    text: str = ""
    finish: str | None = None
    done: bool = False
    error: Json | None = None
    wrong: str = ""
    provider: str = ""
    should_retry: str = ""
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether an application would take it for a whole answer."""
        good = self.status == 200 and self.error is None and not self.wrong
        return good and self.done and bool(self.finish)

    @property
    def seems_over(self) -> bool:
        """Whether it says that it ends well, be it only in part."""
        return self.done or bool(self.finish)

    @property
    def code(self) -> str:
        """What the error is called."""
        error = self.error or {}
        return str(error.get("code") or error.get("type") or "")


def read_answer(status: int, content_type: str, body: bytes) -> Heard:
    """Read an answer whose body came whole."""
    if content_type == SSE:
        return replace(read_stream(body), status=status)
    if content_type != JSON:
        return Heard(status=status, wrong=f"content type {content_type or 'missing'}")
    try:
        told = orjson.loads(body)
        heard = read_error(told) if "error" in told else read_completion(told)
    except UNREADABLE:
        return Heard(status=status, wrong="a body that is no chat completion")
    return replace(heard, status=status)


def read_completion(told: Json) -> Heard:
    """Read a whole chat completion."""
    choice = told["choices"][0]
    message = choice["message"]
    return Heard(
        text=(message.get("content") or "") + called(message),
        finish=choice["finish_reason"],
        done=True,
    )


def read_error(told: Json) -> Heard:
    """Read an error in OpenAI's shape."""
    error = told["error"]
    if not (isinstance(error, dict) and error.get("message") and error.get("type")):
        return Heard(wrong="an error without a message or a type")
    return Heard(error=error)


def called(message: Mapping[str, Any]) -> str:
    """What tools are called with, in a message or in a piece of one."""
    calls = message.get("tool_calls") or ()
    return "".join(call["function"].get("arguments") or "" for call in calls)


def read_stream(body: bytes) -> Heard:
    """Read all events of a stream."""
    *events, rest = body.split(b"\n\n")
    heard = Heard(wrong="ends within an event") if rest else Heard()
    texts: list[str] = []
    if named := PROVIDER.search(body):
        heard = replace(heard, provider=named[1].decode())
    for event in events:
        if heard.wrong and not rest:
            break
        data = data_of(event)
        if data is not None:
            heard = read_event(heard, data, texts)
    return replace(heard, text="".join(texts))


def data_of(event: bytes) -> bytes | None:
    """The data of an event, `None` where it is only a comment; anything else is not JSON."""
    lines = [line for line in event.split(b"\n") if not line.startswith(b":")]
    if not lines:
        return None
    plain = len(lines) == 1 and lines[0].startswith(b"data: ")
    return lines[0][6:] if plain else event


def read_event(heard: Heard, data: bytes, texts: list[str]) -> Heard:
    """Take in one event; its text is added to `texts`."""
    if heard.done or heard.error:
        return replace(heard, wrong="goes on after its end")
    if data == DONE:
        return replace(heard, done=True)
    try:
        return read_piece(heard, orjson.loads(data), texts)
    except UNREADABLE:
        return replace(heard, wrong="an event that is no piece of a chat completion")


def read_piece(heard: Heard, told: Json, texts: list[str]) -> Heard:
    """Take in a piece of a chat completion, or an error in place of one."""
    if "error" in told:
        found = read_error(told)
        return replace(heard, error=found.error, wrong=found.wrong)
    finish = heard.finish
    for choice in told["choices"]:
        texts.append((choice["delta"].get("content") or "") + called(choice["delta"]))
        finish = choice["finish_reason"] or finish
    return replace(heard, finish=finish)


def ending_of(heard: Heard, texts: Mapping[str, str]) -> Ending:
    """How it ended. `texts` is what each provider has to say: an answer is all of one of them."""
    if heard.complete:
        return Ending.SERVED if heard.text in texts.values() else Ending.LIE
    if heard.wrong or heard.error is None:
        return Ending.BROKEN
    if heard.seems_over or not begins(heard.text, texts):
        return Ending.LIE
    return Ending.INTERRUPTED if heard.text else Ending.REFUSED


def begins(said: str, texts: Mapping[str, str]) -> bool:
    """Whether it is the beginning of what one of them has to say."""
    return any(text.startswith(said) for text in texts.values())


def speakers(heard: Heard, texts: Mapping[str, str]) -> frozenset[str]:
    """Whose words they are, all of them."""
    return frozenset(name for name, text in texts.items() if text == heard.text)


def told(heard: Heard, texts: Mapping[str, str]) -> str:
    """What the application saw, in a few words."""
    words = f"{len(heard.text.split())} words"
    match ending_of(heard, texts):
        case Ending.SERVED:
            return f"served by {heard.provider or 'nobody named'}"
        case Ending.INTERRUPTED:
            return f"{words}, then {heard.code} in band"
        case Ending.REFUSED:
            return (
                f"{heard.status} {heard.code}" if heard.status != 200 else f"{heard.code} in band"
            )
        case Ending.LIE:
            return f"{words} that are no whole answer and look like one"
    return f"{words}, then {heard.wrong or 'nothing'}"
