"""Gemini behind OpenAI's format: its thought signatures, and what its older models cannot do.

Gemini 3 and later refuse a conversation in which a tool call has lost the signature that they gave
it (https://ai.google.dev/gemini-api/docs/thought-signatures). Most clients lose it, so it is kept
here by the id of the call. A call that another model made never had one; it gets the value that
Google gives for this case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sidecar.dialects.dialect import Json, Target
from sidecar.dialects.memory import Memory
from sidecar.dialects.mends import each_call, each_turn, without
from sidecar.dialects.odd import entries

UNSIGNED = "skip_thought_signature_validator"  # holds for the Gemini API and for Vertex AI
EXTRA = "extra_content"
EXTRAS = frozenset((EXTRA,))
FAMILY = re.compile(r"gemini-(\d{1,9})?")
STRICT = 3  # the first to insist; what a name without a number (gemini-flash-latest) is taken for
TEXT_FORMATS = (None, "text")
NEAREST = {"none": "minimal", "xhigh": "high", "max": "high"}  # of the efforts it does not know


@dataclass(slots=True)
class Turn:
    """What is known of one choice: its calls' ids by index, and a signature that came before."""

    ids: dict[int, str]
    early: str = ""


class Signatures:
    """Remembers the signatures of one answer, whole or in tidied chunks."""

    __slots__ = ("_memory", "_turns", "_vendor")

    def __init__(self, target: Target) -> None:
        self._memory: Memory = target.memory
        self._vendor = target.preset.wants_back
        self._turns: dict[int, Turn] = {}

    def note(self, answer: Json) -> None:
        """Remember what a chunk or a whole answer carries. Changes nothing in it."""
        for choice in entries(answer.get("choices")):
            if isinstance(choice, dict):
                said = choice.get("delta", choice.get("message"))
                if isinstance(said, dict) and ("tool_calls" in said or EXTRA in said):
                    self._note_turn(said, choice.get("index"))

    def _note_turn(self, said: Json, index: object) -> None:
        key = index if isinstance(index, int) else 0
        turn = self._turns.setdefault(key, Turn({}))
        for place, call in enumerate(entries(said.get("tool_calls"))):
            if isinstance(call, dict):
                self._note_call(call, place, turn)
        turn.early = signature_of(said, self._vendor) or turn.early
        if turn.early and turn.ids:
            self._keep(next(iter(turn.ids.values())), turn.early)
            turn.early = ""

    def _note_call(self, call: Json, place: int, turn: Turn) -> None:
        index, name = call.get("index"), call.get("id")
        index = index if isinstance(index, int) else place
        if isinstance(name, str) and name:
            turn.ids.setdefault(index, name)
        if (signature := signature_of(call, self._vendor)) and index in turn.ids:
            self._keep(turn.ids[index], signature)

    def _keep(self, call_id: str, signature: str) -> None:
        self._memory.keep(self._vendor, call_id, signature.encode("utf-8", "replace"))


def signature_of(holder: Json, vendor: str) -> str:
    """The signature by `vendor` of a message or a tool call; empty where it has none."""
    extra = holder.get(EXTRA)
    own = extra.get(vendor) if isinstance(extra, dict) else None
    signature = own.get("thought_signature") if isinstance(own, dict) else None
    return signature if isinstance(signature, str) else ""


def generation(model: str) -> int:
    """Which Gemini a model is, 0 for none."""
    found = FAMILY.search(model)
    return int(found[1] or STRICT) if found else 0


def signatures(fields: Json, target: Target) -> Json:
    """Every signature back in its place, and none of another vendor."""
    vendor = target.preset.wants_back if generation(target.model) else ""

    def signed_turn(turn: Json) -> Json:
        turn = only_own(turn, vendor)
        first = next(iter(entries(turn.get("tool_calls"))), None)
        return each_call(turn, lambda call: signed(call, vendor, target, is_first=call is first))

    return each_turn(fields, signed_turn)


def signed(call: Json, vendor: str, target: Target, *, is_first: bool) -> Json:
    """A tool call with its signature. Of parallel calls only the first has to have one."""
    call = only_own(call, vendor)
    if not vendor or signature_of(call, vendor):
        return call
    signature = recalled(call.get("id"), target)
    if not signature and is_first and generation(target.model) >= STRICT:
        signature = UNSIGNED
    return with_signature(call, vendor, signature) if signature else call


def only_own(holder: Json, vendor: str) -> Json:
    """`holder` with nothing of other vendors."""
    if EXTRA not in holder:
        return holder
    extra = holder[EXTRA]
    if not isinstance(extra, dict) or vendor not in extra:
        return without(holder, EXTRAS)
    return holder if len(extra) == 1 else {**holder, EXTRA: {vendor: extra[vendor]}}


def with_signature(call: Json, vendor: str, signature: str) -> Json:
    """`call` with its signature, beside whatever else it has of `vendor`."""
    extra = call.get(EXTRA, {})
    own = extra.get(vendor)
    rest = own if isinstance(own, dict) else {}
    return {**call, EXTRA: {**extra, vendor: {**rest, "thought_signature": signature}}}


def recalled(call_id: object, target: Target) -> str:
    """The signature that was kept for a tool call; empty where there is none."""
    kept = (
        target.memory.recall(target.preset.wants_back, call_id)
        if isinstance(call_id, str)
        else None
    )
    return kept.decode() if kept else ""


def tools_before_format(fields: Json, target: Target) -> Json:
    """Before its third generation it either calls tools or writes JSON: acting goes before form."""
    form = fields.get("response_format")
    is_json = isinstance(form, dict) and form.get("type") not in TEXT_FORMATS
    if is_json and fields.get("tools") and 0 < generation(target.model) < STRICT:
        return without(fields, frozenset(("response_format",)))
    return fields


def known_effort(fields: Json, target: Target) -> Json:
    """Its scale ends at `high`, and few of its models can be kept from thinking at all.

    Those are of 2.5, and not the large one (https://ai.google.dev/gemini-api/docs/openai#thinking).
    """
    effort, version = fields.get("reasoning_effort"), generation(target.model)
    known = NEAREST.get(effort) if version and isinstance(effort, str) else None
    if known is None or (effort == "none" and version < STRICT and "pro" not in target.model):
        return fields
    return {**fields, "reasoning_effort": known}


def plain_counting(fields: Json) -> Json:
    """Of the options of a stream it knows only one."""
    options = fields.get("stream_options")
    if not isinstance(options, dict) or options.keys() <= {"include_usage"}:
        return fields
    if "include_usage" not in options:
        return without(fields, frozenset(("stream_options",)))
    return {**fields, "stream_options": {"include_usage": options["include_usage"]}}
