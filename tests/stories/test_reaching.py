"""Providers that cannot be reached as they should: names, certificates, encodings."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp.resolver import ThreadedResolver

from sidecar.app import Sidecar
from sidecar.core.settings import Settings
from sidecar.faults.catalog import status
from sidecar.faults.provider import ScriptedProvider
from tests.stories.world import CHAT, World, settings_for


@asynccontextmanager
async def asked(settings: Settings, **fields: Any) -> AsyncIterator[aiohttp.ClientResponse]:
    """The answer to one call."""
    async with Sidecar(settings) as sidecar, aiohttp.ClientSession() as http:
        url = f"http://{sidecar.api}/v1/chat/completions"
        async with http.post(url, json={**CHAT, **fields}) as answer:
            yield answer


def changed(settings: Settings, **changes: Any) -> Settings:
    """The same with other facts about the first provider."""
    route = settings.routes[0]
    provider = replace(settings.providers[0], **changes)
    chain = (replace(route.chain[0], provider=provider), *route.chain[1:])
    return replace(
        settings,
        providers=(provider, *settings.providers[1:]),
        routes=(replace(route, chain=chain),),
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_a_name_that_does_not_resolve_fails_over(
    stream: bool, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nobody(*_: object, **__: object) -> None:
        raise OSError(None, "no such host")

    monkeypatch.setattr(ThreadedResolver, "resolve", nobody)
    settings = settings_for(world.first, world.second)

    async with asked(changed(settings, base_url="http://nobody.test/v1"), stream=stream) as answer:
        assert answer.headers["x-sidecar-attempts"].startswith("first;connect;0;")
        assert answer.headers["x-sidecar-provider"] == "second"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_certificate_that_nobody_vouches_for_fails_over(stream: bool, world: World) -> None:
    async with secure_provider(trustme.CA()) as first:
        async with asked(settings_for(first, world.second), stream=stream) as answer:
            assert answer.headers["x-sidecar-attempts"].startswith("first;connect;0;")
            assert answer.headers["x-sidecar-provider"] == "second"
        assert first.hits == 0


async def test_a_ca_file_vouches_for_a_provider_of_ones_own(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with secure_provider(authority) as first:
        settings = changed(settings_for(first), ca_file=str(tmp_path / "ca.pem"))
        async with asked(settings) as answer:
            assert answer.headers["x-sidecar-attempts"].startswith("first;ok;200;")


@asynccontextmanager
async def secure_provider(authority: trustme.CA) -> AsyncIterator[ScriptedProvider]:
    """A provider behind TLS, its certificate issued by `authority`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(ScriptedProvider("first", ssl_context=context))


@pytest.mark.parametrize("stream", [False, True])
async def test_a_body_that_cannot_be_unpacked_fails_over(stream: bool, world: World) -> None:
    world.first.plays(status(200, b"not gzip at all", content_encoding="gzip"))

    answer = await world.chat(stream=stream)
    await answer.read()

    assert answer.headers["x-sidecar-provider"] == "second"
