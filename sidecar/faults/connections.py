"""Faults below HTTP: connections that break, fall silent, or speak something else."""

from __future__ import annotations

from collections.abc import Iterator

from sidecar.faults.answer import Scene
from sidecar.faults.changes import WORDS
from sidecar.faults.fault import (
    LET_READ,
    Effect,
    Fault,
    Script,
    begin,
    break_off,
    open_answer,
    play_well,
    telling,
)
from sidecar.faults.steps import Close, Reset, Send, Step, Wait
from sidecar.faults.wire import chunk

OVER, BROKEN, SERVED = Effect.FAILS_OVER, Effect.INTERRUPTED, Effect.SERVED
COMMENT = chunk(b": keep-alive\n\n")
SPACE = chunk(b"\n")  # what keeps a connection awake where the answer is JSON
MAX_COMMENTS = 100_000  # nobody waits as long: a script must end


def only(*steps: Step) -> Script:
    """A script that looks at nothing."""
    return lambda _scene: steps


def comments_only(every_s: float = 0.05) -> Fault:
    """Headers, then comments for as long as somebody listens."""

    def script(scene: Scene) -> Iterator[Step]:
        yield open_answer(scene)
        sign_of_life = Send(COMMENT if scene.streams else SPACE)
        for _ in range(MAX_COMMENTS):
            yield sign_of_life
            yield Wait(every_s)

    return Fault("comments_only", "sends headers, then comments for ever", OVER, script)


def slow_first_token(after_s: float = 0.3) -> Fault:
    """Headers at once where it streams, the first word much later."""
    script = telling(play_well, first_after_s=after_s)
    return Fault("slow_first_token", "takes its time for the first word", SERVED, script)


def slow_words(delay_s: float = 0.05) -> Fault:
    """Word after word, slowly."""
    return Fault(
        "slow_words", "takes its time for every word", SERVED, telling(play_well, delay_s=delay_s)
    )


def stall(after_words: int = WORDS) -> Fault:
    """Some words, then silence on an open connection."""
    script = break_off(after_words, Wait())
    return Fault("stall", "falls silent in the middle of the answer", BROKEN, script)


def cut(after_words: int = WORDS) -> Fault:
    """Some words, then the connection is closed in good order, the body unfinished."""
    script = break_off(after_words, LET_READ, Close())
    return Fault("cut", "closes in the middle of the answer", BROKEN, script)


def reset(after_words: int = WORDS) -> Fault:
    """Some words, then the connection is reset."""
    script = break_off(after_words, LET_READ, Reset())
    return Fault("reset", "resets in the middle of the answer", BROKEN, script)


REFUSE = Fault("refuse", "refuses the connection", OVER, only(Reset()), refuses=True)

FAULTS = (
    REFUSE,
    Fault("accept_close", "accepts, then closes at once", OVER, only(Close()), on_accept=True),
    Fault("accept_reset", "accepts, then resets at once", OVER, only(Reset()), on_accept=True),
    Fault("close_before_headers", "reads the call, then closes", OVER, only(Close())),
    Fault("reset_before_headers", "reads the call, then resets", OVER, only(Reset())),
    Fault(
        "half_header",
        "closes in the middle of a header",
        OVER,
        only(Send(b"HTTP/1.1 200 OK\r\ncontent-ty"), Close()),
    ),
    Fault(
        "half_header_stall",
        "falls silent in the middle of a header",
        OVER,
        only(Send(b"HTTP/1.1 200 OK\r\ncontent-ty"), Wait()),
    ),
    Fault(
        "garbage",
        "answers something that is not HTTP",
        OVER,
        only(Send(b"\x16\x03\r\n\r\n"), Close()),
    ),
    Fault("silence", "never answers", OVER, only(Wait())),
    Fault("headers_then_silence", "sends headers and nothing else", OVER, begin(Wait())),
    Fault("headers_then_close", "closes after the headers", OVER, begin(Close())),
    Fault(
        "bad_chunk",
        "breaks the framing of the body",
        OVER,
        begin(Send(b"no-size\r\n"), Close()),
    ),
    comments_only(),
    slow_first_token(),
    slow_words(),
    stall(),
    cut(),
    reset(),
    Fault(
        "tool_call_cut",
        "closes in the middle of a tool call",
        BROKEN,
        telling(break_off(WORDS, LET_READ, Close()), calls_tool=True),
    ),
)
