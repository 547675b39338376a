"""Streams that break, end wrongly, or are only written in an unusual hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sidecar.faults.answer import Json, Scene, data, speech_of
from sidecar.faults.changes import (
    WORDS,
    all_of,
    between,
    each_delta,
    each_event,
    each_tool_call,
    end_with,
    finish_as,
    in_many_lines,
    leave_out,
    only,
    open_with,
    rewrite,
    think_first,
    usage_at_the_finish,
    usage_unasked,
    without,
)
from sidecar.faults.fault import (
    Change,
    Effect,
    Fault,
    open_answer,
    play_well,
    send,
    stream,
    telling,
)
from sidecar.faults.refusals import FAILED, google, openai
from sidecar.faults.steps import Step, Wait

OVER, BROKEN, SERVED = Effect.FAILS_OVER, Effect.INTERRUPTED, Effect.SERVED

COMMENT = b": keep-alive\n\n"
EMPTY: Json = {"choices": [{"index": 0, "delta": {}, "finish_reason": None}]}
FILTERS: Json = {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
ERROR: Json = openai(FAILED)
ERROR_FLAT: Json = {"type": "error", "message": FAILED}
ERROR_TGI: Json = {"error": FAILED, "error_type": "generation"}
ERROR_IN_CHUNK: Json = {
    "error": {"code": 502, "message": FAILED},
    "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
}
NOT_JSON = b'data: {"choices": [oops]}\n\n'
HALF_JSON = b'data: {"choices": [{"index": 0, "delta": {"content": " and'
DETAILS = [{"type": "reasoning.text", "text": "Hm."}]


def done_then_open(scene: Scene) -> Iterator[Step]:
    """Everything, `[DONE]` too, and then the body does not end."""
    if not scene.streams:
        yield from play_well(scene)
        return
    yield open_answer(scene)
    yield from send(speech_of(scene).events)
    yield Wait()


def table(effect: Effect, *rows: tuple[str, str, Change]) -> tuple[Fault, ...]:
    """Faults that come to the same, one a row."""
    return tuple(Fault(name, does, effect, stream(change), True) for name, does, change in rows)


def with_tools(*rows: tuple[str, str, Change]) -> tuple[Fault, ...]:
    """Odd tool calls, for requests that bring tools."""
    return tuple(
        Fault(name, does, SERVED, telling(stream(change), calls_tool=True), True)
        for name, does, change in rows
    )


BEFORE_CONTENT = table(
    OVER,
    ("error_first", "sends an error before anything else", only(ERROR)),
    ("error_named", "sends an event named error first", only(b"event: error\n" + data(ERROR))),
    (
        "error_flat",
        "sends a flat event named error first",
        only(b"event: error\n" + data(ERROR_FLAT)),
    ),
    ("error_list", "sends an error in a list first", only(data(google(500, "INTERNAL", FAILED)))),
    ("error_after_role", "sends its role, then an error", end_with(0, ERROR)),
    (
        "error_after_preamble",
        "sends all that says nothing, then an error",
        all_of(end_with(0, EMPTY, COMMENT, EMPTY, ERROR), open_with(COMMENT, FILTERS)),
    ),
    ("nothing", "ends before the first event", only()),
    (
        "done_only",
        "sends [DONE] and nothing else",
        leave_out("opening", "words", "finish", "usage"),
    ),
    ("comments_then_end", "sends comments, then ends", only(*[COMMENT] * 5)),
    ("role_then_end", "sends its role, then ends", end_with(0)),
    ("malformed_first", "sends something that is not JSON", only(NOT_JSON)),
)

AFTER_CONTENT = table(
    BROKEN,
    ("error_after_words", "sends an error after some words", end_with(WORDS, ERROR)),
    ("error_tgi_after_words", "sends TGI's error after some words", end_with(WORDS, ERROR_TGI)),
    (
        "error_in_chunk",
        "sends an error within a chunk after some words",
        end_with(WORDS, ERROR_IN_CHUNK),
    ),
    ("finish_error", "finishes for the reason error", finish_as("error")),
    ("end_after_words", "ends after some words", end_with(WORDS)),
    ("done_without_finish", "leaves out the finish reason", leave_out("finish", "usage")),
    ("neither", "leaves out the finish reason and [DONE]", leave_out("finish", "usage", "done")),
    ("malformed_events", "sends two bad events among good ones", between(NOT_JSON, NOT_JSON)),
    ("half_json", "ends within an event", end_with(WORDS, HALF_JSON)),
    ("half_json_event", "ends with half an event", end_with(WORDS, HALF_JSON + b"\n\n")),
    (
        "finish_unterminated",
        "leaves out the blank line after the finish",
        all_of(leave_out("usage", "done"), rewrite(lambda text: text[:-1])),
    ),
)

ODD_HAND = table(
    SERVED,
    ("bom", "begins with a byte order mark", rewrite(lambda text: b"\xef\xbb\xbf" + text)),
    ("cr", "ends its lines with CR", rewrite(lambda text: text.replace(b"\n", b"\r"))),
    ("crlf", "ends its lines with CRLF", rewrite(lambda text: text.replace(b"\n", b"\r\n"))),
    ("mixed_line_ends", "mixes line ends", rewrite(lambda text: text.replace(b"\n\n", b"\r\n\n"))),
    (
        "no_space",
        "leaves out the space after the colon",
        rewrite(lambda text: text.replace(b"data: ", b"data:")),
    ),
    ("ids", "numbers its events", rewrite(lambda text: text.replace(b"data:", b"id: 1\ndata:"))),
    (
        "blank_lines",
        "sends too many blank lines",
        rewrite(lambda text: text.replace(b"\n\n", b"\n\n\n\n")),
    ),
    ("many_lines", "writes JSON over many lines", each_event(in_many_lines)),
    ("retry_line", "sends retry:", open_with(b"retry: 3000\n\n")),
    ("ping", "sends events without data", between(b"event: ping\n\n")),
    ("ping_data", "sends pings with data", between(b'event: ping\ndata: {"type": "ping"}\n\n')),
    ("empty_data", "sends empty data", between(b"data:\n\n")),
    ("comments", "sends 1000 comments first", open_with(*[COMMENT] * 1000)),
    ("comments_between", "sends comments between words", between(COMMENT, COMMENT)),
    ("done_unterminated", "leaves out the last blank line", rewrite(lambda text: text.rstrip())),
    ("no_done", "leaves out [DONE]", leave_out("done")),
)

ODD_CONTENT = table(
    SERVED,
    ("preamble", "first sends all that says nothing", open_with(COMMENT, FILTERS, EMPTY)),
    (
        "role_everywhere",
        "repeats its role",
        each_delta(lambda delta: {"role": "assistant", **delta}),
    ),
    ("malformed_event", "sends one bad event among good ones", between(NOT_JSON)),
    ("null_choices", "sends null choices in between", between({"choices": None})),
    ("two_finishes", "finishes twice", lambda speech: replace(speech, finish=speech.finish * 2)),
    (
        "filtered",
        "says nothing, for its policy",
        all_of(finish_as("content_filter"), leave_out("words")),
    ),
    ("reasoning_content", "thinks first", think_first(reasoning_content="Hm.")),
    (
        "reasoning",
        "thinks first, in another field",
        think_first(reasoning="Hm.", reasoning_details=DETAILS),
    ),
    (
        "content_parts",
        "sends its words as parts",
        each_delta(
            lambda delta: (
                delta | {"content": [{"type": "text", "text": delta["content"]}]}
                if delta.get("content")
                else delta
            )
        ),
    ),
    ("unknown_fields", "adds fields", each_event(lambda event: event | {"obfuscation": "x"})),
    ("usage_at_the_finish", "counts tokens where it finishes", usage_at_the_finish),
    ("usage_missing", "counts no tokens", leave_out("usage")),
    ("usage_unasked", "counts tokens unasked", usage_unasked),
)

ODD_TOOL_CALLS = with_tools(
    ("tool_call", "calls a tool", all_of()),
    ("tool_index_missing", "does not number its tool call", each_tool_call(without("index"))),
    (
        "tool_index_null",
        "numbers its tool call null",
        each_tool_call(lambda call: call | {"index": None}),
    ),
    (
        "tool_index_one",
        "numbers its tool calls from one",
        each_tool_call(lambda call: call | {"index": 1}),
    ),
    (
        "tool_id_empty",
        "leaves the id of its tool call empty",
        each_tool_call(lambda call: call | {"id": ""}),
    ),
    ("tool_finish_stop", "finishes a tool call with stop", finish_as("stop")),
)

WIDE = telling(play_well, text="Grüße an die 世界, voilà 🌍 und 👩‍🚀.")
SIZES = (
    Fault("utf8", "cuts characters in pieces", SERVED, WIDE, write_bytes=1),
    Fault("one_byte", "sends one byte at a time", SERVED, play_well, write_bytes=1),
    Fault("big_event", "sends 1 MB in one event", SERVED, telling(play_well, text="x" * 10**6)),
    Fault("tiny_events", "sends 10,000 words", SERVED, telling(play_well, words=10_000)),
)

FAULTS = (
    *BEFORE_CONTENT,
    *AFTER_CONTENT,
    *ODD_HAND,
    *ODD_CONTENT,
    *ODD_TOOL_CALLS,
    *SIZES,
    Fault("done_then_open", "does not end after [DONE]", SERVED, done_then_open, True),
)
