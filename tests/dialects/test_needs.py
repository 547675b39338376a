"""What a call needs, whichever format it is written in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.capability import Capability
from sidecar.core.outcome import Endpoint
from sidecar.dialects.needs import least_tokens, needs_of
from tests.dialects.test_anything import ODD

CHAT, RESPONSES, MESSAGES = Endpoint.CHAT, Endpoint.RESPONSES, Endpoint.MESSAGES
SCHEMA = {"type": "json_schema"}
ALL = frozenset(Capability)


def saying(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


NEEDS: list[tuple[str, Endpoint, dict[str, Any], set[Capability]]] = [
    ("text", CHAT, {"messages": [{"role": "user", "content": "Hi"}]}, set()),
    ("tools", CHAT, {"tools": [{}]}, {Capability.TOOLS}),
    ("no tools", CHAT, {"tools": []}, set()),
    ("old functions", CHAT, {"functions": [{}]}, {Capability.TOOLS}),
    ("an image", CHAT, {"messages": saying({"type": "image_url"})}, {Capability.IMAGES}),
    (
        "an image to Responses",
        RESPONSES,
        {"input": saying({"type": "input_image"})},
        {Capability.IMAGES},
    ),
    (
        "an image to Messages",
        MESSAGES,
        {"messages": saying({"type": "image"})},
        {Capability.IMAGES},
    ),
    (
        "an image in a result",
        MESSAGES,
        {"messages": saying({"type": "tool_result", "content": [{"type": "image"}]})},
        {Capability.IMAGES},
    ),
    ("speech", CHAT, {"messages": saying({"type": "input_audio"})}, {Capability.AUDIO}),
    ("a voice", CHAT, {"modalities": ["text", "audio"]}, {Capability.AUDIO}),
    ("a file", CHAT, {"messages": saying({"type": "file"})}, {Capability.PDF}),
    ("a document", MESSAGES, {"messages": saying({"type": "document"})}, {Capability.PDF}),
    ("a schema", CHAT, {"response_format": SCHEMA}, {Capability.JSON_SCHEMA}),
    ("a schema to Responses", RESPONSES, {"text": {"format": SCHEMA}}, {Capability.JSON_SCHEMA}),
    (
        "a schema to Messages",
        MESSAGES,
        {"output_config": {"format": SCHEMA}},
        {Capability.JSON_SCHEMA},
    ),
    ("any JSON", CHAT, {"response_format": {"type": "json_object"}}, set()),
    ("several answers", CHAT, {"n": 2}, {Capability.CHOICES}),
    ("one answer", CHAT, {"n": 1}, set()),
    ("kept state", RESPONSES, {"previous_response_id": "resp_1"}, {Capability.RESPONSES}),
    ("a completion", Endpoint.COMPLETIONS, {"prompt": "x", "n": 2}, {Capability.COMPLETIONS}),
    ("an embedding", Endpoint.EMBEDDINGS, {"input": "x"}, {Capability.EMBEDDINGS}),
]


@pytest.mark.parametrize(
    ("endpoint", "fields", "needs"), [row[1:] for row in NEEDS], ids=[row[0] for row in NEEDS]
)
def test_a_call_needs(endpoint: Endpoint, fields: dict[str, Any], needs: set[Capability]) -> None:
    assert needs_of(endpoint, fields, ALL) == needs


def test_only_what_is_asked_for_is_found() -> None:
    fields = {"tools": [{}], "messages": saying({"type": "image_url"})}

    assert needs_of(CHAT, fields, frozenset((Capability.TOOLS,))) == {Capability.TOOLS}


FIELDS = st.sampled_from(
    ("messages", "input", "tools", "text", "n", "modalities", "response_format")
)


@given(st.sampled_from(list(Endpoint)), st.dictionaries(FIELDS, ODD, max_size=4))
def test_no_call_is_too_odd_to_be_read(endpoint: Endpoint, fields: dict[str, Any]) -> None:
    assert needs_of(endpoint, fields, ALL) <= ALL
    assert least_tokens(fields, 10**6, 0) >= 0


LONG = {"messages": [{"role": "user", "content": "x" * 8000}]}


def test_a_long_prompt_has_at_least_so_many_tokens() -> None:
    assert least_tokens(LONG, 8100, 900) == 1000


def test_what_surely_fits_is_not_counted() -> None:
    assert least_tokens(LONG, 8100, 2000) == 0
    assert least_tokens(LONG, 8100, None) == 0


def test_an_image_is_no_text() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:" + "x" * 10**5}}

    assert least_tokens({"messages": saying(image)}, 10**5, 100) == 0
