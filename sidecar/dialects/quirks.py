"""A request as a kind of provider takes it: what it refuses left out, what it misreads mended."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from sidecar.dialects import deepseek, gemini, mends
from sidecar.dialects.deviations import Quirks
from sidecar.dialects.dialect import Json, Target
from sidecar.dialects.mends import each_call, each_turn, without
from sidecar.dialects.odd import entries

MENDS: dict[str, Callable[[Json], Json]] = {
    mend.__name__: mend
    for mend in (
        *(mends.system_role, mends.one_system, mends.alternation),
        *(mends.allowed_tools, mends.loose_tools, mends.random_seed, mends.short_ids),
        gemini.plain_counting,
    )
}
MENDS_BY_MODEL: dict[str, Callable[[Json, Target], Json]] = {
    mend.__name__: mend
    for mend in (
        *(deepseek.thoughts, deepseek.free_choice),
        *(gemini.signatures, gemini.tools_before_format, gemini.known_effort),
    )
}
LONGEST = ("max_tokens", "max_completion_tokens")
RENAMED = {"seed": "random_seed", **dict(zip(LONGEST, reversed(LONGEST), strict=True))}
# A call that lost one of these would be another call.
ESSENTIAL = frozenset(
    ("content", "messages", "model", "prompt", "role", "stream", "tool_call_id", "tool_calls")
)
# All of a tool call that is meant for who is strict: some clients also send its place in a stream.
CALL = frozenset(("custom", "extra_content", "function", "id", "type"))
NOTHING: frozenset[str] = frozenset()


def mend_request(fields: Json, target: Target) -> tuple[Json, tuple[str, ...]]:
    """The fields to send, and the names of those that could not go with them.

    The very same `fields` come back where nothing has to change; they are never changed in place.
    """
    refused = target.without - ESSENTIAL
    mended = fit(fields, target) if isinstance(fields.get("messages"), list) else fields
    if refused or target.max_tokens is not None or target.preset.quirks.max_tokens:
        mended = without(measured(mended, target), refused)
    return mended, () if mended is fields else lost(fields, mended)


def lost(fields: Json, mended: Json) -> tuple[str, ...]:
    """Which fields are left out, and said under no other name."""
    gone = [name for name in fields if name not in mended]
    return tuple(name for name in gone if RENAMED.get(name) not in mended)


def fit(fields: Json, target: Target) -> Json:
    """A chat request as the kind takes it: no other fields, no larger numbers, and mended."""
    quirks = target.preset.quirks
    for name in quirks.mends:
        mend = MENDS.get(name)
        fields = mend(fields) if mend else MENDS_BY_MODEL[name](fields, target)
    if quirks.drops or quirks.accepts is not None:
        fields = without(fields, unfit(fields.keys(), quirks.accepts, quirks.drops))
    for name, most in quirks.at_most:
        fields = capped(fields, name, most)
    return fit_turns(fields, quirks)


def fit_turns(fields: Json, quirks: Quirks) -> Json:
    """The messages with the fields that the kind accepts. All are looked at at once: most fit."""
    turns = [turn for turn in fields["messages"] if isinstance(turn, dict)]
    said: set[str] = set().union(*turns)
    from_turns = unfit(said, quirks.turns_accept, quirks.turns_drop)
    from_calls = unfit_in_calls(turns, quirks) if "tool_calls" in said else NOTHING
    if not from_turns and not from_calls:
        return fields

    def fitted(turn: Json) -> Json:
        turn = without(turn, from_turns)
        return each_call(turn, lambda call: without(call, from_calls))

    return each_turn(fields, fitted)


def unfit_in_calls(turns: list[Json], quirks: Quirks) -> frozenset[str]:
    """Which fields of their tool calls cannot go."""
    calls = [call for turn in turns for call in entries(turn.get("tool_calls"))]
    said: set[str] = set().union(*[call for call in calls if isinstance(call, dict)])
    return unfit(said, quirks.turns_accept and CALL, quirks.turns_drop)


def unfit(
    said: AbstractSet[str], accepts: frozenset[str] | None, drops: frozenset[str]
) -> frozenset[str]:
    """Which of the fields `said` cannot go."""
    known = drops.intersection(said)
    return known if accepts is None else known.union(said - accepts)


def measured(fields: Json, target: Target) -> Json:
    """The longest answer under the name that is known, and no longer than is granted."""
    refused = target.without.intersection(LONGEST)
    known: str = target.preset.quirks.max_tokens
    if len(refused) == 1:
        known = RENAMED[min(refused)]
    if known and RENAMED[known] in fields:
        other = RENAMED[known]
        fields = {known: fields[other]} | without(fields, frozenset((other,)))
    if target.max_tokens is not None:
        for name in LONGEST:
            fields = capped(fields, name, target.max_tokens)
    return fields


def capped(fields: Json, name: str, most: int) -> Json:
    """`fields` with at most `most` for `name`."""
    value = fields.get(name)
    if isinstance(value, int | float) and value > most:
        return {**fields, name: most}
    return fields
