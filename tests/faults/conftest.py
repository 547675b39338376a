"""A scripted provider, and a client that knows nothing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from sidecar.faults.provider import ScriptedProvider


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with ScriptedProvider("gemini") as provider:
        yield provider


@pytest.fixture
async def client(provider: ScriptedProvider) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(provider.base_url + "/", timeout=timeout) as session:
        yield session
