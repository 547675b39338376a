"""What of a Responses request only a provider's own Responses API can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sidecar.dialects.anthropic.schema import listed
from sidecar.dialects.dialect import Json
from sidecar.dialects.responses.items import ITEMS, PARTS, kind_of, part_kind, parts_in

KEPT = {
    "previous_response_id": "refers to a response that only its provider has kept",
    "conversation": "refers to a conversation that only its provider has kept",
    "prompt": "refers to a template that only its provider has kept",
    "background": "asks for an answer that a provider keeps until it is fetched",
    "context_management": "asks for the context to be managed by the provider",
    "max_tool_calls": "counts the calls of tools that the provider runs itself",
}
TOOLS = frozenset(("function", "custom"))
CHOICES = TOOLS | {"allowed_tools"}

# Nothing of the kind can come of a request that passes, or it comes unasked.
HARMLESS_INCLUDES = frozenset(
    (
        *("reasoning.encrypted_content", "message.output_text.logprobs"),
        *("message.input_image.image_url", "computer_call_output.output.image_url"),
        *("file_search_call.results", "code_interpreter_call.outputs"),
        *("web_search_call.results", "web_search_call.action.sources"),
    )
)
NAME_CHARS = 40  # of a type worth repeating


class Need(NamedTuple):
    """The field at fault, and why no translation serves."""

    param: str
    reason: str


def needs_native(fields: Mapping[str, Any]) -> str:
    """Why only a provider's own Responses API can serve the request; empty where any can.

    What is empty here and malformed is still refused by `to_chat`.
    """
    need = first_need(fields)
    return need.reason if need else ""


def first_need(fields: Mapping[str, Any]) -> Need | None:
    """The first thing that no chat can do."""
    return next(needs(fields), None)


def needs(fields: Mapping[str, Any]) -> Iterator[Need]:
    """Everything that no chat can do."""
    for name, why in KEPT.items():
        if fields.get(name):
            yield Need(name, f"`{name}` {why}")
    for one in listed(fields.get("include")):
        if isinstance(one, str) and one not in HARMLESS_INCLUDES:
            yield Need("include", "`include` asks for what only the Responses API has")
    yield from tool_needs(fields)
    for place, item in enumerate(listed(fields.get("input"))):
        if isinstance(item, dict):
            yield from item_needs(item, f"input[{place}]")


def tool_needs(fields: Mapping[str, Any]) -> Iterator[Need]:
    for place, tool in enumerate(listed(fields.get("tools"))):
        yield from hosted(tool, TOOLS, f"tools[{place}]")
    choice = fields.get("tool_choice")
    yield from hosted(choice, CHOICES, "tool_choice")
    if isinstance(choice, dict):
        for place, tool in enumerate(listed(choice.get("tools"))):
            yield from hosted(tool, TOOLS, f"tool_choice.tools[{place}]")


def hosted(tool: Any, known: frozenset[str], where: str) -> Iterator[Need]:
    """Whether `tool` is one that the application does not run itself."""
    kind = tool.get("type") if isinstance(tool, dict) else None
    if isinstance(kind, str) and kind not in known:
        yield Need(f"{where}.type", f"`{where}`{named(kind)} is a tool of the provider's own")


def item_needs(item: Json, where: str) -> Iterator[Need]:
    kind = kind_of(item)
    if kind and kind not in ITEMS:
        yield Need(f"{where}.type", f"`{where}`{named(kind)} means nothing outside its provider")
    for place, part in parts_in(item):
        if isinstance(part, dict):
            yield from part_needs(part, f"{where}.{place}")


def part_needs(part: Json, where: str) -> Iterator[Need]:
    kind = part_kind(part)
    if part.get("file_id"):
        yield Need(f"{where}.file_id", f"`{where}.file_id` names a file that its provider keeps")
    elif kind and kind not in PARTS:
        yield Need(f"{where}.type", f"`{where}`{named(kind)} means nothing outside its provider")


def named(kind: str) -> str:
    """The type for a message, where it is a name and no prose."""
    return f" ({kind})" if kind.isidentifier() and len(kind) <= NAME_CHARS else ""
