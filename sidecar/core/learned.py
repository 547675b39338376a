"""What one provider's errors have taught: which fields a model refuses, how long it may answer.

Only what holds for the next call, too, is kept: that a field is not taken at all, never that one
value of it was wrong or beside another field. An error may repeat what the caller wrote, and
providers change: so a lesson is for an hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sidecar.core.failover import Failure
from sidecar.core.objection import (
    granted_for_field,
    granted_tokens,
    is_conditional,
    refuses_field,
)
from sidecar.core.outcome import Outcome

MOST_MODELS = 64  # an application may name any; the longest known is forgotten
MOST_FIELDS = 32  # of one model, likewise
MOST_LACKS = 16
LESSON_S = 3600.0
LEAST_GRANT = 256  # no model answers in less
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
    """What is known of one model, and until when. `refused` are in the order of their meeting."""

    refused: dict[str, float] = field(default_factory=dict)
    max_tokens: int | None = None
    granted_until_s: float = 0.0


class Known(NamedTuple):
    """The fields that a model is known to refuse, and the longest answer it is known to grant."""

    without: frozenset[str] = NOTHING
    max_tokens: int | None = None


IGNORANCE = Known()


class Learned:
    """What is known of one provider, bounded. All times are monotonic."""

    def __init__(self) -> None:
        self._lessons: dict[str, Lesson] = {}
        self._lacks: dict[str, float] = {}

    def known(self, model: str, now_s: float) -> Known:
        """What is known of `model` now."""
        if model not in self._lessons:  # as nearly always
            return IGNORANCE
        return Known(self.without(model, now_s), self.max_tokens(model, now_s))

    def without(self, model: str, now_s: float) -> frozenset[str]:
        """The fields that `model` is known to refuse."""
        lesson = self._lessons.get(model)
        if lesson is None:
            return NOTHING
        return frozenset(name for name, until_s in lesson.refused.items() if now_s < until_s)

    def max_tokens(self, model: str, now_s: float) -> int | None:
        """The longest answer that `model` is known to grant."""
        lesson = self._lessons.get(model)
        return lesson.max_tokens if lesson and now_s < lesson.granted_until_s else None

    def lacks(self, feature: str, now_s: float) -> bool:
        """Whether the provider is known not to have `feature`."""
        return now_s < self._lacks.get(feature, now_s)

    def note_lack(self, feature: str, now_s: float) -> None:
        """Remember that the provider does not have `feature`."""
        remember(self._lacks, feature, now_s + LESSON_S, MOST_LACKS)

    def learn(self, model: str, failure: Failure, fields: Mapping[str, Any], now_s: float) -> bool:
        """Learn from the refusal of a request of `fields`.

        Whether that was something new, so that `model` is worth asking once more.
        """
        if failure.outcome is not Outcome.UNSUPPORTED_PARAM or is_conditional(failure.message):
            return False
        return self._learn_length(model, failure, fields, now_s) or self._learn_field(
            model, failure, fields, now_s
        )

    def _learn_length(
        self, model: str, failure: Failure, fields: Mapping[str, Any], now_s: float
    ) -> bool:
        granted = granted_by(failure)
        known = self.max_tokens(model, now_s)
        if not granted or (known is not None and granted >= known):
            return False
        if all(asked <= granted for asked in lengths(fields)):
            return False
        lesson = self._lesson(model)
        lesson.max_tokens, lesson.granted_until_s = granted, now_s + LESSON_S
        return True

    def _learn_field(
        self, model: str, failure: Failure, fields: Mapping[str, Any], now_s: float
    ) -> bool:
        name = refused_by(failure, fields)
        if name is None or name in self.without(model, now_s):
            return False
        remember(self._lesson(model).refused, name, now_s + LESSON_S, MOST_FIELDS)
        return True

    def _lesson(self, model: str) -> Lesson:
        lesson = self._lessons.pop(model, None) or Lesson()
        remember(self._lessons, model, lesson, MOST_MODELS)
        return lesson


def remember(known: dict[str, Any], name: str, value: Any, most: int) -> None:
    """Add to the end of `known`; of more than `most` the first is forgotten."""
    known.pop(name, None)
    known[name] = value
    if len(known) > most:
        del known[next(iter(known))]


def granted_by(failure: Failure) -> int | None:
    """The longest answer that is granted, where a longer one was refused."""
    if failure.param not in (None, *ANSWER_LENGTHS):
        return None
    granted = (granted_for_field if failure.param else granted_tokens)(failure.message)
    return granted if granted is not None and granted >= LEAST_GRANT else None


def lengths(fields: Mapping[str, Any]) -> list[int]:
    """How long an answer was asked for, under any of its names."""
    values = map(fields.get, ANSWER_LENGTHS)
    return [value for value in values if isinstance(value, int)]


def refused_by(failure: Failure, fields: Mapping[str, Any]) -> str | None:
    """The field of `fields` that is refused whatever it holds, and can be spared."""
    name = failure.param
    if name is None or name not in fields or not may_be_dropped(name, failure.message):
        return None
    return name if failure.code in REFUSALS or refuses_field(failure.message, name) else None


def may_be_dropped(name: str, message: str) -> bool:
    """Whether an answer to a request without it is still one.

    How long it may be is given up only for another name of the same.
    """
    if name in ANSWER_LENGTHS:
        return any(f"'{other}'" in message for other in ANSWER_LENGTHS if other != name)
    return name not in KEPT
