"""The process as it is run: started by its command, ended by a signal."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from sidecar.faults.catalog import ok
from sidecar.faults.provider import ScriptedProvider
from tests.stories.process import Running, a_process
from tests.stories.world import CHAT

CONFIG = """
drain_timeout: {drain}
listen: 127.0.0.1:0
admin: 127.0.0.1:0
providers:
  first: {{kind: openai, base_url: "{base_url}", api_keys: ["${{FIRST_KEY}}", "${{NEXT_KEY}}"]}}
routes:
  - {{models: ["*"], chain: [first/first-model]}}
"""
KEY, NEXT_KEY = "sk-very-secret-key", "sk-another-secret-key"
PROMPT = "a prompt that nobody else should read"


@asynccontextmanager
async def serving(
    provider: ScriptedProvider, folder: Path, *, drain: str = "25s"
) -> AsyncIterator[Running]:
    """A process in front of `provider`."""
    config = folder / "sidecar.yaml"
    config.write_text(CONFIG.format(base_url=provider.base_url, drain=drain))
    environ = {**os.environ, "FIRST_KEY": KEY, "NEXT_KEY": NEXT_KEY}
    async with a_process("--config", str(config), environ=environ) as running:
        yield running


async def test_a_signal_lets_a_stream_in_flight_end_and_exits_0(tmp_path: Path) -> None:
    async with (
        ScriptedProvider("first") as first,
        serving(first, tmp_path) as running,
        aiohttp.ClientSession() as http,
    ):
        first.plays(ok(words=10, delay_s=0.1))
        call = {**CHAT, "stream": True}
        async with http.post(f"{running.api}/v1/chat/completions", json=call) as answer:
            running.process.send_signal(signal.SIGTERM)
            await running.read_until("sidecar is draining")
            async with http.get(f"{running.admin}/readyz") as ready:
                assert ready.status == 503
            text = await answer.text()

        assert text.endswith("data: [DONE]\n\n")
        assert await running.end() == 0
        assert running.log[-1]["outcome"] == "success"


async def test_a_stream_longer_than_the_drain_ends_with_an_error(tmp_path: Path) -> None:
    async with (
        ScriptedProvider("first") as first,
        serving(first, tmp_path, drain="300ms") as running,
        aiohttp.ClientSession() as http,
    ):
        first.plays(ok(words=600, delay_s=0.05))
        call = {**CHAT, "stream": True}
        async with http.post(f"{running.api}/v1/chat/completions", json=call) as answer:
            running.process.terminate()
            text = await answer.text()

        assert "timeout_total" in text
        assert "[DONE]" not in text
        async with asyncio.timeout(3):
            assert await running.end() == 0
        assert running.log[-1]["outcome"] == "interrupted"


async def test_a_client_that_never_sends_its_body_holds_nobody_up(tmp_path: Path) -> None:
    async with (
        ScriptedProvider("first") as first,
        serving(first, tmp_path, drain="300ms") as running,
    ):
        host, port = running.api.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        await writer.drain()
        await asyncio.sleep(0.1)

        running.process.terminate()

        async with asyncio.timeout(3):
            assert await running.end() == 0
            assert await reader.read() == b""
        writer.close()


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with (
        ScriptedProvider("first") as first,
        serving(first, tmp_path) as running,
        aiohttp.ClientSession() as http,
    ):
        first.plays(ok(words=600, delay_s=0.05))
        call = {**CHAT, "stream": True}
        async with http.post(f"{running.api}/v1/chat/completions", json=call):
            running.process.send_signal(signal.SIGINT)
            await running.read_until("sidecar is draining")
            running.process.send_signal(signal.SIGINT)

            async with asyncio.timeout(3):
                assert await running.end() == 0


async def test_an_idle_process_leaves_at_once(tmp_path: Path) -> None:
    async with ScriptedProvider("first") as first, serving(first, tmp_path) as running:
        running.process.send_signal(signal.SIGINT)

        async with asyncio.timeout(5):
            assert await running.end() == 0


async def test_keys_prompts_and_answers_reach_nobody_but_provider_and_application(
    tmp_path: Path,
) -> None:
    async with (
        ScriptedProvider("first") as first,
        serving(first, tmp_path) as running,
        aiohttp.ClientSession() as http,
    ):
        first.plays("ok", "status_500", "bad_key", "ok_error", "bad_messages")
        call = {**CHAT, "messages": [{"role": "user", "content": PROMPT}]}
        headers = {"Authorization": "Bearer sk-of-the-application"}
        for _ in range(6):
            await http.post(f"{running.api}/v1/chat/completions", json=call, headers=headers)
        shown = [await seen(http, f"{running.admin}{page}") for page in PAGES]
        running.process.terminate()
        await running.end()

        keys = {call.headers["authorization"] for call in first.calls}
        assert keys == {f"Bearer {KEY}", f"Bearer {NEXT_KEY}"}
        everything = json.dumps([running.log, shown])
        for secret in (KEY, NEXT_KEY, PROMPT, "sk-of-the-application", "Hello from first."):
            assert secret not in everything


PAGES = ("/metrics", "/status.json", "/status", "/config", "/version")


async def seen(http: aiohttp.ClientSession, url: str) -> str:
    async with http.get(url) as answer:
        assert answer.status == 200
        return await answer.text()
