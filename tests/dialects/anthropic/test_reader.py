"""Anthropic's streams as the chunks of chat completions."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sidecar.core.answer import AnswerFailed, Judge, Piece
from sidecar.core.events import Usage
from sidecar.core.outcome import Outcome
from sidecar.core.sse import Event
from sidecar.dialects.anthropic.reader import MessagesReader
from sidecar.dialects.dialect import Json, Reading
from sidecar.dialects.memory import ENTRY_BYTES, Memory
from sidecar.dialects.openai import CONTENT, GARBLED, NOISE, REASONING, SILENT, THE_END
from tests.dialects.anthropic.wire import (
    HI,
    LOOK_UP,
    PING,
    REDACTED,
    SEARCH,
    STOP,
    THOUGHT,
    block,
    chunks_of,
    deltas_of,
    end,
    event_of,
    readings,
    readings_of_bytes,
    sse,
    start,
    target,
    text,
    text_delta,
    thinking,
    tool,
)

ZERO = frozenset((0,))
ROLE = {"role": "assistant", "content": ""}


def reader(
    answer_tool: str = "", memory: Memory | None = None, names: dict[str, str] | None = None
) -> MessagesReader:
    return MessagesReader(names or {}, answer_tool, target(memory))


def pieces(*events: Json, answer_tool: str = "") -> list[Piece]:
    """What events mean, after the start."""
    return [one.piece for one in readings(reader(answer_tool), (start(), *events))[1:]]


def said(*events: Json, answer_tool: str = "", **names: str) -> list[Json]:
    """What events say, after the start."""
    read = readings(reader(answer_tool, names=names), (start(), *events))
    return deltas_of(chunk for one in read[1:] for chunk in one.chunks)


def finish_of(*events: Json) -> object:
    return readings(reader(), (start(), *events))[-1].chunks[-1]["choices"][0]["finish_reason"]


def opened(index: int = 0, name: str = "look_up", call_id: str = "toolu_1") -> Json:
    function = {"name": name, "arguments": ""}
    call = {"index": index, "id": call_id, "type": "function", "function": function}
    return {"tool_calls": [call]}


def going_on(arguments: str, index: int = 0) -> Json:
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}


def test_the_start_says_who_speaks() -> None:
    usage = {"input_tokens": 43, "output_tokens": 1, "cache_read_input_tokens": 2}
    reading = reader().read(event_of(start(usage=usage)))

    assert reading == Reading(
        Piece(usage=Usage(45, 1, 2)),
        (
            {
                "id": "msg_1",
                "object": "chat.completion.chunk",
                "created": 7,
                "model": "claude-haiku-5-5",
                "choices": [{"index": 0, "delta": ROLE, "finish_reason": None}],
            },
        ),
    )


def test_every_chunk_is_complete() -> None:
    events = (start(), *thinking("Hm."), *text("Hi", index=1), *tool("{}", index=2), end(), STOP)
    one = reader()

    for chunk in chunks_of(one, readings(one, events)):
        assert chunk | {"choices": 0, "usage": 0} == {
            "id": "msg_1",
            "object": "chat.completion.chunk",
            "created": 7,
            "model": "claude-haiku-5-5",
            "choices": 0,
            "usage": 0,
        }


def test_a_second_start_is_ignored() -> None:
    read = readings(reader(), (start(), *text("Hi"), start(id="msg_2"), *text("!", index=1)))

    assert [chunk["id"] for one in read for chunk in one.chunks] == ["msg_1"] * 3
    assert read[4] == Reading(SILENT)


def test_who_speaks_is_said_once_also_without_a_start() -> None:
    read = readings(reader(), (*text("Hi", "!"), start()))

    assert deltas_of(chunk for one in read for chunk in one.chunks) == [
        {"role": "assistant", "content": "Hi"},
        {"content": "!"},
    ]


@pytest.mark.parametrize("place", range(5))
def test_a_ping_is_noise_anywhere(place: int) -> None:
    events = [start(), *text("Hi"), end()]

    assert readings(reader(), [*events[:place], PING])[-1] == Reading(NOISE)


def test_text_is_content() -> None:
    assert said(*text("Hi", " there")) == [{"content": "Hi"}, {"content": " there"}]
    assert pieces(*text("Hi")) == [SILENT, CONTENT, SILENT]


def test_prefilled_text_is_said() -> None:
    assert said(*block(0, HI, text_delta("!"))) == [{"content": "Hi"}, {"content": "!"}]
    assert pieces(*block(0, HI))[0] == CONTENT


def test_an_empty_delta_says_nothing() -> None:
    assert said(*text("")) == []
    assert pieces(*text(""))[1] == SILENT


def test_text_outside_a_block_is_not_lost() -> None:
    assert said(text("Hi")[1]) == [{"content": "Hi"}]


def test_a_tool_is_called_piece_by_piece() -> None:
    assert said(*tool("", '{"q":', '"cats"}')) == [
        opened(),
        going_on('{"q":'),
        going_on('"cats"}'),
    ]


def test_a_tool_call_is_content_from_its_start() -> None:
    assert pieces(*tool("", "{}")) == [CONTENT, SILENT, CONTENT, SILENT]


def test_tools_are_counted_and_blocks_are_not() -> None:
    events = (*text("Hi", index=0), *tool("{}", index=1), *tool("{}", index=4, id="toolu_2"))

    assert said(*events) == [
        {"content": "Hi"},
        *(opened(), going_on("{}")),
        *(opened(1, call_id="toolu_2"), going_on("{}", 1)),
    ]


def test_deltas_find_their_own_block() -> None:
    first, second = tool("1", index=1), tool("2", index=2, id="toolu_2")
    begun, told = (first[0], second[0]), (second[1], first[1])

    assert said(*begun, *told)[2:] == [going_on("2", 1), going_on("1", 0)]


@pytest.mark.parametrize("deltas", [(), ("",)], ids=["no delta", "an empty one"])
def test_a_tool_without_input_gets_an_empty_object_at_its_end(deltas: tuple[str, ...]) -> None:
    assert said(*tool(*deltas)) == [opened(), going_on("{}")]


def test_an_input_that_is_there_from_the_start_is_said_at_the_end() -> None:
    assert said(*block(0, LOOK_UP)) == [opened(), going_on('{"q":"cats"}')]


def test_a_block_that_never_ends_ends_with_the_answer() -> None:
    assert said(tool()[0], end("tool_use"))[:2] == [opened(), going_on("{}")]


def test_a_tool_gets_its_own_name_back() -> None:
    assert said(*tool("{}"), look_up="look.up")[0] == opened(name="look.up")


def test_a_call_without_id_gets_one() -> None:
    assert said(*tool("{}", id=None))[0] == opened(call_id="call_s_0")


def test_the_input_of_the_answer_tool_is_content() -> None:
    events = (*tool('{"a":', "1}"), end("tool_use"))

    assert said(*events, answer_tool="look_up") == [{"content": '{"a":'}, {"content": "1}"}, {}]


def test_the_answer_tool_is_content_from_its_first_word() -> None:
    assert pieces(*tool("", "{}"), answer_tool="look_up") == [SILENT, SILENT, CONTENT, SILENT]


def test_thinking_is_reasoning() -> None:
    assert said(*thinking("Hm", ".")) == [{"reasoning_content": "Hm"}, {"reasoning_content": "."}]
    assert pieces(*thinking("Hm")) == [REASONING, REASONING, SILENT, SILENT]


def test_redacted_thinking_is_progress_without_words() -> None:
    assert said(*block(0, REDACTED)) == []
    assert pieces(*block(0, REDACTED))[0] == REASONING


@pytest.mark.parametrize(
    "events",
    [
        block(0, {**SEARCH, "input": {}}, {"type": "input_json_delta", "partial_json": "{}"}),
        block(0, {"type": "web_search_tool_result", "content": []}),
        block(0, {"type": "fallback", "from": {}, "to": {}}),
        block(0, {"type": "news", "text": "Hi"}, text_delta("Hi")),
        block(0, {"type": "text", "text": ""}, {"type": "citations_delta", "citation": {}}),
        block(0, {"type": "text", "text": ""}, {"type": "news_delta", "text": "Hi"}),
        block(0, {"type": "text", "text": ""}, {"type": "thinking_delta", "thinking": "Hm"}),
        [{"type": "news", "text": "Hi"}],
        [{"type": ["content_block_delta"]}],
        [{}],
        [{"type": "content_block_stop", "index": 9}],
        [{"type": "content_block_delta", "index": {}, "delta": {"type": [], "text": "Hi"}}],
        [{"type": "content_block_delta", "delta": None}],
        [{"type": "content_block_start", "content_block": "text"}],
    ],
    ids=[
        *("server tool", "its result", "fallback", "unknown block", "citation", "unknown delta"),
        *("another block's delta", "unknown event", "type is a list", "nothing", "unknown end"),
        *("odd delta", "no delta", "odd block"),
    ],
)
def test_an_event_says_nothing(events: list[Json]) -> None:
    assert said(*events) == []
    assert pieces(*events) == [SILENT] * len(events)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("unheard_of", "stop"),
    ],
)
def test_a_stop_reason_is_a_finish_reason(reason: str, finish: str) -> None:
    assert finish_of(*text("Hi"), end(reason)) == finish


def test_tool_use_finishes_with_tool_calls() -> None:
    assert finish_of(*tool("{}"), end("tool_use")) == "tool_calls"


def test_an_answer_finishes_once_and_its_last_usage_wins() -> None:
    one = reader()
    twice = (end(usage={"output_tokens": 1}), end(usage={"output_tokens": 9}))
    read = readings(one, (start(), *text("Hi"), *twice))

    assert [len(reading.chunks) for reading in read[-2:]] == [1, 0]
    assert one.end()[0]["usage"]["completion_tokens"] == 9


def test_the_end_ends_the_answer() -> None:
    assert pieces(end())[0] == Piece(ends=ZERO, usage=Usage(43, 7))


def test_an_end_without_reason_only_counts() -> None:
    reading = readings(reader(), (start(), end(None)))[-1]

    assert reading == Reading(Piece(usage=Usage(43, 7)))


def test_a_refusal_is_filtered_and_says_why() -> None:
    details = {"type": "refusal", "explanation": "No."}
    refused = end("refusal", stop_details=details)

    assert pieces(refused) == [Piece(ends=ZERO, filtered=True, usage=Usage(43, 7))]
    assert said(refused) == [{"refusal": "No."}]


def judged(*events: Json, filter_fails: bool = False) -> Judge:
    judge = Judge(filter_fails=filter_fails)
    for one in readings(reader(), events):
        judge.judge(one.piece, 10)
    return judge


def test_a_refusal_before_any_output_can_fail_over() -> None:
    refused = end("refusal", stop_details={"explanation": "No."})

    with pytest.raises(AnswerFailed) as failed:
        judged(start(), refused, STOP, filter_fails=True)

    assert failed.value.outcome is Outcome.CONTENT_FILTER


def test_a_refusal_in_mid_stream_ends_the_answer() -> None:
    assert judged(start(), *text("Hi"), end("refusal"), STOP, filter_fails=True).whole


def test_the_stop_ends_the_stream() -> None:
    assert pieces(STOP) == [THE_END]


def test_an_answer_without_its_end_is_truncated() -> None:
    with pytest.raises(AnswerFailed) as failed:
        judged(start(), *text("Hi"), STOP)

    assert failed.value.outcome is Outcome.STREAM_TRUNCATED


def usage_after(*usages: Json) -> Any:
    one = reader()
    readings(one, (start(), *(end(usage=usage) for usage in usages)))
    (chunk,) = one.end()
    assert chunk["choices"] == []
    return chunk["usage"]


def test_the_last_usage_wins() -> None:
    usage = usage_after({"output_tokens": 3}, {"input_tokens": 61, "output_tokens": 5})

    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (61, 5)


def test_what_the_last_usage_leaves_out_stays() -> None:
    usage = usage_after({"output_tokens": 3, "input_tokens": None})

    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (43, 3)


def test_iterations_are_summed() -> None:
    run = {"type": "message", "input_tokens": 10, "output_tokens": 3}

    assert usage_after({"output_tokens": 3, "iterations": [run, run]})["total_tokens"] == 26


def test_older_iterations_do_not_hide_newer_counts() -> None:
    run = {"type": "message", "input_tokens": 10, "output_tokens": 3}
    usage = usage_after({"output_tokens": 3, "iterations": [run]}, {"output_tokens": 9})

    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (43, 9)


def test_without_counts_there_is_no_usage() -> None:
    one = reader()
    readings(one, (start(usage=None), {"type": "message_delta", "usage": 5, "delta": None}))

    assert one.end() == ()


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("overloaded_error", Outcome.OVERLOADED),
        ("rate_limit_error", Outcome.RATE_LIMIT),
        ("timeout_error", Outcome.TIMEOUT_UPSTREAM),
        ("api_error", Outcome.STREAM_ERROR),
    ],
)
def test_an_error_is_what_it_says(kind: str, outcome: Outcome) -> None:
    error = {"type": "error", "error": {"type": kind, "message": "No.", "details": None}}
    reading = readings_of_bytes(reader(), sse(start(), *text("Hi"), error))[-1]

    assert reading == Reading(Piece(failure=outcome, message="No."))


def test_an_event_called_error_is_one_whatever_it_holds() -> None:
    assert reader().read(Event(b"busy", b"error")).piece.failure is Outcome.STREAM_ERROR


@pytest.mark.parametrize("data", [b"{", b"[DONE]", b"5", b"null", b'"Hi"'], ids=bytes.decode)
def test_what_is_no_object_is_garbled(data: bytes) -> None:
    assert reader().read(Event(data)) == Reading(GARBLED)


def kept(*events: Json) -> Any:
    """What is remembered of an answer for its first call."""
    memory = Memory()
    readings(reader(memory=memory), (start(), *events))
    value = memory.recall("anthropic", "toolu_1")
    return value and orjson.loads(value)


def test_signed_thoughts_are_kept_for_the_first_call() -> None:
    thoughts = (*thinking("H", "m."), *block(1, REDACTED))
    calls = (*tool("{}", index=2), *tool("{}", index=3, id="toolu_2"))

    assert kept(*thoughts, *calls, end("tool_use")) == [THOUGHT, REDACTED]


def test_thoughts_without_words_are_kept() -> None:
    assert kept(*thinking(), *tool("{}", index=1), end("tool_use")) == [{**THOUGHT, "thinking": ""}]


def test_thoughts_are_kept_even_if_their_block_never_ends() -> None:
    assert kept(*thinking("Hm.")[:-1], *tool("{}", index=1), end("tool_use")) == [THOUGHT]


@pytest.mark.parametrize(
    "events",
    [
        (*thinking("Hm.", signature=""), *tool("{}", index=1), end("tool_use")),
        (*thinking(*["x" * 1000] * (ENTRY_BYTES // 500)), *tool("{}", index=1), end("tool_use")),
        (*thinking("Hm."), *tool("{}", index=1)),
    ],
    ids=["unsigned", "too long", "not finished"],
)
def test_no_thoughts_are_kept(events: tuple[Json, ...]) -> None:
    assert kept(*events) is None


def test_a_recorded_order_of_events_is_read() -> None:
    words = text("Let me", " see.")
    stream = sse(
        *(start(), PING, words[0], PING, *words[1:], PING),
        *tool("", '{"q": "c', 'ats"}', index=1),
        *(end("tool_use"), STOP),
    )

    one = reader()
    chunks = chunks_of(one, readings_of_bytes(one, stream, range(0, len(stream), 5)))

    assert deltas_of(chunks) == [
        ROLE,
        {"content": "Let me"},
        {"content": " see."},
        opened(),
        going_on('{"q": "c'),
        going_on('ats"}'),
        {},
    ]
    assert chunks[-1]["usage"]["total_tokens"] == 50
