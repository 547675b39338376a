"""The tools of a Messages request as functions."""

from __future__ import annotations

from typing import Any

from sidecar.dialects.dialect import Json, Untranslatable
from sidecar.dialects.messages.names import function_name

CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def as_tools(fields: Json) -> Json:
    """The fields of a chat request that say which functions there are, and which to call."""
    tools = fields.get("tools") or []
    if not isinstance(tools, list):
        raise unfit("must be a list")
    if not tools:
        return {}  # to choose from none is an error at OpenAI
    return {"tools": [as_function(tool) for tool in tools], **as_choice(fields.get("tool_choice"))}


def unfit(why: str, param: str = "tools") -> Untranslatable:
    return Untranslatable(f"{param}: {why}.", param)


def as_function(tool: Any) -> Json:
    """One tool. Raises `Untranslatable` for those that only Anthropic knows or runs."""
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
        raise unfit("each must be an object with a name")
    schema = tool.get("input_schema")
    if tool.get("type") not in (None, "custom") or not isinstance(schema, dict):
        raise unfit(f"only Anthropic knows the tool {tool['name']:.64}")
    function: Json = {"name": function_name(tool["name"]), "parameters": schema}
    if isinstance(tool.get("description"), str):
        function["description"] = tool["description"]
    if tool.get("strict") is True:
        function["strict"] = is_closed(schema)
    return {"type": "function", "function": function}


def as_choice(choice: object) -> Json:
    """Which tool to call, and whether several at once."""
    if choice is None:
        return {}
    kind = choice.get("type") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(kind, str):
        raise unfit("must be an object with a type", "tool_choice")
    chosen: Json = {"tool_choice": CHOICES.get(kind) or named_choice(choice)}
    if choice.get("disable_parallel_tool_use") is True:
        chosen["parallel_tool_calls"] = False
    return chosen


def named_choice(choice: Json) -> Json:
    name = choice.get("name")
    if choice.get("type") != "tool" or not isinstance(name, str):
        raise unfit("must be auto, any, none, or a tool by its name", "tool_choice")
    return {"type": "function", "function": {"name": function_name(name)}}


def is_closed(schema: object) -> bool:
    """Whether each object in a schema requires all its members and allows no others.

    OpenAI refuses to be strict about any other; Anthropic is not so strict about strictness.
    """
    if isinstance(schema, list):
        return all(map(is_closed, schema))
    if not isinstance(schema, dict):
        return True
    return requires_all(schema) and all(map(is_closed, schema.values()))


def requires_all(schema: Json) -> bool:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict):
        return schema.get("type") != "object"
    if schema.get("additionalProperties") is not False or not isinstance(required, list):
        return False
    return all(name in required for name in properties)
