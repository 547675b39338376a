"""Reads a provider's complaint: every shape of error body, as the few things that they all say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sidecar.core.objection import named_field, top_level
from sidecar.core.retry_after import stated_in

MESSAGE_CHARS = 300  # enough to tell what is wrong; a provider's page of HTML is not
TEXT_CHARS = 2_000  # a phrase that matters may come late
READ_CHARS = 20_000
DEEPEST = 5  # a list of one, its error a list of one, its message an envelope again
MOST_WORDS = 32

MODERATED = frozenset(("reasons", "flagged_input"))  # OpenRouter: the prompt was refused
MARKUP = re.compile(
    r"<(script|style)\b.*?(</\1>|$)|<[^<>]*>",  # each alternative reads on at most once
    re.DOTALL | re.IGNORECASE,
)
TELLS_NOTHING = re.compile("[1-5][0-9]{2}|error")  # an HTTP status; Anthropic's envelope


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a provider said went wrong.

    `message` is short and for people, `text` is longer and for whoever looks for a phrase. `words`
    are codes, types and status names, best first. `param` is the field complained of: as the
    provider names it, or, where it only tells of it, the name of a field of the request itself.
    `wait_s` is how long it asks us to stay away.
    """

    message: str = ""
    words: tuple[str, ...] = ()
    param: str | None = None
    text: str = ""
    wait_s: float | None = None

    @property
    def code(self) -> str | None:
        """The most telling word, if one tells anything."""
        return next((word for word in self.words if not TELLS_NOTHING.fullmatch(word)), None)


def read_complaint(body: object) -> Complaint:
    """Read an error body of any shape that providers send: parsed JSON, or text that was none."""
    parts = layers(body)
    said = next(filter(None, map(said_in, parts)), "")
    told = tidy(f"{said} {quoted(parts[0])}")
    return Complaint(
        message=tidy(said)[:MESSAGE_CHARS],
        words=tuple(dict.fromkeys(word for part in parts for word in words(part)))[:MOST_WORDS],
        param=next(filter(None, map(stated_field, parts)), None) or named_field(told),
        text=told,
        wait_s=stated_in(body),
    )


def layers(body: object) -> list[object]:
    """`body` and what it is only a wrapper of, innermost first."""
    found = [body]
    while len(found) <= DEEPEST and (inner := unwrapped(found[0])):
        found.insert(0, inner)
    return found


def unwrapped(body: object) -> object:
    """What is in a list, or an envelope; `None` where there is nothing."""
    if isinstance(body, list):
        return body[0] if body else None
    if not isinstance(body, Mapping):
        return None
    inner = next(filter(None, map(body.get, ("error", "errors", "detail"))), None)
    message = body.get("message")  # Mistral puts pydantic's list there
    return inner or (message if isinstance(message, Mapping | list) else None)


def said_in(part: object) -> str:
    """The text with which one layer explains itself, if it has any."""
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        return ""
    texts = map(part.get, ("message", "msg", "error_description", "title"))
    return next((text for text in texts if isinstance(text, str) and text), "")


def quoted(part: object) -> str:
    """What the provider behind the provider said (OpenRouter)."""
    metadata = part.get("metadata") if isinstance(part, Mapping) else None
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None
    return raw if isinstance(raw, str) else ""


def stated_field(part: object) -> str | None:
    """The field that one layer names in a place of its own."""
    if not isinstance(part, Mapping):
        return None
    param, loc = part.get("param"), part.get("loc")
    if isinstance(param, str) and param:
        return param
    if not isinstance(loc, list):
        return None
    return top_level(".".join(str(step) for step in loc if step != "body"))


def words(part: object) -> Iterator[str]:
    """The codes and types of one layer, best first: details before the code before the type."""
    if not isinstance(part, Mapping):
        return
    metadata = part.get("metadata")
    if isinstance(metadata, Mapping) and not MODERATED.isdisjoint(metadata):
        yield "content_filter"
    details = part.get("details")
    for detail in details if isinstance(details, list) else [details]:
        yield from words_of_detail(detail)
    yield from texts(part.get("innererror"), "code")
    yield from texts(part, "code", "type", "error_type", "status", "internalCode")


def words_of_detail(detail: object) -> Iterator[str]:
    """What Google's and Anthropic's details say; of Google's quotas, which one is used up."""
    yield from texts(detail, "reason", "error_code")
    violations = detail.get("violations") if isinstance(detail, Mapping) else None
    for violation in violations if isinstance(violations, list) else ():
        if any("PerDay" in quota for quota in texts(violation, "quotaId")):
            yield "quota_per_day"


def texts(part: object, *keys: str) -> Iterator[str]:
    """The words under `keys`."""
    values = map(part.get, keys) if isinstance(part, Mapping) else ()
    for value in values:
        if isinstance(value, str) and value:
            yield value
        elif type(value) is int and 0 <= value < 10**6:
            yield str(value)


def tidy(text: str) -> str:
    """One line of at most `TEXT_CHARS` characters without markup."""
    plain = MARKUP.sub(" ", text[:READ_CHARS])
    if MARKUP.search(plain):  # what stood around a tag has become another one
        plain = plain.replace("<", " ")
    return " ".join(plain.split())[:TEXT_CHARS]
