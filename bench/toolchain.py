"""Builds the mock providers and the load generator, with a Go toolchain that pip brings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE / "llmbench"
BINARY = HERE / "bin" / "llmbench"
VENV = HERE / "venvs" / "tools"
REQUIREMENTS = HERE / "requirements.txt"


def build() -> None:
    """Build `BINARY` unless it is newer than its source. The first time takes a minute."""
    newest_s = max(path.stat().st_mtime for path in SOURCE.iterdir())
    if BINARY.exists() and BINARY.stat().st_mtime > newest_s:
        return
    go = tool("go")
    print("building bench/bin/llmbench ...", file=sys.stderr)
    environment = {
        **os.environ,
        "GOCACHE": str(HERE / "venvs" / "go-cache"),
        "GOTOOLCHAIN": "local",
        "GOPROXY": "off",  # the standard library is all it needs
    }
    subprocess.run([go, "build", "-o", BINARY, "."], cwd=SOURCE, env=environment, check=True)


def tool(name: str) -> Path:
    """The path of `go` or `py-spy`, in an environment made for them.

    It is filled from outside, because Debian's python3 may come without ensurepip.
    """
    path = VENV / "bin" / name
    if not path.exists():
        print("installing bench/requirements.txt ...", file=sys.stderr)
        python = "{}/bin/python{}.{}".format(sys.base_prefix, *sys.version_info)
        subprocess.run([python, "-m", "venv", "--without-pip", VENV], check=True)
        pip = [python, "-m", "pip", "--python", str(VENV / "bin" / "python"), "install", "--quiet"]
        locked = ["--disable-pip-version-check", "--require-hashes", "-r", str(REQUIREMENTS)]
        subprocess.run([*pip, *locked], check=True)
    return path
