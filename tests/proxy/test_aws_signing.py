"""Signatures for AWS, checked against the specification, with keys from wherever botocore looks."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome
from sidecar.proxy.aws_signing import BIG_BODY_BYTES, LONGEST_S, AwsSigner, Scope, scope_of
from sidecar.proxy.credential import Unsigned
from sidecar.proxy.renewal import AGAIN_S
from tests.proxy.clouds import AWS_AUTHORIZATION, AheadClock, aws_signature, forget_the_machine

NEAR_ITS_END_S = 290  # late enough for botocore and for us to renew
BASE_URL = "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1"
URL = f"{BASE_URL}/chat/completions"
BODY = b'{"model":"openai.gpt-oss-120b","messages":[]}'
KEY_ID, SECRET_KEY, TOKEN = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG", "a-session-token"


@pytest.fixture(autouse=True)
def nobody_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_the_machine(monkeypatch, str(tmp_path))


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


@pytest.fixture
def session_keys(keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)


def a_signer(base_url: str = BASE_URL, clock: AheadClock | None = None) -> AwsSigner:
    return AwsSigner("bedrock", "bedrock", base_url, clock or AheadClock())


async def signed(signer: AwsSigner, request: Unsigned) -> tuple[dict[str, str], re.Match[str]]:
    """The headers that `request` goes out with, and the parts of its signature."""
    headers = dict(await signer.headers(request))
    found = AWS_AUTHORIZATION.fullmatch(headers.pop("Authorization"))
    assert found
    return headers, found


@pytest.mark.usefixtures("session_keys")
@pytest.mark.parametrize(
    "url",
    [URL, f"{URL}?b=2&a=1", f"{BASE_URL}/model/anthropic.claude%3A0/invoke"],
    ids=["plain", "query", "encoded path"],
)
@pytest.mark.parametrize(
    "body", [b"", BODY, b"x" * (BIG_BODY_BYTES + 1)], ids=["none", "small", "big"]
)
async def test_the_signature_is_as_specified(url: str, body: bytes) -> None:
    request = Unsigned("POST", url, body)
    headers, found = await signed(a_signer(), request)

    assert found["signature"] == aws_signature(request, headers, found["scope"], SECRET_KEY)


@pytest.mark.usefixtures("keys")
async def test_a_body_that_was_tampered_with_has_another_signature() -> None:
    headers, found = await signed(a_signer(), Unsigned("POST", URL, BODY))
    tampered = Unsigned("POST", URL, BODY.replace(b"120b", b"200b"))

    assert found["signature"] != aws_signature(tampered, headers, found["scope"], SECRET_KEY)


@pytest.mark.usefixtures("keys")
async def test_the_signature_names_the_key_and_what_it_is_good_for() -> None:
    _, found = await signed(a_signer(), Unsigned("POST", URL, BODY))
    day = datetime.now(UTC).strftime("%Y%m%d")

    assert (found["key_id"], found["scope"]) == (KEY_ID, f"{day}/eu-west-1/bedrock/aws4_request")


@pytest.mark.usefixtures("session_keys")
async def test_the_token_of_a_session_goes_with_it_and_is_signed() -> None:
    headers, found = await signed(a_signer(), Unsigned("POST", URL, BODY))

    assert headers["X-Amz-Security-Token"] == TOKEN
    assert found["names"] == "host;x-amz-date;x-amz-security-token"


@pytest.mark.usefixtures("session_keys")
async def test_keys_and_token_are_secrets() -> None:
    signer = a_signer()
    await signer.headers(Unsigned("POST", URL, BODY))

    assert set(signer.secrets()) == {KEY_ID.encode(), SECRET_KEY.encode(), TOKEN.encode()}


async def test_without_keys_the_call_fails(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(AnswerFailed) as failed:
        await a_signer().headers(Unsigned("POST", URL, BODY))

    assert failed.value.outcome is Outcome.AUTH
    assert "no AWS credentials" in caplog.text


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("bedrock-runtime.us-east-1.amazonaws.com", Scope("bedrock", "us-east-1")),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", Scope("bedrock", "us-gov-west-1")),
        ("bedrock-runtime.cn-north-1.amazonaws.com.cn", Scope("bedrock", "cn-north-1")),
        (
            "vpce-1a.bedrock-runtime.ap-southeast-2.vpce.amazonaws.com",
            Scope("bedrock", "ap-southeast-2"),
        ),
        ("bedrock-mantle.us-west-2.api.aws", Scope("bedrock-mantle", "us-west-2")),
    ],
)
def test_the_address_says_what_to_sign_for(
    host: str, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-north-1")

    assert scope_of("bedrock", f"https://{host}/openai/v1") == scope


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_where_the_address_does_not_the_environment_says_the_region(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "eu-north-1")

    assert scope_of("b", "https://gateway.example/v1") == Scope("bedrock", "eu-north-1")


def test_a_region_that_nobody_names_is_an_error_at_the_start() -> None:
    with pytest.raises(ValueError, match=r"providers\.b\.base_url: names no AWS region"):
        scope_of("b", "https://gateway.example/v1")


@pytest.mark.parametrize("missing", ["botocore.session", "botocore.auth"])
def test_a_missing_library_is_named_at_the_start(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(ValueError, match="kind bedrock needs the extra") as wrong:
        a_signer()

    assert "pip install llm-failover-sidecar[bedrock]" in str(wrong.value)


class Container:
    """What gives a container its temporary keys, other ones at every call."""

    def __init__(self) -> None:
        self.asked = 0
        self.lasts_s = 3600
        self.fails = False
        self.open = asyncio.Event()
        self.open.set()
        app = web.Application()
        app.router.add_get("/keys", self.keys)
        self.server = TestServer(app)

    async def keys(self, _: web.Request) -> web.Response:
        self.asked += 1
        number = self.asked
        await self.open.wait()
        if self.fails:
            return web.Response(status=400, text="no")
        ends = datetime.now(UTC) + timedelta(seconds=self.lasts_s)
        keys = {
            "AccessKeyId": f"ASIATEMPORARY{number}",
            "SecretAccessKey": f"secret-key-{number}",
            "Token": f"session-token-{number}",
            "Expiration": ends.isoformat(),
        }
        return web.json_response(keys)


@pytest.fixture
async def container(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Container]:
    container = Container()
    async with container.server:
        url = container.server.make_url("/keys")
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", str(url))
        monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
        yield container
        container.open.set()


async def key_id(signer: AwsSigner) -> str:
    """The key that a call is signed with."""
    return (await signed(signer, Unsigned("POST", URL, BODY)))[1]["key_id"]


async def test_calls_that_come_together_ask_for_keys_once(container: Container) -> None:
    signer = a_signer()
    key_ids = await asyncio.gather(*(key_id(signer) for _ in range(10)))

    assert (set(key_ids), container.asked) == ({"ASIATEMPORARY1"}, 1)


async def test_keys_near_their_end_serve_while_new_ones_are_fetched(container: Container) -> None:
    container.lasts_s = NEAR_ITS_END_S
    clock = AheadClock()
    signer = a_signer(clock=clock)
    first = await key_id(signer)
    clock.ahead_s = AGAIN_S
    container.open.clear()
    meanwhile = await key_id(signer)
    container.open.set()
    await signer.close()

    assert (meanwhile == first, await key_id(signer) == first) == (True, False)


async def test_keys_that_have_long_to_live_are_kept(container: Container) -> None:
    clock = AheadClock()
    signer = a_signer(clock=clock)
    await key_id(signer)
    clock.ahead_s = 3200.0
    await key_id(signer)
    await signer.close()

    assert container.asked == 1


async def test_keys_that_have_ended_are_not_used_any_more(container: Container) -> None:
    container.lasts_s = NEAR_ITS_END_S
    clock = AheadClock()
    signer = a_signer(clock=clock)
    await key_id(signer)
    container.fails = True
    clock.ahead_s = NEAR_ITS_END_S

    with pytest.raises(AnswerFailed):
        await key_id(signer)


async def test_keys_that_never_end_are_looked_for_anew_as_files_change(tmp_path: Path) -> None:
    write_keys(tmp_path, KEY_ID)
    clock = AheadClock()
    signer = a_signer(clock=clock)
    await key_id(signer)
    write_keys(tmp_path, "AKIANEW")
    kept = await key_id(signer)
    clock.ahead_s = LONGEST_S

    assert (kept, await key_id(signer)) == (KEY_ID, "AKIANEW")


def write_keys(folder: Path, key_id: str) -> None:
    (folder / "credentials").write_text(
        f"[default]\naws_access_key_id={key_id}\naws_secret_access_key={SECRET_KEY}\n"
    )
