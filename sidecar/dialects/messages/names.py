"""Names and ids that one side allows and the other does not."""

from __future__ import annotations

from sidecar.dialects.anthropic.schema import listed
from sidecar.dialects.dialect import Json
from sidecar.dialects.legal import digested, safe_id

NAME_CHARS = 64  # of a function's name; a tool's may have twice as many, and those of MCP do
USER_CHARS = 64  # of an id for a user that everybody takes


def function_name(tool: str) -> str:
    """The name of a tool as that of a function."""
    return tool if len(tool) <= NAME_CHARS else digested(tool)


def tool_names(fields: Json) -> dict[str, str]:
    """The names of a request's tools, by those of the functions, where they had to change."""
    tools = (tool.get("name") for tool in listed(fields.get("tools")) if isinstance(tool, dict))
    names = {function_name(name): name for name in tools if isinstance(name, str)}
    return {function: name for function, name in names.items() if function != name}


def tool_use_id(call_id: str, seed: str, place: int) -> str:
    """The id of a tool call as Anthropic takes it, who may be asked in the next turn."""
    return safe_id(call_id or f"toolu_{seed}_{place}")


def user_id(given: str) -> str:
    """An application's id for a user, the same each time."""
    return given if len(given) <= USER_CHARS else digested(given)
