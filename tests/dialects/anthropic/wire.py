"""Messages and their streams as Anthropic sends them, for the tests of who reads them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, TypeVar

import orjson
from anthropic._streaming import SSEDecoder
from anthropic.lib.streaming._messages import accumulate_event
from openai.lib.streaming.chat._completions import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from sidecar.core.sse import Event, Parser, encode
from sidecar.dialects.dialect import Json, Reader, Reading, Target
from sidecar.dialects.memory import Memory
from sidecar.dialects.presets import PRESETS

Cut = TypeVar("Cut", str, bytes)

USAGE = {"input_tokens": 43, "output_tokens": 7}
MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-5-5",
    "content": [],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": USAGE,
}
HI = {"type": "text", "text": "Hi"}
LOOK_UP = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {"q": "cats"}}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
REDACTED = {"type": "redacted_thinking", "data": "eHh4"}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"q": "x"}}

PING: Json = {"type": "ping"}
STOP: Json = {"type": "message_stop"}


def target(memory: Memory | None = None, **changes: Any) -> Target:
    """Claude, asked at second 7."""
    said = {"model": "claude-haiku-5-5", "seed": "s", "created": 7, **changes}
    return Target(
        provider="anthropic", preset=PRESETS["anthropic"], memory=memory or Memory(), **said
    )


def message(*blocks: Json, **fields: Any) -> Json:
    """A whole message."""
    return {**MESSAGE, "content": list(blocks), **fields}


def start(**fields: Any) -> Json:
    """How a stream starts."""
    said = {**MESSAGE, "stop_reason": None, "usage": {"input_tokens": 43, "output_tokens": 1}}
    return {"type": "message_start", "message": {**said, **fields}}


def block(index: int, begun: Json, *deltas: Json) -> list[Json]:
    """A block of a stream."""
    told = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    begin = {"type": "content_block_start", "index": index, "content_block": begun}
    return [begin, *told, {"type": "content_block_stop", "index": index}]


def text(*pieces: str, index: int = 0) -> list[Json]:
    """A block of text."""
    return block(index, {"type": "text", "text": ""}, *map(text_delta, pieces))


def tool(*pieces: str, index: int = 0, **fields: Any) -> list[Json]:
    """A block that calls a tool."""
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return block(index, {**LOOK_UP, "input": {}, **fields}, *deltas)


def thinking(*pieces: str, index: int = 0, signature: str = "c2ln") -> list[Json]:
    """A block of thinking."""
    deltas: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    signed = {"type": "signature_delta", "signature": signature}
    return block(index, {"type": "thinking", "thinking": "", "signature": ""}, *deltas, signed)


def deep() -> Json:
    """What can be read, and is nested deeper than it can be written."""
    nested: Json = {}
    for _ in range(1000):
        nested = {"q": nested}
    return nested


def text_delta(piece: str) -> Json:
    return {"type": "text_delta", "text": piece}


def end(reason: str | None = "end_turn", usage: Json = USAGE, **fields: Any) -> Json:
    """How a stream says why the answer ends."""
    delta = {"stop_reason": reason, "stop_sequence": None, **fields}
    return {"type": "message_delta", "delta": delta, "usage": usage}


def sse(*events: Json) -> bytes:
    """The bytes of a stream. Anthropic pads its data with blanks."""
    return b"".join([encode(orjson.dumps(one) + b"   ", one["type"].encode()) for one in events])


def event_of(said: Any) -> Event:
    return Event(orjson.dumps(said))


def readings(reader: Reader, events: Iterable[Json]) -> list[Reading]:
    return [reader.read(event_of(one)) for one in events]


def readings_of_bytes(reader: Reader, stream: bytes, cuts: Iterable[int] = ()) -> list[Reading]:
    """What a stream is read as that comes in pieces, cut at these places."""
    parser = Parser(10_000_000)
    return [reader.read(event) for piece in cut(stream, cuts) for event in parser.feed(piece)]


def cut(whole: Cut, places: Iterable[int]) -> list[Cut]:
    """`whole` in pieces."""
    ends = [0, *sorted(min(place, len(whole)) for place in places), len(whole)]
    return [whole[a:b] for a, b in pairwise(ends)]


def chunks_of(reader: Reader, read: Iterable[Reading]) -> list[Json]:
    """All that a stream says."""
    return [chunk for reading in read for chunk in reading.chunks] + list(reader.end())


def deltas_of(chunks: Iterable[Json]) -> list[Json]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def accumulated(chunks: Iterable[Json]) -> Json:
    """What OpenAI's client makes of chunks."""
    state = ChatCompletionStreamState()
    for chunk in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate(chunk))
    snapshot = state.current_completion_snapshot
    if snapshot.choices[0].finish_reason in ("stop", "tool_calls"):  # of others it makes errors
        return comparable(state.get_final_completion().to_dict(mode="json", warnings=False))
    return comparable(snapshot.to_dict(mode="json", warnings=False))


def comparable(completion: Any) -> Json:
    """What counts of a completion. Empty text is none; arguments count as what they mean."""
    choice = completion["choices"][0]
    said = choice["message"]
    calls = [
        (call["id"], call["function"]["name"], orjson.loads(call["function"]["arguments"]))
        for call in said.get("tool_calls") or ()
    ]
    return {
        **{name: completion.get(name) for name in ("id", "object", "created", "model", "usage")},
        **{name: said.get(name) or None for name in ("content", "refusal", "reasoning_content")},
        "role": said["role"],
        "calls": calls,
        "finish_reason": choice["finish_reason"],
    }


def heard(stream: bytes) -> Json:
    """What Anthropic's client makes of a stream. Raises what it raises for an error."""
    snapshot, texts = None, dict[int, bytes]()
    for one in SSEDecoder().iter_bytes(iter((stream,))):
        if one.event in (None, "ping"):
            continue
        assert one.event != "error", one.data
        snapshot = accumulate_event(event=one.json(), current_snapshot=snapshot, json_bufs=texts)
    assert snapshot is not None
    return snapshot.to_dict(mode="json", warnings=False)
