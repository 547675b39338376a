"""A request as a kind of provider takes it: what it refuses left out, what it misreads mended."""

from __future__ import annotations

from collections.abc import Callable

from sidecar.dialects import gemini, mends
from sidecar.dialects.deviations import Quirks
from sidecar.dialects.dialect import Json, Target
from sidecar.dialects.mends import each_call, each_turn, without
from sidecar.dialects.presets import Preset

MENDS: dict[str, Callable[[Json], Json]] = {
    mend.__name__: mend
    for mend in (
        *(mends.system_role, mends.one_system, mends.alternation),
        *(mends.allowed_tools, mends.loose_tools, mends.random_seed, mends.short_ids),
        *(mends.thoughts_with_tools, gemini.plain_counting),
    )
}
MENDS_BY_MODEL: dict[str, Callable[[Json, Target], Json]] = {
    mend.__name__: mend
    for mend in (mends.free_choice, gemini.signatures, gemini.tools_before_format)
}
LONGEST = ("max_tokens", "max_completion_tokens")
RENAMED = {"seed": "random_seed", **dict(zip(LONGEST, reversed(LONGEST), strict=True))}
# A call that lost one of these would be another call.
ESSENTIAL = frozenset(
    ("content", "messages", "model", "prompt", "role", "stream", "tool_call_id", "tool_calls")
)
NO_QUIRKS = Quirks()


def wants_mending(preset: Preset) -> bool:
    """Whether a request may have to be mended for the kind at all."""
    return preset.quirks != NO_QUIRKS


def mend_request(fields: Json, target: Target) -> tuple[Json, tuple[str, ...]]:
    """The fields to send, and the names of those that could not go with them.

    The very same `fields` come back where nothing has to change; they are never changed in place.
    """
    refused = target.without - ESSENTIAL
    mended = fields
    if isinstance(fields.get("messages"), list):
        for name in target.preset.quirks.mends:
            mend = MENDS.get(name)
            mended = mend(mended) if mend else MENDS_BY_MODEL[name](mended, target)
        mended = fit(mended, target.preset.quirks, refused)
    mended = without(measured(mended, target), refused)
    return mended, tuple(name for name in fields if name not in mended and is_lost(name, mended))


def is_lost(name: str, mended: Json) -> bool:
    """Whether a field is said in no other way."""
    return RENAMED.get(name) not in mended


def fit(fields: Json, quirks: Quirks, refused: frozenset[str]) -> Json:
    """The fields and the messages' fields that the kind accepts, with numbers it can take."""
    fields = without(fields, unfit(fields, quirks.accepts, quirks.drops))
    for name, most in quirks.at_most:
        fields = capped(fields, name, most)
    turns_drop = quirks.turns_drop | refused

    def fitted(turn: Json) -> Json:
        turn = without(turn, unfit(turn, quirks.turns_accept, turns_drop))
        if "tool_calls" not in turn:  # as nearly always
            return turn
        return each_call(turn, lambda call: without(call, turns_drop))

    return each_turn(fields, fitted)


def unfit(holder: Json, accepts: frozenset[str] | None, drops: frozenset[str]) -> frozenset[str]:
    """Which fields of `holder` cannot go."""
    return drops if accepts is None else drops | (holder.keys() - accepts)


def measured(fields: Json, target: Target) -> Json:
    """The longest answer under the name that is known, and no longer than is granted."""
    refused = [name for name in LONGEST if name in target.without]
    known = RENAMED[refused[0]] if len(refused) == 1 else target.preset.quirks.max_tokens
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
