"""Chat completions, whole and in chunks, and what Anthropic's own client makes of our words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import httpx2
import orjson
from anthropic import Anthropic
from anthropic.types import Message

from sidecar.core.answer import Piece
from sidecar.dialects.dialect import Answered, Json, Reading
from sidecar.dialects.messages.answer import MessagesForChat
from sidecar.dialects.messages.writer import MessagesWriter
from tests.dialects.messages.requests import ASKED, asked

SAID = Piece()
USAGE: Json = {
    "prompt_tokens": 20,
    "completion_tokens": 7,
    "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
COUNTED: Json = {
    "input_tokens": 12,
    "cache_read_input_tokens": 5,
    "cache_creation_input_tokens": 3,
    "output_tokens": 7,
    "output_tokens_details": {"thinking_tokens": 2},
}
THINKING = asked(thinking={"type": "adaptive"})


def call(arguments: Any = "", index: int = 0, **fields: Any) -> Json:
    """A tool call, or a piece of one."""
    return {"index": index, **fields, "function": {"name": "weather", "arguments": arguments}}


def begun(index: int = 0, name: str = "weather", arguments: str = "") -> Json:
    """How a streamed tool call begins."""
    told = {"name": name, "arguments": arguments}
    return {"index": index, "id": f"t{index}", "type": "function", "function": told}


def more(arguments: str, index: int = 0) -> Json:
    """How it goes on."""
    return {"index": index, "function": {"arguments": arguments}}


def chunk(finish: str | None = None, index: int = 0, **delta: Any) -> Json:
    """A chunk of a chat completion."""
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-1", "model": "m1", "choices": [choice]}


def counted(usage: Json) -> Json:
    """The chunk that says what an answer cost."""
    return {"id": "chatcmpl-1", "model": "m1", "choices": [], "usage": usage}


def completion(finish: str | None = "stop", usage: Any = None, **message: Any) -> Json:
    """A whole chat completion."""
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": "chatcmpl-1", "model": "m1", "choices": [choice], "usage": usage}


def written(answer: Json, fields: Json = ASKED) -> Json:
    """A whole answer as the application hears it."""
    body = MessagesForChat(fields, "s").write_answer(Answered(answer=answer))
    return dict(orjson.loads(body))


def streamed(answer: Json, fields: Json = ASKED) -> bytes:
    """The same as a stream."""
    return MessagesForChat(fields, "s").write_stream(Answered(answer=answer))


def writer(fields: Json = ASKED) -> MessagesWriter:
    return MessagesForChat(fields, "s").writer()


def written_chunks(chunks: Sequence[Json], fields: Json = ASKED) -> bytes:
    """A streamed answer as the application hears it."""
    writing = writer(fields)
    told = [writing.write(Reading(SAID, (one,))) for one in chunks]
    return b"".join((*told, writing.end()))


def events(stream: bytes) -> list[tuple[str, Json]]:
    """The events of a stream by their names."""
    return list(read_events(stream))


def read_events(stream: bytes) -> Iterator[tuple[str, Json]]:
    for event in stream.decode().split("\n\n")[:-1]:
        name, data = event.split("\n")
        yield name.removeprefix("event: "), orjson.loads(data.removeprefix("data: "))


class Heard:
    """Anthropic's client, given a stream to read."""

    def __init__(self) -> None:
        self._stream = b""
        transport = httpx2.MockTransport(self._answer)
        self._client = Anthropic(api_key="k", http_client=httpx2.Client(transport=transport))

    def _answer(self, _request: httpx2.Request) -> httpx2.Response:
        headers = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=headers, content=self._stream)

    def message(self, stream: bytes) -> Message:
        """What the client puts together from `stream`."""
        self._stream = stream
        asking: Any = ASKED
        with self._client.messages.stream(**asking) as told:
            return told.get_final_message()


HEARD = Heard()


def heard(stream: bytes) -> Json:
    """The message that Anthropic's client hears, every member of it allowed by its types."""
    return checked(HEARD.message(stream).to_dict())


def checked(message: Json) -> Json:
    """`message`, which Anthropic's types allow."""
    return Message.model_validate(message).model_dump(exclude_none=True)
