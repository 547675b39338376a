"""Streams that break, or end wrongly."""

from __future__ import annotations

from sidecar.faults.answer import Json
from sidecar.faults.changes import (
    WORDS,
    all_of,
    between,
    end_with,
    finish_as,
    leave_out,
    only,
    open_with,
    rewrite,
)
from sidecar.faults.fault import Effect, table
from sidecar.faults.refusals import FAILED, google, openai
from sidecar.faults.speech import data

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

BEFORE_CONTENT = table(
    Effect.FAILS_OVER,
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
    Effect.INTERRUPTED,
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

FAULTS = (*BEFORE_CONTENT, *AFTER_CONTENT)
