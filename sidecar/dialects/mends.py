"""What it takes to say a chat request to a provider that would choke on it: one function each.

A mend takes the request's fields, whose `messages` are a list, and returns the very same if it has
nothing to do. It changes nothing in place: the next provider of the chain gets the original.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from operator import is_
from typing import Any

from sidecar.dialects.dialect import Json, Untranslatable
from sidecar.dialects.odd import entries

SHORT_ID = re.compile(r"[A-Za-z0-9]{9}")
ALTERNATING = ("user", "assistant")
PLAIN_TURN = {"role", "content"}


def each_turn(fields: Json, change: Callable[[Json], Json]) -> Json:
    """`fields` with every message changed; the very same where no message is."""
    return each_of(fields, "messages", change)


def each_call(turn: Json, change: Callable[[Json], Json]) -> Json:
    """`turn` with every tool call changed; the very same where no call is."""
    return each_of(turn, "tool_calls", change)


def each_of(holder: Json, name: str, change: Callable[[Json], Json]) -> Json:
    """`holder` with every object of its list `name` changed; the very same where none is."""
    items = holder.get(name)
    if not isinstance(items, list):
        return holder
    changed = [change(item) if isinstance(item, dict) else item for item in items]
    if all(map(is_, changed, items)):
        return holder
    return {**holder, name: changed}


def without(holder: Json, names: frozenset[str]) -> Json:
    """`holder` without the fields `names`."""
    if names.isdisjoint(holder):
        return holder
    return {name: value for name, value in holder.items() if name not in names}


def role_of(turn: object) -> object:
    """Who speaks."""
    return turn.get("role") if isinstance(turn, dict) else None


def system_role(fields: Json) -> Json:
    """Only OpenAI has developers; elsewhere their word is the system's."""

    def spoken(turn: Json) -> Json:
        return {**turn, "role": "system"} if turn.get("role") == "developer" else turn

    return each_turn(fields, spoken)


def one_system(fields: Json) -> Json:
    """Strict chat templates take one system message, as the first.

    What the system says later stays in its place, for it may be about what came before: the user
    says it, marked as what it is.
    """
    turns = fields["messages"]
    instructs = [role_of(turn) == "system" for turn in turns]
    opening = [*instructs, False].index(False)
    if opening < 2 and not any(instructs[opening:]):
        return fields
    system = {"role": "system", "content": joined_content(turns[:opening])}
    later = [folded(turn) if role_of(turn) == "system" else turn for turn in turns[opening:]]
    return {**fields, "messages": [system, *later] if opening else later}


def folded(turn: Json) -> Json:
    """A system message as a turn of the user."""
    content = turn.get("content")
    if isinstance(content, str):
        return {"role": "user", "content": marked(content)}
    return {"role": "user", "content": [marked_part(part) for part in parts_of(content)]}


def marked_part(part: Any) -> Any:
    """A part of a system message, marked if it is text."""
    text = part.get("text") if isinstance(part, dict) else None
    return {**part, "text": marked(text)} if isinstance(text, str) else part


def marked(text: str) -> str:
    """What the system says, as part of what the user says."""
    return f"<system>\n{text}\n</system>"


def alternation(fields: Json) -> Json:
    """Strict chat templates want user and assistant to take turns."""
    runs: list[list[Any]] = []
    for turn in fields["messages"]:
        if runs and follows_itself(runs[-1][-1], turn):
            runs[-1].append(turn)
        else:
            runs.append([turn])
    if len(runs) == len(fields["messages"]):
        return fields
    turns = [{**run[0], "content": joined_content(run)} if run[1:] else run[0] for run in runs]
    return {**fields, "messages": turns}


def follows_itself(before: object, turn: object) -> bool:
    """Whether both are plain words of the same side."""
    return (
        role_of(before) in ALTERNATING
        and role_of(before) == role_of(turn)
        and all(isinstance(one, dict) and PLAIN_TURN.issuperset(one) for one in (before, turn))
    )


def joined_content(turns: list[Json]) -> object:
    """Several messages' contents as one: text stays text unless some comes in parts."""
    contents = [turn.get("content") for turn in turns]
    texts = [content for content in contents if isinstance(content, str)]
    if len(texts) == len(contents):
        return "\n\n".join(texts)
    return [part for content in contents for part in parts_of(content)]


def parts_of(content: object) -> list[Any]:
    """Content as a list of parts."""
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if isinstance(content, str) else []


def allowed_tools(fields: Json) -> Json:
    """Who ignores a choice among some of the tools is shown only these. Raises `Untranslatable`."""
    choice = fields.get("tool_choice")
    allowed = choice.get("allowed_tools") if isinstance(choice, dict) else None
    if not isinstance(allowed, dict):
        return fields
    tools = among(entries(fields.get("tools")), entries(allowed.get("tools")))
    required = allowed.get("mode") == "required"
    if tools:
        return {**fields, "tools": tools, "tool_choice": "required" if required else "auto"}
    if required:
        raise Untranslatable("A call is required of tools that are not there.", "tool_choice")
    return without(fields, frozenset(("tools", "tool_choice")))


def among(tools: list[Any], allowed: list[Any]) -> list[Any]:
    """Those of the tools that are `allowed`, by their names."""
    named = [tool_name(tool) for tool in allowed]
    return [tool for tool in tools if tool_name(tool) in named]


def tool_name(tool: object) -> object:
    """What a tool of either type is called."""
    if not isinstance(tool, dict):
        return None
    inner = tool.get("function") or tool.get("custom")
    return inner.get("name") if isinstance(inner, dict) else None


def loose_tools(fields: Json) -> Json:
    """Who knows nothing of strict tools is not asked for them."""
    strict = frozenset(("strict",))

    def loosened(tool: Json) -> Json:
        function = tool.get("function")
        if not isinstance(function, dict) or "strict" not in function:
            return tool
        return {**tool, "function": without(function, strict)}

    return each_of(fields, "tools", loosened)


def random_seed(fields: Json) -> Json:
    """Mistral's name for the seed."""
    if "seed" not in fields:
        return fields
    return {"random_seed": fields["seed"]} | without(fields, frozenset(("seed",)))


def short_ids(fields: Json) -> Json:
    """Mistral takes tool calls by ids of nine letters and digits alone.

    The same id is always rewritten the same, in the call and in its result.
    """

    def shortened(turn: Json) -> Json:
        turn = each_call(turn, lambda call: with_short(call, "id"))
        return with_short(turn, "tool_call_id")

    return each_turn(fields, shortened)


def with_short(holder: Json, name: str) -> Json:
    """`holder` with the id `name` made short, if it has one."""
    given = holder.get(name)
    if not isinstance(given, str) or SHORT_ID.fullmatch(given):
        return holder
    return {**holder, name: sha256(given.encode("utf-8", "replace")).hexdigest()[:9]}
