"""Pods that share a store: what one finds out, the others know; and a store that is not there."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from secrets import token_hex
from subprocess import PIPE
from typing import Any

import pytest

from sidecar.faults.catalog import status
from tests.fleet.stores import etcd_server, redis_server
from tests.stories.desk import Desk, a_desk

CHAIN = """
providers:
  first: {kind: openai, base_url: "${FIRST}", api_key: k}
  second: {kind: openai, base_url: "${SECOND}", api_key: k}
routes:
  - {models: ["*"], chain: [first, second]}
"""


def cluster_url() -> str:
    nodes = (f"{redis_server.HOST}:{node.port}" for node in redis_server.cluster())
    return f"redis+cluster://{','.join(nodes)}"


STORES: dict[str, Callable[[], str]] = {
    "redis": lambda: redis_server.shared().url,
    "redis+cluster": cluster_url,
    "etcd": lambda: f"etcd://{etcd_server.shared().host}",
}
UNAVAILABLE = "breaker store unavailable"
PODS = ("pod-a", "pod-b")


@asynccontextmanager
async def a_fleet(url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Desk]]:
    """Two pods at the store; each has providers of its own that play the same parts."""
    fleet = f"fleet: {{namespace: {token_hex(8)}, op_timeout: 5s}}\n"  # the machine may be busy
    async with AsyncExitStack() as stack:
        desks = []
        for pod in PODS:
            monkeypatch.setenv("HOSTNAME", pod)
            text = f"store: {url}\n{fleet}{CHAIN}"
            desks.append(await stack.enter_async_context(a_desk(text)))
        for desk in desks:
            await until(desk, sees_all)
        yield desks


async def the_store(desk: Desk) -> dict[str, Any]:
    """What the status says of the store."""
    store: dict[str, Any] = json.loads(await desk.page("/status.json"))["store"]
    return store


async def sees_all(desk: Desk) -> bool:
    return len((await the_store(desk))["pods"]) == len(PODS)


async def is_alone(desk: Desk) -> bool:
    return bool((await the_store(desk))["degraded"])


async def is_open(desk: Desk) -> bool:
    return bool((await desk.standing("first"))["state"] == "open")


async def has_warned(desk: Desk) -> bool:
    return bool(desk.logged(UNAVAILABLE))


async def until(desk: Desk, is_so: Callable[[Desk], Awaitable[bool]]) -> None:
    """Wait until it is so."""
    for _ in range(1000):
        if await is_so(desk):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"it never was so: {is_so.__name__}")


@pytest.mark.parametrize("kind", STORES)
async def test_what_one_pod_opens_the_other_skips(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_fleet(STORES[kind](), monkeypatch) as (one, other):
        one["first"].plays(status(503))
        for _ in range(3):
            await one.chat()

        await until(other, is_open)
        heard = await other.chat()

        assert heard.attempts == ["first;skipped;open", "second;ok;200"]
        assert other["first"].hits == 0
        opened = {"provider": "first", "to_state": "open"}
        assert await one.counted("breaker_transitions_total", origin="self", **opened) == 1
        assert await other.counted("breaker_transitions_total", origin="fleet", **opened) == 1


@pytest.mark.parametrize("kind", STORES)
async def test_both_pods_are_told_of_at_the_store_that_is_up(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = STORES[kind]()
    async with a_fleet(url, monkeypatch) as (one, _):
        store = await the_store(one)

        assert [pod["pod"] for pod in store["pods"]] == list(PODS)
        assert (store["kind"], store["up"]) == (url.partition(":")[0], True)
        assert await one.counted("fleet_pods") == len(PODS)


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster", "etcd"])
async def test_a_store_that_is_not_there_is_a_warning_and_calls_are_answered(scheme: str) -> None:
    url = f"{scheme}://user:s3cret@127.0.0.1:{redis_server.free_port()}"
    async with a_desk(f"store: {url}\n{CHAIN}") as desk:
        began_s = time.monotonic()
        heard = await desk.chat()

        assert (heard.code, heard.attempts) == (200, ["first;ok;200"])
        assert time.monotonic() - began_s < 1.0
        await until(desk, has_warned)
        assert desk.logged(UNAVAILABLE)[0]["level"] == "warning"
        assert not (await the_store(desk))["up"]
        assert "s3cret" not in await desk.shown()


async def test_a_store_that_is_not_there_is_warned_of_once() -> None:
    url = f"redis://127.0.0.1:{redis_server.free_port()}"
    async with a_desk(f"store: {url}\nfleet: {{sync: 20ms}}\n{CHAIN}") as desk:
        await until(desk, is_alone)

        levels = [line["level"] for line in desk.logged(UNAVAILABLE)]
        assert levels[0] == "warning"
        assert set(levels[1:]) == {"debug"}
        assert len(desk.logged("breaker store out of reach: this pod decides alone")) == 1


async def test_a_store_that_cannot_be_opened_ends_the_start(tmp_path: Path) -> None:
    config = tmp_path / "sidecar.yaml"
    config.write_text(f"store: rediss://:s3cret@h?ca_file=/not/there.pem\n{CHAIN}")
    environ = {**os.environ, "FIRST": "http://127.0.0.1:1", "SECOND": "http://127.0.0.1:1"}

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sidecar", "serve", "--config", str(config)),
        env=environ,
        stderr=PIPE,
    )
    said = (await process.communicate())[1].decode()

    assert process.returncode == 2
    assert said.startswith("sidecar: store: ")
    assert "/not/there.pem" in said
    assert "s3cret" not in said
