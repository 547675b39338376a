"""Streams put together, as whoever asked for no stream hears them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from sidecar.core.answer import Judge, Move, Piece
from sidecar.core.sse import Parser, encode
from sidecar.dialects.dialect import Answered, Json, ProviderSide, Reading
from sidecar.faults.answer import Answer, Scene
from sidecar.faults.healthy import body_of, speech_of
from sidecar.faults.speech import encode as on_the_wire
from sidecar.faults.wire import Call

DONE = b"data: [DONE]\n\n"
TOOL = {"type": "function", "function": {"name": "look_up"}}
ANSWERS = [
    ("one word", Answer(text="Yes")),
    ("many words", Answer(words=200)),
    ("a tool call", Answer(calls_tool=True)),
]


def put_together(side: ProviderSide, stream: bytes, choices: int = 1) -> Answered:
    """A stream, read and judged event by event, as a whole answer."""
    reader, judge, assembler = side.reader(), Judge(choices=choices), side.assembler()
    for event in Parser(1 << 30).feed(stream):
        reading = reader.read(event)
        move = judge.judge(reading.piece, len(event.data))
        if move is not Move.DROP:
            assembler.add(reading)
        if move is Move.END:
            break
    else:
        judge.end(done=False)
    assembler.add(Reading(Piece(), reader.end()))
    return assembler.answered()


def stream_of(chunks: Iterable[Any], end: bytes = DONE) -> bytes:
    """Chunks as bytes, with halves of letters as escapes, and NaN."""
    return b"".join([encode(json.dumps(chunk).encode()) for chunk in chunks]) + end


def scripted(path: str, answer: Answer) -> tuple[bytes, bytes]:
    """What a scripted provider answers to a call of `path`: whole, and as a stream."""
    asked: Json = {"model": "m", "tools": [TOOL]}
    counted = {**asked, "stream": True, "stream_options": {"include_usage": True}}
    whole, streamed = (
        Scene(name="gemini", call=Call(method="POST", path=f"/v1{path}", json=said), answer=answer)
        for said in (asked, counted)
    )
    return body_of(whole)[0], b"".join(map(on_the_wire, speech_of(streamed).events))


@st.composite
def pieces_of(draw: st.DrawFn, whole: str) -> list[str]:
    """A text cut anywhere; some pieces may be empty."""
    places = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=4)))
    return [whole[a:b] for a, b in pairwise([0, *places, len(whole)])]


@st.composite
def interleaved(draw: st.DrawFn, rows: list[list[Any]]) -> list[Any]:
    """The items of all rows in any order, but each row's in its own."""
    order = draw(st.permutations([at for at, row in enumerate(rows) for _ in row]))
    left = [iter(row) for row in rows]
    return [next(left[at]) for at in order]
