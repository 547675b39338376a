"""Streams of a Response as the openai SDK reads them, and chat chunks to make them of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import httpx2
import orjson
from openai import BaseModel, OpenAI, omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.chat import completion_create_params
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from sidecar.core.sse import Event, Parser
from sidecar.dialects.dialect import Answered, Json, Reading, Target
from sidecar.dialects.memory import Memory
from sidecar.dialects.openai import SILENT
from sidecar.dialects.presets import PRESETS
from sidecar.dialects.responses.answer import ResponsesForChat
from sidecar.dialects.responses.native import NativeResponses
from sidecar.dialects.responses.request import to_chat

USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 7,
    "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
ERROR = {"message": "it broke off", "type": "server_error", "param": None, "code": "truncated"}
CHAT: TypeAdapter[Any] = TypeAdapter(completion_create_params.CompletionCreateParams)
TYPES: dict[str, type[BaseModel]] = {
    get_args(model.model_fields["type"].annotation)[0]: model
    for model in get_args(get_args(ResponseStreamEvent)[0])
}


def application(**fields: Any) -> ResponsesForChat:
    """Who asked for a Response of `smart`."""
    return ResponsesForChat({"model": "smart", "input": "Hi", **fields}, "gemini", "s1", 1700)


def native(fields: Json | None = None, **target: Any) -> NativeResponses:
    """A call of a provider that has the Responses API."""
    defaults: Json = {
        "provider": "openai",
        "preset": PRESETS["openai"],
        "model": "gpt-5",
        "seed": "s1",
        "created": 1700,
        "memory": Memory(),
    }
    return NativeResponses(fields or {"model": "smart"}, Target(**{**defaults, **target}))


def chat(**fields: Any) -> Json:
    """The request as a chat request that the SDK has no objection to."""
    said = to_chat({"model": "smart", "input": "Hi", **fields})
    exhaust(CHAT.validate_python(said))
    return said


def exhaust(value: object) -> None:
    """Read what is checked only as it is read."""
    if isinstance(value, dict):
        exhaust(list(value.values()))
    elif isinstance(value, list | Iterator):
        for one in value:
            exhaust(one)


def chunk(finish: str | None = None, **delta: Any) -> Json:
    """A chat chunk of one choice."""
    return of_choices({"index": 0, "delta": delta, "finish_reason": finish})


def of_choices(*choices: Any, **fields: Any) -> Json:
    """A chat chunk of any choices."""
    shared = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gemini-3"}
    return {**shared, "choices": list(choices), **fields}


def call(index: int, arguments: str, **begun: str) -> Json:
    """A piece of a tool call; with `id` and `name` its beginning."""
    if not begun:
        return {"index": index, "function": {"arguments": arguments}}
    function = {"name": begun["name"], "arguments": arguments}
    return {"index": index, "id": begun["id"], "type": "function", "function": function}


def streamed(said: ResponsesForChat, *chunks: Json) -> bytes:
    """The chunks as the stream of a whole answer."""
    writer = said.writer()
    written = [writer.write(Reading(SILENT, [one])) for one in chunks]
    return b"".join(written) + writer.end()


def whole(said: ResponsesForChat, message: Json, finish: str = "stop", **fields: Any) -> Json:
    """A chat completion as a Response that the SDK has no objection to."""
    response = parsed(said.write_answer(completion(message, finish, **fields)))
    Response.model_validate(response)
    return response


def completion(message: Json, finish: str | None = "stop", **fields: Any) -> Answered:
    """A chat completion of one choice."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return Answered(answer=of_choices(choice, **fields))


def parsed(body: bytes) -> Json:
    """A body of JSON."""
    answer = orjson.loads(body)
    assert isinstance(answer, dict)
    return answer


def read(stream: bytes) -> list[Event]:
    """The events of a stream."""
    return Parser(1 << 24).feed(stream)


def events_of(stream: bytes) -> list[Json]:
    """What the events say. Each is named by its type, and numbered in order."""
    events = [parsed(event.data) for event in read(stream)]
    assert [event.name.decode() for event in read(stream)] == [event["type"] for event in events]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    return events


def types_of(stream: bytes) -> list[str]:
    """The types of the events, less what all begin with."""
    return [event["type"].removeprefix("response.") for event in events_of(stream)]


def last_of(stream: bytes) -> Json:
    """The response in the last event."""
    response = events_of(stream)[-1]["response"]
    assert isinstance(response, dict)
    return response


def put_together(stream: bytes) -> list[Json]:
    """The output as the SDK puts it together of events that are what they should be."""
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    for event in events_of(stream):
        typed: Any = TYPES[event["type"]].model_validate(event)
        state.handle_event(typed)
    items = state._completed_output
    return [items[index].to_dict() for index in range(len(items))]


def final(stream: bytes) -> Response:
    """The response that the SDK's helper ends with."""
    with client_of(stream).responses.stream(model="smart", input="Hi") as helper:
        return helper.get_final_response()


def client_of(stream: bytes) -> OpenAI:
    """A client that gets `stream` for an answer to whatever it asks."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return OpenAI(base_url="http://sidecar/v1", api_key="k", max_retries=0, http_client=http)
