"""What one provider's errors have taught: which fields a model refuses, how long it may answer.

Only what holds for the next call, too, is kept: that a field is not taken at all, never that one
value of it was wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sidecar.core.failover import Failure
from sidecar.core.objection import AT_MOST, granted_tokens, refuses_field
from sidecar.core.outcome import Outcome

MOST_MODELS = 64  # an application may name any; the longest known is forgotten
MOST_FIELDS = 32  # of one model, likewise
MOST_LACKS = 16
NOTHING: frozenset[str] = frozenset()

ANSWER_LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
REFUSALS = frozenset(("unsupported_parameter", "unknown_parameter", "extra_forbidden"))

# Without these the answer would be another one, or of another shape than the application reads.
# What is left is how to sample and hints: an answer without them is worse by a shade.
KEPT = frozenset(
    (
        # what is asked, and of whom
        *("model", "messages", "input", "prompt", "system", "instructions", "suffix"),
        *("previous_response_id", "conversation", "context_management", "background"),
        # what it may do
        *("tools", "tool_choice", "functions", "function_call", "web_search_options"),
        *("mcp_servers", "container", "max_tool_calls"),
        # what the answer looks like, and where it ends
        *("stream", "n", "best_of", "echo", "modalities", "audio", "dimensions", "stop"),
        *("stop_sequences", "response_format", "text", "output_config", "output_format"),
        *("guided_json", "guided_regex", "guided_choice", "guided_grammar", "grammar"),
        *("structured_outputs", "json_schema", "extra_body"),
        # who is safe from what
        *("moderation", "guardrails"),
    )
)


@dataclass(slots=True)
class Lesson:
    """What is known of one model. `refused` are fields in the order in which they were met."""

    refused: dict[str, None] = field(default_factory=dict)
    without: frozenset[str] = NOTHING
    max_tokens: int | None = None


class Learned:
    """What is known of one provider, bounded."""

    def __init__(self) -> None:
        self._lessons: dict[str, Lesson] = {}
        self._lacks: dict[str, None] = {}

    def without(self, model: str) -> frozenset[str]:
        """The fields that `model` is known to refuse."""
        lesson = self._lessons.get(model)
        return lesson.without if lesson else NOTHING

    def max_tokens(self, model: str) -> int | None:
        """The longest answer that `model` is known to grant."""
        lesson = self._lessons.get(model)
        return lesson.max_tokens if lesson else None

    def lacks(self, feature: str) -> bool:
        """Whether the provider is known not to have `feature`."""
        return feature in self._lacks

    def note_lack(self, feature: str) -> None:
        """Remember that the provider does not have `feature`."""
        remember(self._lacks, feature, None, MOST_LACKS)

    def learn(self, model: str, failure: Failure, fields: Mapping[str, Any]) -> bool:
        """Learn from the refusal of a request of `fields`.

        Whether that was something new, so that `model` is worth asking once more.
        """
        if failure.outcome is not Outcome.UNSUPPORTED_PARAM:
            return False
        return self._learn_length(model, failure, fields) or self._learn_field(
            model, failure, fields
        )

    def _learn_length(self, model: str, failure: Failure, fields: Mapping[str, Any]) -> bool:
        granted = granted_by(failure)
        known = self.max_tokens(model)
        if not granted or (known is not None and granted >= known):
            return False
        if all(asked <= granted for asked in lengths(fields)):
            return False
        self._lesson(model).max_tokens = granted
        return True

    def _learn_field(self, model: str, failure: Failure, fields: Mapping[str, Any]) -> bool:
        name = refused_by(failure, fields)
        if name is None or name in self.without(model):
            return False
        lesson = self._lesson(model)
        remember(lesson.refused, name, None, MOST_FIELDS)
        lesson.without = frozenset(lesson.refused)
        return True

    def _lesson(self, model: str) -> Lesson:
        lesson = self._lessons.pop(model, None) or Lesson()
        remember(self._lessons, model, lesson, MOST_MODELS)
        return lesson


def remember(known: dict[str, Any], name: str, value: Any, most: int) -> None:
    """Add to `known`; of more than `most` the first is forgotten."""
    known[name] = value
    if len(known) > most:
        del known[next(iter(known))]


def granted_by(failure: Failure) -> int | None:
    """The longest answer that is granted, where a longer one was refused."""
    if failure.param in ANSWER_LENGTHS and (found := AT_MOST.search(failure.message)):
        return int(found[1])
    return granted_tokens(failure.message)


def lengths(fields: Mapping[str, Any]) -> list[int]:
    """How long an answer was asked for, under any of its names."""
    values = map(fields.get, ANSWER_LENGTHS)
    return [value for value in values if isinstance(value, int)]


def refused_by(failure: Failure, fields: Mapping[str, Any]) -> str | None:
    """The field of `fields` that is refused whatever it holds, and can be spared."""
    name = failure.param
    if name is None or name not in fields or not may_be_dropped(name, failure.message):
        return None
    return name if failure.code in REFUSALS or refuses_field(failure.message) else None


def may_be_dropped(name: str, message: str) -> bool:
    """Whether an answer to a request without it is still one.

    How long it may be is given up only for another name of the same.
    """
    if name in ANSWER_LENGTHS:
        return any(f"'{other}'" in message for other in ANSWER_LENGTHS if other != name)
    return name not in KEPT
