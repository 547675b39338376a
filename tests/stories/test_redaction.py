"""A provider that echoes key, prompt and answer wherever it can: nobody else hears of them."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from sidecar.faults.catalog import Effect, Fault
from sidecar.faults.provider import ScriptedProvider
from sidecar.faults.steps import Close, Send
from sidecar.faults.wire import chunk, head, whole
from tests.stories.collector import Collector, a_collector
from tests.stories.process import Running, a_process
from tests.stories.world import CHAT

KEY, OWN_KEY = "sk-very-secret-key", "sk-of-the-application"
PROMPT = "a prompt that nobody else should read"
ANSWER = "an answer that nobody else should read"
SECRETS = (KEY, OWN_KEY, PROMPT, ANSWER)
SAID = f"you sent {KEY} {OWN_KEY} {PROMPT} and heard {ANSWER}"
IN_URL = SAID.replace(" ", "+")
CONFIG = """
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{level: debug, format: {form}}}
breaker: {{failure_threshold: {threshold}, min_requests: 1000}}
retry: {{attempts: 0}}
providers:
  first: {{kind: openai, base_url: "{first}", api_key: "${{KEY}}"}}
  second: {{kind: openai, base_url: "{second}", api_key: "${{KEY}}"}}
routes:
  - {{models: ["*"], chain: [first/m, second/m]}}
tracing: {{otlp: "{collector}", to_providers: true}}
"""

ERROR = {"error": {"message": SAID, "type": SAID, "code": SAID, "param": SAID, "extra": [SAID]}}
WORD = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ANSWER}}]}
JSON, SSE, TEXT = "application/json", "text/event-stream", "text/plain"


class Said(NamedTuple):
    """What an application heard."""

    status: int
    text: str  # headers and body


def raw(data: bytes) -> Fault:
    """Say exactly this, and close."""
    return Fault("echo", "echoes", Effect.FAILS_OVER, lambda _: [Send(data), Close()])


def refusal(status: int, body: bytes, **headers: str) -> Fault:
    """An answer of known length; `_` in a header's name stands for a dash."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return raw(whole(status, {"content-type": JSON} | named, body))


def streamed(*events: Any) -> Fault:
    """A stream of events: JSON, or bytes as they are."""
    opening = head(200, {"content-type": SSE, "transfer-encoding": "chunked"})
    said = [one if isinstance(one, bytes) else b"data: %b\n\n" % dumped(one) for one in events]
    return raw(opening + b"".join(map(chunk, said)))


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


# Where the failure is not the caller's, so that all that is heard of it is the sidecar's own.
REFUSALS = {
    "status reason": raw(f"HTTP/1.1 500 {SAID}\r\ncontent-length: 0\r\n\r\n".encode()),
    "status line": raw(f"HTTP/1.1 {SAID}\r\n\r\n".encode()),
    "header line": raw(f"HTTP/1.1 200 OK\r\n{SAID}\r\n\r\n".encode()),
    "chunk": raw(head(200, {"transfer-encoding": "chunked"}) + f"{SAID}\r\n".encode()),
    "error": refusal(500, dumped(ERROR)),
    "error of the key": refusal(401, dumped(ERROR)),
    "error as text": refusal(503, SAID.encode(), content_type=TEXT),
    "error as HTML": refusal(502, f"<p>{SAID}</p>".encode(), content_type="text/html"),
    "error that is a string": refusal(500, dumped({"error": SAID})),
    "error that is half of one": refusal(500, dumped(ERROR)[:-9]),
    "headers": refusal(500, b"{}", x_debug=SAID, x_request_id=SAID, x_error_message=SAID),
    "media type": refusal(500, dumped(ERROR), content_type=f'{JSON}; charset="{SAID}"'),
    "limits": refusal(429, dumped(ERROR), retry_after=SAID, x_ratelimit_remaining_tokens=SAID),
    "redirect": refusal(302, SAID.encode(), location=f"https://127.0.0.1/?{IN_URL}"),
}
# The same, said as an answer is: where nobody judges it, it passes for one.
NO_ANSWERS = {
    "good status": refusal(200, dumped(ERROR)),
    "answer of no shape": refusal(200, dumped([SAID, {SAID: SAID}])),
    "answer that is no JSON": refusal(200, SAID.encode()),
    "choices of words": refusal(200, dumped({"choices": [SAID], "model": SAID, "usage": SAID})),
    "error in a stream": streamed(ERROR),
    "named error in a stream": streamed(b"event: error\n", ERROR),
    "event that is no JSON": streamed(f"data: {SAID}\n\n".encode()),
    "comment": streamed(f": {SAID}\n\nevent: {SAID}\nid: {SAID}\n\n".encode(), ERROR),
}
# What the application hears of these is the provider's own words, but for the key.
OF_THE_CALLER = {
    "bad request": refusal(400, dumped(ERROR), x_debug=SAID),
    "bad field": refusal(422, dumped({"detail": [{"loc": ["body", SAID], "msg": SAID}]})),
    "error after content": streamed(WORD, ERROR),
    "named error after content": streamed(WORD, b"event: error\n", ERROR),
    "nonsense after content": streamed(WORD, f"data: {SAID}\n\n".encode()),
    "break after content": streamed(WORD, f": {SAID}\n\n".encode()),
}
PAGES = ("/metrics", "/status.json", "/status", "/config", "/version", "/readyz")
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


class Scene(NamedTuple):
    """Two providers, a process in front of them, and who looks at it."""

    providers: tuple[ScriptedProvider, ScriptedProvider]
    running: Running
    http: aiohttp.ClientSession

    async def ask(self, fault: Fault, *, stream: bool) -> Said:
        """What one call comes to where everybody plays `fault`."""
        for provider in self.providers:
            provider.plays(fault)
        messages = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": ANSWER}]
        call = {**CHAT, "messages": messages, "stream": stream}
        headers = {"Authorization": f"Bearer {OWN_KEY}"}
        url = f"{self.running.api}/v1/chat/completions"
        async with self.http.post(url, json=call, headers=headers) as answer:
            text = await answer.text()
            return Said(answer.status, f"{answer.reason} {answer.headers} {text}")

    async def shown(self) -> str:
        """All that the admin listener shows."""
        told = [await self._page(page) for page in PAGES]
        return "\n".join([*told, await self._page("/metrics", OPENMETRICS)])

    async def _page(self, page: str, headers: dict[str, str] | None = None) -> str:
        async with self.http.get(f"{self.running.admin}{page}", headers=headers) as answer:
            assert answer.status == 200
            return await answer.text()


@asynccontextmanager
async def a_scene(folder: Path, collector: Collector, **changes: Any) -> AsyncIterator[Scene]:
    """All of it, on loopback."""
    async with (
        ScriptedProvider("first") as first,
        ScriptedProvider("second") as second,
        aiohttp.ClientSession() as http,
    ):
        urls = {"first": first.base_url, "second": second.base_url, "collector": collector.url}
        config = folder / "sidecar.yaml"
        config.write_text(CONFIG.format(**{"form": "json", "threshold": 1000} | urls | changes))
        environ = {**os.environ, "KEY": KEY}
        async with a_process("--config", str(config), environ=environ) as running:
            yield Scene((first, second), running, http)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_what_a_provider_echoes_is_seen_by_nobody(stream: bool, tmp_path: Path) -> None:
    faults = REFUSALS | NO_ANSWERS | OF_THE_CALLER
    async with a_collector() as collector, a_scene(tmp_path, collector) as scene:
        heard = {name: await scene.ask(fault, stream=stream) for name, fault in faults.items()}
        shown = await scene.shown()
        scene.running.process.terminate()
        await scene.running.end()

    log = scene.running.log
    seen = {"log": json.dumps(log, ensure_ascii=False), "shown": shown}
    seen |= {"spans": b"".join(collector.bodies).decode("latin-1")}
    assert [(place, one) for place, text in seen.items() for one in SECRETS if one in text] == []
    assert [line["msg"] for line in log].count("request") == len(faults)
    assert len(collector.spans) >= 2 * len(faults)
    assert [name for name, said in heard.items() if KEY in said.text] == []
    own = {name: said.text for name, said in heard.items() if name not in OF_THE_CALLER}
    assert [(name, one) for name, text in own.items() for one in SECRETS if one in text] == []


async def test_what_goes_through_carries_no_key_back(tmp_path: Path) -> None:
    async with a_collector() as collector, a_scene(tmp_path, collector) as scene:
        heard = {name: await passed(scene, fault) for name, fault in REFUSALS.items()}
        shown = await scene.shown()
        scene.running.process.terminate()
        await scene.running.end()

    log = json.dumps(scene.running.log, ensure_ascii=False)
    spans = b"".join(collector.bodies).decode("latin-1")
    assert [name for name, text in heard.items() if KEY in text] == []
    assert [one for one in SECRETS for text in (log, shown, spans) if one in text] == []


async def passed(scene: Scene, fault: Fault) -> str:
    """What is heard of a path that is passed through, be it cut off."""
    scene.providers[0].plays(fault)
    url = f"{scene.running.api}/v1/files?{IN_URL}"
    try:
        async with scene.http.get(url, allow_redirects=False) as answer:
            return f"{answer.reason} {answer.headers} {await answer.text()}"
    except aiohttp.ClientError as error:
        return str(error)
