"""Tools, and which of them may or must be called, in Anthropic's words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sidecar.dialects.anthropic.models import Model
from sidecar.dialects.anthropic.parts import cache_mark
from sidecar.dialects.anthropic.schema import listed, strict_schema, tool_schema
from sidecar.dialects.dialect import Json, Untranslatable
from sidecar.dialects.legal import digested, safe_id
from sidecar.dialects.odd import object_in, text_in

MAX_NAME = 128
MAX_STRICT = 20  # the API refuses more strict tools in one request

CHOOSING = frozenset(("tool_choice", "function_call"))

Kind = Literal["", "none", "auto", "any", "tool"]
KINDS: dict[str, Kind] = {"none": "none", "auto": "auto", "required": "any"}


def safe_name(name: str) -> str:
    """The tool's name as Anthropic's API takes it: the same for the same, never for others."""
    return safe_id(name) if len(name) <= MAX_NAME else digested(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What to say of tools. `names`: those that had to change, and what the application says."""

    tools: list[Json] = field(default_factory=list)
    choice: Json | None = None
    names: dict[str, str] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which tools the application wants called. `only`: all others may as well not be there."""

    kind: Kind = ""
    name: str = ""
    only: frozenset[str] | None = None
    dropped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the rest of a request decides about its tools.

    `answer` is a tool whose input is the answer: it, or another one, has to be called. `forces` is
    whether a call may be demanded at all.
    """

    answer: Json | None = None
    forces: bool = True


def write_tools(fields: Json, functions: dict[str, Json], model: Model, rules: Rules) -> Tools:
    """The tools of a call, its `functions` by name, and its choice among them."""
    choice = read_choice(fields)
    if choice.only is not None:
        functions = {name: one for name, one in functions.items() if name in choice.only}
    tools = write_functions(functions, model)
    if rules.answer:
        tools.append(rules.answer)
        decided = decide_answer(choice, frozenset(functions), rules.answer["name"])
    else:
        decided = decide(choice, frozenset(functions), forces=rules.forces)
    return Tools(
        tools=tools,
        choice=write_choice(decided, fields) if tools else None,
        names={safe_name(name): name for name in functions if safe_name(name) != name},
        dropped=decided.dropped,
    )


def read_functions(fields: Json) -> dict[str, Json]:
    """The functions on offer by their names, each with its cache mark. Raises `Untranslatable`."""
    tools = fields.get("tools") or legacy_tools(fields)
    if not isinstance(tools, list):
        raise Untranslatable("tools must be a list", "tools")
    functions: dict[str, Json] = {}
    for function in map(read_function, tools):
        functions.setdefault(function["name"], function)
    return functions


def read_function(tool: object) -> Json:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        raise Untranslatable("Claude takes no tools but functions", "tools")
    function = object_in(tool, "function")
    if not text_in(function, "name"):
        raise Untranslatable("a tool has no name", "tools")
    return {**function, "mark": cache_mark(tool) or cache_mark(function)}


def legacy_tools(fields: Json) -> list[Json]:
    return [{"type": "function", "function": one} for one in listed(fields.get("functions"))]


def write_functions(functions: dict[str, Json], model: Model) -> list[Json]:
    strict = [name for name, function in functions.items() if function.get("strict") is True]
    may_be_strict = model.formats and len(strict) <= MAX_STRICT
    return [
        write_function(name, function, may_be_strict=may_be_strict)
        for name, function in functions.items()
    ]


def write_function(name: str, function: Json, *, may_be_strict: bool) -> Json:
    schema = tool_schema(function.get("parameters"))
    tool: Json = {"name": safe_name(name), "input_schema": schema}
    if description := text_in(function, "description"):
        tool["description"] = description
    if may_be_strict and function.get("strict") is True and (clean := strict_schema(schema)):
        clean.setdefault("required", list(clean["properties"]))
        tool |= {"input_schema": clean, "strict": True}
    return {**tool, **function["mark"]}


def read_choice(fields: Json) -> Choice:
    field = "tool_choice" if fields.get("tool_choice") is not None else "function_call"
    asked = fields.get(field)
    if asked is None:
        return Choice()
    if not isinstance(asked, dict):
        kind = KINDS.get(text_in(fields, field))
        return Choice(kind=kind) if kind else Choice(dropped=CHOOSING)
    if allowed := object_in(asked, "allowed_tools"):
        return read_allowed(allowed)
    name = text_in(object_in(asked, "function") or asked, "name")
    return Choice(kind="tool", name=name)


def read_allowed(allowed: Json) -> Choice:
    tools = [tool for tool in listed(allowed.get("tools")) if isinstance(tool, dict)]
    return Choice(
        kind="any" if allowed.get("mode") == "required" else "auto",
        only=frozenset(text_in(object_in(tool, "function"), "name") for tool in tools),
    )


def decide(choice: Choice, names: frozenset[str], *, forces: bool) -> Choice:
    """What becomes of a choice of a tool that is not there, or where none may be demanded."""
    unknown = choice.kind == "tool" and choice.name not in names
    if unknown or (choice.kind in {"any", "tool"} and not forces):
        return Choice(kind="auto", dropped=CHOOSING)
    return choice


def decide_answer(choice: Choice, names: frozenset[str], answer: str) -> Choice:
    """What becomes of a choice where a tool's input is the answer: no call would be none."""
    if choice.name in names:
        return choice
    if names and choice.kind in {"", "auto", "any"}:
        return Choice(kind="any")
    return Choice(kind="tool", name=answer)


def write_choice(choice: Choice, fields: Json) -> Json | None:
    one_at_a_time = fields.get("parallel_tool_calls") is False and choice.kind != "none"
    if not choice.kind and not one_at_a_time:
        return None
    written: Json = {"type": choice.kind or "auto"}
    if choice.kind == "tool":
        written["name"] = safe_name(choice.name)
    if one_at_a_time:
        written["disable_parallel_tool_use"] = True
    return written
