"""Starts and stops what is measured and what measures, each on its own core, and reads their use.

Every child dies with this process: normally by its context manager, by the kernel's hand where
this process is killed.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench.toolchain import BINARY

UPSTREAMS = ("127.0.0.1:9001", "127.0.0.1:9002")
PATH = "/v1/chat/completions"

CORES = sorted(os.sched_getaffinity(0))
TARGET_CORES = set(CORES[:1])
HARNESS_CORES = set(CORES[1:]) or TARGET_CORES

NICE = -10  # other jobs on the machine should not decide the result; needs root, else it is left
PATIENCE_S = 20.0  # for a target to start, or to stop
LONGEST_LOAD_S = 120.0
PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None)

Command = Sequence[str | Path]


def placed(cores: set[int]) -> Callable[[], None]:
    """What a child does before it runs: take its cores, and agree to die with its parent."""

    def place() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, cores)
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, NICE)

    return place


@contextmanager
def running(command: Command, cores: set[int], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run `command` on `cores` with a bare environment, for as long as the context lasts."""
    environment = {"PATH": os.environ["PATH"], "GOMAXPROCS": "1"}
    with subprocess.Popen(
        command,
        env=environment,
        preexec_fn=placed(cores),  # noqa: PLW1509  there is one thread
        start_new_session=True,
        text=True,
        **options,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, all threads, by the scheduler's own account."""
    return time.clock_gettime(~pid << 3 | 2)  # the id that clock_getcpuclockid(3) makes of a pid


def memory_mib(pid: int, field: str) -> float:
    """A field of /proc/PID/status (proc_pid_status(5)), which counts in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024


def post(address: str, path: str, body: Mapping[str, object]) -> int:
    """The status that a POST is answered with."""
    host, _, port = address.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        return connection.getresponse().status
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class Mock:
    """The two mock providers."""

    process: subprocess.Popen[str]

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[Self]:
        """Serve both for as long as the context lasts."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with running([BINARY, "mock", *UPSTREAMS], HARNESS_CORES, **pipes) as process:
            mock = cls(process)
            if mock.read_line() != "ready":
                raise RuntimeError(f"the mock providers did not start on {', '.join(UPSTREAMS)}")
            yield mock

    @contextmanager
    def primary(self, mode: str) -> Iterator[None]:
        """Let the first provider be `500` or `down` for as long as the context lasts."""
        self.behave(mode)
        try:
            yield
        finally:
            self.behave("ok")

    def behave(self, mode: str) -> int:
        """Set the first provider's mode; returns how many requests it has seen."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{UPSTREAMS[0]} {mode}\n")
        self.process.stdin.flush()
        return int(self.read_line())

    def read_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something that answers: a proxy in a process of its own, or (`pid` 0) the mock itself."""

    name: str
    address: str
    pid: int = 0
    start_s: float = 0.0

    @property
    def cpu_s(self) -> float:
        """CPU seconds so far."""
        return cpu_s(self.pid) if self.pid else 0.0

    @property
    def rss_mib(self) -> float:
        """Resident memory now."""
        return memory_mib(self.pid, "VmRSS")

    @property
    def peak_rss_mib(self) -> float:
        """The most that resident memory ever was."""
        return memory_mib(self.pid, "VmHWM")


@contextmanager
def proxy(name: str, command: Command, address: str, log: Path) -> Iterator[Target]:
    """Start a proxy and wait for its first answer."""
    began_s = time.monotonic()
    with (
        log.open("w") as output,
        running(command, TARGET_CORES, stdout=output, stderr=output) as process,
    ):
        while not answers(address):
            if process.poll() is not None or time.monotonic() - began_s > PATIENCE_S:
                raise RuntimeError(f"{name} does not answer:\n{log.read_text()[-2000:]}")
            time.sleep(0.005)
        start_s = time.monotonic() - began_s
        yield Target(name=name, address=address, pid=process.pid, start_s=start_s)


def answers(address: str) -> bool:
    """Whether a completion comes back."""
    question = {"model": "mock", "messages": [{"role": "user", "content": "hi"}]}
    with suppress(OSError, http.client.HTTPException):
        return post(address, PATH, question) == 200
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one run of the load generator saw, and what its target used meanwhile.

    Shares are of one core. `first_ms` are the first answers of one connection, in order.
    """

    ok: int
    errors: dict[str, int]
    seconds: float
    chunks: int
    p50_ms: float
    p99_ms: float
    first_token_p50_ms: float
    first_token_p99_ms: float
    first_ms: list[float]
    cpu_s: float
    target_share: float
    harness_share: float


def load(target: Target, mock: Mock, **flags: object) -> Load:
    """Put load on `target`; `flags` are those of `llmbench load -h`."""
    words = [f"-{flag}={value}" for flag, value in flags.items()]
    command: Command = [BINARY, "load", f"-url=http://{target.address}{PATH}", *words]
    target_s, mock_s = target.cpu_s, cpu_s(mock.process.pid)
    with running(command, HARNESS_CORES, stdout=subprocess.PIPE) as process:
        seen = json.loads(process.communicate(timeout=LONGEST_LOAD_S)[0])
    used_s = target.cpu_s - target_s
    harness_s = seen.pop("cpu_s") + cpu_s(mock.process.pid) - mock_s
    return Load(
        **seen,
        cpu_s=used_s,
        target_share=used_s / seen["seconds"],
        harness_share=harness_s / seen["seconds"] / min(2, len(HARNESS_CORES)),
    )
