"""What is measured: the mock itself, the naive proxy, and the sidecar with everything on."""

from __future__ import annotations

import socket
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from bench.processes import UPSTREAMS, Command, Target, proxy

HERE = Path(__file__).parent
PYTHON = Path(sys.executable)
CONFIG = """\
listen: {listen}
admin: {admin}
log: {{level: info, format: json}}
providers:
  primary: {{kind: openai, base_url: "http://{upstreams[0]}/v1", api_key: sk-bench}}
  secondary: {{kind: openai, base_url: "http://{upstreams[1]}/v1", api_key: sk-bench}}
routes:
  - models: ["*"]
    chain: [primary, secondary]
"""


def start(name: str, folder: Path) -> AbstractContextManager[Target]:
    """A fresh start of the target `name`; its configuration and log go to `folder`."""
    return {"direct": direct, "naive": naive, "sidecar": sidecar}[name](folder)


def direct(folder: Path) -> AbstractContextManager[Target]:  # noqa: ARG001  has nothing to write
    """No proxy at all."""
    return nullcontext(Target(name="direct", address=UPSTREAMS[0]))


def naive(folder: Path) -> AbstractContextManager[Target]:
    """`bench/naive.py`."""
    address = free_address()
    port = address.partition(":")[2]
    upstreams = [f"http://{upstream}/v1" for upstream in UPSTREAMS]
    command: Command = [PYTHON, HERE / "naive.py", port, *upstreams]
    return proxy("naive", command, address, folder / "naive.log")


def sidecar(folder: Path) -> AbstractContextManager[Target]:
    """`sidecar serve` as it comes: breakers, metrics, judged answers, an access log."""
    address = free_address()
    config = folder / "sidecar.yaml"
    config.write_text(CONFIG.format(listen=address, admin=free_address(), upstreams=UPSTREAMS))
    command: Command = [PYTHON.with_name("sidecar"), "serve", "--config", config]
    return proxy("sidecar", command, address, folder / "sidecar.log")


def free_address() -> str:
    """A loopback address on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
