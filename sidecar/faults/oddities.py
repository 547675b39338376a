"""Streams that are good, and only written in an unusual hand: nothing that should fail over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sidecar.faults.answer import Scene
from sidecar.faults.changes import (
    all_of,
    between,
    each_delta,
    each_event,
    each_tool_call,
    finish_as,
    in_many_lines,
    leave_out,
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
    table,
    telling,
)
from sidecar.faults.healthy import speech_of
from sidecar.faults.steps import Step, Wait
from sidecar.faults.streams import COMMENT, EMPTY, FILTERS, NOT_JSON

SERVED = Effect.SERVED
DETAILS = [{"type": "reasoning.text", "text": "Hm."}]


def done_then_open(scene: Scene) -> Iterator[Step]:
    """Everything, `[DONE]` too, and then the body does not end."""
    if not scene.streams:
        yield from play_well(scene)
        return
    yield open_answer(scene)
    yield from send(speech_of(scene).events)
    yield Wait()


def with_tools(*rows: tuple[str, str, Change]) -> tuple[Fault, ...]:
    """Odd tool calls, for requests that bring tools."""
    return tuple(
        Fault(name, does, SERVED, telling(stream(change), calls_tool=True), True)
        for name, does, change in rows
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
    ("many_lines", "writes JSON over many lines", rewrite(in_many_lines)),
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
    *ODD_HAND,
    *ODD_CONTENT,
    *ODD_TOOL_CALLS,
    *SIZES,
    Fault("done_then_open", "does not end after [DONE]", SERVED, done_then_open, True),
)
