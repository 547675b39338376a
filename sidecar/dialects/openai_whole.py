"""OpenAI's whole answers, read: which are none, and what they look like as a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Endpoint, Outcome
from sidecar.core.taxonomy import judge_error, read_complaint
from sidecar.dialects.openai import FAILED_FINISHES, choice_index, finish_of, is_error

LISTS_BY_ENDPOINT = {
    Endpoint.CHAT: "choices",
    Endpoint.COMPLETIONS: "choices",
    Endpoint.EMBEDDINGS: "data",
}
STREAMED_OBJECTS = {
    Endpoint.CHAT: "chat.completion.chunk",
    Endpoint.COMPLETIONS: "text_completion",
}


def read_answer(body: bytes, endpoint: Endpoint, *, filter_fails: bool) -> Mapping[str, Any]:
    """Parse a whole 200 answer. Raises `AnswerFailed` for what only looks like one."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise AnswerFailed(Outcome.PROTOCOL, "the provider's answer is not JSON") from None
    if not isinstance(answer, dict) or is_error(answer):
        raise refused(answer)
    wanted = LISTS_BY_ENDPOINT[endpoint]
    if not isinstance(answer.get(wanted), list) or not answer[wanted]:
        raise AnswerFailed(Outcome.PROTOCOL, f"the provider's answer has no {wanted}")
    if wanted == "choices":
        check_choices(answer["choices"], endpoint)
        check_finishes(answer["choices"], filter_fails=filter_fails)
    return answer


def refused(answer: object) -> AnswerFailed:
    """An error where an answer should be; what says nothing is garbage."""
    complaint = read_complaint(answer)
    if not complaint.words and not complaint.message:
        return AnswerFailed(Outcome.PROTOCOL, "the provider's answer is no object")
    return AnswerFailed(judge_error(200, complaint, Outcome.SERVER_ERROR), complaint.message)


def check_choices(choices: list[Any], endpoint: Endpoint) -> None:
    """Raise `AnswerFailed` where there is no answer among them."""
    if not any(is_answered(choice, endpoint) for choice in choices):
        raise AnswerFailed(Outcome.PROTOCOL, "the provider's choices say nothing")


def is_answered(choice: object, endpoint: Endpoint) -> bool:
    """Whether a whole answer's choice is one, be it an empty one."""
    if not isinstance(choice, dict):
        return False
    if finish_of(choice):
        return True
    if endpoint is Endpoint.COMPLETIONS:
        return isinstance(choice.get("text"), str)
    return isinstance(choice.get("message"), dict)


def check_finishes(choices: list[Any], *, filter_fails: bool) -> None:
    """Raise `AnswerFailed` where a choice says that it failed."""
    finishes = [finish_of(choice) for choice in choices if isinstance(choice, dict)]
    for finish in finishes:
        if finish in FAILED_FINISHES:
            raise AnswerFailed(Outcome.GENERATION_FAILED, f"the provider finished with {finish}")
    if filter_fails and "content_filter" in finishes:
        raise AnswerFailed(
            Outcome.CONTENT_FILTER, "the provider's content policy refused an answer"
        )


def as_stream(answer: Mapping[str, Any], endpoint: Endpoint, *, with_usage: bool) -> list[bytes]:
    """A whole answer as the data of stream events, for who asked for a stream and got none.

    `with_usage` adds the last chunk that `stream_options.include_usage` asks for. Raises
    `AnswerFailed` for what a stream could not say, or would call truncated.
    """
    shared = {key: value for key, value in answer.items() if key not in {"choices", "usage"}}
    shared["object"] = STREAMED_OBJECTS[endpoint]
    parts = [part for choice in answer["choices"] for part in as_parts(choice, endpoint)]
    chunks = [{**shared, "choices": [part]} for part in parts]
    if with_usage and isinstance(answer.get("usage"), dict):
        chunks.append({**shared, "choices": [], "usage": answer["usage"]})
    return written(chunks)


def written(chunks: list[dict[str, Any]]) -> list[bytes]:
    """The chunks as JSON. Raises `AnswerFailed`."""
    try:
        return [orjson.dumps(chunk) for chunk in chunks]
    except orjson.JSONEncodeError:  # it reads what is nested deeper than it writes
        raise AnswerFailed(Outcome.PROTOCOL, "the provider's answer is nested too deep") from None


def as_parts(choice: object, endpoint: Endpoint) -> list[Mapping[str, Any]]:
    """One choice as the choices of stream events. Raises `AnswerFailed` if it is not finished."""
    if not isinstance(choice, dict) or not finish_of(choice):
        raise AnswerFailed(Outcome.PROTOCOL, "the provider's answer is not finished")
    return as_deltas(choice) if endpoint is Endpoint.CHAT else [choice]


def as_deltas(choice: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """One choice as its delta and its finish."""
    index = choice_index(choice)
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
        {"index": index, "delta": delta, "finish_reason": None},
        {"index": index, "delta": {}, "finish_reason": finish_of(choice)},
    ]
