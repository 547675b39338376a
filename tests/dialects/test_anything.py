"""No JSON is too odd to be read: what a provider sends never breaks the sidecar."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.answer import AnswerFailed, Judge, Move, Piece
from sidecar.core.outcome import Endpoint
from sidecar.dialects.openai import StreamReader, read_usage
from sidecar.dialects.openai_whole import as_stream, read_answer

NAMES = st.sampled_from(
    (
        *("choices", "delta", "message", "content", "index", "finish_reason", "tool_calls", "id"),
        *("function", "name", "role", "usage", "prompt_tokens", "prompt_tokens_details", "error"),
        *("cached_tokens", "text", "type", "reasoning", "data", "code", "details", "param"),
    )
)
WORDS = st.sampled_from(("stop", "error", "content_filter", "assistant", "t1", "", "text"))
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
CHOICES = st.lists(st.dictionaries(NAMES, ODD, max_size=5) | ODD, max_size=3)
CHUNKS = ODD | st.fixed_dictionaries({"choices": CHOICES}, optional={"usage": ODD, "error": ODD})


@given(st.lists(CHUNKS, min_size=1, max_size=4))
def test_any_stream_of_json_is_read(chunks: list[object]) -> None:
    reader, judge = StreamReader("s"), Judge()

    for chunk in chunks:
        piece, data = reader.read(orjson.dumps(chunk))
        assert isinstance(piece, Piece)
        orjson.loads(data)
        try:
            judge.judge(piece, len(data))
        except AnswerFailed:
            return


ENDPOINTS = st.sampled_from((Endpoint.CHAT, Endpoint.COMPLETIONS))


@given(answer=CHUNKS, endpoint=ENDPOINTS, fails=st.booleans())
def test_any_whole_json_is_an_answer_or_fails(
    answer: object, endpoint: Endpoint, fails: bool
) -> None:
    try:
        read = read_answer(orjson.dumps(answer), endpoint, filter_fails=fails)
        read_usage(read.get("usage"))
        stream = as_stream(read, endpoint, with_usage=True)
    except AnswerFailed:
        return
    assert moves(stream)[-1] is Move.END


def moves(stream: list[bytes]) -> list[Move]:
    """What becomes of a stream that was made from a whole answer."""
    reader, judge = StreamReader("s"), Judge()
    read = [reader.read(data) for data in (*stream, b"[DONE]")]
    return [judge.judge(piece, len(data)) for piece, data in read]
