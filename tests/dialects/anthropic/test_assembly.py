"""The events of a message put together are what Anthropic would have answered at once."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.answer import AnswerFailed
from sidecar.core.events import Usage
from sidecar.core.outcome import Outcome
from sidecar.core.sse import Event, encode
from sidecar.dialects.anthropic.events import NO_USAGE, stream_of
from sidecar.dialects.anthropic.native import NativeMessages
from sidecar.dialects.anthropic.side import AnthropicSide
from sidecar.dialects.dialect import Answered, Json, loads
from sidecar.faults.answer import Answer
from tests.dialects.anthropic.any_message import Told, told_messages
from tests.dialects.anthropic.test_any_message import EVENTS
from tests.dialects.anthropic.wire import (
    HI,
    LOOK_UP,
    MESSAGE,
    PING,
    REDACTED,
    SEARCH,
    STOP,
    THOUGHT,
    block,
    comparable,
    end,
    heard,
    message,
    sse,
    start,
    target,
    text,
    text_delta,
    thinking,
    tool,
)
from tests.dialects.assembled import ANSWERS, put_together, scripted

ASKED: Json = {"model": "smart", "messages": [{"role": "user", "content": "Hi"}]}
TOOLS = [
    {"type": "function", "function": {"name": name}} for name in ("look_up", "answer", "other")
]
CHAT: Json = {**ASKED, "tools": TOOLS}


def native() -> NativeMessages:
    return NativeMessages({}, target())


def answered(*events: Json) -> Answered:
    return put_together(native(), sse(*events))


def blocks_of(*events: Json) -> list[Json]:
    content = answered(start(), *events, end(), STOP).answer["content"]
    assert isinstance(content, list)
    return content


def test_events_become_a_message() -> None:
    events = [*thinking("H", "m."), *text("H", "i", index=1), *tool('{"q":', '"cats"}', index=2)]

    said = answered(start(), PING, *events, end("tool_use"), STOP)

    assert said.answer == message(THOUGHT, HI, LOOK_UP, stop_reason="tool_use")
    assert native().write_answer(said) == orjson.dumps(said.answer)
    assert (said.usage, said.filtered, said.empty) == (Usage(43, 7), False, False)


INPUTS: list[tuple[str, list[str], Any]] = [
    ("nothing", [], {}),
    ("empty pieces", ["", ""], {}),
    ("blanks", [" "], {}),
    ("an empty object", ["{", "}"], {}),
    ("cut off", ['{"a"', ": 1"], {"_raw": '{"a": 1'}),
    ("a list", ["[1]"], {"_raw": "[1]"}),
    ("half a letter", ['{"a":"\\ud83d"}'], {"a": "\ud83d"}),
    ("nested too deep", ["[" * 100_000], {"_raw": "[" * 100_000}),
]


@pytest.mark.parametrize(
    ("pieces", "given"), [row[1:] for row in INPUTS], ids=[row[0] for row in INPUTS]
)
def test_the_input_of_a_tool_is_an_object_in_any_case(pieces: list[str], given: Json) -> None:
    assert blocks_of(*tool(*pieces)) == [{**LOOK_UP, "input": given}]


def test_an_input_may_be_there_from_the_start() -> None:
    assert blocks_of(*block(0, LOOK_UP)) == [LOOK_UP]


@pytest.mark.parametrize("pieces", [[], ['{"q":"cats"}']], ids=["none", "one"])
def test_a_tool_may_begin_without_an_input(pieces: list[str]) -> None:
    begun, *rest = tool(*pieces)
    del begun["content_block"]["input"]

    assert blocks_of(begun, *rest) == [{**LOOK_UP, "input": {"q": "cats"} if pieces else {}}]


@pytest.mark.parametrize("kind", ["server_tool_use", "mcp_tool_use", "tool_of_tomorrow"])
def test_tools_of_the_server_have_inputs_too(kind: str) -> None:
    begun = {**SEARCH, "type": kind, "input": {}}
    piece = {"type": "input_json_delta", "partial_json": '{"q":"x"}'}

    assert blocks_of(*block(0, begun, piece)) == [{**SEARCH, "type": kind}]


def test_text_is_cited() -> None:
    cited = [{"type": "char_location", "cited_text": word} for word in "ab"]
    deltas = [{"type": "citations_delta", "citation": one} for one in cited]
    begun = {"type": "text", "text": "", "citations": []}

    said = blocks_of(*block(0, begun, text_delta("Hi"), *deltas))

    assert said == [{"type": "text", "text": "Hi", "citations": cited}]


NEWS = {"type": "news", "text": "Hi", "input": None}
KEPT: list[tuple[str, Json]] = [
    ("redacted thinking", REDACTED),
    ("results", {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"a": 1}]}),
    ("news", NEWS),
]


@pytest.mark.parametrize("whole", [row[1] for row in KEPT], ids=[row[0] for row in KEPT])
def test_a_block_that_does_not_grow_stays_as_it_began(whole: Json) -> None:
    deltas = [text_delta("x"), {"type": "thinking_delta", "thinking": "x"}, {"type": "x", "a": 1}]
    signed = {"type": "signature_delta", "signature": "x"}

    assert blocks_of(*block(0, whole, *deltas, signed)) == [whole]


def test_a_block_grows_by_its_own_kind_of_delta() -> None:
    begun, more, *rest = thinking("Hm.")

    said = blocks_of(begun, {**more, "delta": text_delta("x")}, more, *rest)

    assert said == [THOUGHT]


def test_a_compaction_is_told_by_its_delta() -> None:
    begun = {"type": "compaction", "content": None}
    told = {"content": "So far.", "encrypted_content": "eHh4"}

    said = blocks_of(*block(0, begun, {"type": "compaction_delta", **told}))

    assert said == [{"type": "compaction", **told}]


def test_the_model_that_took_over_is_the_one_that_answers() -> None:
    fallback = {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}

    assert (
        answered(start(), *block(0, fallback), *text("Hi", index=1), end()).answer["model"] == "b"
    )


def test_text_outside_every_block_is_a_block() -> None:
    delta = {"type": "content_block_delta", "index": 0, "delta": text_delta("H")}
    more = {**delta, "delta": text_delta("i")}

    assert blocks_of(delta, more) == [HI]


def test_blocks_may_grow_side_by_side() -> None:
    one, other = text("a", "b"), text("c", "d", index=1)

    said = blocks_of(one[0], other[0], one[1], other[1], one[2], other[2])

    assert [block["text"] for block in said] == ["ab", "cd"]


def test_counts_are_of_all_so_far() -> None:
    counted = {**start()["message"]["usage"], "cache_read_input_tokens": 3, "service_tier": "batch"}
    last = {"output_tokens": 9, "input_tokens": None, "server_tool_use": {"web_search_requests": 1}}

    said = answered(start(usage=counted), *text("Hi"), end(usage=last)).answer["usage"]

    assert said == {**counted, "output_tokens": 9, "server_tool_use": last["server_tool_use"]}


def test_older_runs_do_not_hide_the_newer_sums() -> None:
    begun = {"input_tokens": 43, "output_tokens": 1, "iterations": [{"input_tokens": 1}]}

    said = answered(start(usage=begun), *text("Hi"), end()).answer["usage"]

    assert said == {"input_tokens": 43, "output_tokens": 7}


def test_a_stream_that_ends_uncounted_keeps_the_counts_that_it_began_with() -> None:
    last = end()
    del last["usage"]

    said = answered(start(), *text("Hi"), last)

    assert said.answer["usage"] == start()["message"]["usage"]


def test_a_message_that_nobody_counted_took_nothing() -> None:
    first, last = start(), end()
    del first["message"]["usage"], last["usage"]

    assert answered(first, *text("Hi"), last).answer["usage"] == NO_USAGE


def test_what_nobody_knows_yet_is_kept() -> None:
    container, edits = {"id": "container_1"}, {"applied_edits": [1]}
    last = {**end(container=container), "context_management": edits}

    said = answered(start(news=1, container=None), *text("Hi"), last).answer

    assert said == message(HI, news=1, container=container, context_management=edits)


def test_nothing_is_taken_back_by_null() -> None:
    said = answered(start(container={"id": "c"}), *text("Hi"), end(container=None)).answer

    assert said["container"] == {"id": "c"}


def test_a_second_start_says_nothing_new() -> None:
    assert answered(start(), *text("Hi"), start(id="msg_2"), end()).answer["id"] == "msg_1"


def test_a_refusal_is_filtered() -> None:
    assert answered(start(), end("refusal"), STOP).filtered


def test_an_answer_that_says_nothing_is_empty() -> None:
    free = {"input_tokens": 5, "output_tokens": 0}

    assert assembled(start(), end(usage=free)).empty


def assembled(*events: Any) -> Answered:
    """What comes of events that nobody judged."""
    said = native()
    assembler, reader = said.assembler(), said.reader()
    for event in events:
        assembler.add(reader.read(Event(orjson.dumps(event))))
    return assembler.answered()


UNFINISHED: list[tuple[str, list[Json]]] = [
    ("nothing", []),
    ("no start", [*text("Hi"), end(), STOP]),
    ("no end", [start(), *text("Hi")]),
    ("an end without a reason", [start(), *text("Hi"), end(None)]),
]


@pytest.mark.parametrize("events", [row[1] for row in UNFINISHED], ids=[r[0] for r in UNFINISHED])
def test_what_is_not_finished_is_no_answer(events: list[Json]) -> None:
    with pytest.raises(AnswerFailed) as failed:
        assembled(*events)

    assert failed.value.outcome is Outcome.PROTOCOL


def test_what_is_nested_too_deep_is_no_answer() -> None:
    nested = b'{"type":"content_block_start","index":0,"content_block":{"type":"news","x":%b}}'
    deep = encode(nested % (b"[" * 990 + b"]" * 990), b"content_block_start")

    with pytest.raises(AnswerFailed) as failed:
        put_together(native(), sse(start()) + deep + sse(end()))

    assert failed.value.outcome is Outcome.PROTOCOL


def test_halves_of_letters_come_together() -> None:
    halves = [text("\ud83d")[1], text("\ude00")[1]]
    stream = sse(start(), text()[0]) + b"".join(
        [encode(json.dumps(one).encode()) for one in halves]
    )

    said = put_together(native(), stream + sse(end()))

    assert loads(said.raw)["content"] == [{"type": "text", "text": "😀"}]


def test_a_long_answer_is_put_together() -> None:
    listed = '{"q":[' + "1," * 9_999 + "1]}"

    words, call = blocks_of(*text(*["a "] * 10_000), *tool(*listed, index=1))

    assert words["text"] == "a " * 10_000
    assert call["input"] == {"q": [1] * 10_000}


@pytest.mark.parametrize("answer", [row[1] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_a_scripted_stream_is_the_scripted_answer(answer: Answer) -> None:
    body, stream = scripted("/messages", answer)

    said = put_together(native(), stream)

    assert orjson.loads(native().write_answer(said)) == orjson.loads(body)


@given(told_messages())
def test_a_stream_cut_anywhere_is_the_whole_message(told: Told) -> None:
    whole = native().read_answer(orjson.dumps(told.whole))

    said = put_together(native(), told.stream)

    assert orjson.loads(said.raw) == told.whole
    assert said._replace(raw=b"") == whole._replace(raw=b"")


@given(told_messages())
def test_a_message_made_a_stream_becomes_itself_again(told: Told) -> None:
    assert put_together(native(), b"".join(stream_of(told.whole))).answer == told.whole


@given(told_messages())
def test_anthropics_client_hears_the_same(told: Told) -> None:
    said, client = put_together(native(), told.stream).answer, heard(told.stream)

    for name in ("id", "role", "model", "stop_reason", "stop_sequence", "stop_details"):
        assert said[name] == client[name]
    for ours, theirs in zip(said["content"], client["content"], strict=True):
        assert ours == {name: theirs[name] for name in ours}


@given(told_messages())
def test_chunks_of_a_message_are_its_whole_answer_in_chat(told: Told) -> None:
    side = AnthropicSide(CHAT, target())
    whole = side.read_answer(orjson.dumps(told.whole))

    said = put_together(side, told.stream)

    assert told_alike(said.answer) == told_alike(whole.answer)
    assert said._replace(answer={}) == whole._replace(answer={})


def told_alike(completion: Json) -> Json:
    """A chat completion, its arguments as what they mean: how they are spaced differs."""
    calls = comparable(completion)["calls"]
    for choice in completion["choices"]:
        for call in choice["message"].get("tool_calls", ()):
            call["function"]["arguments"] = ""
    return {**completion, "calls": calls}


@pytest.mark.parametrize("answer", [row[1] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_a_scripted_stream_is_the_scripted_answer_in_chat(answer: Answer) -> None:
    body, stream = scripted("/messages", answer)
    side = AnthropicSide(CHAT, target())

    assert told_alike(put_together(side, stream).answer) == told_alike(
        side.read_answer(body).answer
    )


def test_a_refusal_is_filtered_in_chat_too() -> None:
    assert put_together(AnthropicSide(CHAT, target()), sse(start(), end("refusal"))).filtered


def test_no_chunks_are_no_answer_in_chat() -> None:
    with pytest.raises(AnswerFailed):
        AnthropicSide(CHAT, target()).assembler().answered()


@given(st.lists(EVENTS, min_size=1, max_size=4))
def test_any_events_are_an_answer_or_fail(events: list[Any]) -> None:
    try:
        said = assembled(start(), *events, end())
    except AnswerFailed:
        return
    assert orjson.loads(said.raw).keys() >= MESSAGE.keys()
