"""A chat answer for an application that asked for a Response."""

from __future__ import annotations

from typing import Any

import orjson

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Endpoint, Outcome
from sidecar.dialects.dialect import Answered, Json, Reading, dumps
from sidecar.dialects.messages.message import first_choice
from sidecar.dialects.odd import object_in
from sidecar.dialects.openai import SILENT
from sidecar.dialects.openai_whole import as_parts
from sidecar.dialects.responses.growth import Say
from sidecar.dialects.responses.ids import PREFIX, mint, token_for
from sidecar.dialects.responses.items import given
from sidecar.dialects.responses.output import Output
from sidecar.dialects.responses.request import custom_tools
from sidecar.dialects.responses.writer import ResponsesWriter, Script, Telling

# Said again as they were asked for, these where nothing was.
ECHOED: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "model": "",
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "service_tier": None,
    "temperature": None,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": None,
    "top_p": None,
    "user": None,
}
# Said as it is: nothing is kept, and nothing is cut off the conversation.
FIXED: Json = {
    "object": "response",
    "status": "in_progress",
    "background": False,
    "error": None,
    "incomplete_details": None,
    "max_tool_calls": None,
    "previous_response_id": None,
    "store": False,
    "truncation": "disabled",
    "usage": None,
}


class ResponsesForChat:
    """How an application that asked for a Response (`fields`) hears a chat answer.

    `seed` is unique to the call: the ids are made of it. `created` is Unix time in whole seconds.
    """

    def __init__(self, fields: Json, target_provider: str, seed: str, created: int) -> None:
        self._custom = custom_tools(fields)
        self._token = token_for(seed, created)
        self._begun = {
            "id": mint(target_provider, f"{PREFIX}{seed}"),
            "created_at": created,
            **FIXED,
            **echo_of(fields),
        }

    def writer(self) -> ResponsesWriter:
        """What writes a streamed answer."""
        script = Script()
        return ResponsesWriter(self._telling(script.say), script)

    def write_answer(self, answered: Answered) -> bytes:
        """A whole answer. Raises `AnswerFailed` for one that is not finished."""
        telling = self._telling(say_nothing)
        telling.read(as_chunk(answered.answer))
        telling.finish()
        return dumps(telling.response)

    def write_stream(self, answered: Answered) -> bytes:
        """A whole answer as a stream. Raises `AnswerFailed` for one that is not finished."""
        writer = self.writer()
        return writer.write(Reading(SILENT, [as_chunk(answered.answer)])) + writer.end()

    def _telling(self, say: Say) -> Telling:
        return Telling({**self._begun, "output": []}, Output(self._token, self._custom, say), say)


def say_nothing(kind: str, /, **members: Any) -> None:
    """Nobody is listening: the answer goes out whole."""


def echo_of(fields: Json) -> Json:
    """What a Response repeats of its request; nothing of one that is nested too deep to write."""
    echoed = ECHOED | given(fields, *ECHOED)
    echoed["text"] = {"format": {"type": "text"}, **object_in(fields, "text")}
    echoed["reasoning"] = {"effort": None, "summary": None, **object_in(fields, "reasoning")}
    try:
        orjson.dumps(echoed)
    except orjson.JSONEncodeError:
        return {**ECHOED, "text": {"format": {"type": "text"}}, "reasoning": None}
    return echoed


def as_chunk(answer: Json) -> Json:
    """A chat completion's first choice as one chunk that says it all. Raises `AnswerFailed`."""
    choice = first_choice(answer)
    if choice is None:
        raise AnswerFailed(Outcome.PROTOCOL, "the provider's answer has no first choice")
    delta = as_parts(choice, Endpoint.CHAT)[0]["delta"]
    return {**answer, "choices": [{**choice, "delta": delta}]}
