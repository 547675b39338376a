"""The numbers that go with an answer: its tokens, and how likely each of them was."""

from __future__ import annotations

from sidecar.core.events import Usage
from sidecar.dialects.anthropic.schema import listed
from sidecar.dialects.dialect import Json
from sidecar.dialects.odd import object_in, text_in
from sidecar.dialects.openai import is_count, read_usage

LEAST_LIKELY = -9999.0  # as OpenAI says it


def to_usage(usage: Json) -> Json | None:
    """A chat's token counts in the words of a Response; `None` where there are none to trust."""
    counted = read_usage(usage)
    if counted is None:
        return None
    total = usage.get("total_tokens")
    return {
        "input_tokens": counted.input,
        "input_tokens_details": {
            "cached_tokens": counted.cached_input,
            "cache_write_tokens": detail(usage, "prompt_tokens_details", "cache_write_tokens"),
        },
        "output_tokens": counted.output,
        "output_tokens_details": {
            "reasoning_tokens": detail(usage, "completion_tokens_details", "reasoning_tokens"),
        },
        "total_tokens": total if is_count(total) else counted.input + counted.output,
    }


def detail(usage: Json, details: str, name: str) -> int:
    count = object_in(usage, details).get(name)
    return count if is_count(count) else 0


def usage_of(response: Json) -> Usage | None:
    """A Response's tokens, or `None` where there are none to trust."""
    usage = object_in(response, "usage")
    return read_usage(
        {
            "prompt_tokens": usage.get("input_tokens"),
            "completion_tokens": usage.get("output_tokens"),
            "prompt_tokens_details": usage.get("input_tokens_details"),
        }
    )


def to_logprobs(logprobs: object) -> list[Json]:
    """A chat's log probabilities of the tokens of its text, and of those it might have said."""
    if not isinstance(logprobs, dict):
        return []
    return [
        {**to_logprob(token), "top_logprobs": [*map(to_logprob, tokens_in(token, "top_logprobs"))]}
        for token in tokens_in(logprobs, "content")
    ]


def tokens_in(holder: Json, name: str) -> list[Json]:
    return [one for one in listed(holder.get(name)) if isinstance(one, dict)]


def to_logprob(token: Json) -> Json:
    """One token's, in the right types. What has no number is as unlikely as can be."""
    logprob = token.get("logprob")
    return {
        "token": text_in(token, "token"),
        "logprob": logprob if isinstance(logprob, int | float) else LEAST_LIKELY,
        "bytes": [*filter(is_count, listed(token.get("bytes")))],
    }
