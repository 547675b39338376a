"""OpenAI's whole answers, read: which are none, and what they look like as a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.core.answer import AnswerFailed
from sidecar.core.complaint import read_complaint
from sidecar.core.outcome import Endpoint, Outcome
from sidecar.core.taxonomy import is_blameless, judge_error
from sidecar.dialects.dialect import Json, loads
from sidecar.dialects.openai import (
    CONTENT_FIELDS,
    choice_index,
    finish_of,
    has_failed,
    is_error,
)

LISTS_BY_ENDPOINT = {
    Endpoint.CHAT: "choices",
    Endpoint.COMPLETIONS: "choices",
    Endpoint.EMBEDDINGS: "data",
}
STREAMED_OBJECTS = {
    Endpoint.CHAT: "chat.completion.chunk",
    Endpoint.COMPLETIONS: "text_completion",
}


def read_answer(body: bytes, endpoint: Endpoint) -> Json:
    """Parse a whole 200 answer. Raises `AnswerFailed` for what only looks like one."""
    answer = parse_answer(body)
    check_answer(answer, endpoint)
    return answer


def check_answer(answer: Mapping[str, Any], endpoint: Endpoint) -> None:
    """Raise `AnswerFailed` for what has none of what was asked for."""
    wanted = LISTS_BY_ENDPOINT[endpoint]
    if not isinstance(answer.get(wanted), list) or not answer[wanted]:
        raise AnswerFailed(Outcome.PROTOCOL, f"the provider's answer has no {wanted}")
    if wanted == "choices":
        check_choices(answer["choices"], endpoint)


def parse_answer(body: bytes) -> Json:
    """A whole 200 answer of any format as an object. Raises `AnswerFailed` for an error."""
    try:
        answer = loads(body)
    except ValueError:
        raise AnswerFailed(Outcome.PROTOCOL, "the provider's answer is not JSON") from None
    if not isinstance(answer, dict) or is_error(answer):
        raise refused(answer)
    return answer


def refused(answer: object) -> AnswerFailed:
    """An error where an answer should be; what says nothing is garbage."""
    complaint = read_complaint(answer)
    if not complaint.words and not complaint.message:
        return AnswerFailed(Outcome.PROTOCOL, "the provider's answer is no object")
    outcome = judge_error(200, complaint, Outcome.SERVER_ERROR)
    blameless = is_blameless(complaint)
    return AnswerFailed(outcome, complaint.message, blameless=blameless, complaint=complaint)


def check_choices(choices: list[Any], endpoint: Endpoint) -> None:
    """Raise `AnswerFailed` where there is no answer among them, or one says that it failed."""
    if not any(is_answered(choice, endpoint) for choice in choices):
        raise AnswerFailed(Outcome.PROTOCOL, "the provider's choices say nothing")
    for finish in finishes(choices):
        if has_failed(finish):
            raise AnswerFailed(Outcome.GENERATION_FAILED, f"the provider finished with {finish}")


def finishes(choices: list[Any]) -> list[str]:
    return [finish_of(choice) for choice in choices if isinstance(choice, dict)]


def is_filtered(answer: Mapping[str, Any]) -> bool:
    """Whether content policy refused a part of it."""
    return "content_filter" in finishes(answer["choices"])


def is_empty(answer: Mapping[str, Any]) -> bool:
    """Whether a chat answer is complete, cost no token, and says nothing."""
    usage = answer.get("usage")
    if not isinstance(usage, dict) or usage.get("completion_tokens") != 0:
        return False
    return not any(says_something(choice) for choice in answer["choices"])


def says_something(choice: object) -> bool:
    if not isinstance(choice, dict) or finish_of(choice) != "stop":
        return True
    message = choice.get("message")
    return isinstance(message, dict) and any(message.get(name) for name in CONTENT_FIELDS)


def is_answered(choice: object, endpoint: Endpoint) -> bool:
    """Whether a whole answer's choice is one, be it an empty one."""
    if not isinstance(choice, dict):
        return False
    if finish_of(choice):
        return True
    if endpoint is Endpoint.COMPLETIONS:
        return isinstance(choice.get("text"), str)
    return isinstance(choice.get("message"), dict)


def as_stream(answer: Mapping[str, Any], endpoint: Endpoint) -> list[Json]:
    """A whole answer as stream chunks, for who asked for a stream and got none; usage comes last.

    Raises `AnswerFailed` for what a stream would call truncated.
    """
    shared = {key: value for key, value in answer.items() if key not in {"choices", "usage"}}
    shared["object"] = STREAMED_OBJECTS[endpoint]
    parts = [part for choice in answer["choices"] for part in as_parts(choice, endpoint)]
    chunks = [{**shared, "choices": [part]} for part in parts]
    if isinstance(answer.get("usage"), dict):
        chunks.append({**shared, "choices": [], "usage": answer["usage"]})
    return chunks


def as_parts(choice: object, endpoint: Endpoint) -> list[Mapping[str, Any]]:
    """One choice as the choices of stream events. Raises `AnswerFailed` if it is not finished."""
    if not isinstance(choice, dict) or not finish_of(choice):
        raise AnswerFailed(Outcome.PROTOCOL, "the provider's answer is not finished")
    return as_deltas(choice) if endpoint is Endpoint.CHAT else [choice]


def as_deltas(choice: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """One choice as its delta, with whatever else it has, and its finish."""
    index = choice_index(choice)
    rest = {name: value for name, value in choice.items() if name != "message"}
    message = choice.get("message")
    delta = dict(message) if isinstance(message, dict) else {}
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        delta["tool_calls"] = [
            {**call, "index": place}
            for place, call in enumerate(calls)
            if isinstance(call, Mapping)
        ]
    return [
        {**rest, "index": index, "delta": delta, "finish_reason": None},
        {"index": index, "delta": {}, "finish_reason": finish_of(choice)},
    ]
