"""The webhook over real TLS, asked as an API server does."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import jsonpatch
import pytest
import trustme

from sidecar.clock import SystemClock
from sidecar.core.settings import Address
from sidecar.kubernetes.injection import apply, patch
from sidecar.kubernetes.webhook import MAX_BODY, Certificate, Webhook
from tests.kubernetes.pods import IMAGE, PLAIN, pod
from tests.kubernetes.test_review import asked

Json = dict[str, Any]
SERVICE = "llm-failover-webhook.llm-failover-system.svc"  # what an API server wants to see
HERE = Address(host="127.0.0.1", port=0)


class Mounted:
    """A secret as a kubelet mounts it: a directory behind a link, that is swapped for another."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions = 0
        self.certificate = Certificate(folder / "tls.crt", folder / "tls.key")

    def put(self, cert: bytes, key: bytes) -> None:
        """Swap what is mounted, at once."""
        self._versions += 1
        version = self._folder / f"..v{self._versions}"
        version.mkdir()
        (version / "tls.crt").write_bytes(cert)
        (version / "tls.key").write_bytes(key)
        link = self._folder / "..next"
        link.symlink_to(version.name)
        link.rename(self._folder / "..data")
        for name in ("tls.crt", "tls.key"):
            if not (self._folder / name).is_symlink():
                (self._folder / name).symlink_to(f"..data/{name}")

    def issue(self, authority: trustme.CA) -> bytes:
        """Mount a certificate of `authority`; what it says."""
        made = authority.issue_cert(SERVICE)
        cert = made.cert_chain_pems[0].bytes()
        self.put(cert, made.private_key_pem.bytes())
        return cert


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def mounted(tmp_path: Path, authority: trustme.CA) -> Mounted:
    mounted = Mounted(tmp_path)
    mounted.issue(authority)
    return mounted


@pytest.fixture
async def webhook(mounted: Mounted) -> AsyncIterator[Webhook]:
    async with Webhook(HERE, PLAIN, mounted.certificate, SystemClock()) as webhook:
        yield webhook


class ApiServer:
    """Asks as an API server does: by the Service's name, trusting one authority alone."""

    def __init__(self, session: aiohttp.ClientSession, authority: trustme.CA, port: int) -> None:
        self._session = session
        self._port = port
        self._origin = f"https://127.0.0.1:{port}"
        self._context = ssl.create_default_context()
        authority.configure_trust(self._context)

    async def post(self, body: bytes, path: str = "/inject?timeout=5s") -> tuple[int, Json]:
        headers = {"content-type": "application/json", "accept": "application/json"}
        async with self._session.post(
            self._origin + path,
            data=io.BytesIO(body),
            headers=headers,
            ssl=self._context,
            server_hostname=SERVICE,
        ) as said:
            return said.status, await said.json()

    async def get(self, path: str) -> int:
        async with self._session.get(
            self._origin + path, ssl=self._context, server_hostname=SERVICE
        ) as said:
            return said.status

    async def shown(self) -> bytes:
        """The certificate that a new connection is shown."""
        _, writer = await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=self._context, server_hostname=SERVICE
        )
        der = writer.get_extra_info("ssl_object").getpeercert(True)
        writer.close()
        await writer.wait_closed()
        return ssl.DER_cert_to_PEM_cert(der).encode()


@asynccontextmanager
async def api_server(authority: trustme.CA, port: int) -> AsyncIterator[ApiServer]:
    async with aiohttp.ClientSession() as session:
        yield ApiServer(session, authority, port)


async def test_an_api_server_gets_the_patch(webhook: Webhook, authority: trustme.CA) -> None:
    async with api_server(authority, webhook.address.port) as server:
        status, review = await server.post(json.dumps(asked()).encode())

    after = pod()
    apply(patch(pod(), PLAIN), after)
    operations = json.loads(base64.b64decode(review["response"]["patch"]))
    assert status == 200
    assert review["response"]["uid"] == asked()["request"]["uid"]
    assert jsonpatch.apply_patch(pod(), operations) == after


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"\xff\x00", b"[[[", b'{"apiVersion": "admission.k8s.io/v1"}'],
    ids=["nothing", "no review", "no text", "torn", "half a review"],
)
async def test_what_is_no_review_gets_an_answer_and_harms_nobody(
    body: bytes, webhook: Webhook, authority: trustme.CA
) -> None:
    async with api_server(authority, webhook.address.port) as server:
        status, said = await server.post(body)
        after, _ = await server.post(json.dumps(asked()).encode())

    assert (status, list(said)) == (400, ["error"])
    assert after == 200


async def test_a_body_that_is_too_large_gets_an_answer(
    webhook: Webhook, authority: trustme.CA
) -> None:
    async with api_server(authority, webhook.address.port) as server:
        status, said = await server.post(b" " * (MAX_BODY + 1))

    assert status == 413
    assert said == {"error": f"the body must have at most {MAX_BODY} bytes"}


async def test_it_is_healthy_while_it_serves(webhook: Webhook, authority: trustme.CA) -> None:
    async with api_server(authority, webhook.address.port) as server:
        assert await server.get("/healthz") == 200
        assert await server.get("/inject") == 405
        assert await server.get("/elsewhere") == 404


async def test_who_trusts_another_authority_is_not_served(webhook: Webhook) -> None:
    async with api_server(trustme.CA(), webhook.address.port) as server:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await server.get("/healthz")


# Certificates


async def test_a_certificate_is_taken_up_when_the_secret_changes(
    webhook: Webhook, mounted: Mounted, authority: trustme.CA
) -> None:
    async with api_server(authority, webhook.address.port) as server:
        before = await server.shown()
        issued = mounted.issue(authority)
        webhook.look()
        after = await server.shown()

    assert after == issued != before


@pytest.mark.parametrize("broken", ["a key of another", "no certificate", "nothing"])
async def test_a_certificate_that_is_not_usable_leaves_the_old_one(
    broken: str, webhook: Webhook, mounted: Mounted, authority: trustme.CA
) -> None:
    cert, key = mounted.certificate.read()
    other = authority.issue_cert(SERVICE).private_key_pem.bytes()
    pair = {"a key of another": (cert, other), "no certificate": (b"x", key), "nothing": (b"", b"")}

    async with api_server(authority, webhook.address.port) as server:
        mounted.put(*pair[broken])
        webhook.look()
        still = await server.shown()
        issued = mounted.issue(authority)
        webhook.look()
        after = await server.shown()

    assert still == cert
    assert after == issued


async def test_a_secret_that_is_gone_leaves_the_old_certificate(
    webhook: Webhook, mounted: Mounted, authority: trustme.CA
) -> None:
    cert, _ = mounted.certificate.read()
    mounted.certificate.cert.unlink()
    webhook.look()

    async with api_server(authority, webhook.address.port) as server:
        assert await server.shown() == cert


async def test_it_looks_by_itself(mounted: Mounted, authority: trustme.CA) -> None:
    clock = Once()
    async with Webhook(HERE, PLAIN, mounted.certificate, clock) as webhook:
        issued = mounted.issue(authority)
        async with api_server(authority, webhook.address.port) as server:
            while not clock.slept:
                await server.get("/healthz")
            assert await server.shown() == issued


class Once(SystemClock):
    """A clock whose first wait is over at once; the next one lasts."""

    slept = False

    async def _sleep(self, seconds: float) -> None:
        await SystemClock.sleep(seconds * 1000 if self.slept else 0)
        self.slept = True

    sleep = _sleep  # type: ignore[assignment]  # the machine's clock has a function there


# The process


@pytest.fixture
def process(mounted: Mounted) -> Iterator[subprocess.Popen[str]]:
    files = ("--cert", str(mounted.certificate.cert), "--key", str(mounted.certificate.key))
    words = ("webhook", "--listen", "127.0.0.1:0", *files, "--image", IMAGE)
    with subprocess.Popen(  # noqa: S603  our own words
        [sys.executable, "-m", "sidecar", *words], stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


async def test_the_process_serves_until_it_is_told_to_leave_and_a_little_longer(
    process: subprocess.Popen[str], authority: trustme.CA
) -> None:
    assert process.stderr
    serving = json.loads(process.stderr.readline())
    port = int(serving["address"].rpartition(":")[2])
    async with api_server(authority, port) as server:
        process.send_signal(signal.SIGTERM)
        assert json.loads(process.stderr.readline())["msg"] == "webhook is leaving"
        status, _ = await server.post(json.dumps(asked()).encode())
    told = process.stderr.readline()
    process.send_signal(signal.SIGTERM)

    assert serving["msg"] == "webhook is serving"
    assert status == 200
    assert json.loads(told)["result"] == "injected"
    assert "web" not in json.loads(told).values()
    assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("certificate", "--cert, --key: must be files with a certificate and its key, as PEM, got"),
        ("file", "/nowhere: No such file or directory"),
        ("port", "cannot listen on 127.0.0.1:"),
    ],
    ids=["certificate", "file", "port"],
)
def test_what_keeps_it_from_starting_is_told(missing: str, said: str, mounted: Mounted) -> None:
    key = mounted.certificate.key
    certs = {"certificate": Path(os.devnull), "file": Path("/nowhere")}
    cert = certs.get(missing, mounted.certificate.cert)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1] if missing == "port" else 0
        files = ("--cert", str(cert), "--key", str(key))
        words = ("webhook", "--listen", f"127.0.0.1:{port}", *files, "--image", "x")
        ended = subprocess.run(  # noqa: S603  our own words
            [sys.executable, "-m", "sidecar", *words],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"sidecar: {said}")
    assert ended.stderr.count("\n") == 1
