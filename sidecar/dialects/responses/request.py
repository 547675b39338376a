"""A Responses request as a chat request, for providers that know no Responses API."""

from __future__ import annotations

from typing import Any

from sidecar.dialects.dialect import Json, Untranslatable
from sidecar.dialects.odd import entries
from sidecar.dialects.responses.items import given, text, to_messages
from sidecar.dialects.responses.needs import first_need

# Said in other words. What none of these sets names goes on unchanged, as unknown fields do.
REWORDED = frozenset(
    (
        *("input", "instructions", "text", "reasoning", "tools", "tool_choice", "include"),
        *("parallel_tool_calls", "max_output_tokens", "top_logprobs"),
    )
)
# Wishes that may go unheard, and refusals of what a chat does not do anyway.
UNHEARD = frozenset(
    (
        *("store", "truncation", "stream_options", "access_programs", "image"),
        *("background", "background_options", "context_management", "max_tool_calls"),
        *("previous_response_id", "conversation", "prompt"),
    )
)
# A chat knows these, but no Response could say what comes of them.
UNSAYABLE = frozenset(("messages", "n", "modalities", "audio", "functions", "function_call"))
NOT_COPIED = REWORDED | UNHEARD | UNSAYABLE
LEFT_OUT = UNHEARD | UNSAYABLE | {"include"}

ASKS_NOTHING = {"truncation": "disabled", "n": 1, "modalities": ["text"]}

LOGPROBS = "message.output_text.logprobs"
ENCRYPTED = "reasoning.encrypted_content"
CHOICES = frozenset(("none", "auto", "required"))
ONE_STRING = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}


def to_chat(fields: Json) -> Json:
    """The request in the words of a chat. Raises `Untranslatable`.

    A tool that takes plain text becomes a function of one string, `input`.
    """
    need = first_need(fields)
    if need:
        raise Untranslatable(f"{need.reason}, and this provider has no Responses API.", need.param)
    copied = {
        name: value
        for name, value in fields.items()
        if name not in NOT_COPIED and value is not None
    }
    return {
        **copied,
        "messages": messages_of(fields),
        **tools_of(fields),
        **format_of(member(fields, "text", dict, "an object") or {}),
        **effort_of(member(fields, "reasoning", dict, "an object") or {}),
        **logprobs_of(fields),
        **renamed(fields, "max_output_tokens", "max_completion_tokens"),
    }


def dropped_by(fields: Json) -> tuple[str, ...]:
    """The fields that ask for something that `to_chat` leaves out."""
    return tuple(name for name, value in fields.items() if name in LEFT_OUT and asks(name, value))


def asks(name: str, value: Any) -> bool:
    """Whether a field that is left out is missed."""
    if name == "include":
        return ENCRYPTED in entries(value)
    wish = any(value.values()) if isinstance(value, dict) else bool(value)
    return wish and value != ASKS_NOTHING.get(name)


def custom_tools(fields: Json) -> frozenset[str]:
    """The names of the tools that take plain text."""
    tools = fields.get("tools")
    return frozenset(
        tool["name"]
        for tool in (tools if isinstance(tools, list) else [])
        if isinstance(tool, dict)
        and tool.get("type") == "custom"
        and isinstance(tool.get("name"), str)
    )


def messages_of(fields: Json) -> list[Json]:
    said = fields.get("input")
    if isinstance(said, str):
        said = [{"role": "user", "content": said}]
    if not isinstance(said, list):
        raise Untranslatable("`input` must be a string or a list of items.", "input")
    messages = to_messages(said)
    if not messages:
        raise Untranslatable("`input` holds nothing to answer.", "input")
    instructions = member(fields, "instructions", str, "a string")
    return [{"role": "system", "content": instructions}, *messages] if instructions else messages


def tools_of(fields: Json) -> Json:
    """The tools and how to choose among them. Without tools a chat wants neither said."""
    tools = member(fields, "tools", list, "a list")
    if not tools:
        return {}
    chat = {"tools": [to_tool(tool, f"tools[{place}]") for place, tool in enumerate(tools)]}
    choice = fields.get("tool_choice")
    if choice is not None:
        chat["tool_choice"] = to_choice(choice)
    return {**chat, **given(fields, "parallel_tool_calls")}


def to_tool(tool: Any, where: str) -> Json:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if kind == "function":
        function = {"name": text(tool, "name", where)}
        function |= given(tool, "description", "parameters", "strict")
        return {"type": "function", "function": function}
    if kind == "custom":
        return {"type": "function", "function": one_string_function(tool, where)}
    raise Untranslatable(f"`{where}.type` must be function or custom.", f"{where}.type")


def one_string_function(tool: Json, where: str) -> Json:
    """A tool that takes plain text, as a function. A grammar is a request then, not a rule."""
    said = [tool.get("description"), grammar_of(tool.get("format"))]
    description = "\n\n".join(one for one in said if isinstance(one, str) and one)
    function = {"name": text(tool, "name", where), "parameters": ONE_STRING}
    return {**function, "description": description} if description else function


def grammar_of(wanted: Any) -> str:
    if not isinstance(wanted, dict) or wanted.get("type") != "grammar":
        return ""
    return f"`input` must match this {wanted.get('syntax')} grammar:\n{wanted.get('definition')}"


def to_choice(choice: Any) -> Any:
    if isinstance(choice, str) and choice in CHOICES:
        return choice
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind == "allowed_tools":
        tools = member(choice, "tools", list, "a list", "tool_choice.") or []
        allowed = [chosen(tool, f"tool_choice.tools[{at}]") for at, tool in enumerate(tools)]
        return {"type": kind, "allowed_tools": {**given(choice, "mode"), "tools": allowed}}
    return chosen(choice, "tool_choice")


def chosen(tool: Any, where: str) -> Json:
    """A tool by its name."""
    if not isinstance(tool, dict):
        raise Untranslatable(f"`{where}` must name a tool, or say none, auto or required.", where)
    return {"type": "function", "function": {"name": text(tool, "name", where)}}


def format_of(wanted: Json) -> Json:
    """What `text` says: the format of the answer, and how long-winded it may be."""
    shape = member(wanted, "format", dict, "an object", "text.") or {"type": "text"}
    chat = given(wanted, "verbosity")
    if shape.get("type") == "text":
        return chat
    if shape.get("type") == "json_object":
        return {**chat, "response_format": {"type": "json_object"}}
    if shape.get("type") == "json_schema":
        schema = given(shape, "name", "schema", "strict", "description")
        return {**chat, "response_format": {"type": "json_schema", "json_schema": schema}}
    raise Untranslatable("`text.format.type` is no known format.", "text.format.type")


def effort_of(reasoning: Json) -> Json:
    """How hard to think. A summary is not asked for: what a provider shows is passed on."""
    return renamed(reasoning, "effort", "reasoning_effort")


def logprobs_of(fields: Json) -> Json:
    include = member(fields, "include", list, "a list") or []
    most = given(fields, "top_logprobs")
    return {**most, "logprobs": True} if most or LOGPROBS in include else {}


def renamed(source: Json, name: str, chat_name: str) -> Json:
    return {chat_name: source[name]} if source.get(name) is not None else {}


def member(source: Json, name: str, kind: type, words: str, where: str = "") -> Any:
    """A member of the right type, or `None` where it is not there. Raises `Untranslatable`."""
    value = source.get(name)
    if value is None or isinstance(value, kind):
        return value
    raise Untranslatable(f"`{where}{name}` must be {words}.", f"{where}{name}")
