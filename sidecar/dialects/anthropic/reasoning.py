"""How much a model is to think, in the words that it understands."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.dialects.anthropic.models import ALWAYS, LEVELS, Model
from sidecar.dialects.dialect import Json
from sidecar.dialects.odd import object_in, text_in

MIN_BUDGET = 1024
BUDGETS = {
    "minimal": MIN_BUDGET,
    "low": 2048,
    "medium": 8192,
    "high": 16_384,
    "xhigh": 24_576,
    "max": 32_768,
}
OFF = frozenset(("disabled", "between_tools"))  # they go with no effort above high
RANKS = {"minimal": 0} | {level: rank for rank, level in enumerate(LEVELS)}
ABOUT_THINKING = frozenset(("type", "budget_tokens", "display"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """What to say of thinking. `on`: the model thinks, asked or not.

    `carried` are the fields of the call that it does justice to: effort alone is not thinking.
    """

    thinking: Json | None = None
    level: str = ""
    on: bool = False
    carried: frozenset[str] = frozenset()

    @property
    def by_budget(self) -> bool:
        """Whether it thinks as older models do: it may not be made to call a tool."""
        return kind_of(self.thinking) == "enabled"


def write_reasoning(fields: Json, model: Model, max_tokens: int) -> Reasoning:
    """What `reasoning_effort` and Anthropic's own `thinking` ask for, as far as the model can."""
    effort = text_in(fields, "reasoning_effort")
    own = own_thinking(fields, model, max_tokens)
    by_effort = thinking_by(effort, model, max_tokens)
    thinking = own or by_effort
    level = level_by(effort, model, off=kind_of(thinking) in OFF)
    carried = {"thinking": own, "reasoning_effort": effort == "none" or by_effort}
    return Reasoning(
        thinking=thinking,
        level=level,
        on=kind_of(thinking) != "disabled" if thinking else model.thinks_unasked,
        carried=frozenset(name for name, is_carried in carried.items() if is_carried),
    )


def kind_of(thinking: Json | None) -> str:
    return text_in(thinking, "type") if thinking else ""


def own_thinking(fields: Json, model: Model, max_tokens: int) -> Json | None:
    """Anthropic's `thinking`, where the application sent it and the model takes it."""
    asked = object_in(fields, "thinking")
    if kind_of(asked) not in model.thinking:
        return None
    thinking = {name: value for name, value in asked.items() if name in ABOUT_THINKING}
    if thinking.get("display") not in ("summarized", "omitted"):
        thinking.pop("display", None)
    if kind_of(asked) != "enabled":
        thinking.pop("budget_tokens", None)
        return thinking
    budget = thinking.get("budget_tokens")
    return thinking if type(budget) is int and MIN_BUDGET <= budget < max_tokens else None


def thinking_by(effort: str, model: Model, max_tokens: int) -> Json | None:
    """The thinking that goes with an effort; `None` where it goes without saying, or cannot be."""
    if effort == "none":
        kinds = sorted(model.thinking & OFF)
        return {"type": kinds[0]} if kinds and model.thinks_unasked else None
    if effort not in BUDGETS:
        return None
    if "adaptive" in model.thinking:
        return {"type": "adaptive"}
    budget = min(BUDGETS[effort], max_tokens // 2)  # the answer needs room, too
    fits = "enabled" in model.thinking and budget >= MIN_BUDGET
    return {"type": "enabled", "budget_tokens": budget} if fits else None


def level_by(effort: str, model: Model, *, off: bool) -> str:
    """The highest level of effort that the model has and that is not above `effort`.

    Empty where nothing is to be said. A model that cannot be kept from thinking thinks little.
    """
    if effort == "none":
        return LEVELS[0] if model.thinking == ALWAYS else ""
    if effort not in RANKS or not model.levels:
        return ""
    most = min(RANKS[effort], RANKS["high"]) if off else RANKS[effort]
    return [level for level in model.levels if RANKS[level] <= most][-1]
