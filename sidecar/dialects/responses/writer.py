"""Chat chunks told as the events of a Response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.core.outcome import Outcome
from sidecar.core.sse import encode
from sidecar.dialects.dialect import Json, Reading, dumps
from sidecar.dialects.messages.message import calls_of, first_choice, reasoning_of
from sidecar.dialects.odd import object_in, text_in
from sidecar.dialects.openai import finish_of
from sidecar.dialects.responses.growth import Say
from sidecar.dialects.responses.numbers import to_logprobs, to_usage
from sidecar.dialects.responses.output import Output

CUT_SHORT = {"length": "max_output_tokens", "content_filter": "content_filter"}
FAILED_CODES: dict[str, str] = {
    Outcome.RATE_LIMIT: "rate_limit_exceeded",
    Outcome.QUOTA_EXHAUSTED: "rate_limit_exceeded",
    Outcome.CONTEXT_LENGTH: "invalid_prompt",
    Outcome.TOO_LARGE: "invalid_prompt",
    Outcome.CONTENT_FILTER: "invalid_prompt",
    Outcome.UNSUPPORTED_PARAM: "invalid_prompt",
    Outcome.BAD_REQUEST: "invalid_prompt",
}  # all else is a `server_error`


class Script:
    """Events, numbered from `first` and put down as bytes."""

    __slots__ = ("_lines", "_number")

    def __init__(self, first: int = 0) -> None:
        self._lines: list[bytes] = []
        self._number = first

    def say(self, kind: str, /, **members: Any) -> None:
        """Put down an event."""
        event = {"type": kind, "sequence_number": self._number, **members}
        self._number += 1
        self._lines.append(encode(dumps(event), kind.encode()))

    def take(self) -> bytes:
        """What was put down since the last time."""
        taken = b"".join(self._lines)
        self._lines.clear()
        return taken


class Telling:
    """One chat answer told as a Response. `response` is it as it stands."""

    __slots__ = ("_begun", "_finish", "_output", "_say", "response")

    def __init__(self, response: Json, output: Output, say: Say) -> None:
        self.response = response
        self._output = output
        self._say = say
        self._begun = False
        self._finish = ""

    def read(self, chunk: Mapping[str, Any]) -> None:
        """Tell of the next chunk, be it one that holds a whole answer."""
        self._begin(chunk.get("model"))
        usage, choice = chunk.get("usage"), first_choice(chunk)
        if isinstance(usage, dict):
            self.response["usage"] = to_usage(usage)
        if choice:
            self._finish = finish_of(choice) or self._finish
            self._read_delta(object_in(choice, "delta"), choice.get("logprobs"))

    def finish(self) -> None:
        """The answer is whole."""
        self._begin()
        reason = CUT_SHORT.get(self._finish)
        status = "incomplete" if reason else "completed"
        self.response["output"] = self._output.close(cut_short=bool(reason))
        self.response["status"] = status
        self.response["incomplete_details"] = {"reason": reason} if reason else None
        self._say(f"response.{status}", response=self.response)

    def fail(self, error: Json) -> None:
        """The answer broke off."""
        self._begin()
        self.response["output"] = self._output.settle()
        self.response["status"] = "failed"
        self.response["error"] = failed_for(error)
        self._say("response.failed", response=self.response)

    def _begin(self, model: object = None) -> None:
        if self._begun:
            return
        self._begun = True
        if isinstance(model, str) and model:
            self.response["model"] = model
        self._say("response.created", response=self.response)
        self._say("response.in_progress", response=self.response)

    def _read_delta(self, delta: Json, logprobs: object) -> None:
        if thought := reasoning_of(delta):
            self._output.reason(thought)
        if text := text_in(delta, "content"):
            self._output.speak(text, to_logprobs(logprobs))
        if refusal := text_in(delta, "refusal"):
            self._output.refuse(refusal)
        for call in calls_of(delta):
            self._output.call(call)


class ResponsesWriter:
    """Writes the stream of one answer."""

    __slots__ = ("_script", "_telling")

    def __init__(self, telling: Telling, script: Script) -> None:
        self._telling = telling
        self._script = script

    def write(self, reading: Reading) -> bytes:
        """The events for what was read."""
        for chunk in reading.chunks:
            self._telling.read(chunk)
        return self._script.take()

    def end(self) -> bytes:
        """Everything that was begun is done, and so is the answer."""
        self._telling.finish()
        return self._script.take()

    def broken(self, error: Json) -> bytes:
        """The failure twice: an event for who reads events, and an error that clients raise."""
        self._telling.fail(error)
        return self._script.take() + encode(dumps({"error": error}))


def failed_for(error: Json) -> Json:
    """Why a Response failed, by one of the few codes that it may fail for.

    The code of `error` is an outcome.
    """
    return {
        "code": FAILED_CODES.get(text_in(error, "code"), "server_error"),
        "message": text_in(error, "message"),
    }
