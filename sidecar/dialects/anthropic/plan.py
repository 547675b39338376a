"""What a Messages request is to hold, decided before any of it is written."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.dialects.anthropic.calls import signed_thinking
from sidecar.dialects.anthropic.models import Model, model_of, without_budget
from sidecar.dialects.anthropic.options import Option, max_tokens_of, options, sampling
from sidecar.dialects.anthropic.output import Output, write_output
from sidecar.dialects.anthropic.reasoning import Reasoning, write_reasoning
from sidecar.dialects.anthropic.tools import Rules, Tools, read_functions, safe_name, write_tools
from sidecar.dialects.anthropic.turns import Manner
from sidecar.dialects.dialect import Json, Target

# What is carried whatever it says, or says nothing that Claude would need to hear.
UNDERSTOOD = frozenset(
    (
        *("model", "messages", "stream", "stream_options", "n", "modalities", "cache_control"),
        *("tools", "functions", "tool_choice", "function_call", "parallel_tool_calls"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything but the messages. One choice may rule out another."""

    model: Model
    max_tokens: int
    output: Output
    reasoning: Reasoning
    tools: Tools
    options: list[Option]

    @property
    def carried(self) -> frozenset[str]:
        """The fields of the call that are carried in full."""
        formed = ["response_format"] if self.output.carried else []
        optional = [name for name, _ in self.options]
        carried = UNDERSTOOD.union(self.reasoning.carried, formed, optional)
        return carried - self.tools.dropped


def make_plan(given: Json, target: Target, *, may_budget: bool) -> Plan:
    """Decide on everything but the messages. Raises `Untranslatable`.

    `may_budget`: the model may be told to think by a budget.
    """
    model = model_of(target.model)
    max_tokens = max_tokens_of(given, model, target)
    functions = read_functions(given)
    output = write_output(given, model, frozenset(map(safe_name, functions)))
    thinker = model if may_budget and not output.tool else without_budget(model)
    reasoning = write_reasoning(given, thinker, max_tokens)
    asked = [*options(given, model, target)]
    if not reasoning.on:  # a model that thinks takes no sampling parameters
        asked += sampling(given, model, target.version)
    rules = Rules(answer=output.tool, forces=may_force(model, reasoning))
    tools = write_tools(given, functions, model, rules)
    return Plan(
        model=model,
        max_tokens=max_tokens,
        output=output,
        reasoning=reasoning,
        tools=tools,
        options=asked,
    )


def may_force(model: Model, reasoning: Reasoning) -> bool:
    """Whether a call may be demanded of a model that thinks as planned.

    None takes it with a budget. With adaptive thinking all do from 4.8 on; earlier ones do not
    everywhere, and to leave the call to the model is never refused.
    """
    may_think = model.forces_thinking and not reasoning.by_budget
    return model.forces_tools and (may_think or not reasoning.on)


def manner_of(messages: list[Json], plan: Plan, target: Target) -> Manner:
    """What the turns may hold."""
    reasoning, output, model = plan.reasoning, plan.output, plan.model
    since = last_of("user", messages) if model.binds_thinking else -1

    def recall(place: int, message: Json) -> list[Json]:
        """Where thinking is bound, an edit of what came before would spoil what is older."""
        wanted = reasoning.on and place > since
        return signed_thinking(target.memory, message) if wanted else []

    return Manner(
        prefill=model.prefill and not (reasoning.on or output.format or output.tool),
        # clouds that resell the models do not have them
        system_turns=model.system_turns and target.preset.credential == "key",
        recall=recall,
    )


def last_of(role: str, messages: list[Json]) -> int:
    """The place of the last message of `role`; -1 where there is none."""
    return max(
        (at for at, message in enumerate(messages) if message.get("role") == role), default=-1
    )
