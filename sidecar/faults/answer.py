"""What a healthy provider answers in OpenAI's format: the same words every time."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import orjson

from sidecar.faults.wire import Call

Json = dict[str, Any]

CREATED = 1_800_000_000
PROMPT_TOKENS = 7
VECTOR = (0.5, -0.25, 0.125, 0.0)  # exact as float32, so that both encodings say the same
FILE = bytes(range(256))
CHAT = "/chat/completions"
COMPLETIONS = "/completions"
MESSAGES = "/messages"
RESPONSES = "/responses"
STREAMING = (COMPLETIONS, MESSAGES, RESPONSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the provider has to say, and how fast.

    `text` is "Hello from NAME." where it is empty; `words` repeats or cuts it to so many (0: as it
    is). The first word comes after `first_after_s`, each further one after `delay_s`; a call that
    does not stream waits as long for its whole answer. `calls_tool` calls the first tool of a
    request that brings tools. `goes_on`: where the request ends in an assistant's message that
    begins the text, only the rest of it is said.
    """

    text: str = ""
    words: int = 0
    first_after_s: float = 0.0
    delay_s: float = 0.0
    calls_tool: bool = False
    goes_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that a script may look at: who plays, what was asked, what there is to say."""

    name: str
    call: Call
    answer: Answer

    @property
    def asked(self) -> Json:
        """The request's JSON, empty where it is none."""
        return self.call.json if isinstance(self.call.json, dict) else {}

    @property
    def path(self) -> str:
        """The path without its query."""
        return self.call.path.partition("?")[0]

    @property
    def model(self) -> str:
        """The model asked for: the one that answers."""
        return str(self.asked.get("model", self.name))

    @property
    def streams(self) -> bool:
        """Whether the call wants a stream and can have one."""
        return self.asked.get("stream") is True and self.path.endswith(STREAMING)

    @property
    def tool(self) -> str | None:
        """The name of the function to call, if one is to be called."""
        tools = self.asked.get("tools") if self.answer.calls_tool else None
        return str(tools[0].get("function", tools[0])["name"]) if tools else None

    @property
    def pieces(self) -> list[str]:
        """The words to say, each with the space before it."""
        words = (self.answer.text or f"Hello from {self.name}.").split()
        said = islice(cycle(words), self.answer.words or len(words))
        pieces = [word if at == 0 else f" {word}" for at, word in enumerate(said)]
        return rest_of(pieces, self.begun) if self.answer.goes_on else pieces

    @property
    def begun(self) -> str:
        """What an assistant's message at the end of the request says already."""
        turns = self.asked.get("messages") or [{}]
        last = turns[-1] if isinstance(turns[-1], dict) else {}
        return text_of(last.get("content")) if last.get("role") == "assistant" else ""

    @property
    def finish(self) -> str:
        """Why the answer ends."""
        return "tool_calls" if self.tool else "stop"

    @property
    def usage(self) -> Json:
        """Tokens, one for each word of the answer."""
        said = len(self.pieces)
        counted = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": said}
        return counted | {"total_tokens": PROMPT_TOKENS + said}


def text_of(content: object) -> str:
    """The text of a message, also where it comes in parts."""
    if isinstance(content, list):
        return "".join(text_of(part.get("text")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def rest_of(pieces: list[str], begun: str) -> list[str]:
    """What is left to say; everything, where `begun` is not how it begins."""
    whole, begun = "".join(pieces), begun.rstrip()
    if not begun or not whole.startswith(begun):
        return pieces
    return re.findall(r"\s*\S+", whole[len(begun) :])


def chat_completion(scene: Scene) -> Json:
    """The words, or the tool call, as one message."""
    message: Json = {"role": "assistant", "content": "".join(scene.pieces), "refusal": None}
    if scene.tool:
        function = {"name": scene.tool, "arguments": arguments(scene)}
        call = {"id": f"call_{scene.name}", "type": "function", "function": function}
        message |= {"content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": scene.finish, "logprobs": None}
    return {**envelope(scene, "chat.completion"), "choices": [choice], "usage": scene.usage}


def completion(scene: Scene) -> Json:
    """The words as one text."""
    choice = {"index": 0, "text": "".join(scene.pieces), "finish_reason": "stop", "logprobs": None}
    return {**envelope(scene, "text_completion"), "choices": [choice], "usage": scene.usage}


def embeddings(scene: Scene) -> Json:
    """One and the same vector for each input, as floats or in base64 as asked."""
    asked = scene.asked.get("input", "")
    packed = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
    vector = packed if scene.asked.get("encoding_format") == "base64" else VECTOR
    count = len(asked) if isinstance(asked, list) else 1
    data = [{"object": "embedding", "index": at, "embedding": vector} for at in range(count)]
    usage = {"prompt_tokens": PROMPT_TOKENS, "total_tokens": PROMPT_TOKENS}
    return {"object": "list", "data": data, "model": scene.model, "usage": usage}


def models(scene: Scene) -> Json:
    """A list of one."""
    entry = {"id": f"{scene.name}-model", "object": "model", "created": CREATED}
    return {"object": "list", "data": [{**entry, "owned_by": scene.name}]}


def echo(scene: Scene) -> Json:
    """What came in: shows whether a call was passed through untouched."""
    call = scene.call
    return {
        "provider": scene.name,
        "method": call.method,
        "path": call.path,
        "headers": call.headers,
        "sha256": hashlib.sha256(call.body).hexdigest(),
        "size": len(call.body),
    }


def arguments(scene: Scene) -> str:
    """What the tool is called with: JSON, as a string."""
    return orjson.dumps({"text": "".join(scene.pieces)}).decode()


def envelope(scene: Scene, kind: str) -> Json:
    """What every answer of either kind carries."""
    chat = scene.path.endswith(CHAT)
    return {
        "id": f"{'chatcmpl' if chat else 'cmpl'}-{scene.name}",
        "object": kind if chat else "text_completion",
        "created": CREATED,
        "model": scene.model,
    }
