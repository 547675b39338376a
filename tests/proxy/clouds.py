"""What the tests of clouds' credentials share: a clock, a Google, and AWS's arithmetic."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from sidecar.clock import SystemClock
from sidecar.proxy.credential import Unsigned

CALL = Unsigned("POST", "https://cloud.example/v1/chat/completions", b'{"model":"m"}')


@dataclass(slots=True)
class AheadClock(SystemClock):
    """The machine's clocks, but `ahead_s`: what the libraries add to the time stays true."""

    ahead_s: float = 0.0

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return SystemClock.monotonic() + self.ahead_s

    def unix(self) -> float:
        """Seconds since 1970."""
        return SystemClock.unix() + self.ahead_s


def forget_the_machine(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    """Let no cloud's library find what whoever runs the tests has at hand."""
    for name in ("AWS", "GOOGLE", "GCE", "CLOUDSDK", "GCLOUD"):
        forget(monkeypatch, f"{name}_")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", home)
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{home}/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{home}/credentials")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def forget(monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    """Take the environment variables away that begin with `start`."""
    for name in [name for name in os.environ if name.startswith(start)]:
        monkeypatch.delenv(name)


# Google

HOUR_S = 3600
ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default/"


class Google:
    """A token endpoint and a metadata server. Every token is another one."""

    def __init__(self) -> None:
        self.tokens = 0
        self.lasts_s = HOUR_S
        self.refuses = False
        self.assertion = ""
        self.open = asyncio.Event()
        self.open.set()
        app = web.Application()
        app.router.add_get("/", self.metadata_root)
        app.router.add_get("/computeMetadata/v1/project/project-id", self.project)
        app.router.add_get(ACCOUNT, self.account)
        app.router.add_get(f"{ACCOUNT}token", self.token)
        app.router.add_post("/token", self.token)
        self.server = TestServer(app)

    async def token(self, request: web.Request) -> web.Response:
        self.tokens += 1
        token = f"ya29.token-{self.tokens}"
        self.assertion = str((await request.post()).get("assertion", ""))
        await self.open.wait()
        if self.refuses:
            answer = {"error": "invalid_grant", "error_description": "of the secret"}
            return web.json_response(answer, status=400)
        said = {"access_token": token, "expires_in": self.lasts_s, "token_type": "Bearer"}
        return web.json_response(said)

    async def metadata_root(self, _: web.Request) -> web.Response:
        return web.Response(headers={"Metadata-Flavor": "Google"})

    async def project(self, _: web.Request) -> web.Response:
        return web.Response(text="a-project")

    async def account(self, _: web.Request) -> web.Response:
        return web.json_response({"email": "a@b.gserviceaccount.com", "scopes": []})


@asynccontextmanager
async def a_google(monkeypatch: pytest.MonkeyPatch, home: str) -> AsyncIterator[Google]:
    """The only Google that a machine with nothing on it knows."""
    forget_the_machine(monkeypatch, home)
    google = Google()
    async with google.server:
        host = f"{google.server.host}:{google.server.port}"
        monkeypatch.setenv("GCE_METADATA_IP", host)
        monkeypatch.setattr("google.auth.compute_engine._metadata._GCE_METADATA_HOST", host)
        yield google


# AWS

AWS_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key_id>\w+)/(?P<scope>\S+), "
    r"SignedHeaders=(?P<names>\S+), Signature=(?P<signature>[0-9a-f]{64})"
)


def digest(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def aws_signature(
    request: Unsigned, headers: Mapping[str, str], scope: str, secret_key: str
) -> str:
    """What the specification says (Signature Version 4), by the headers that went out."""
    url = urlsplit(request.url)
    signed = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    signed["host"] = url.netloc
    names = sorted(signed)
    canonical = [
        request.method,
        quote(url.path, safe="/-_.~"),
        "&".join(sorted(url.query.split("&"))),
        *(f"{name}:{signed[name]}" for name in names),
        "",
        ";".join(names),
        hashlib.sha256(request.body).hexdigest(),
    ]
    hashed = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = digest(key, part)
    return digest(key, f"AWS4-HMAC-SHA256\n{signed['x-amz-date']}\n{scope}\n{hashed}").hex()
