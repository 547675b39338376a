"""Anthropic's token counts as those of a chat completion, which count cached input as input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.core.events import Usage
from sidecar.dialects.dialect import Json
from sidecar.dialects.odd import object_in
from sidecar.dialects.openai import is_count, read_usage

INPUT, OUTPUT = "input_tokens", "output_tokens"
WRITTEN, CACHED = "cache_creation_input_tokens", "cache_read_input_tokens"
DETAILS, ITERATIONS = "output_tokens_details", "iterations"


class Meter:
    """The counts of one stream. They are of all so far, and each may be revised: the last wins."""

    __slots__ = ("_usage",)

    def __init__(self) -> None:
        self._usage: Json = {}

    def begin(self, usage: Mapping[str, Any]) -> Usage | None:
        """Take in what the start of the stream says; a second one says nothing new."""
        return read_usage(self.counted()) if self._usage else self.note(usage)

    def note(self, usage: Mapping[str, Any]) -> Usage | None:
        """Take in what an event says; the counts that hold now."""
        for name in (INPUT, OUTPUT, WRITTEN, CACHED, DETAILS):
            if usage.get(name) is not None:
                self._usage[name] = usage[name]
        self._usage[ITERATIONS] = usage.get(ITERATIONS)  # older ones would hide the newer sums
        return read_usage(self.counted())

    def counted(self) -> Json | None:
        """The counts that hold now, as a chat completion says them."""
        return chat_usage(self._usage)


def chat_usage(usage: Mapping[str, Any]) -> Json | None:
    """The counts as a chat completion says them; `None` where there are none to trust."""
    parts: Sequence[Mapping[str, Any]] = iterations_of(usage) or [usage]
    if not any(is_count(part.get(INPUT)) for part in parts):
        return None
    written, cached, output = (total(parts, name) for name in (WRITTEN, CACHED, OUTPUT))
    prompt = total(parts, INPUT) + written + cached
    told: Json = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
        "prompt_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
    }
    thinking = object_in(usage, DETAILS).get("thinking_tokens")
    if is_count(thinking):
        told["completion_tokens_details"] = {"reasoning_tokens": thinking}
    return told


def iterations_of(usage: Mapping[str, Any]) -> list[Json]:
    """What each run of a model took, where an answer took several: the sums leave some out."""
    runs = usage.get(ITERATIONS)
    return [run for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []


def total(parts: Sequence[Mapping[str, Any]], name: str) -> int:
    """The sum of one count."""
    counts = (part.get(name) for part in parts)
    return sum(count for count in counts if is_count(count))
