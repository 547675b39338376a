"""What a healthy provider answers, in the format of the path that it is asked at."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from sidecar.faults import messages, responses
from sidecar.faults.answer import (
    CHAT,
    COMPLETIONS,
    FILE,
    MESSAGES,
    RESPONSES,
    Json,
    Scene,
    chat_completion,
    completion,
    echo,
    embeddings,
    models,
)
from sidecar.faults.speech import Speech, chat_speech

BODIES: dict[str, Callable[[Scene], Json]] = {
    CHAT: chat_completion,
    COMPLETIONS: completion,
    MESSAGES: messages.message,
    RESPONSES: responses.response,
    "/embeddings": embeddings,
    "/models": models,
}
SPEECHES: dict[str, Callable[[Scene], Speech]] = {
    MESSAGES: messages.speech,
    RESPONSES: responses.speech,
}


def body_of(scene: Scene) -> tuple[bytes, str]:
    """The body of an answer that is not streamed, and its content type."""
    if scene.call.method == "GET" and scene.path.endswith("/content"):
        return FILE, "application/octet-stream"
    tell = next((tell for path, tell in BODIES.items() if scene.path.endswith(path)), echo)
    return orjson.dumps(tell(scene)), "application/json"


def speech_of(scene: Scene) -> Speech:
    """The stream of an answer."""
    found = (speech for path, speech in SPEECHES.items() if scene.path.endswith(path))
    return next(found, chat_speech)(scene)
