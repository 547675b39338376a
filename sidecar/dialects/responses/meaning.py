"""What a provider's own Responses API says: each event of a stream, and whole answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sidecar.core.answer import AnswerFailed, Piece
from sidecar.core.outcome import Outcome
from sidecar.dialects.anthropic.schema import listed
from sidecar.dialects.dialect import Json
from sidecar.dialects.odd import object_in, text_in
from sidecar.dialects.openai import (
    CONTENT,
    FIRST,
    NOISE,
    REASONING,
    SILENT,
    failed_piece,
)
from sidecar.dialects.openai_whole import parse_answer
from sidecar.dialects.responses.numbers import usage_of

PINGS = frozenset(("", "ping", "keepalive"))
THOUGHTS = "response.reasoning"  # how the types of all events of reasoning begin
STATUSES = frozenset(("completed", "incomplete", "queued", "in_progress"))
PARTLY = {  # events that a user sees something of: the member that holds it
    "response.output_text.delta": "delta",
    "response.refusal.delta": "delta",
    "response.function_call_arguments.delta": "delta",
    "response.custom_tool_call_input.delta": "delta",
    "response.mcp_call_arguments.delta": "delta",
    "response.code_interpreter_call_code.delta": "delta",
    "response.shell_call_command.delta": "delta",
    "response.audio.delta": "delta",
    "response.audio.transcript.delta": "delta",
    "response.image_generation_call.partial_image": "partial_image_b64",
}
UNSEEN = frozenset(("message", "reasoning", "compaction", ""))  # items that show nothing by being


def piece_of(said: Json) -> Piece:
    """What an event means."""
    kind = text_in(said, "type")
    if kind in PARTLY:
        return CONTENT if said.get(PARTLY[kind]) else SILENT
    if kind in READERS:
        return READERS[kind](said)
    if kind.startswith(THOUGHTS):
        return REASONING
    return NOISE if kind in PINGS else SILENT


def item_of(said: Json) -> Piece:
    """An item began, or is there whole: that may be all there is to see of it."""
    return SILENT if text_in(object_in(said, "item"), "type") in UNSEEN else CONTENT


def end_of(said: Json) -> Piece:
    """The answer is whole, or as much of it as there is to be."""
    response = object_in(said, "response")
    return Piece(
        ends=FIRST,
        done=True,
        usage=usage_of(response),
        filtered=is_filtered(response),
        cut=status_of(response) != "completed" or bool(response.get("output")),
    )


def failure_of(said: Json) -> Piece:
    """The answer failed."""
    return failed_piece({"error": object_in(said, "response").get("error")})


READERS: dict[str, Callable[[Json], Piece]] = {
    "response.output_item.added": item_of,
    "response.output_item.done": item_of,
    "response.completed": end_of,
    "response.incomplete": end_of,
    "response.failed": failure_of,
}


def parse_response(body: bytes) -> Json:
    """A whole 200 answer. Raises `AnswerFailed` for what only looks like one."""
    response = parse_answer(body)
    if text_in(response, "status") == "failed":
        raise AnswerFailed(Outcome.SERVER_ERROR, "the provider's response failed")
    check(response)
    return response


def check(response: Json) -> None:
    """Raise `AnswerFailed` for what is no response that has ended well or, kept, goes on."""
    if response.get("object") != "response" or not isinstance(response.get("output"), list):
        raise AnswerFailed(Outcome.PROTOCOL, "the provider's answer is no response")
    if status_of(response) not in STATUSES:
        raise AnswerFailed(Outcome.PROTOCOL, "the provider's response has no known status")


def status_of(response: Json) -> str:
    """How it stands. Of one that does not say, it is all there."""
    return text_in(response, "status") or "completed"


def is_filtered(response: Json) -> bool:
    """Whether content policy cut it short."""
    return object_in(response, "incomplete_details").get("reason") == "content_filter"


def is_empty(response: Json) -> bool:
    """Whether it is complete, cost no token, and says nothing."""
    free = object_in(response, "usage").get("output_tokens") == 0
    done = status_of(response) == "completed"
    return free and done and not any(map(says_something, response["output"]))


def says_something(item: Any) -> bool:
    """Whether a user would see something of an item."""
    if not isinstance(item, dict):
        return False
    if text_in(item, "type") != "message":
        return text_in(item, "type") not in UNSEEN
    parts = (part for part in listed(item.get("content")) if isinstance(part, dict))
    return any(part.get("text") or part.get("refusal") for part in parts)
