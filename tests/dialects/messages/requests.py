"""Messages requests, by hand and by chance, and the vendors' own types to check them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from anthropic.types import MessageCreateParams
from hypothesis import strategies as st
from openai.types.chat import CompletionCreateParams
from pydantic import ConfigDict, TypeAdapter

from sidecar.dialects.dialect import Json
from sidecar.dialects.messages.request import to_chat

STRICT = ConfigDict(extra="forbid")
CHAT: TypeAdapter[Any] = TypeAdapter(CompletionCreateParams, config=STRICT)
MESSAGES: TypeAdapter[Any] = TypeAdapter(MessageCreateParams)
ASKED: Json = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
SCHEMA: Json = {"type": "object", "properties": {"city": {"type": "string"}}}
CLOSED: Json = {**SCHEMA, "required": ["city"], "additionalProperties": False}
TOOL: Json = {"name": "weather", "description": "It tells.", "input_schema": SCHEMA}
IMAGE: Json = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"},
}
IMAGE_PART: Json = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def asked(**fields: Any) -> Json:
    """A request that says this, too."""
    return {**ASKED, **fields}


def chat(**fields: Any) -> Json:
    """What that is as a chat request."""
    return to_chat(asked(**fields))


def turns(*messages: Json) -> list[Any]:
    """A conversation as a chat."""
    return list(chat(messages=list(messages))["messages"])


def said(role: str, *blocks: Json) -> Json:
    return {"role": role, "content": list(blocks)}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def use(call_id: str = "t1", name: str = "weather", **arguments: Any) -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def result(content: Any, call_id: str = "t1", **fields: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **fields}


def as_read(adapter: TypeAdapter[Any], fields: Json) -> Any:
    """What a vendor's types make of a request; an error where they do not allow it."""
    return told(adapter.validate_python(fields))


def told(value: Any) -> Any:
    """`value` with its lists, which the types only read when somebody looks."""
    if isinstance(value, dict):
        return {name: told(member) for name, member in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [told(one) for one in value]
    return value


# Any request that Anthropic's types allow

WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
NAMES = st.sampled_from(("weather", "a" * 128, "time"))
IDS = st.sampled_from(("toolu_1", "toolu_2", "t-3"))
INPUTS: st.SearchStrategy[Any] = st.dictionaries(
    WORDS, st.recursive(st.none() | st.integers(-9, 9) | WORDS, st.lists, max_leaves=4), max_size=3
)


def shaped(kind: str, **members: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({"type": st.just(kind), **members})


TEXTS = st.builds(text, WORDS)
IMAGES = st.just(IMAGE) | shaped(
    "image", source=st.just({"type": "url", "url": "https://example.com/a.png"})
)
SOURCES = st.sampled_from(
    (
        {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
        {"type": "text", "media_type": "text/plain", "data": "It rains."},
        {"type": "content", "content": "It rains."},
        {"type": "content", "content": [text("It rains."), IMAGE]},
    )
)
DOCUMENTS = st.fixed_dictionaries(
    {"type": st.just("document"), "source": SOURCES}, optional={"title": WORDS, "context": WORDS}
)
FOUND = shaped(
    "search_result", title=WORDS, source=WORDS, content=st.lists(TEXTS, min_size=1, max_size=2)
)
SHOWN = st.one_of(TEXTS, IMAGES, DOCUMENTS, FOUND)
RESULTS = st.builds(
    result, WORDS | st.lists(SHOWN, max_size=3), IDS, is_error=st.sampled_from((True, False))
)
THOUGHTS = st.sampled_from(
    (
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
    )
)
CALLS = shaped("tool_use", id=IDS, name=NAMES, input=INPUTS)
TURNS = st.one_of(
    st.builds(said, st.just("user"), RESULTS | SHOWN, RESULTS | SHOWN),
    st.builds(said, st.just("assistant"), THOUGHTS | TEXTS, TEXTS | CALLS, CALLS),
    st.builds(said, st.just("system"), TEXTS),
    st.fixed_dictionaries({"role": st.sampled_from(("user", "assistant")), "content": WORDS}),
)
TOOLS = st.fixed_dictionaries(
    {"name": NAMES, "input_schema": st.sampled_from((SCHEMA, CLOSED, {"type": "object"}))},
    optional={
        "description": WORDS,
        "strict": st.booleans(),
        "type": st.just("custom"),
        "cache_control": st.just({"type": "ephemeral"}),
    },
)
CHOICES = st.fixed_dictionaries(
    {"type": st.sampled_from(("auto", "any"))},
    optional={"disable_parallel_tool_use": st.booleans()},
) | st.sampled_from(({"type": "none"}, {"type": "tool", "name": "weather"}))
THINKING = st.sampled_from(
    ({"type": "adaptive"}, {"type": "disabled"}, {"type": "between_tools"})
) | (shaped("enabled", budget_tokens=st.integers(1024, 64_000)))
OUTPUTS = st.fixed_dictionaries(
    {},
    optional={
        "effort": st.sampled_from(("low", "medium", "high", "xhigh", "max")),
        "format": st.sampled_from((SCHEMA, CLOSED)).map(
            lambda schema: {"type": "json_schema", "schema": schema}
        ),
    },
)
REQUESTS = st.fixed_dictionaries(
    {
        "model": WORDS,
        "max_tokens": st.integers(1, 99),
        "messages": st.lists(TURNS, max_size=5).map(
            lambda turns: [*turns, said("user", text("!"))]
        ),
    },
    optional={
        "system": WORDS | st.lists(TEXTS, max_size=2),
        "tools": st.lists(TOOLS, max_size=3),
        "tool_choice": CHOICES,
        "thinking": THINKING,
        "output_config": OUTPUTS,
        "stop_sequences": st.lists(WORDS, max_size=6),
        "stream": st.booleans(),
        "temperature": st.floats(0, 1),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(1, 9),
        "metadata": st.fixed_dictionaries({"user_id": st.text(max_size=200)}),
        "service_tier": st.sampled_from(("auto", "standard_only")),
        "cache_control": st.just({"type": "ephemeral"}),
    },
)
