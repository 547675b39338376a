"""What the tests of clouds' credentials share: a clock that runs and can be put forward."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

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


def forget(monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    """Take the environment variables away that begin with `start`."""
    for name in [name for name in os.environ if name.startswith(start)]:
        monkeypatch.delenv(name)
