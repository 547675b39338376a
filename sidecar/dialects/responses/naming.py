"""Our ids in what a provider says, so that what comes back says whose it is."""

from __future__ import annotations

from collections.abc import Iterator

from sidecar.dialects.dialect import Json
from sidecar.dialects.odd import entries, object_in, text_in
from sidecar.dialects.responses.ids import PREFIX, REASONING, mint

IDS = ("id", "previous_response_id")
REASONS = "reasoning"  # the type of such an item; those of events about it go on after a prefix
EVENTS = f"response.{REASONS}"


def name_response(response: Json, provider: str) -> bool:
    """Put our ids in place of the provider's. Returns whether there were any."""
    return put(provider, ids_in(response))


def name_event(said: Json, provider: str) -> bool:
    """The same in an event of a stream."""
    return put(provider, ids_in_event(said))


def put(provider: str, ids: Iterator[tuple[Json, str, str]]) -> bool:
    named = False
    for holder, name, prefix in ids:
        if original := text_in(holder, name):
            holder[name] = mint(provider, original, prefix)
            named = True
    return named


def ids_in(response: Json) -> Iterator[tuple[Json, str, str]]:
    """Where an id is, by what name, and how such ids begin."""
    for name in IDS:
        yield response, name, PREFIX
    for item in entries(response.get("output")):
        if isinstance(item, dict):
            yield from ids_in_item(item)


def ids_in_item(item: Json) -> Iterator[tuple[Json, str, str]]:
    if item.get("type") == REASONS:
        yield item, "id", REASONING


def ids_in_event(said: Json) -> Iterator[tuple[Json, str, str]]:
    yield from ids_in(object_in(said, "response"))
    yield said, "response_id", PREFIX
    yield from ids_in_item(object_in(said, "item"))
    if text_in(said, "type").startswith(EVENTS):
        yield said, "item_id", REASONING
