"""The events of a Response put together are what the provider would have answered at once."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.answer import AnswerFailed
from sidecar.core.events import Usage
from sidecar.core.outcome import Outcome
from sidecar.core.sse import Event, encode
from sidecar.dialects.dialect import Json
from sidecar.faults.answer import Answer
from tests.dialects.assembled import ANSWERS, put_together, scripted
from tests.dialects.responses.sdk import (
    application,
    call,
    chunk,
    final,
    native,
    parsed,
    streamed,
)
from tests.dialects.responses.sdk import put_together as heard
from tests.dialects.responses.test_anything import ODD
from tests.dialects.responses.test_native import (
    COMPLETED,
    FILTERED,
    MESSAGE,
    NOTHING,
    RESPONSE,
    event,
)


def stream(*events: Event) -> bytes:
    created = event("response.created", response=RESPONSE)
    return b"".join([encode(one.data, one.name) for one in (created, *events)])


def done(response: Any, status: str = "completed") -> Event:
    return event(f"response.{status}", response=response)


def item(index: int, said: Any = MESSAGE) -> Event:
    return event("response.output_item.done", output_index=index, item=said)


def test_the_last_event_says_it_all() -> None:
    told = stream(event("response.output_text.delta", delta="Hi"), item(0), done(COMPLETED))

    said = put_together(native(), told)

    whole = native().read_answer(orjson.dumps(COMPLETED))
    assert parsed(native().write_answer(said)) == parsed(whole.raw)
    assert said._replace(raw=b"") == whole._replace(raw=b"")
    assert said.usage == Usage(5, 7, 3)


def test_an_answer_that_was_cut_short_is_one() -> None:
    said = put_together(native(), stream(done(FILTERED, "incomplete")))

    assert (said.answer["status"], said.filtered) == ("incomplete", True)


def test_an_answer_is_known_by_our_ids() -> None:
    said = put_together(native(), stream(done(COMPLETED))).answer

    ids = (said["id"], said["previous_response_id"])
    assert ids == ("resp_openai_68af", "resp_openai_67ae")


def test_a_last_event_alone_is_an_answer() -> None:
    last = done(COMPLETED)

    said = put_together(native(), encode(last.data, last.name))

    assert said.answer["output"] == [MESSAGE]


@pytest.mark.parametrize("output", [[], None])
def test_items_that_the_last_event_leaves_out_are_kept(output: object) -> None:
    other = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    last = done({**COMPLETED, "output": output})

    said = put_together(native(), stream(item(1, other), item(0), last))

    assert said.answer["output"] == [MESSAGE, other]
    assert parsed(said.raw)["output"] == [MESSAGE, other]


def test_the_last_event_knows_better_than_the_items_before() -> None:
    early = {**MESSAGE, "status": "in_progress"}

    said = put_together(native(), stream(item(0, early), item(1), done(COMPLETED)))

    assert said.answer["output"] == [MESSAGE]


def test_an_answer_that_says_nothing_is_empty() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": []}
    silent = {**NOTHING, "output": [thought], "status": "completed"}

    assert put_together(native(), stream(done(silent))).empty


BAD: list[tuple[str, Any]] = [
    ("nothing", None),
    ("no output", {**COMPLETED, "output": None}),
    ("another object", {**COMPLETED, "object": "chat.completion"}),
    ("another status", {**COMPLETED, "status": "cancelled"}),
]


@pytest.mark.parametrize("response", [row[1] for row in BAD], ids=[row[0] for row in BAD])
def test_what_is_no_response_is_no_answer(response: Any) -> None:
    with pytest.raises(AnswerFailed) as failed:
        put_together(native(), stream(done(response)))

    assert failed.value.outcome is Outcome.PROTOCOL


def test_a_stream_without_its_last_event_is_no_answer() -> None:
    with pytest.raises(AnswerFailed) as failed:
        native().assembler().answered()

    assert failed.value.outcome is Outcome.PROTOCOL


@pytest.mark.parametrize("answer", [row[1] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_a_scripted_stream_is_the_scripted_answer(answer: Answer) -> None:
    body, told = scripted("/responses", answer)

    said = put_together(native(), told)

    assert parsed(native().write_answer(said)) == parsed(native().read_answer(body).raw)


WORDS = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=5), max_size=4)


@given(WORDS, WORDS, st.booleans())
def test_the_sdk_hears_the_same(texts: list[str], pieces: list[str], leaves_out: bool) -> None:
    deltas = [chunk(content=text) for text in texts]
    begun = [chunk(tool_calls=[call(0, "", id="t1", name="f")])] if pieces or not texts else []
    arguments = [chunk(tool_calls=[call(0, piece)]) for piece in pieces]
    told = streamed(application(), *deltas, *begun, *arguments, chunk("stop"))

    said = put_together(native(), without_output(told) if leaves_out else told).answer

    assert said["output"] == [dict(one) for one in heard(told)]
    assert said["id"] == f"resp_openai_{final(told).id.removeprefix('resp_').replace('_', '~1')}"


def without_output(told: bytes) -> bytes:
    """The stream of a provider that leaves the output out of the last event."""
    *events, last, _ = told.split(b"\n\n")
    name, data = last.split(b"\ndata: ")
    said = parsed(data)
    said["response"]["output"] = []
    return b"\n\n".join([*events, name + b"\ndata: " + orjson.dumps(said), b""])


@given(st.lists(ODD, max_size=3), ODD)
def test_any_events_are_an_answer_or_fail(events: list[Any], response: Any) -> None:
    odd = [Event(orjson.dumps(one)) for one in events]
    last: Json = response if isinstance(response, dict) else {}
    try:
        said = put_together(native(), stream(*odd, done({**COMPLETED, **last})))
    except AnswerFailed:
        return
    assert isinstance(parsed(said.raw)["output"], list)
