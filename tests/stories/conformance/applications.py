"""Applications that ask through the vendors' SDKs as they come, and what these tell them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import anthropic
import openai
import pytest

from tests.stories.desk import Desk, a_desk
from tests.stories.voices import anthropic_at, openai_at
from tests.stories.world import MESSAGES, MODELS

CONFIG = """
providers:
  first: {{kind: {kinds[0]}, base_url: "{url}", api_key: key-of-first}}
  second: {{kind: {kinds[1]}, base_url: "${{SECOND}}", api_key: key-of-second}}
routes:
  - models: ["*"]
    chain:
      - {{provider: first, model: {models[0]}, context: {windows[0]}}}
      - {{provider: second, model: {models[1]}, context: {windows[1]}}}
timeouts: {{first_token: 400ms, answer: 600ms, idle: 300ms}}
{more}
"""
OF_FIRST, OF_SECOND = "Hello from first.", "Hello from second."
FIRST_OK, SECOND_OK = "first;ok;200", "second;ok;200"
ATTEMPTS = "x-sidecar-attempts"


def a_chain(
    *kinds: str,
    windows: tuple[int, int] = (128_000, 128_000),
    url: str = "${FIRST}",
    more: str = "",
) -> AbstractAsyncContextManager[Desk]:
    """Two providers, of one kind or two; the second is else of kind openai.

    `windows` are in tokens, `url` is that of the first, `more` is what the file says beside.
    """
    both = (*kinds, "openai")[:2]
    models = [MODELS.get(kind, "a-model") for kind in both]
    return a_desk(CONFIG.format(kinds=both, models=models, windows=windows, url=url, more=more))


class Chain(Protocol):
    """Gives a chain that others have used before, as good as new."""

    async def __call__(self, *kinds: str, **options: Any) -> Desk:
        """As for `a_chain`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an application is told: a text, or the SDK's error."""

    headers: Mapping[str, str]
    text: str = ""
    error: openai.APIStatusError | anthropic.APIStatusError | None = None

    @property
    def attempts(self) -> list[str]:
        """Who was asked and what became of it, without the seconds."""
        return [one.rpartition(";")[0] for one in self.headers[ATTEMPTS].split(", ")]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.error.status_code if self.error else 200

    @property
    def tries(self) -> int:
        """How often the SDK asked before it raised its error."""
        said = self.error.response.request.headers if self.error else {}
        return int(said["x-stainless-retry-count"]) + 1

    @property
    def body(self) -> Any:
        """The error object, in either shape."""
        body: Any = self.error.body if self.error else {}
        return body.get("error", body)

    @property
    def message(self) -> str:
        """The provider's words, or the sidecar's."""
        return str(self.body["message"])

    @property
    def code(self) -> str | None:
        """What a program reads."""
        code: str | None = self.body["code"]
        return code


async def chat(url: str, *, stream: bool = False, **more: Any) -> Told:
    """One chat completion, by OpenAI's SDK."""
    async with openai_at(url) as client:
        try:
            raw = await client.chat.completions.with_raw_response.create(
                model="gpt-4o", messages=MESSAGES, stream=stream, **more
            )
            answer: Any = raw.parse()
            text = await joined(answer) if stream else answer.choices[0].message.content
            return Told(headers=raw.headers, text=text or "")
        except openai.APIStatusError as error:
            return Told(headers=error.response.headers, error=error)


async def joined(chunks: AsyncIterator[Any]) -> str:
    texts = [chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices]
    return "".join(texts)


async def message(url: str, *, stream: bool = False, **more: Any) -> Told:
    """One message, by Anthropic's SDK."""
    async with anthropic_at(url) as client:
        try:
            raw = await client.messages.with_raw_response.create(
                model="claude", max_tokens=99, messages=MESSAGES, stream=stream, **more
            )
            answer: Any = await raw.parse()
            text = await said(answer) if stream else answer.content[0].text
            return Told(headers=raw.headers, text=text)
        except anthropic.APIStatusError as error:
            return Told(headers=error.response.headers, error=error)


async def said(events: AsyncIterator[Any]) -> str:
    texts = [e.delta.text async for e in events if e.type == "content_block_delta"]
    return "".join(texts)


SDKS = {"openai": chat, "anthropic": message}
SHARED = pytest.mark.asyncio(loop_scope="module")  # for who asks for the fixture `chain`
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
BY_SDK = pytest.mark.parametrize("sdk", SDKS)


async def forget(desk: Desk) -> None:
    """Begin anew: everybody well and asked by nobody yet, every breaker closed."""
    for provider in desk.providers.values():
        provider.plays("ok")
        provider.hits = 0
    await reset(desk)


async def reset(desk: Desk) -> None:
    """Forget what was: every breaker closed, nobody passed over."""
    async with desk.http.post(f"{url_of(desk)}/reset") as answer:
        assert answer.status == 200


def url_of(desk: Desk) -> str:
    """Where applications ask."""
    return f"http://{desk.sidecar.api}"


async def failures(desk: Desk, provider: str = "first") -> int:
    """How many failures in a row its breaker has counted."""
    return int((await desk.standing(provider))["consecutive_failures"])
