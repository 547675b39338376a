"""The log of a real process: one object a line, the messages that operators search for."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import aiohttp

from sidecar.faults.provider import ScriptedProvider
from tests.stories.process import a_process
from tests.stories.world import CHAT

CONFIG = """
listen: 127.0.0.1:0
admin: 127.0.0.1:0
log: {{level: debug}}
breaker: {{failure_threshold: 2, success_threshold: 1, open_timeout: 100ms}}
retry: {{attempts: 0}}
providers:
  first: {{kind: openai, base_url: "{first}", api_key: k}}
  second: {{kind: openai, base_url: "{second}", api_key: k}}
routes:
  - {{models: ["*"], chain: [first/one, second/two]}}
"""
TRACE = "0af7651916cd43dd8448eb211c80319c"
STATED = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "x-request-id": "r-1"}
MOVED = "Circuit breaker state transition"
LEVELS = {
    MOVED: "info",
    "Circuit breaker opened due to failures": "warning",
    "Circuit breaker transitioning from OPEN to HALF_OPEN": "info",
    "Circuit breaker closed after successful recovery": "info",
    "Attempting provider": "debug",
    "Provider succeeded": "debug",
    "Provider failed, trying next": "warning",
    "All providers failed": "error",
    "request": "info",
}
ACCESS = {
    *("time", "level", "msg", "request_id", "route", "endpoint", "stream", "outcome", "code"),
    *("provider", "model", "attempts", "duration_s", "ttft_s", "overhead_s", "tokens_in"),
    *("tokens_out", "trace_id"),
}


async def a_story(folder: Path) -> list[dict[str, Any]]:
    """Served by the second, by nobody, and once more by the first; the log of it."""
    streamed = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    async with (
        ScriptedProvider("first") as first,
        ScriptedProvider("second") as second,
        aiohttp.ClientSession(headers=STATED) as http,
    ):
        config = folder / "sidecar.yaml"
        config.write_text(CONFIG.format(first=first.base_url, second=second.base_url))
        async with a_process("--config", str(config), environ=os.environ) as running:
            url = f"{running.api}/v1/chat/completions"
            first.plays("status_503", "status_503", "ok")
            second.plays("ok", "status_500", "ok")
            assert (await http.post(url, json=CHAT)).status == 200
            assert (await http.post(url, json=CHAT)).status == 503
            await running.read_until("Circuit breaker opened due to failures")
            await asyncio.sleep(0.15)
            async with http.post(url, json=streamed) as answer:
                await answer.read()
            running.process.terminate()
            assert await running.end() == 0
    return running.log


async def test_operators_find_every_message_at_its_level(tmp_path: Path) -> None:
    log = await a_story(tmp_path)

    found = {(line["msg"], line["level"]) for line in log}
    assert LEVELS.items() <= found
    assert [msg for msg, level in found if LEVELS.get(msg, level) != level] == []
    moves = [line for line in log if line["msg"] == MOVED]
    assert [(one["from"], one["to"], one["cause"]) for one in moves] == [
        ("closed", "open", "failures"),
        ("open", "half_open", "open_timeout"),
        ("half_open", "closed", "probes_succeeded"),
    ]
    assert {(one["provider"], type(one["epoch"])) for one in moves} == {("first", int)}


async def test_each_request_has_one_line_with_all_that_the_contract_names(tmp_path: Path) -> None:
    lines = [line for line in await a_story(tmp_path) if line["msg"] == "request"]

    assert [line["outcome"] for line in lines] == ["failover_success", "exhausted", "success"]
    assert lines[-1].keys() == ACCESS
    assert {line["trace_id"] for line in lines} == {TRACE}
    assert {line["request_id"] for line in lines} == {"r-1"}
    assert (lines[-1]["provider"], lines[-1]["model"]) == ("first", "one")


async def test_a_terminal_gets_text(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    config = tmp_path / "sidecar.yaml"
    config.write_text(CONFIG.format(first="http://127.0.0.1:1", second="http://127.0.0.1:1"))
    command = (sys.executable, "-m", "sidecar", "serve", "--config", str(config))
    process = await asyncio.create_subprocess_exec(*command, stderr=theirs)
    try:
        os.close(theirs)
        async with asyncio.timeout(10):
            said = await asyncio.to_thread(os.read, ours, 4096)
        assert b" INFO    sidecar is serving api=127.0.0.1:" in said
        assert b"{" not in said
    finally:
        process.kill()
        await process.wait()
        os.close(ours)
