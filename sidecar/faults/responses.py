"""What a healthy provider answers in the format of OpenAI's Responses."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from sidecar.faults.answer import CREATED, PROMPT_TOKENS, Json, Scene, arguments
from sidecar.faults.speech import Event, Speech, named


def response(scene: Scene) -> Json:
    """The words, or the tool call, as one response."""
    return {**start_of(scene), "status": "completed", "output": [item(scene)], "usage": used(scene)}


def start_of(scene: Scene) -> Json:
    """The response before anything is said."""
    return {
        "id": f"resp_{scene.name}",
        "object": "response",
        "created_at": CREATED,
        "model": scene.model,
        "status": "in_progress",
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "error": None,
    }


def used(scene: Scene) -> Json:
    """Tokens, one for each word of the answer."""
    said = len(scene.pieces)
    return {
        "input_tokens": PROMPT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": PROMPT_TOKENS + said,
    }


def item(scene: Scene) -> Json:
    """The only output item, complete."""
    if scene.tool:
        called = {"name": scene.tool, "arguments": arguments(scene)}
        return {**called_item(scene), **called, "status": "completed"}
    text = {"type": "output_text", "text": "".join(scene.pieces), "annotations": []}
    return {**message_item(scene), "content": [text], "status": "completed"}


def called_item(scene: Scene) -> Json:
    """A tool call as it begins."""
    return {
        "id": f"fc_{scene.name}",
        "call_id": f"call_{scene.name}",
        "type": "function_call",
        "name": scene.tool,
        "arguments": "",
        "status": "in_progress",
    }


def message_item(scene: Scene) -> Json:
    """A message as it begins."""
    return {
        "id": f"msg_{scene.name}",
        "type": "message",
        "role": "assistant",
        "status": "in_progress",
        "content": [],
    }


class Numbered:
    """Makes the events of one stream, each with its number."""

    def __init__(self) -> None:
        self._numbers = count()

    def event(self, kind: str, **members: Any) -> Event:
        """The next event."""
        return named(kind, {"type": kind, "sequence_number": next(self._numbers), **members})


def speech(scene: Scene) -> Speech:
    """The same as a stream."""
    event = Numbered().event
    opening = [
        event("response.created", response=start_of(scene)),
        event("response.in_progress", response=start_of(scene)),
    ]
    said = called_speech(scene, event) if scene.tool else text_speech(scene, event)
    done = event("response.output_item.done", output_index=0, item=item(scene))
    return Speech(
        opening=[*opening, *said.opening],
        words=said.words,
        finish=[*said.finish, done],
        done=[event("response.completed", response=response(scene))],
    )


def called_speech(scene: Scene, event: Callable[..., Event]) -> Speech:
    """The tool call alone."""
    place, kind = {"output_index": 0, "item_id": f"fc_{scene.name}"}, "function_call_arguments"
    called = arguments(scene)
    return Speech(
        words=[
            event("response.output_item.added", output_index=0, item=called_item(scene)),
            event(f"response.{kind}.delta", **place, delta=called),
        ],
        finish=[event(f"response.{kind}.done", **place, name=scene.tool, arguments=called)],
    )


def text_speech(scene: Scene, event: Callable[..., Event]) -> Speech:
    """The words alone."""
    place = {"output_index": 0, "content_index": 0, "item_id": f"msg_{scene.name}"}
    part, full = {"type": "output_text", "text": "", "annotations": []}, "".join(scene.pieces)
    return Speech(
        opening=[
            event("response.output_item.added", output_index=0, item=message_item(scene)),
            event("response.content_part.added", **place, part=part),
        ],
        words=[
            event("response.output_text.delta", **place, delta=piece, logprobs=[])
            for piece in scene.pieces
        ],
        finish=[
            event("response.output_text.done", **place, text=full, logprobs=[]),
            event("response.content_part.done", **place, part={**part, "text": full}),
        ],
    )
