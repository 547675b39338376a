"""A call as Anthropic's Messages API hears it."""

from __future__ import annotations

from sidecar.core.outcome import Endpoint
from sidecar.dialects.anthropic.answer import parse_message, read_message
from sidecar.dialects.anthropic.reader import MessagesReader
from sidecar.dialects.anthropic.request import write_request
from sidecar.dialects.dialect import Answered, Json, Outgoing, Target
from sidecar.dialects.odd import sendable
from sidecar.dialects.openai import read_usage
from sidecar.dialects.openai_assembly import ChatAssembler
from sidecar.dialects.openai_whole import check_answer, is_empty, is_filtered

PATH = "/messages"
VERSION = "2023-06-01"


class AnthropicSide:
    """One chat call. Raises `Untranslatable` for what Anthropic cannot be asked."""

    def __init__(self, fields: Json, target: Target) -> None:
        self._target = target
        self._written = write_request(fields, target)
        self.outgoing = Outgoing(
            path=PATH,
            body=sendable(self._written.body),
            headers=version_headers(target),
            dropped=self._written.dropped,
        )

    @property
    def begins_answer(self) -> bool:
        """Whether it hands the model the beginning of its answer; some take none."""
        return bool(self._written.body["messages"][-1]["role"] == "assistant")

    def reader(self) -> MessagesReader:
        """What reads its streamed answer."""
        return MessagesReader(self._written.names, self._written.answer_tool, self._target)

    def assembler(self) -> ChatAssembler:
        """What makes a whole answer of a streamed one."""
        return ChatAssembler(Endpoint.CHAT, put_together)

    def read_answer(self, body: bytes) -> Answered:
        """Read its whole answer. Raises `AnswerFailed`."""
        names, answer_tool = self._written.names, self._written.answer_tool
        return judged(read_message(parse_message(body), names, answer_tool, self._target))


def put_together(answer: Json) -> Answered:
    """An answer that was streamed. Raises `AnswerFailed` for what is none."""
    check_answer(answer, Endpoint.CHAT)
    for choice in answer["choices"]:
        said = choice["message"]
        said["content"] = said["content"] or None  # a whole message never says an empty text
    return judged(answer)


def judged(answer: Json) -> Answered:
    """A chat completion, with what it means."""
    return Answered(
        answer=answer,
        usage=read_usage(answer.get("usage")),
        filtered=is_filtered(answer),
        empty=is_empty(answer),
    )


def version_headers(target: Target) -> tuple[tuple[str, str], ...]:
    """Which version of the API is meant."""
    return (("anthropic-version", target.version or VERSION),)
