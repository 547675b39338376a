"""Whatever Messages an application may send, and whatever an answer may be, it is understood."""

from __future__ import annotations

from itertools import chain
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.answer import AnswerFailed
from sidecar.dialects.dialect import Json, Untranslatable
from sidecar.dialects.messages.request import dropped_by, to_chat
from tests.dialects.messages.answers import (
    COUNTED,
    THINKING,
    USAGE,
    begun,
    checked,
    chunk,
    completion,
    counted,
    events,
    heard,
    more,
    streamed,
    written,
    written_chunks,
)
from tests.dialects.messages.requests import CHAT, INPUTS, MESSAGES, REQUESTS, as_read

NAMES = st.sampled_from(
    (
        *("system", "messages", "role", "content", "type", "text", "source", "data", "media_type"),
        *("tools", "name", "input_schema", "input", "id", "tool_use_id", "tool_choice", "thinking"),
        *("output_config", "format", "effort", "schema", "metadata", "user_id", "budget_tokens"),
        *("stop_sequences", "properties", "required", "additionalProperties", "container"),
        *("choices", "delta", "message", "index", "finish_reason", "tool_calls", "function"),
        *("arguments", "refusal", "reasoning", "usage", "prompt_tokens", "prompt_tokens_details"),
        *("cached_tokens", "cache_write_tokens", "model", "service_tier", "display"),
    )
)
WORDS = st.sampled_from(
    (
        *("user", "assistant", "system", "text", "image", "document", "tool_use", "tool_result"),
        *("thinking", "search_result", "base64", "url", "content", "enabled", "adaptive", "object"),
        *("json_schema", "tool", "auto", "stop", "length", "{", "[1]", "", "msg_1", "\ud800"),
    )
)
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
FIELDS = st.dictionaries(NAMES, ODD, max_size=5)
BLOCKS = st.fixed_dictionaries({"type": WORDS}, optional={"source": FIELDS, "content": ODD})
MESSAGES_LIKE = st.fixed_dictionaries(
    {"role": WORDS, "content": st.lists(BLOCKS | FIELDS, max_size=3) | ODD}
)
REQUESTS_LIKE = FIELDS | st.builds(
    lambda fields, messages: {**fields, "messages": messages},
    FIELDS,
    st.lists(MESSAGES_LIKE, max_size=3),
)
CHOICES = st.lists(FIELDS | ODD, max_size=3)
ANSWERS = FIELDS | st.fixed_dictionaries({"choices": CHOICES}, optional={"usage": ODD, "id": ODD})


@given(REQUESTS)
def test_any_request_of_anthropics_is_one_of_openais(fields: Json) -> None:
    as_read(MESSAGES, fields)

    told = to_chat(fields)

    assert as_read(CHAT, told) == told


@given(REQUESTS)
def test_each_result_follows_the_calls_directly(fields: Json) -> None:
    roles = [turn["role"] for turn in to_chat(fields)["messages"]]

    before = {roles[place - 1] for place, role in enumerate(roles) if role == "tool" and place}
    assert before <= {"assistant", "tool", "system"}


@given(REQUESTS_LIKE)
def test_any_json_is_a_request_or_refused(fields: Json) -> None:
    try:
        told = to_chat(fields)
    except Untranslatable:
        return
    assert told["messages"]
    assert not {"top_k", *dropped_by(fields)} & told.keys()


@given(ANSWERS, FIELDS)
def test_any_json_is_an_answer_or_none(answer: Json, fields: Json) -> None:
    try:
        message = written(answer, fields)
        stream = streamed(answer, fields)
    except AnswerFailed:
        return
    assert heard(stream) == checked(message)


@given(st.lists(ANSWERS, max_size=4), FIELDS)
def test_any_chunks_are_a_stream_of_events(chunks: list[Json], fields: Json) -> None:
    stream = events(written_chunks(chunks, fields))

    assert stream[0][0] == "message_start"
    assert stream[-1][0] == "message_stop"


# A streamed answer and the whole one are the same message


def cut(text: str) -> st.SearchStrategy[list[str]]:
    """`text` in pieces."""
    places = st.lists(st.integers(0, len(text)), max_size=3).map(sorted)
    return places.map(
        lambda at: [text[a:b] for a, b in zip([0, *at], [*at, len(text)], strict=True) if a < b]
    )


PIECES = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=5), max_size=3)
ARGUMENTS = INPUTS.map(lambda value: orjson.dumps(value).decode()) | st.sampled_from(
    ("", "Oslo", "[1]")
)
LANES = st.lists(ARGUMENTS.flatmap(cut), max_size=3)


def lanes_of(reasoning: list[str], words: list[str], tools: list[list[str]]) -> list[list[Json]]:
    """What a stream says, each part of it in its own order."""
    return [
        [chunk(reasoning_content=piece) for piece in reasoning],
        [chunk(content=piece) for piece in words],
        *(
            [chunk(tool_calls=[begun(place)])]
            + [chunk(tool_calls=[more(piece, place)]) for piece in pieces]
            for place, pieces in enumerate(tools)
        ),
    ]


def whole(reasoning: list[str], words: list[str], tools: list[list[str]]) -> Json:
    """The same as a whole answer."""
    called = [begun(place, arguments="".join(pieces)) for place, pieces in enumerate(tools)]
    return completion(
        content="".join(words), reasoning="".join(reasoning), tool_calls=called, usage=USAGE
    )


ENDING = [chunk("stop"), counted(USAGE)]


@given(PIECES, PIECES, LANES)
def test_a_streamed_answer_is_the_same_message_as_the_whole_one(
    reasoning: list[str], words: list[str], tools: list[list[str]]
) -> None:
    chunks = list(chain.from_iterable(lanes_of(reasoning, words, tools)))

    message = heard(written_chunks([*chunks, *ENDING], THINKING))

    assert message == checked(written(whole(reasoning, words, tools), THINKING))


@given(st.data(), PIECES, PIECES, LANES)
def test_however_its_parts_are_mixed_nothing_of_an_answer_is_lost(
    data: st.DataObject, reasoning: list[str], words: list[str], tools: list[list[str]]
) -> None:
    lanes = lanes_of(reasoning, words, tools)
    turns = data.draw(st.permutations([place for place, lane in enumerate(lanes) for _ in lane]))
    chunks = [lanes[place].pop(0) for place in turns]

    message = heard(written_chunks([*chunks, *ENDING], THINKING))

    told = checked(written(whole(reasoning, words, tools), THINKING))
    assert summed(message) == summed(told)
    assert message["usage"] == COUNTED


def summed(message: Json) -> Json:
    """What a message says, whatever the order of its blocks."""
    told: Json = {"stop_reason": message["stop_reason"], "text": "", "thinking": "", "calls": {}}
    for block in message["content"]:
        kind = block["type"]
        if kind == "tool_use":
            told["calls"][block["id"]] = (block["name"], block["input"])
        else:
            told[kind] += block[kind]
    return told
