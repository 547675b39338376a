"""What each Claude model accepts: data, by family and version as its name tells them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

LEVELS = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What a model accepts. What it refuses is answered with 400, so it is left out.

    `thinking` are the kinds of thinking that may be asked for, `thinks_unasked` whether leaving it
    out means thinking. `levels` are those of effort. `samples`: sampling parameters;
    `samples_both`: temperature and top_p together. `prefill`: an answer that the application has
    begun. `forces_tools`: a tool may be demanded; `forces_thinking`: even where it was told to
    think, though never by a budget. `formats`: an output format, strict tools.
    `system_turns`: a system message among the turns. `binds_thinking`: its thinking may only come
    back after exactly the messages that it came from. `fast`: it has the fast speed.
    """

    max_tokens: int
    thinking: frozenset[str] = frozenset()
    thinks_unasked: bool = False
    levels: tuple[str, ...] = ()
    samples: bool = False
    samples_both: bool = False
    prefill: bool = False
    forces_tools: bool = True
    forces_thinking: bool = False
    formats: bool = True
    system_turns: bool = False
    binds_thinking: bool = False
    fast: bool = False


BUDGET = frozenset(("enabled", "disabled"))
SWITCHED = frozenset(("adaptive", "disabled"))
ALWAYS = frozenset(("adaptive",))

V3 = Model(max_tokens=4096, samples=True, samples_both=True, prefill=True, formats=False)
V3_5 = replace(V3, max_tokens=8192)
V4 = replace(V3, max_tokens=64_000, thinking=BUDGET)
OPUS_4 = replace(V4, max_tokens=32_000)
OPUS_4_1 = replace(OPUS_4, samples_both=False)
V4_5 = replace(V4, samples_both=False, formats=True)
OPUS_4_5 = replace(V4_5, levels=LEVELS[:3])
V4_6 = replace(
    V4_5,
    max_tokens=128_000,
    thinking=BUDGET | ALWAYS,
    levels=("low", "medium", "high", "max"),
    prefill=False,
)
V4_7 = replace(V4_6, thinking=SWITCHED, levels=LEVELS, samples=False)
V4_8 = replace(V4_7, system_turns=True, forces_thinking=True)
V5 = replace(V4_8, thinks_unasked=True)
SONNET_5 = replace(V5, system_turns=False)  # the vendor's pages disagree; folded it is never wrong
FABLE_5 = replace(V5, thinking=ALWAYS)
NEWEST = replace(FABLE_5, forces_tools=False, binds_thinking=True)
OPUS_5_5 = replace(NEWEST, fast=True)
SONNET_5_5 = replace(NEWEST, thinking=frozenset(("adaptive", "between_tools")))
HAIKU_5_5 = replace(NEWEST, thinking=SWITCHED, forces_tools=True)

# From the oldest to the newest; the last row that fits counts. No family: all of them.
MODELS: tuple[tuple[str, tuple[int, int], Model], ...] = (
    ("", (0, 0), V3),
    ("", (3, 5), V3_5),
    ("", (3, 7), V4),
    ("opus", (4, 0), OPUS_4),
    ("opus", (4, 1), OPUS_4_1),
    ("", (4, 5), V4_5),
    ("opus", (4, 5), OPUS_4_5),
    ("", (4, 6), V4_6),
    ("", (4, 7), V4_7),
    ("", (4, 8), V4_8),
    ("", (5, 0), V5),
    ("sonnet", (5, 0), SONNET_5),
    ("fable", (5, 0), FABLE_5),
    ("mythos", (5, 0), FABLE_5),
    ("fable", (5, 1), NEWEST),
    ("mythos", (5, 1), NEWEST),
    ("fable", (5, 2), OPUS_5_5),
    ("mythos", (5, 2), OPUS_5_5),
    ("", (5, 5), NEWEST),
    ("opus", (5, 5), OPUS_5_5),
    ("sonnet", (5, 5), SONNET_5_5),
    ("haiku", (5, 5), HAIKU_5_5),
)

FAMILY = re.compile(r"opus|sonnet|haiku|fable|mythos")
# claude-opus-4-5-20251101, claude-3-5-sonnet-latest, claude-v2:1, claude-opus-5.5: never the date
VERSION = re.compile(r"claude[^0-9]*?([0-9]{1,2})(?![0-9])(?:[-.]([0-9]{1,2})(?![0-9]))?")


@lru_cache(maxsize=256)
def model_of(name: str) -> Model:
    """What the model of this name accepts. A name that tells no version counts as the newest."""
    name = name.lower()
    version = VERSION.search(name)
    if version is None:
        return NEWEST
    family = FAMILY.search(name)
    named = family[0] if family else ""
    at = (int(version[1]), int(version[2] or 0))
    return [model for of, since, model in MODELS if of in {"", named} and since <= at][-1]


def without_budget(model: Model) -> Model:
    """`model`, where it may not be told to think by budget."""
    return replace(model, thinking=model.thinking - {"enabled"})
