"""Google's tokens, by the real google-auth from a Google on loopback."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome
from sidecar.proxy import google_tokens
from sidecar.proxy.google_tokens import GoogleTokens
from sidecar.proxy.renewal import SOON_S
from tests.proxy.clouds import CALL, HOUR_S, AheadClock, Google, a_google


class World:
    """One credential, and the Google that it asks."""

    def __init__(self, google: Google) -> None:
        self.google = google
        self.clock = AheadClock()
        self.tokens = GoogleTokens("vertex", "vertex", self.clock)

    async def token(self) -> str:
        """The token that a call goes out with."""
        headers = dict(await self.tokens.headers(CALL))
        return headers["authorization"]


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture
async def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Google]:
    async with a_google(monkeypatch, str(tmp_path)) as google:
        yield google


@pytest.fixture
def account_file(
    google: Google, private_key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Path:
    path = tmp_path / "account.json"
    account = {
        "type": "service_account",
        "project_id": "a-project",
        "private_key_id": "1",
        "private_key": private_key,
        "client_email": "a@b.gserviceaccount.com",
        "client_id": "1",
        "token_uri": str(google.server.make_url("/token")),
    }
    path.write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    return path


@pytest.fixture
async def world(google: Google) -> AsyncIterator[World]:
    world = World(google)
    yield world
    google.open.set()
    await world.tokens.close()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110  what is watched happens in a thread
            await asyncio.sleep(0.005)


def change(file: Path, **fields: Any) -> None:
    """Write other `fields` into a file of JSON."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def claims(assertion: str) -> dict[str, Any]:
    """What a signed statement says."""
    said = assertion.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(said + "=="))
    return claims


@pytest.mark.usefixtures("account_file")
async def test_a_service_account_gets_a_token_for_the_cloud_platform(world: World) -> None:
    token = await world.token()

    assert token == "Bearer ya29.token-1"
    assert claims(world.google.assertion)["scope"] == google_tokens.SCOPES[0]


async def test_without_a_file_the_metadata_server_gives_the_token(world: World) -> None:
    assert await world.token() == "Bearer ya29.token-1"


@pytest.mark.usefixtures("account_file")
async def test_calls_that_come_together_ask_for_one_token(world: World) -> None:
    await asyncio.gather(*(world.token() for _ in range(10)))

    assert world.google.tokens == 1


@pytest.mark.usefixtures("account_file")
async def test_five_minutes_before_its_end_a_token_is_renewed_behind_the_calls(
    world: World,
) -> None:
    await world.token()
    world.clock.ahead_s = HOUR_S - 299
    world.google.open.clear()
    meanwhile = await world.token()
    world.google.open.set()
    await eventually(lambda: b"ya29.token-2" in world.tokens.secrets())

    assert (meanwhile, await world.token()) == ("Bearer ya29.token-1", "Bearer ya29.token-2")


@pytest.mark.usefixtures("account_file")
async def test_before_that_it_is_kept(world: World) -> None:
    await world.token()
    world.clock.ahead_s = HOUR_S - 310
    await world.token()

    assert world.google.tokens == 1


@pytest.mark.usefixtures("account_file")
async def test_the_tokens_in_use_are_secrets(world: World) -> None:
    await world.token()

    assert world.tokens.secrets() == (b"ya29.token-1",)


@pytest.mark.usefixtures("account_file")
async def test_a_refused_token_fails_the_call_and_quotes_nothing(world: World) -> None:
    world.google.refuses = True

    with pytest.raises(AnswerFailed) as failed:
        await world.token()

    assert failed.value.outcome is Outcome.AUTH
    assert "secret" not in failed.value.message


async def test_a_file_that_was_mended_is_read_anew(world: World, account_file: Path) -> None:
    change(account_file, token_uri=None)
    with pytest.raises(AnswerFailed):
        await world.token()
    change(account_file, token_uri=str(world.google.server.make_url("/token")))
    world.clock.ahead_s += SOON_S

    assert await world.token() == "Bearer ya29.token-1"


async def test_an_account_that_was_replaced_after_a_failure_is_read_anew(
    world: World, account_file: Path, google: Google
) -> None:
    await world.token()
    google.refuses, google.lasts_s = True, 2 * HOUR_S
    world.clock.ahead_s = HOUR_S
    with pytest.raises(AnswerFailed):
        await world.token()
    google.refuses = False
    change(account_file, client_email="new@b.gserviceaccount.com")
    world.clock.ahead_s += SOON_S
    await world.token()

    assert claims(google.assertion)["iss"] == "new@b.gserviceaccount.com"


@pytest.mark.usefixtures("account_file")
async def test_the_project_that_pays_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "payer")

    assert ("x-goog-user-project", "payer") in await world.tokens.headers(CALL)


@pytest.mark.usefixtures("account_file")
async def test_closing_outlasts_what_is_asked(world: World) -> None:
    await world.token()
    world.clock.ahead_s = HOUR_S - 299
    world.google.open.clear()
    await world.token()
    await eventually(lambda: world.google.tokens == 2)
    closing = asyncio.create_task(world.tokens.close())
    await asyncio.sleep(0.01)
    closed_early = closing.done()
    world.google.open.set()
    await closing

    assert not closed_early
    assert b"ya29.token-2" in world.tokens.secrets()


@pytest.mark.usefixtures("account_file")
async def test_a_google_that_says_nothing_is_not_waited_for_for_long(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_tokens.Asking.__call__, "__kwdefaults__", {"timeout": 0.05})
    world.google.open.clear()

    with pytest.raises(AnswerFailed):
        await world.token()


@pytest.mark.usefixtures("account_file")
async def test_once_closed_nothing_is_asked(world: World) -> None:
    await world.tokens.close()
    with pytest.raises(AnswerFailed):
        await world.token()

    assert world.google.tokens == 0


@pytest.mark.parametrize("missing", ["google.auth", "google.auth.transport.requests"])
def test_a_missing_library_is_named_at_the_start(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(ValueError, match="kind vertex needs the extra") as wrong:
        GoogleTokens("v", "vertex", AheadClock())

    assert "pip install llm-failover-sidecar[vertex]" in str(wrong.value)
