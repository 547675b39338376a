"""The ways in which an application can speak: three formats by their real SDKs, streamed or not.

A conversation is told once, in turns; each voice says it in its own format, and rebuilds past turns
as applications do: with the fields that the format has, and no others.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import anthropic
import openai

Json = dict[str, Any]

PNG = (  # one transparent pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL, ABOUT = "get_weather", "The weather in a city."
FUNCTION = {"name": TOOL, "description": ABOUT, "parameters": PARAMETERS, "strict": True}
SCHEMA = {
    "type": "object",
    "properties": {"sum": {"type": "integer"}},
    "required": ["sum"],
    "additionalProperties": False,
}
MODEL = "gpt-4o"


class ToolCall(NamedTuple):
    """A tool call, as the application sees it."""

    id: str
    name: str
    arguments: Json


class User(NamedTuple):
    """What the user says, perhaps with an image."""

    text: str
    image: bool = False


class Reply(NamedTuple):
    """What the model said: text, tool calls, or both."""

    text: str
    calls: tuple[ToolCall, ...] = ()


class Results(NamedTuple):
    """What the tools found, by the ids of their calls."""

    found: dict[str, str]


Turn = User | Reply | Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be asked."""

    turns: Sequence[Turn] = (User("Say hello."),)
    tools: bool = False
    schema: bool = False


def openai_at(url: str, **options: Any) -> openai.AsyncOpenAI:
    """OpenAI's SDK, asking the sidecar at `url`."""
    # reading all certificates of the system takes longer than a story, and there is no TLS in it
    http = openai.DefaultAsyncHttpxClient(verify=False)
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="app", http_client=http, **options)


def anthropic_at(url: str, **options: Any) -> anthropic.AsyncAnthropic:
    """Anthropic's SDK, asking the sidecar at `url`."""
    http = anthropic.DefaultAsyncHttpxClient(verify=False)
    return anthropic.AsyncAnthropic(base_url=url, api_key="app", http_client=http, **options)


class Voice(Protocol):
    """One format, by its SDK."""

    async def ask(self, url: str, wish: Wish) -> Reply:
        """Ask the sidecar at `url`. Raises the SDK's own errors."""
        ...


@dataclass(frozen=True, slots=True)
class Chat:
    """OpenAI's chat completions."""

    streams: bool

    async def ask(self, url: str, wish: Wish) -> Reply:
        asked: Json = {"model": MODEL, "messages": [m for t in wish.turns for m in chat(t)]}
        if wish.tools:
            function = {
                "name": TOOL,
                "description": ABOUT,
                "parameters": PARAMETERS,
                "strict": True,
            }
            asked["tools"] = [{"type": "function", "function": function}]
        if wish.schema:
            named = {"name": "sum", "strict": True, "schema": SCHEMA}
            asked["response_format"] = {"type": "json_schema", "json_schema": named}
        async with openai_at(url) as client:
            message = await self._message(client, asked)
        calls = [
            ToolCall(call.id, call.function.name, json.loads(call.function.arguments))
            for call in message.tool_calls or ()
        ]
        return Reply(message.content or "", tuple(calls))

    async def _message(self, client: openai.AsyncOpenAI, asked: Json) -> Any:
        if not self.streams:
            return (await client.chat.completions.create(**asked)).choices[0].message
        async with client.chat.completions.stream(**asked) as stream:
            return (await stream.get_final_completion()).choices[0].message


def chat(turn: Turn) -> list[Json]:
    if isinstance(turn, User):
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
        parts = [{"type": "text", "text": turn.text}, *([image] if turn.image else [])]
        return [{"role": "user", "content": parts if turn.image else turn.text}]
    if isinstance(turn, Results):
        return [
            {"role": "tool", "tool_call_id": call_id, "content": found}
            for call_id, found in turn.found.items()
        ]
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
        }
        for call in turn.calls
    ]
    said: Json = {"role": "assistant", "content": turn.text or None}
    return [said | {"tool_calls": calls} if calls else said]


@dataclass(frozen=True, slots=True)
class Responses:
    """OpenAI's Responses, the whole conversation sent each time."""

    streams: bool

    async def ask(self, url: str, wish: Wish) -> Reply:
        asked: Json = {"model": MODEL, "input": [i for t in wish.turns for i in items(t)]}
        if wish.tools:
            function = {
                "name": TOOL,
                "description": ABOUT,
                "parameters": PARAMETERS,
                "strict": True,
            }
            asked["tools"] = [{"type": "function", **function}]
        if wish.schema:
            named = {"type": "json_schema", "name": "sum", "strict": True, "schema": SCHEMA}
            asked["text"] = {"format": named}
        async with openai_at(url) as client:
            response = await self._response(client, asked)
        calls = [
            ToolCall(item.call_id, item.name, json.loads(item.arguments))
            for item in response.output
            if item.type == "function_call"
        ]
        return Reply(response.output_text, tuple(calls))

    async def _response(self, client: openai.AsyncOpenAI, asked: Json) -> Any:
        if not self.streams:
            return await client.responses.create(**asked)
        async with client.responses.stream(**asked) as stream:
            return await stream.get_final_response()


def items(turn: Turn) -> list[Json]:
    if isinstance(turn, User):
        image = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}
        parts = [{"type": "input_text", "text": turn.text}, *([image] if turn.image else [])]
        return [{"role": "user", "content": parts}]
    if isinstance(turn, Results):
        return [
            {"type": "function_call_output", "call_id": call_id, "output": found}
            for call_id, found in turn.found.items()
        ]
    said = [{"role": "assistant", "content": turn.text}] if turn.text else []
    calls = [
        {
            "type": "function_call",
            "call_id": call.id,
            "name": call.name,
            "arguments": json.dumps(call.arguments),
        }
        for call in turn.calls
    ]
    return [*said, *calls]


@dataclass(frozen=True, slots=True)
class Messages:
    """Anthropic's Messages."""

    streams: bool

    async def ask(self, url: str, wish: Wish) -> Reply:
        asked: Json = {
            "model": MODEL,
            "max_tokens": 1000,
            "messages": [said(turn) for turn in wish.turns],
        }
        if wish.tools:
            asked["tools"] = [{"name": TOOL, "description": ABOUT, "input_schema": PARAMETERS}]
        if wish.schema:
            asked["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
        async with anthropic_at(url) as client:
            message = await self._message(client, asked)
        calls = [
            ToolCall(block.id, block.name, block.input)
            for block in message.content
            if block.type == "tool_use"
        ]
        texts = [block.text for block in message.content if block.type == "text"]
        return Reply("".join(texts), tuple(calls))

    async def _message(self, client: anthropic.AsyncAnthropic, asked: Json) -> Any:
        if not self.streams:
            return await client.messages.create(**asked)
        async with client.messages.stream(**asked) as stream:
            return await stream.get_final_message()


def said(turn: Turn) -> Json:
    if isinstance(turn, User):
        source = {"type": "base64", "media_type": "image/png", "data": PNG}
        image = [{"type": "image", "source": source}] if turn.image else []
        return {"role": "user", "content": [{"type": "text", "text": turn.text}, *image]}
    if isinstance(turn, Results):
        results = [
            {"type": "tool_result", "tool_use_id": call_id, "content": found}
            for call_id, found in turn.found.items()
        ]
        return {"role": "user", "content": results}
    text = [{"type": "text", "text": turn.text}] if turn.text else []
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
        for call in turn.calls
    ]
    return {"role": "assistant", "content": [*text, *calls]}


VOICES: dict[str, Voice] = {
    f"{voice.__name__.lower()}{' streamed' * streams}": voice(streams)
    for voice in (Chat, Responses, Messages)
    for streams in (False, True)
}
