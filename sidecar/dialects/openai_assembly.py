"""The chunks of a chat completion or completion, put together into the whole one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sidecar.core.outcome import Endpoint
from sidecar.dialects.dialect import Answered, Json, Reading
from sidecar.dialects.growth import NOTHING, Object, Text
from sidecar.dialects.odd import object_in, text_in
from sidecar.dialects.openai import choice_index

WHOLE_OBJECTS = {
    Endpoint.CHAT: "chat.completion",
    Endpoint.COMPLETIONS: "text_completion",
}
PADDING = ("obfuscation", "p")  # of OpenAI and Mistral: hides the length of what a chunk says
HEADLESS = frozenset(("object", "choices", "usage", *PADDING))
BODILESS = frozenset(("index", "delta", "text", "logprobs", "message"))  # the last: said so far
MESSAGE: Json = {"role": "assistant", "content": None, "refusal": None}
WORDLESS = ("tool_calls", "function_call", "refusal", "audio")  # beside them empty text is none


class ChatAssembler:
    """Puts one answer of `endpoint` together. `finish` judges it, and raises `AnswerFailed`."""

    __slots__ = ("_choices", "_endpoint", "_finish", "_head", "_usage")

    def __init__(self, endpoint: Endpoint, finish: Callable[[Json], Answered]) -> None:
        self._endpoint = endpoint
        self._finish = finish
        self._head: Json = {}
        self._choices: dict[int, Choice] = {}
        self._usage: Json = {}

    def add(self, reading: Reading) -> None:
        """Take in what was read next."""
        for chunk in reading.chunks:
            self._add(chunk)

    def answered(self) -> Answered:
        """The answer as if it had come whole. Raises `AnswerFailed` for what is none."""
        chat = self._endpoint is Endpoint.CHAT
        choices = sorted(self._choices.items())
        whole = {
            **self._head,
            "object": WHOLE_OBJECTS.get(self._endpoint, ""),
            "choices": [{"index": index, **one.whole(chat=chat)} for index, one in choices],
        }
        return self._finish({**whole, "usage": self._usage} if self._usage else whole)

    def _add(self, chunk: Json) -> None:
        for name, value in chunk.items():
            if name not in HEADLESS:
                tell(self._head, name, value)
        self._usage = object_in(chunk, "usage") or self._usage
        for choice in chunk["choices"]:
            self._choices.setdefault(choice_index(choice), Choice()).add(choice)


class Choice:
    """One choice of an answer."""

    __slots__ = ("_logprobs", "_message", "_rest", "_text")

    def __init__(self) -> None:
        self._message = Object()
        self._text = Text()
        self._logprobs: Json = {}
        self._rest: Json = {"finish_reason": None}

    def add(self, choice: Json) -> None:
        """Take in what a chunk says of it."""
        self._message.add(object_in(choice, "delta"))
        self._text.add(text_in(choice, "text"))
        for name, value in object_in(choice, "logprobs").items():
            extend(self._logprobs, name, value)
        for name, value in choice.items():
            if name not in BODILESS:
                extend(self._rest, name, value)

    def whole(self, *, chat: bool) -> Json:
        """All of it but its index."""
        said = {"message": message_of(self._message)} if chat else {"text": self._text.whole()}
        return {**said, "logprobs": self._logprobs or None, **self._rest}


def message_of(grown: Object) -> Json:
    """What the assistant said. Streams may begin with an empty text also where none follows."""
    message = {**MESSAGE, **grown.whole()}
    message["refusal"] = message["refusal"] or None
    if any(map(message.get, WORDLESS)):
        message["content"] = message["content"] or None
    return message


def tell(holder: Json, name: str, value: Any) -> None:
    """The last word counts, but what says nothing takes nothing back."""
    if name not in holder or value not in NOTHING:
        holder[name] = value


def extend(holder: Json, name: str, value: Any) -> None:
    """The same, but lists go on, and objects gain members."""
    known = holder.get(name)
    if isinstance(value, list):
        holder[name] = known if isinstance(known, list) else []
        holder[name] += value
    elif isinstance(value, dict):
        holder[name] = known if isinstance(known, dict) else {}
        holder[name].update(value)
    else:
        tell(holder, name, value)
