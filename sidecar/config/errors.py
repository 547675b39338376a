"""Rules of the operator's own for error answers: `{match: {status: 400, text: …}, class: WORD}`."""

from __future__ import annotations

from collections.abc import Iterator

from sidecar.config.containers import ListOf
from sidecar.config.cursor import Cursor, Given
from sidecar.config.problem import Wrong
from sidecar.config.sections import Section
from sidecar.config.shapes import Choice, Json, Text, Whole
from sidecar.core.outcome import Outcome
from sidecar.core.settings import ErrorMatch, ErrorRule

# What an error answer can come to; the other outcomes are for our own clocks and connections.
CLASSES = (
    *(Outcome.RATE_LIMIT, Outcome.OVERLOADED, Outcome.WARMING, Outcome.SERVER_ERROR),
    *(Outcome.TIMEOUT_UPSTREAM, Outcome.GENERATION_FAILED, Outcome.AUTH, Outcome.FORBIDDEN),
    *(Outcome.QUOTA_EXHAUSTED, Outcome.MODEL_MISSING, Outcome.NOT_SUPPORTED),
    *(Outcome.UNSUPPORTED_PARAM, Outcome.CONTEXT_LENGTH, Outcome.TOO_LARGE),
    *(Outcome.CONTENT_FILTER, Outcome.BAD_REQUEST),
)


class Code(Text):
    """The code of an error: a word or a number."""

    def read(self, at: Cursor) -> str:
        """The code as text, a number as it was written. Raises `Wrong`."""
        is_number = type(at.node.content) in (int, float)
        return at.node.shown if is_number else str(super().read(at))

    def schema(self) -> Json:
        """A string or a number."""
        return {"type": ["string", "number"]}


class Match(Section):
    """What has to hold of an error answer."""

    def read(self, at: Cursor) -> Given:
        """What is said. Raises `Wrong` where that is nothing."""
        if not at.children():
            raise Wrong("must not be empty", shows_value=False)
        return super().read(at)

    def schema(self) -> Json:
        """A mapping of one condition at least."""
        return super().schema() | {"minProperties": 1}


MATCH = Match(ErrorMatch, status=Whole(least=100), code=Code(), type=Text(), text=Text())
RULE = Section(ErrorRule, renamed={"outcome": "class"}, match=MATCH, outcome=Choice(CLASSES))
RULES = ListOf(RULE, least=0)


def rules_of(given: Given) -> Iterator[ErrorRule]:
    """The rules that `given` has under `errors`, less those that are wrong: that is reported."""
    for rule in given.values.get("errors", ()):
        match, outcome = rule.values.get("match"), rule.values.get("outcome")
        if match and match.values and outcome:
            yield ErrorRule(match=ErrorMatch(**match.values), outcome=outcome)
