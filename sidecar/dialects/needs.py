"""What a call needs that not every provider can do, whichever format it is written in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from sidecar.core.capability import Capability
from sidecar.core.outcome import Endpoint
from sidecar.dialects.odd import entries
from sidecar.dialects.responses.needs import needs_native

BY_ENDPOINT = {
    Endpoint.COMPLETIONS: Capability.COMPLETIONS,
    Endpoint.EMBEDDINGS: Capability.EMBEDDINGS,
}
BY_PART = {
    **dict.fromkeys(("image_url", "input_image", "image"), Capability.IMAGES),
    "input_audio": Capability.AUDIO,
    **dict.fromkeys(("file", "input_file", "document"), Capability.PDF),
}
IN_PARTS = frozenset(BY_PART.values())
# Where each format says that the answer is to be JSON of a schema.
SCHEMAS = (("response_format",), ("text", "format"), ("output_config", "format"))
TURNS = ("messages", "input")
CHARS_A_TOKEN = (
    8  # twice what English needs: an entry is only passed over if it is surely too small
)


def needs_of(
    endpoint: Endpoint, fields: Mapping[str, Any], among: frozenset[Capability]
) -> frozenset[Capability]:
    """Those of `among` that the call needs; nothing else is looked for."""
    return among.intersection(_needs(endpoint, fields, among)) if among else among


def least_tokens(fields: Mapping[str, Any], body_bytes: int, window: int | None) -> int:
    """A number of tokens that the prompt surely has; 0 where it surely fits into `window`."""
    if window is None or body_bytes // CHARS_A_TOKEN <= window:
        return 0
    turns = (turn for name in TURNS for turn in entries(fields.get(name)))
    return sum(map(_chars, turns)) // CHARS_A_TOKEN


def _needs(
    endpoint: Endpoint, fields: Mapping[str, Any], among: frozenset[Capability]
) -> Iterator[Capability]:
    if endpoint in BY_ENDPOINT:
        yield BY_ENDPOINT[endpoint]
        return
    yield from (need for need in among if need in ASKED and ASKED[need](fields))
    if endpoint is Endpoint.RESPONSES and needs_native(fields):
        yield Capability.RESPONSES
    if not among.isdisjoint(IN_PARTS):
        yield from _needs_of_turns(fields)


def _asks_for_tools(fields: Mapping[str, Any]) -> bool:
    return bool(fields.get("tools") or fields.get("functions"))


def _asks_for_several(fields: Mapping[str, Any]) -> bool:
    number = fields.get("n")
    return isinstance(number, int) and number > 1


def _asks_for_a_voice(fields: Mapping[str, Any]) -> bool:
    return "audio" in entries(fields.get("modalities"))


def _asks_for_schema(fields: Mapping[str, Any]) -> bool:
    return any(_is_schema(fields, path) for path in SCHEMAS)


def _is_schema(fields: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    value: object = fields
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return isinstance(value, dict) and value.get("type") == "json_schema"


ASKED: dict[Capability, Callable[[Mapping[str, Any]], bool]] = {
    Capability.TOOLS: _asks_for_tools,
    Capability.JSON_SCHEMA: _asks_for_schema,
    Capability.CHOICES: _asks_for_several,
    Capability.AUDIO: _asks_for_a_voice,
}


def _needs_of_turns(fields: Mapping[str, Any]) -> Iterator[Capability]:
    for turn in chain.from_iterable(entries(fields.get(name)) for name in TURNS):
        if isinstance(turn, dict) and isinstance(content := turn.get("content"), list):
            yield from _needs_of_parts(content)


def _needs_of_parts(parts: list[Any]) -> Iterator[Capability]:
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "tool_result":
            yield from _needs_of_parts(entries(part.get("content")))
        elif isinstance(kind, str) and kind in BY_PART:
            yield BY_PART[kind]


def _chars(turn: object) -> int:
    """How much text a turn holds; images and files are no text."""
    content = turn.get("content") if isinstance(turn, Mapping) else turn
    if isinstance(content, str):
        return len(content)
    texts = (part.get("text") for part in entries(content) if isinstance(part, Mapping))
    return sum(len(text) for text in texts if isinstance(text, str))
