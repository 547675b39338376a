"""The application's reader is strict: what looks whole and is not is a lie, and found out."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sidecar.drill.heard import JSON, SSE, Ending, Heard, ending_of, read_answer, told

TEXTS = {"first": "one two three", "second": "uno dos tres"}
DONE = b"data: [DONE]\n\n"
ERROR = {"error": {"message": "It broke.", "type": "server_error", "code": "transport"}}


def event(value: Any) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


def piece(text: str = "", finish: str | None = None, **delta: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text, **delta}, "finish_reason": finish}
    return event({"choices": [choice]})


WHOLE = piece("one") + piece(" two") + piece(" three")
STOP = piece(finish="stop")


def streamed(*events: bytes) -> Heard:
    return read_answer(200, SSE, b"".join(events))


@pytest.mark.parametrize(
    ("events", "ending"),
    [
        ((WHOLE, STOP, DONE), Ending.SERVED),
        ((b": keep-alive\n\n", WHOLE, b": a\n\n", STOP, DONE, b": b\n\n"), Ending.SERVED),
        ((piece("uno dos tres"), STOP, DONE), Ending.SERVED),
        ((piece("one"), STOP, DONE), Ending.LIE),
        ((piece("one"), piece("uno dos tres"), STOP, DONE), Ending.LIE),
        ((WHOLE, piece(" four"), STOP, DONE), Ending.LIE),
        ((STOP, DONE), Ending.LIE),
        ((piece("one"), event(ERROR)), Ending.INTERRUPTED),
        ((piece("one dos"), event(ERROR)), Ending.LIE),
        ((WHOLE, STOP, event(ERROR)), Ending.LIE),
        ((event(ERROR),), Ending.REFUSED),
        ((piece("one"), event(ERROR), DONE), Ending.BROKEN),
        ((piece("one"), event({"error": "It broke."})), Ending.BROKEN),
        ((piece("one"), event({"error": {"message": "It broke."}})), Ending.BROKEN),
        ((WHOLE, STOP), Ending.BROKEN),
        ((WHOLE, DONE), Ending.BROKEN),
        ((piece("one"),), Ending.BROKEN),
        ((), Ending.BROKEN),
        ((WHOLE, STOP, DONE, piece("more")), Ending.BROKEN),
        ((WHOLE, b"data: {oops}\n\n", STOP, DONE), Ending.BROKEN),
        ((WHOLE, b"event: ping\ndata: {}\n\n", STOP, DONE), Ending.BROKEN),
        ((WHOLE, event({"type": "ping"}), STOP, DONE), Ending.BROKEN),
        ((WHOLE, STOP, b"data: [DONE]\n"), Ending.BROKEN),
        ((WHOLE, event([ERROR])), Ending.BROKEN),
    ],
    ids=[
        *("whole", "whole with comments", "whole by another", "cut and completed"),
        *("two providers' words", "too much", "nothing"),
        *("an error in band", "an error after mixed words", "an error after the finish"),
        *("an error at once", "done after an error", "an error that is a text"),
        *("an error without a type", "no [DONE]", "no finish", "no end", "no event"),
        *("words after the end", "not JSON", "an event with a name", "no piece"),
        *("half of [DONE]", "an error in a list"),
    ],
)
def test_a_stream_ends_as(events: tuple[bytes, ...], ending: Ending) -> None:
    assert ending_of(streamed(*events), TEXTS) is ending


def whole(text: str, finish: str | None = "stop") -> bytes:
    message = {"role": "assistant", "content": text}
    return orjson.dumps({"choices": [{"message": message, "finish_reason": finish}]})


@pytest.mark.parametrize(
    ("status", "content_type", "body", "ending"),
    [
        (200, JSON, whole("one two three"), Ending.SERVED),
        (200, JSON, whole("one two"), Ending.LIE),
        (200, JSON, whole("one two three", None), Ending.BROKEN),
        (200, JSON, b'{"choices": []}', Ending.BROKEN),
        (200, JSON, b"", Ending.BROKEN),
        (503, JSON, orjson.dumps(ERROR), Ending.REFUSED),
        (503, JSON, b'[{"error": {"message": "m", "type": "t"}}]', Ending.BROKEN),
        (503, JSON, b'{"error": "text"}', Ending.BROKEN),
        (502, "text/html", b"<html>", Ending.BROKEN),
        (500, JSON, whole("one two three"), Ending.BROKEN),
    ],
    ids=[
        *("whole", "cut", "no finish", "no choices", "empty", "an error", "a list"),
        *("an error that is a text", "a page", "an answer with a bad status"),
    ],
)
def test_an_answer_in_one_piece_ends_as(
    status: int, content_type: str, body: bytes, ending: Ending
) -> None:
    assert ending_of(read_answer(status, content_type, body), TEXTS) is ending


def test_what_a_tool_is_called_with_is_read_in_pieces() -> None:
    calls = [[{"index": 0, "function": {"arguments": part}}] for part in ("one ", "two three")]

    heard = streamed(*(piece(tool_calls=call) for call in calls), STOP, DONE)

    assert ending_of(heard, TEXTS) is Ending.SERVED


def test_a_comment_may_name_the_provider() -> None:
    assert streamed(WHOLE, b": x-sidecar-provider: first\n\n", STOP, DONE).provider == "first"


@pytest.mark.parametrize(
    ("heard", "words"),
    [
        (streamed(WHOLE, STOP, DONE, b": x-sidecar-provider: first\n\n"), "served by first"),
        (streamed(piece("one two"), event(ERROR)), "2 words, then transport in band"),
        (streamed(event(ERROR)), "transport in band"),
        (read_answer(503, JSON, orjson.dumps(ERROR)), "503 transport"),
        (streamed(piece("one"), STOP, DONE), "1 words that are no whole answer and look like one"),
        (Heard(wrong="ServerDisconnectedError"), "0 words, then ServerDisconnectedError"),
    ],
    ids=["served", "in band", "at once", "refused", "a lie", "broken"],
)
def test_it_is_told_in_a_few_words(heard: Heard, words: str) -> None:
    assert told(heard, TEXTS) == words
