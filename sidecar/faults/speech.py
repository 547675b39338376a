"""The streamed answer of a healthy provider, in parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain

import orjson

from sidecar.faults.answer import CHAT, Json, Scene, arguments, envelope

Event = Json | bytes  # bytes go on the wire as they are

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """All that is sent, so that a fault can leave out, change or add a part."""

    opening: list[Event] = field(default_factory=list)
    words: list[Event] = field(default_factory=list)
    finish: list[Event] = field(default_factory=list)
    usage: list[Event] = field(default_factory=list)
    done: list[Event] = field(default_factory=list)

    @property
    def events(self) -> list[Event]:
        """All of it in order."""
        return list(chain(self.opening, self.words, self.finish, self.usage, self.done))


def chat_speech(scene: Scene) -> Speech:
    """The stream that a healthy provider sends."""
    chat = scene.path.endswith(CHAT)
    deltas = tool_deltas(scene) if chat and scene.tool else text_deltas(scene)
    options = scene.asked.get("stream_options") or {}
    usage = {**chunk_of(scene), "choices": [], "usage": scene.usage}
    return Speech(
        opening=[chunk_of(scene, {"role": "assistant", "content": ""})] if chat else [],
        words=[chunk_of(scene, delta) for delta in deltas],
        finish=[chunk_of(scene, {}, scene.finish if chat else "stop")],
        usage=[usage] if options.get("include_usage") else [],
        done=[DONE],
    )


def chunk_of(scene: Scene, delta: Json | None = None, finish: str | None = None) -> Json:
    """One event of the stream, for either endpoint."""
    choice: Json = {"index": 0, "finish_reason": finish, "logprobs": None}
    if scene.path.endswith(CHAT):
        choice["delta"] = delta or {}
    else:
        choice["text"] = (delta or {}).get("content", "")
    chunk = {**envelope(scene, "chat.completion.chunk"), "choices": [choice]}
    asks_usage = (scene.asked.get("stream_options") or {}).get("include_usage")
    return {**chunk, "usage": None} if asks_usage else chunk


def text_deltas(scene: Scene) -> list[Json]:
    """The words, one each."""
    return [{"content": piece} for piece in scene.pieces]


def tool_deltas(scene: Scene) -> list[Json]:
    """The head of a tool call, then its arguments piece by piece."""
    function = {"name": scene.tool, "arguments": ""}
    first = {"index": 0, "id": f"call_{scene.name}", "type": "function", "function": function}
    said = arguments(scene)
    pieces = [said[at : at + 8] for at in range(0, len(said), 8)]
    rest = [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
    return [{"tool_calls": [call]} for call in (first, *rest)]


def encode(event: Event) -> bytes:
    """An event as it goes on the wire."""
    return event if isinstance(event, bytes) else data(event)


def named(name: str, value: Json) -> bytes:
    """JSON as a server-sent event with a name."""
    return b"event: %b\n%b" % (name.encode(), data(value))


def data(value: Json | list[Json]) -> bytes:
    """JSON as a server-sent event."""
    return b"data: " + orjson.dumps(value) + b"\n\n"
