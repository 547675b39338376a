"""Providers that cannot be reached as they should: names, certificates, encodings."""

from __future__ import annotations

import asyncio
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
from sidecar.core.settings import Secret, Settings
from sidecar.faults.catalog import status
from sidecar.faults.provider import ScriptedProvider
from tests.stories.world import CHAT, QUICK, World, settings_for


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


async def test_a_resolver_that_hangs_is_held_to_the_connect_clock(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(ThreadedResolver, "resolve", hang)
    clocks = replace(QUICK, connect_s=0.1, answer_s=5.0)
    settings = settings_for(world.first, world.second, timeouts=clocks)

    async with asked(changed(settings, base_url="http://nobody.test/v1")) as answer:
        assert answer.headers["x-sidecar-attempts"].startswith("first;timeout_connect;0;")
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


async def test_a_proxy_is_asked_in_its_own_form(world: World) -> None:
    proxy = Secret(world.first.base_url.removesuffix("/v1").replace("//", "//me:secret@"))
    settings = changed(settings_for(world.first), base_url="http://far.test/v1", proxy=proxy)

    async with asked(settings) as answer:
        assert answer.status == 200

    call = world.first.calls[-1]
    assert call.path == "http://far.test/v1/chat/completions"
    assert call.headers["host"] == "far.test"
    assert call.headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"


async def test_a_proxy_that_opens_no_tunnel_fails_over(world: World) -> None:
    proxy = Secret(world.first.base_url.removesuffix("/v1"))
    settings = changed(
        settings_for(world.first, world.second), base_url="https://far.test/v1", proxy=proxy
    )
    world.first.plays(status(407))

    async with asked(settings) as answer:
        assert answer.headers["x-sidecar-attempts"].startswith("first;connect;0;")
        assert answer.headers["x-sidecar-provider"] == "second"
    assert world.first.calls[-1].method == "CONNECT"


async def test_a_headers_own_value_goes_before_the_applications(world: World) -> None:
    settings = changed(settings_for(world.first), headers=(("x-team", Secret("search")),))
    async with Sidecar(settings) as sidecar, aiohttp.ClientSession() as http:
        url = f"http://{sidecar.api}/v1/chat/completions"
        await http.post(url, json=CHAT, headers={"X-Team": "mine", "X-Other": "kept"})

    headers = world.first.calls[-1].headers
    assert headers["x-team"] == "search"
    assert headers["x-other"] == "kept"
