"""No JSON is too odd: neither what applications ask, nor what providers answer."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.answer import AnswerFailed, Piece
from sidecar.core.sse import Event
from sidecar.dialects.dialect import Answered, Json, Reading, Untranslatable
from sidecar.dialects.openai import SILENT
from sidecar.dialects.responses.answer import ResponsesForChat
from sidecar.dialects.responses.items import ITEMS, PARTS
from sidecar.dialects.responses.meaning import PARTLY, READERS
from sidecar.dialects.responses.needs import KEPT, needs_native
from sidecar.dialects.responses.request import REWORDED, to_chat
from tests.dialects.responses.sdk import (
    ERROR,
    application,
    call,
    chunk,
    last_of,
    native,
    parsed,
    put_together,
    read,
    streamed,
    whole,
)

ITEM_NAMES = (
    *("type", "role", "content", "output", "call_id", "name", "arguments", "input", "text"),
    *("image_url", "file_data", "file_id", "input_audio", "refusal", "detail", "id", "tools"),
    *("format", "effort", "parameters", "strict", "mode", "delta", "item", "response", "error"),
    *("choices", "index", "tool_calls", "function", "usage", "prompt_tokens", "message"),
    *("logprobs", "bytes", "incomplete_details", "reason", "status", "finish_reason"),
)
NAMES = st.sampled_from(ITEM_NAMES)
WORDS = st.sampled_from(
    (*ITEMS, *PARTS, *READERS, *PARTLY, "user", "assistant", "custom", "allowed_tools", "stop", "")
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(ITEM_NAMES), inner, max_size=5)
    ),
    max_leaves=20,
)
ODD_ITEMS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from((*ITEMS, None))},
        optional={name: ODD for name in ITEM_NAMES if name != "type"},
    )
    | ODD,
    max_size=4,
)
REQUESTS = st.fixed_dictionaries(
    {"model": st.just("smart"), "input": st.just("Hi") | ODD_ITEMS},
    optional=dict.fromkeys(sorted({*KEPT, *REWORDED} - {"input"}), ODD),
)


@given(REQUESTS)
def test_any_request_is_said_or_refused(fields: Json) -> None:
    needs = needs_native(fields)
    try:
        said = to_chat(fields)
    except Untranslatable as error:
        refusal = error.message
    else:
        refusal = ""
        assert said["messages"]
    assert refusal.startswith(needs)


@given(REQUESTS, st.lists(ODD, max_size=3))
def test_any_request_is_said_again_in_its_answer(fields: Json, deltas: list[Any]) -> None:
    said = ResponsesForChat(fields, "gemini", "s1", 1700)

    stream = streamed(said, *[{"choices": [{"delta": delta}]} for delta in deltas])

    assert last_of(stream)["status"] == "completed"


@given(st.lists(st.dictionaries(NAMES, ODD, max_size=5), max_size=4))
def test_any_chunks_are_a_response(chunks: list[Json]) -> None:
    writer = application(tools=[{"type": "custom", "name": ""}]).writer()
    begun = [writer.write(Reading(SILENT, [one])) for one in chunks]

    stream = b"".join(begun) + writer.broken(ERROR)

    assert parsed(read(stream)[-1].data) == {"error": ERROR}


@given(st.dictionaries(NAMES, ODD, max_size=5))
def test_any_whole_answer_is_a_response_or_fails(answer: Json) -> None:
    try:
        response = parsed(application().write_answer(Answered(answer=answer)))
    except AnswerFailed:
        return
    assert response["status"] in ("completed", "incomplete")


@given(st.lists(ODD, max_size=4))
def test_any_event_of_a_provider_is_read(said: list[object]) -> None:
    both = native()
    reader, writer = both.reader(), both.writer()

    for one in said:
        reading = reader.read(Event(orjson.dumps(one)))
        assert isinstance(reading.piece, Piece)
        writer.write(reading)
    assert parsed(read(writer.broken(ERROR))[-1].data) == {"error": ERROR}


@given(
    ODD
    | st.fixed_dictionaries(
        {"object": st.just("response"), "output": ODD},
        optional={"usage": ODD, "status": ODD, "error": ODD, "incomplete_details": ODD, "id": ODD},
    )
)
def test_any_whole_answer_of_a_provider_is_one_or_fails(answer: object) -> None:
    both = native()
    try:
        answered = both.read_answer(orjson.dumps(answer))
    except AnswerFailed:
        return
    assert read(both.write_stream(answered))
    assert parsed(both.write_answer(answered))["object"] == "response"


TEXTS = st.lists(st.text(max_size=5), max_size=3)
CUSTOM = {"type": "custom", "name": "run"}
Told = tuple[Json, str, list[Json]]


@st.composite
def tellings(draw: st.DrawFn) -> Told:
    """A whole message, why it ended, and the deltas that it came in."""
    thoughts, words, refusals = draw(TEXTS), draw(TEXTS), draw(TEXTS)
    names = draw(st.lists(st.sampled_from(("weather", "run")), max_size=3))
    pieces = [draw(TEXTS) for _ in names]
    begun = [call(at, "", id=f"t{at}", name=name) for at, name in enumerate(names)]
    order = draw(st.permutations([at for at, texts in enumerate(pieces) for _ in texts]))
    left = [iter(texts) for texts in pieces]
    message: Json = {
        "reasoning_content": "".join(thoughts),
        "content": "".join(words),
        "refusal": "".join(refusals),
        "tool_calls": [
            call(at, "".join(pieces[at]), id=f"t{at}", name=name) for at, name in enumerate(names)
        ],
    }
    deltas: list[Json] = [
        *({"reasoning_content": one} for one in thoughts),
        *({"content": one} for one in words),
        *({"refusal": one} for one in refusals),
        *({"tool_calls": [one]} for one in begun),
        *({"tool_calls": [call(at, next(left[at]))]} for at in order),
    ]
    return message, draw(st.sampled_from(("stop", "length", "content_filter"))), deltas


@given(tellings())
def test_a_stream_comes_to_the_same_as_a_whole_answer(telling: Told) -> None:
    message, finish, deltas = telling
    said = application(tools=[CUSTOM])

    stream = streamed(said, *[chunk(**delta) for delta in deltas], chunk(finish))
    response = whole(said, message, finish)

    assert without_status(put_together(stream)) == without_status(response["output"])
    assert last_of(stream)["status"] == response["status"]


def without_status(output: list[Json]) -> list[Json]:
    """Items, whichever of them was the one that was cut short."""
    return [{**item, "status": ""} for item in output]


@given(tellings(), st.randoms(use_true_random=False))
def test_a_stream_in_any_order_ends_with_what_was_told(telling: Told, chance: Any) -> None:
    deltas = telling[2]
    chance.shuffle(deltas)

    stream = streamed(application(), *[chunk(**delta) for delta in deltas], chunk("stop"))

    output = put_together(stream)
    assert output == last_of(stream)["output"]
    texts = [part.get("text", "") for item in output for part in item.get("content", ())]
    assert "".join(texts) == "".join(delta.get("content", "") for delta in deltas)
