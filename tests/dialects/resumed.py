"""Answers that several providers give one after another, and what an application hears of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import orjson
from openai.lib.streaming.chat._completions import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from sidecar.core.answer import Judge, Move
from sidecar.core.outcome import Endpoint
from sidecar.core.sse import Event, Parser, encode
from sidecar.dialects.anthropic.side import AnthropicSide
from sidecar.dialects.dialect import Json, Reader, Reading, Writer, dumps
from sidecar.dialects.messages.answer import MessagesForChat
from sidecar.dialects.openai import SILENT, ChatReader
from sidecar.dialects.openai_application import ChatApplication
from sidecar.dialects.resumption import Continuation, Diverged, Told
from tests.dialects.anthropic import wire
from tests.dialects.messages.answers import THINKING
from tests.dialects.messages.answers import heard as message_heard
from tests.dialects.messages.requests import ASKED
from tests.dialects.responses import sdk

USER = {"role": "user", "content": "Hi"}
CHAT: Json = {"model": "m", "messages": [USER]}
ERROR = {"message": "it broke off", "type": "server_error", "param": None, "code": "truncated"}
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}

DONE = b"data: [DONE]\n\n"


def ids(table: Iterable[tuple[Any, ...]]) -> list[str]:
    return [str(row[0]) for row in table]


def calling(*turns: Json, **fields: Any) -> Json:
    return {"model": "m", "messages": [USER, *turns], **fields}


def assistant(content: Any, **said: Any) -> Json:
    return {"role": "assistant", "content": content, **said}


def chunk(*choices: Json, id: str = "c1", **fields: Any) -> Json:  # noqa: A002  as it is called
    """A chunk of chat."""
    shared = {"id": id, "object": "chat.completion.chunk", "created": len(id), "model": f"m-{id}"}
    return {**shared, "choices": list(choices), **fields}


def delta(finish: object = None, index: int = 0, /, **said: Any) -> Json:
    """One choice of it."""
    return {"index": index, "delta": said, "finish_reason": finish}


def reading(*choices: Json, **fields: Any) -> Reading:
    """What an event says that holds such a chunk."""
    return ChatReader("s").read(Event(dumps(chunk(*choices, **fields))))


def told_of(*pieces: str, **fields: Any) -> Told:
    """What was heard of an answer that broke off after these words."""
    told = Told()
    for piece in pieces:
        told.note(reading(delta(content=piece), **fields))
    return told


def events_of(stream: bytes) -> list[Event]:
    return Parser(10_000_000).feed(stream)


def chat_stream(pieces: Iterable[str], name: str, *, whole: bool) -> bytes:
    """OpenAI's way to say these words, thinking before and counting after."""
    said = [delta(role="assistant", content=""), delta(reasoning_content="Hm")]
    said += [delta(content=piece) for piece in pieces]
    chunks = [chunk(one, id=name) for one in (*said, *[delta("stop")] * whole)]
    chunks += [chunk(id=name, usage=USAGE)] * whole
    return sse(chunks) + DONE * whole


def messages_stream(pieces: Iterable[str], name: str, *, whole: bool) -> bytes:
    """Anthropic's way."""
    said = [*wire.thinking("Hm"), *wire.text(*pieces, index=1)]
    if not whole:  # it broke off within the text
        return wire.sse(wire.start(id=name), wire.PING, *said[:-1])
    return wire.sse(wire.start(id=name), wire.PING, *said, wire.end(), wire.STOP)


def completion_stream(pieces: Iterable[str], name: str, *, whole: bool) -> bytes:
    """The old way, without chat."""
    said: list[Json] = [{"index": 0, "text": piece, "finish_reason": None} for piece in pieces]
    said += [{"index": 0, "text": "", "finish_reason": "stop"}] * whole
    return sse(chunk(one, id=name, object="text_completion") for one in said) + DONE * whole


def sse(chunks: Iterable[Json]) -> bytes:
    return b"".join([encode(orjson.dumps(one)) for one in chunks])


def chat_reader() -> Reader:
    return ChatReader("s1")


def messages_reader() -> Reader:
    return AnthropicSide(CHAT, wire.target()).reader()


class Stream(Protocol):
    """How an answer is streamed by whom we call `name`."""

    def __call__(self, pieces: Iterable[str], name: str, *, whole: bool) -> bytes:
        """All of it, or what there is until it breaks off after the last piece."""
        ...


class Format(NamedTuple):
    """How a provider speaks."""

    stream: Stream
    reader: Callable[[], Reader]

    def events(self, pieces: Iterable[str], name: str = "c2", *, whole: bool = True) -> list[Event]:
        """The events of its stream."""
        return events_of(self.stream(pieces, name, whole=whole))


OPENAI = Format(chat_stream, chat_reader)
ANTHROPIC = Format(messages_stream, messages_reader)
LEGACY = Format(completion_stream, chat_reader)


class Shell:
    """Writes an answer for one application, whoever gives it, and notes what was written."""

    def __init__(self, writer: Writer) -> None:
        self.told = Told()
        self._writer = writer
        self._written: list[bytes] = []

    def say(self, reader: Reader, events: Sequence[Event]) -> None:
        """Write what the events say; they need not be all. Raises `AnswerFailed`."""
        judge = Judge()
        for event in events:
            read = reader.read(event)
            move = judge.judge(read.piece, len(event.data))
            if move is not Move.DROP:
                self._write(read)
            if move is Move.END:
                self._write(Reading(SILENT, reader.end()))
                self._written.append(self._writer.end())

    def go_on(self, form: Format, events: Sequence[Event], *, prefilled: bool = False) -> None:
        """The same for who goes on. Raises `Diverged`."""
        self.say(Continuation(form.reader(), self.told, prefilled=prefilled), events)

    def stream(self) -> bytes:
        """All that was written."""
        return b"".join(self._written)

    def broken(self) -> bytes:
        """The same, and that nobody goes on."""
        return self.stream() + self._writer.broken(ERROR)

    def _write(self, read: Reading) -> None:
        self._written.append(self._writer.write(read))
        self.told.note(read)


def diverges(shell: Shell, form: Format, events: Sequence[Event]) -> bool:
    """Whether the answer is another one."""
    try:
        shell.go_on(form, events)
    except Diverged:
        return True
    return False


def heard(reader: Reader, events: Sequence[Event]) -> str:
    """The text that is new in `events`."""
    chunks = [one for event in events for one in reader.read(event).chunks]
    return "".join(
        [choice["delta"].get("content", "") for one in chunks for choice in one["choices"]]
    )


class Application(NamedTuple):
    """Who asked, and what it hears: of a whole stream, and of a broken one."""

    writer: Callable[[], Writer]
    heard: Callable[[bytes], str]
    heard_broken: Callable[[bytes], str]


def chunks_in(stream: bytes) -> list[Json]:
    """The chunks of a chat stream, all of one answer that begins, ends and counts once."""
    *said, done = [event.data for event in events_of(stream)]
    assert done == b"[DONE]"
    chunks: list[Json] = [orjson.loads(one) for one in said]
    assert len({(one["id"], one["created"]) for one in chunks}) == 1
    deltas = wire.deltas_of(chunks)
    choices = [choice for one in chunks for choice in one["choices"]]
    assert [one["role"] for one in deltas if "role" in one] == ["assistant"]
    assert [one for one in deltas if one.get("reasoning_content")] == [{"reasoning_content": "Hm"}]
    assert [one["finish_reason"] for one in choices if one["finish_reason"]] == ["stop"]
    assert [one["usage"]["completion_tokens"] for one in chunks if one.get("usage")] == [7]
    return chunks


def chat_heard(stream: bytes) -> str:
    """What OpenAI's client puts together."""
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for one in chunks_in(stream):
        state.handle_chunk(ChatCompletionChunk.model_validate(one))
    return state.get_final_completion().choices[0].message.content or ""


def chat_heard_broken(stream: bytes) -> str:
    *said, error = [orjson.loads(event.data) for event in events_of(stream)]
    assert error == {"error": ERROR}
    return "".join([one.get("content") or "" for one in wire.deltas_of(said)])


def messages_heard(stream: bytes) -> str:
    message = message_heard(stream)
    *thoughts, words = message["content"]
    assert [one["thinking"] for one in thoughts] in ([], ["Hm"])
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("end_turn", 7)
    return str(words["text"])


def messages_heard_broken(stream: bytes) -> str:
    said = [orjson.loads(event.data) for event in events_of(stream)]
    assert said[-1]["type"] == "error"
    deltas = [one["delta"] for one in said if one["type"] == "content_block_delta"]
    return "".join([one.get("text", "") for one in deltas])


def responses_heard(stream: bytes) -> str:
    response = sdk.final(stream)
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.usage is not None
    assert (response.status, response.usage.output_tokens) == ("completed", 7)
    return response.output_text


def responses_heard_broken(stream: bytes) -> str:
    events = [orjson.loads(event.data) for event in events_of(stream)]
    assert events[-1] == {"error": ERROR}
    output = events[-2]["response"]["output"]
    return "".join(part["text"] for item in output for part in item.get("content", ()))


def completion_heard(stream: bytes) -> str:
    *said, done = [event.data for event in events_of(stream)]
    assert done == b"[DONE]"
    return "".join([orjson.loads(one)["choices"][0]["text"] for one in said])


def completion_heard_broken(stream: bytes) -> str:
    *said, error = [orjson.loads(event.data) for event in events_of(stream)]
    assert error == {"error": ERROR}
    return "".join([one["choices"][0]["text"] for one in said])


CHATTING = Application(
    ChatApplication(Endpoint.CHAT, wants_usage=True).writer, chat_heard, chat_heard_broken
)
COMPLETING = Application(
    ChatApplication(Endpoint.COMPLETIONS, wants_usage=False).writer,
    completion_heard,
    completion_heard_broken,
)
APPLICATIONS = {
    "chat": CHATTING,
    "messages": Application(
        lambda: MessagesForChat(ASKED, "s").writer(), messages_heard, messages_heard_broken
    ),
    "messages with thoughts": Application(
        lambda: MessagesForChat(THINKING, "s").writer(), messages_heard, messages_heard_broken
    ),
    "responses": Application(
        lambda: sdk.application().writer(), responses_heard, responses_heard_broken
    ),
}
