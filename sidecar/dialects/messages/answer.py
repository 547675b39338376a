"""How an application that speaks Messages hears the answer of a provider that speaks OpenAI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome
from sidecar.dialects.anthropic.events import stream_of
from sidecar.dialects.dialect import Answered, Json
from sidecar.dialects.messages.message import (
    Terms,
    arguments_of,
    as_input,
    as_usage,
    calls_of,
    first_choice,
    opened,
    reasoning_of,
    stop_reason,
    terms_of,
    tool_use,
    words_of,
)
from sidecar.dialects.messages.writer import MessagesWriter
from sidecar.dialects.odd import object_in, text_in, too_deep, written
from sidecar.dialects.openai import finish_of


class MessagesForChat:
    """The application's side of a Messages request. `seed` is unique to the call."""

    def __init__(self, fields: Json, seed: str) -> None:
        self._terms = terms_of(fields, seed)

    def writer(self) -> MessagesWriter:
        """What writes a streamed answer."""
        return MessagesWriter(self._terms)

    def write_answer(self, answered: Answered) -> bytes:
        """A whole answer as a message. Raises `AnswerFailed`."""
        return written(as_message(answered.answer, self._terms))

    def write_stream(self, answered: Answered) -> bytes:
        """A whole answer as the stream of a message. Raises `AnswerFailed`."""
        message = as_message(answered.answer, self._terms)
        if not message["stop_reason"]:
            raise AnswerFailed(Outcome.PROTOCOL, "the provider's answer is not finished")
        try:
            return b"".join(stream_of(message))
        except RecursionError:
            raise too_deep() from None


def as_message(answer: Mapping[str, Any], terms: Terms) -> Json:
    """A chat completion as a message. Raises `AnswerFailed` where it is none."""
    choice = first_choice(answer)
    if choice is None:
        raise AnswerFailed(Outcome.PROTOCOL, "the provider's choices say nothing")
    said = object_in(choice, "message")
    refused, called = bool(text_in(said, "refusal")), bool(calls_of(said))
    return {
        **opened(answer, terms),
        "content": blocks_of(said, terms),
        "stop_reason": stop_reason(finish_of(choice), called=called, refused=refused),
        "usage": as_usage(answer.get("usage")),
    }


def blocks_of(said: Json, terms: Terms) -> list[Json]:
    """What a chat message says, as content blocks."""
    blocks = list[Json]()
    if terms.thinking and (reasoning := reasoning_of(said)):
        blocks.append({"type": "thinking", "thinking": reasoning, "signature": ""})
    if words := words_of(said):
        blocks.append({"type": "text", "text": words})
    for place, call in enumerate(calls_of(said)):
        block = tool_use(call, place, terms)
        blocks.append({**block, "input": as_input(arguments_of(call))})
    return blocks
