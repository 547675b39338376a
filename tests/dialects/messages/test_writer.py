"""Chat chunks as the events of a Messages stream."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from sidecar.dialects.dialect import Json, Reading
from tests.dialects.messages.answers import (
    COUNTED,
    HEARD,
    SAID,
    THINKING,
    USAGE,
    begun,
    chunk,
    counted,
    events,
    heard,
    more,
    writer,
    written_chunks,
)
from tests.dialects.messages.requests import TOOL, asked, chat

STOP = chunk("stop")


def told(*chunks: Json, fields: Json | None = None) -> list[Json]:
    """What the events say of the content, in short."""
    stream = events(written_chunks([*chunks, STOP], fields or asked()))
    return [data for name, data in stream if name.startswith("content_block")]


def content(*chunks: Json, fields: Json | None = None) -> Any:
    """The content that Anthropic's client hears."""
    return heard(written_chunks([*chunks, STOP], fields or asked()))["content"]


def calls(*deltas: Json) -> Any:
    """The inputs of the tools that it hears of."""
    blocks = content(*(chunk(tool_calls=[one]) for one in deltas))
    return [(block["id"], block["input"]) for block in blocks]


def test_a_text_is_a_whole_stream_of_events() -> None:
    stream = events(
        written_chunks([chunk(role="assistant", content=""), chunk(content="Hi."), STOP])
    )

    assert [name for name, _ in stream] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert all(name == data["type"] for name, data in stream)


def test_the_message_starts_empty() -> None:
    [(_, start), *_] = events(written_chunks([chunk(content="Hi."), STOP]))

    message = start["message"]
    assert (message["id"], message["model"]) == ("msg_s", "m1")
    assert (message["content"], message["stop_reason"]) == ([], None)
    assert message["usage"]["output_tokens"] == 0


def test_pieces_of_text_are_one_block() -> None:
    assert content(chunk(content="Hi"), chunk(content=" there")) == [
        {"type": "text", "text": "Hi there"}
    ]


def test_each_piece_goes_out_at_once() -> None:
    writing = writer()
    writing.write(Reading(SAID, (chunk(content="Hi"),)))

    assert b'"text":" there"' in writing.write(Reading(SAID, (chunk(content=" there"),)))


def test_reasoning_is_a_block_of_thinking_before_the_text() -> None:
    thought = chunk(reasoning_content="Hm.")

    assert content(thought, chunk(content="Hi."), fields=THINKING) == [
        {"type": "thinking", "thinking": "Hm.", "signature": ""},
        {"type": "text", "text": "Hi."},
    ]


def test_reasoning_that_nobody_asked_for_is_not_shown() -> None:
    assert content(chunk(reasoning="Hm."), chunk(content="Hi.")) == [
        {"type": "text", "text": "Hi."}
    ]


def test_a_refusal_is_text_and_a_reason_to_stop() -> None:
    message = heard(written_chunks([chunk(refusal="No."), STOP]))

    assert message["content"] == [{"type": "text", "text": "No."}]
    assert message["stop_reason"] == "refusal"


def test_other_choices_are_not_heard() -> None:
    assert content(chunk(content="Ho.", index=1), chunk(content="Hi.")) == [
        {"type": "text", "text": "Hi."}
    ]


# Tools


def test_arguments_go_out_piece_by_piece() -> None:
    pieces = told(
        chunk(tool_calls=[begun()]),
        chunk(tool_calls=[more('{"city":')]),
        chunk(tool_calls=[more('"Oslo"}')]),
    )

    block = {"type": "tool_use", "id": "t0", "name": "weather", "input": {}}
    assert pieces[0]["content_block"] == block
    assert [piece["delta"]["partial_json"] for piece in pieces[1:-1]] == ['{"city":', '"Oslo"}']


def test_a_tool_without_arguments_has_an_empty_input() -> None:
    assert calls(begun()) == [("t0", {})]


def test_tools_one_after_the_other_are_blocks_as_they_come() -> None:
    writing = writer()
    one = [chunk(tool_calls=[begun(arguments='{"a":1}')]), chunk(tool_calls=[begun(1)])]

    stream = b"".join(writing.write(Reading(SAID, (each,))) for each in one)

    assert [data.get("index") for _, data in events(stream)[1:]] == [0, 0, 0, 1]


def test_the_mixed_pieces_of_two_tools_are_sorted_out() -> None:
    mixed = (begun(0), begun(1), more('{"a"', 0), more('{"b"', 1), more(":1}", 0), more(":2}", 1))

    assert calls(*mixed) == [("t0", {"a": 1}), ("t1", {"b": 2})]


def test_text_that_comes_in_the_middle_of_a_call_comes_after_it() -> None:
    pieces = [
        chunk(tool_calls=[begun(arguments='{"a"')]),
        chunk(content="Hm"),
        chunk(tool_calls=[more(":1}")], content="."),
    ]

    call, text = content(*pieces)

    assert (call["input"], text["text"]) == ({"a": 1}, "Hm.")


ODD: list[tuple[str, list[Json], Json]] = [
    ("blank before", [begun(), more(" \n"), more('{"a":1}')], {"a": 1}),
    ("blank after", [begun(arguments='{"a":1}'), more(" \n")], {"a": 1}),
    ("blank alone", [begun(), more(" \n")], {}),
    ("no JSON", [begun(), more("Os"), more("lo")], {"_raw": "Oslo"}),
    ("no object", [begun(arguments="["), more("1]")], {"_raw": "[1]"}),
    ("cut off", [begun(arguments='{"a":1,"b')], {"a": 1}),
]


@pytest.mark.parametrize(("pieces", "told"), [c[1:] for c in ODD], ids=[c[0] for c in ODD])
def test_odd_arguments_are_an_object_to_the_client(pieces: list[Json], told: Json) -> None:
    assert calls(*pieces) == [("t0", told)]


def test_arguments_that_had_to_wait_are_mended_when_they_are_no_json() -> None:
    assert calls(begun(0, arguments='{"a"'), begun(1, arguments='{"b"}'), more(":1}", 0)) == [
        ("t0", {"a": 1}),
        ("t1", {"_raw": '{"b"}'}),
    ]


def test_a_tool_hears_its_own_name() -> None:
    tools = [{**TOOL, "name": "mcp__" + "a" * 100}]
    function = chat(tools=tools)["tools"][0]["function"]["name"]

    [block] = content(chunk(tool_calls=[begun(name=function)]), fields=asked(tools=tools))

    assert block["name"] == tools[0]["name"]


# The end


FINISHES = [
    ("stop", "end_turn"),
    ("length", "max_tokens"),
    ("content_filter", "refusal"),
    ("tool_calls", "end_turn"),
]


@pytest.mark.parametrize(("finish", "reason"), FINISHES)
def test_the_finish_is_the_stop_reason(finish: str, reason: str) -> None:
    assert heard(written_chunks([chunk(content="Hi."), chunk(finish)]))["stop_reason"] == reason


def test_a_call_is_the_reason_to_stop() -> None:
    message = heard(written_chunks([chunk(tool_calls=[begun()]), chunk("tool_calls")]))

    assert message["stop_reason"] == "tool_use"


def test_tokens_are_counted_at_the_end() -> None:
    message = heard(written_chunks([chunk(content="Hi."), STOP, counted(USAGE)]))

    assert message["usage"] == COUNTED


def test_a_stream_that_says_nothing_is_a_message_all_the_same() -> None:
    assert heard(written_chunks([]))["content"] == []


def test_a_broken_stream_raises_an_error_in_the_client() -> None:
    writing = writer()
    stream = writing.write(Reading(SAID, (chunk(content="Hi."),)))
    error = {"message": "It broke.", "type": "stream_error", "param": None, "code": "transport"}

    with pytest.raises(anthropic.APIStatusError, match="It broke"):
        HEARD.message(stream + writing.broken(error))
