"""Each kind of provider is called at its own address, in its own way, with its own credentials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NamedTuple

import pytest

from sidecar.dialects.presets import PRESETS
from sidecar.faults.catalog import status
from sidecar.faults.refusals import openai
from sidecar.faults.wire import Call
from sidecar.proxy.credential import Unsigned
from tests.proxy.clouds import AWS_AUTHORIZATION, Google, a_google, aws_signature
from tests.stories.desk import Desk, a_desk
from tests.stories.egress import an_egress

KEY = "sk-a-key-of-the-operator"
OWN_KEY = 'api_key: "${KEY}", '
HELLO = [{"role": "user", "content": "Say hello."}]
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
OF_FIRST, OF_SECOND = "first;ok;200", "second;ok;200"


@pytest.fixture(autouse=True)
async def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Google]:
    """Nothing of the machine that runs the tests, and a Google of our own."""
    async with a_google(monkeypatch, str(tmp_path)) as google:
        yield google


# By nothing but its kind


class Way(NamedTuple):
    """How a kind is to be reached: host, path, and where the credential stands."""

    host: str
    path: str
    header: str = "authorization"
    credential: str = f"Bearer {KEY}"


ENVIRON = {
    "AZURE_OPENAI_RESOURCE": "res",
    "GOOGLE_CLOUD_PROJECT": "a-project",
    "AWS_REGION": "eu-west-1",
    "CLOUDFLARE_ACCOUNT_ID": "acc",
    "CLOUDFLARE_GATEWAY_ID": "gate",
}
CHAT = "/chat/completions"
WAYS = {
    "openai": Way("api.openai.com", f"/v1{CHAT}"),
    "azure": Way("res.openai.azure.com", f"/openai/v1{CHAT}", "api-key", KEY),
    "azure-deployments": Way(
        "res.openai.azure.com",
        f"/openai/deployments/a-model{CHAT}?api-version=2024-10-21",
        "api-key",
        KEY,
    ),
    "gemini": Way("generativelanguage.googleapis.com", f"/v1beta/openai{CHAT}"),
    "vertex": Way(
        "aiplatform.googleapis.com",
        f"/v1/projects/a-project/locations/global/endpoints/openapi{CHAT}",
    ),
    "huggingface": Way("router.huggingface.co", f"/v1{CHAT}"),
    "anthropic": Way("api.anthropic.com", "/v1/messages", "x-api-key", KEY),
    "bedrock": Way("bedrock-runtime.eu-west-1.amazonaws.com", f"/openai/v1{CHAT}"),
    "cloudflare": Way("api.cloudflare.com", f"/client/v4/accounts/acc/ai/v1{CHAT}"),
    "cloudflare-compat": Way(
        "gateway.ai.cloudflare.com", f"/v1/acc/gate/compat{CHAT}", "cf-aig-authorization"
    ),
    "openrouter": Way("openrouter.ai", f"/api/v1{CHAT}"),
    "groq": Way("api.groq.com", f"/openai/v1{CHAT}"),
    "mistral": Way("api.mistral.ai", f"/v1{CHAT}"),
    "deepseek": Way("api.deepseek.com", f"/v1{CHAT}"),
    "together": Way("api.together.xyz", f"/v1{CHAT}"),
    "fireworks": Way("api.fireworks.ai", f"/inference/v1{CHAT}"),
    "xai": Way("api.x.ai", f"/v1{CHAT}"),
}
FAR = """
providers:
  first: {{kind: {kind}, {key}proxy: "${{PROXY}}", ca_file: "${{CA_FILE}}"}}
routes: [{{models: ["*"], chain: [first/a-model]}}]
"""


class Sent(NamedTuple):
    """A call as it arrived, and the host it was meant for."""

    host: str
    call: Call
    attempts: list[str]


async def sent(folder: Path, kind: str, key: str, path: str = f"/v1{CHAT}") -> Sent:
    """A call that a provider of `kind` was asked with, known by nothing but that and a key."""
    async with an_egress(folder) as (egress, ca_file):
        environ = {**ENVIRON, "PROXY": egress.url, "CA_FILE": str(ca_file), "KEY": KEY}
        async with a_desk(FAR.format(kind=kind, key=key), environ=environ) as desk:
            heard = await desk.ask(path, model="m", messages=HELLO, max_tokens=9)
        return Sent(egress.hosts[-1], egress.provider.calls[-1], heard.attempts)


def test_there_is_a_way_to_every_kind_that_is_not_beside_us() -> None:
    far = {kind for kind, preset in PRESETS.items() if "127.0.0.1" not in (preset.base_url or "")}

    assert set(WAYS) == far


@pytest.mark.parametrize("kind", WAYS)
async def test_a_kind_and_a_key_are_enough(kind: str, tmp_path: Path) -> None:
    way = WAYS[kind]
    host, call, attempts = await sent(tmp_path, kind, OWN_KEY)

    assert attempts == [OF_FIRST]
    assert (host, call.headers["host"], call.path) == (f"{way.host}:443", way.host, way.path)
    assert call.headers[way.header] == way.credential
    assert [name for name, value in call.headers.items() if KEY in value] == [way.header]


# Google's tokens, for Vertex

VERTEX = """
providers:
  first: {kind: vertex, base_url: "${FIRST}"}
  second: {kind: openai, base_url: "${SECOND}"}
routes: [{models: ["*"], chain: [first/google/gemini-3-flash, second/a-model]}]
"""


async def test_without_a_key_vertex_is_called_with_a_token_of_the_machine(tmp_path: Path) -> None:
    host, call, attempts = await sent(tmp_path, "vertex", "")

    assert (host, attempts) == (f"{WAYS['vertex'].host}:443", [OF_FIRST])
    assert call.headers["authorization"] == "Bearer ya29.token-1"


@STREAMED
async def test_vertex_is_called_with_a_token(stream: bool) -> None:
    async with a_desk(VERTEX) as desk:
        heard = await desk.chat(stream=stream)

        (call,) = desk["first"].calls
        assert heard.attempts == [OF_FIRST]
        assert call.headers["authorization"] == "Bearer ya29.token-1"
        assert call.json["model"] == "google/gemini-3-flash"


async def test_calls_that_come_together_share_one_token(google: Google) -> None:
    async with a_desk(VERTEX) as desk:
        await asyncio.gather(*(desk.chat() for _ in range(10)))

        assert (desk["first"].hits, google.tokens) == (10, 1)


@pytest.mark.parametrize("code", [400, 401, 500])
async def test_a_token_is_in_nothing_that_is_said(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_desk(VERTEX.replace(", second/a-model", "")) as desk:
        desk["first"].plays(status(code, openai("not with ya29.token-1", "ya29.token-1")))
        heard = await desk.chat()
        said = f"{heard.everything} {await desk.shown()} {caplog.text}"

        assert (desk["first"].hits, "ya29" in said) == (1, False)


@STREAMED
async def test_without_a_token_another_provider_answers(google: Google, stream: bool) -> None:
    google.refuses = True
    async with a_desk(VERTEX) as desk:
        heard = await desk.chat(stream=stream)

        assert (heard.code, heard.attempts) == (200, ["first;auth;0", OF_SECOND])
        assert desk["first"].hits == 0
        assert (await desk.standing("first"))["state"] == "closed"
        assert await desk.counted("parked", provider="first", reason="auth") == 0
        assert desk.logged("credentials could not be renewed")


# AWS's signatures, for Bedrock

BEDROCK = """
providers:
  first: {kind: bedrock, base_url: "${FIRST}"}
  second: {kind: openai, base_url: "${SECOND}"}
routes: [{models: ["*"], chain: [first/openai.gpt-oss-120b, second/a-model]}]
"""
KEY_ID, SECRET_KEY, SESSION = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG", "a-session-token"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has keys of AWS."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


def is_signed(call: Call) -> bool:
    """Whether the signature that arrived is that of what arrived."""
    found = AWS_AUTHORIZATION.fullmatch(call.headers["authorization"])
    assert found
    names = found["names"].split(";")
    headers = {name: call.headers[name] for name in names if name != "host"}
    request = Unsigned(call.method, f"https://{call.headers['host']}{call.path}", call.body)
    ours = aws_signature(request, headers, found["scope"], SECRET_KEY)
    return {"host", "x-amz-date"} <= set(names) and found["signature"] == ours


@pytest.mark.usefixtures("aws")
async def test_without_a_key_bedrock_is_called_with_a_signature(tmp_path: Path) -> None:
    host, call, attempts = await sent(tmp_path, "bedrock", "")

    assert (host, attempts) == (f"{WAYS['bedrock'].host}:443", [OF_FIRST])
    assert is_signed(call)
    assert "/eu-west-1/bedrock/aws4_request," in call.headers["authorization"]


@pytest.mark.usefixtures("aws")
@STREAMED
async def test_the_signature_is_that_of_the_very_last_bytes(stream: bool) -> None:
    async with a_desk(BEDROCK) as desk:
        heard = await desk.chat(stream=stream, messages=[{"role": "user", "content": "Grüße 🌍"}])

        (call,) = desk["first"].calls
        assert heard.attempts == [OF_FIRST]
        assert call.json["model"] == "openai.gpt-oss-120b"
        assert is_signed(call)


@pytest.mark.usefixtures("aws")
async def test_a_request_that_was_changed_is_signed_anew() -> None:
    refused = openai("Unsupported parameter", "invalid_request_error", code="unsupported_parameter")
    refused["error"]["param"] = "seed"
    async with a_desk(BEDROCK) as desk:
        desk["first"].plays(status(400, refused), "ok")

        heard = await desk.chat(seed=7)

        assert heard.attempts == ["first;unsupported_param;400", OF_FIRST]
        assert [is_signed(call) for call in desk["first"].calls] == [True, True]


@pytest.mark.usefixtures("aws")
async def test_a_session_is_named_and_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION)
    async with a_desk(BEDROCK) as desk:
        await desk.chat()

        (call,) = desk["first"].calls
        assert call.headers["x-amz-security-token"] == SESSION
        assert is_signed(call)


@pytest.mark.usefixtures("aws")
async def test_what_the_application_calls_its_credential_does_not_arrive() -> None:
    async with a_desk(BEDROCK) as desk:
        headers = {"Authorization": "Bearer of-the-application", "X-Amz-Security-Token": "of-it"}
        url = f"http://{desk.sidecar.api}/v1/chat/completions"
        await desk.http.post(url, json={"model": "m", "messages": HELLO}, headers=headers)

        (call,) = desk["first"].calls
        assert "x-amz-security-token" not in call.headers
        assert is_signed(call)


async def test_without_keys_another_provider_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    async with a_desk(BEDROCK) as desk:
        heard = await desk.chat()

        assert (heard.code, heard.attempts) == (200, ["first;auth;0", OF_SECOND])
        assert desk["first"].hits == 0


async def test_with_a_key_nothing_is_signed() -> None:
    async with a_desk(BEDROCK.replace("}\n  second", ", api_key: the-key}\n  second")) as desk:
        await desk.chat()

        assert desk["first"].calls[-1].headers["authorization"] == "Bearer the-key"


# Azure's two ways

AZURE = """
providers:
  first: {{kind: {kind}, base_url: "${{FIRST}}", api_key: the-key}}
routes: [{{models: ["*"], chain: [first/a deployment]}}]
"""


def azure(kind: str, **environ: str) -> AbstractAsyncContextManager[Desk]:
    return a_desk(AZURE.format(kind=kind), "first", environ=environ)


async def test_azure_is_asked_for_a_deployment_as_a_model() -> None:
    async with azure("azure") as desk:
        await desk.chat()

        (call,) = desk["first"].calls
        assert (call.path, call.json["model"]) == ("/v1/chat/completions", "a deployment")
        assert (call.headers["api-key"], "authorization" in call.headers) == ("the-key", False)


@pytest.mark.parametrize("path", ["/chat/completions", "/completions", "/embeddings"])
async def test_the_older_azure_has_the_deployment_in_its_path(path: str) -> None:
    async with azure("azure-deployments", OPENAI_API_VERSION="2025-01-01") as desk:
        await desk.ask(f"/v1{path}", model="m", messages=HELLO, prompt="Hi", input="Hi")

        (call,) = desk["first"].calls
        assert call.path == f"/v1/deployments/a%20deployment{path}?api-version=2025-01-01"
        assert (call.headers["api-key"], "authorization" in call.headers) == ("the-key", False)


async def test_what_is_passed_through_to_the_older_azure_has_the_version_too() -> None:
    async with azure("azure-deployments") as desk:
        await desk.http.get(f"http://{desk.sidecar.api}/v1/files?limit=2")

        assert desk["first"].calls[-1].path == "/v1/files?limit=2&api-version=2024-10-21"


# Cloudflare's three ways

TOLD_TO_KEEP_OUT = {"cf-aig-max-attempts": "1", "cf-aig-skip-cache": "true"}


def of_cloudflare(call: Call) -> dict[str, str]:
    """What is said to the gateway."""
    return {name: value for name, value in call.headers.items() if name.startswith("cf-aig-")}


async def test_cloudflares_own_api_is_told_its_gateway(tmp_path: Path) -> None:
    _, call, _ = await sent(tmp_path, "cloudflare", OWN_KEY)

    assert of_cloudflare(call) == {**TOLD_TO_KEEP_OUT, "cf-aig-gateway-id": "gate"}


@pytest.mark.parametrize("path", ["/responses", "/messages"])
async def test_cloudflares_own_api_serves_the_other_formats_itself(
    path: str, tmp_path: Path
) -> None:
    _, call, _ = await sent(tmp_path, "cloudflare", OWN_KEY, f"/v1{path}")

    assert call.path == f"/client/v4/accounts/acc/ai/v1{path}"


async def test_the_older_gateway_is_told_to_keep_out(tmp_path: Path) -> None:
    _, call, _ = await sent(tmp_path, "cloudflare-compat", OWN_KEY)

    assert of_cloudflare(call) == {**TOLD_TO_KEEP_OUT, "cf-aig-authorization": f"Bearer {KEY}"}


BEHIND_THE_GATEWAY = (
    'base_url: "https://gateway.ai.cloudflare.com/v1/acc/gate/{at}", '
    'headers: {{cf-aig-authorization: "Bearer of-the-gateway"}}, '
)


@pytest.mark.parametrize("key", [OWN_KEY, ""], ids=["a key of its own", "stored with the gateway"])
@pytest.mark.parametrize(
    ("kind", "at", "way"),
    [
        ("gemini", "google-ai-studio/v1beta/openai", WAYS["gemini"]),
        ("anthropic", "anthropic/v1", WAYS["anthropic"]),
        ("openai", "openai", WAYS["openai"]),
    ],
)
async def test_a_provider_behind_the_gateway_is_called_in_its_own_way(
    kind: str, at: str, way: Way, key: str, tmp_path: Path
) -> None:
    host, call, attempts = await sent(tmp_path, kind, key + BEHIND_THE_GATEWAY.format(at=at))

    assert (host, attempts) == ("gateway.ai.cloudflare.com:443", [OF_FIRST])
    assert call.path == f"/v1/acc/gate/{at}{'/messages' if kind == 'anthropic' else CHAT}"
    assert call.headers.get(way.header) == (way.credential if key else None)
    assert of_cloudflare(call) == {
        **TOLD_TO_KEEP_OUT,
        "cf-aig-authorization": "Bearer of-the-gateway",
    }
