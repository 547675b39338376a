"""Any message, whole and as one of the streams that tell it."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from hypothesis import strategies as st

from sidecar.dialects.dialect import Json
from tests.dialects.anthropic.wire import (
    LOOK_UP,
    PING,
    REDACTED,
    SEARCH,
    STOP,
    block,
    cut,
    end,
    message,
    sse,
    start,
    text_delta,
    thinking,
)


@dataclass(frozen=True)
class Told:
    """A message, and the events of its stream."""

    whole: Json
    events: list[Json]

    @property
    def stream(self) -> bytes:
        """The events as bytes."""
        return sse(*self.events)


@dataclass(frozen=True)
class Part:
    """A block of a message, whole and as it begins in a stream, with what is added to it there."""

    whole: Json
    begun: Json
    deltas: tuple[Json, ...] = ()


WORDS = st.text(st.characters(codec="utf-8"), max_size=8)
PIECES = st.lists(WORDS, max_size=4)
INPUTS = st.dictionaries(
    WORDS, WORDS | st.integers(-9, 9) | st.lists(WORDS, max_size=2), max_size=3
)
COUNTS = st.integers(0, 999)
STOPS = st.sampled_from(
    (
        *("end_turn", "stop_sequence", "tool_use", "max_tokens", "refusal", "pause_turn"),
        "model_context_window_exceeded",
    )
)
DETAILS = st.none() | st.fixed_dictionaries(
    {"type": st.just("refusal"), "category": st.none(), "explanation": st.none() | WORDS}
)


def text_part(prefilled: str, pieces: list[str]) -> Part:
    whole = {"type": "text", "text": prefilled + "".join(pieces)}
    return Part(whole, {"type": "text", "text": prefilled}, tuple(map(text_delta, pieces)))


def thinking_part(pieces: list[str], signature: str) -> Part:
    whole = {"type": "thinking", "thinking": "".join(pieces), "signature": signature}
    begun, *deltas, _ = thinking(*pieces, signature=signature)
    return Part(whole, begun["content_block"], tuple(one["delta"] for one in deltas))


def input_part(begun: Json, given: Json, cuts: list[int]) -> Part:
    """A tool's input, its JSON cut anywhere. Of an empty one perhaps nothing is sent."""
    said = orjson.dumps(given).decode() if given or cuts else ""
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in cut(said, cuts)]
    return Part({**begun, "input": given}, {**begun, "input": {}}, tuple(deltas))


def silent_part(whole: Json) -> Part:
    return Part(whole, whole)


def news_part(words: str) -> Part:
    news = {"type": "news", "text": words}
    return Part(news, news, ({"type": "news_delta", "text": words}, text_delta(words)))


CUTS = st.lists(st.integers(0, 40), max_size=4)
NAMES = st.sampled_from(("look_up", "answer", "other"))
CALLS = st.builds(
    lambda name, number: {**LOOK_UP, "name": name, "id": f"toolu_{number}"}, NAMES, COUNTS
)
PARTS = st.one_of(
    st.builds(text_part, WORDS, PIECES),
    st.builds(thinking_part, PIECES, st.sampled_from(("", "c2ln"))),
    st.builds(input_part, CALLS, INPUTS, CUTS),
    st.builds(input_part, st.just(SEARCH), INPUTS, CUTS),
    st.sampled_from((REDACTED, {"type": "container_upload", "file_id": "f"})).map(silent_part),
    st.builds(news_part, WORDS),
)


USAGES = st.fixed_dictionaries(
    {"input_tokens": COUNTS, "output_tokens": st.integers(1, 99)},  # for none there is no answer
    optional={"cache_read_input_tokens": COUNTS, "cache_creation_input_tokens": COUNTS},
)
NOISE = st.sampled_from((PING, start(id="msg_2")))


@st.composite
def told_messages(draw: st.DrawFn) -> Told:
    """Any message. Its stream holds pings and second starts anywhere."""
    parts = draw(st.lists(PARTS, max_size=5))
    reason, details, usage = draw(STOPS), draw(DETAILS), draw(USAGES)
    whole = message(
        *(part.whole for part in parts), stop_reason=reason, stop_details=details, usage=usage
    )
    told = [
        event
        for index, part in enumerate(parts)
        for event in block(index, part.begun, *part.deltas)
    ]
    told.append(end(reason, usage, stop_details=details))
    for noise in draw(st.lists(NOISE, max_size=3)):
        told.insert(draw(st.integers(0, len(told))), noise)
    return Told(whole, [start(), *told, STOP])
