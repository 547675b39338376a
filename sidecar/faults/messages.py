"""What a healthy provider answers in the format of Anthropic's Messages."""

from __future__ import annotations

from typing import Any

import orjson

from sidecar.faults.answer import PROMPT_TOKENS, Json, Scene, arguments
from sidecar.faults.speech import Event, Speech, named


def message(scene: Scene) -> Json:
    """The words, or the tool call, as one message."""
    return {
        **start_of(scene),
        "content": [block(scene, full=True)],
        "stop_reason": stop_reason(scene),
        "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": len(scene.pieces)},
    }


def start_of(scene: Scene) -> Json:
    """The message before anything is said."""
    return {
        "id": f"msg_{scene.name}",
        "type": "message",
        "role": "assistant",
        "model": scene.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": 1},
    }


def stop_reason(scene: Scene) -> str:
    """Why the answer ends."""
    return "tool_use" if scene.tool else "end_turn"


def block(scene: Scene, *, full: bool) -> Json:
    """The only block: `full`, or as it begins."""
    if scene.tool:
        called = orjson.loads(arguments(scene)) if full else {}
        return {
            "type": "tool_use",
            "id": f"toolu_{scene.name}",
            "name": scene.tool,
            "input": called,
        }
    return {"type": "text", "text": "".join(scene.pieces) if full else ""}


def speech(scene: Scene) -> Speech:
    """The same as a stream."""
    begin = event("content_block_start", index=0, content_block=block(scene, full=False))
    stop = {"stop_reason": stop_reason(scene), "stop_sequence": None}
    usage = {"output_tokens": len(scene.pieces)}
    return Speech(
        opening=[event("message_start", message=start_of(scene)), begin, event("ping")],
        words=[event("content_block_delta", index=0, delta=delta) for delta in deltas(scene)],
        finish=[
            event("content_block_stop", index=0),
            event("message_delta", delta=stop, usage=usage),
        ],
        done=[event("message_stop")],
    )


def deltas(scene: Scene) -> list[Json]:
    """The words one by one, or what the tool is called with in pieces."""
    if not scene.tool:
        return [{"type": "text_delta", "text": piece} for piece in scene.pieces]
    said = arguments(scene)
    pieces = [said[at : at + 8] for at in range(0, len(said), 8)]
    return [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


def event(kind: str, **members: Any) -> Event:
    """An event that is named as its type."""
    return named(kind, {"type": kind, **members})
