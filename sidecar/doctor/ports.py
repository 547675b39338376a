"""The ports of the two listeners: free, or taken by a sidecar that runs here already."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from dataclasses import dataclass

import aiohttp

from sidecar.core.settings import Address
from sidecar.doctor.finding import Finding, bad, good
from sidecar.remote import as_object, reachable

PATIENCE_S = 3.0
MOST_BYTES = 64 * 1024
MARK = "sidecar;dur="  # of the header server-timing
PRIVILEGED = 1024
FOREIGN_ERRORS = (aiohttp.ClientError, OSError, ValueError)  # a timeout is an OSError


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """What was seen at `address`, which `setting` names.

    `error` is the `errno` with which one cannot listen there, 0 if one can; `sidecar` is what a
    sidecar there says of itself, empty where there is none.
    """

    setting: str
    address: Address
    error: int = 0
    sidecar: str = ""


def judge_port(port: Port) -> Finding:
    """Whether a sidecar can listen there, or does."""
    check, where = f"port of {port.setting}", str(port.address)
    if not port.error:
        seen = "any free port" if port.address.port == 0 else f"{where} is free"
        return good("", check, seen)
    if port.sidecar:
        return good("", check, f"{where}: {port.sidecar} is running")
    if port.error == errno.EADDRINUSE:
        cure = f"end what listens there (`ss -ltnp`), or set {port.setting} to another port"
        return bad("", check, f"{where} is taken by something that is no sidecar", cure)
    privileged = port.error == errno.EACCES and port.address.port < PRIVILEGED
    cure = f"set {port.setting} to " + (
        f"a port from {PRIVILEGED} on" if privileged else "an address of this machine"
    )
    return bad("", check, f"cannot listen on {where}: {os.strerror(port.error)}", cure)


async def look_at_port(setting: str, address: Address) -> Port:
    """Try to listen there; where somebody does, ask who it is."""
    error = await asyncio.to_thread(bind_error, address)
    told = await who_is_at(setting, address) if error == errno.EADDRINUSE else ""
    return Port(setting=setting, address=address, error=error, sidecar=told)


def bind_error(address: Address) -> int:
    """The `errno` with which one cannot listen on `address`; 0 if one can."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        socket.create_server((address.host, address.port), family=family).close()
    except (OSError, UnicodeError) as error:
        known = isinstance(error, OSError) and not isinstance(error, socket.gaierror)
        return (known and getattr(error, "errno", None)) or errno.EADDRNOTAVAIL
    return 0


async def who_is_at(setting: str, address: Address) -> str:
    """The sidecar there, the admin listener with its version; empty where there is none."""
    at = reachable(address)
    path = "version" if setting == "admin" else "healthz"
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(f"http://{at}/{path}", allow_redirects=False) as answer,
        ):
            told = as_object(await answer.content.read(MOST_BYTES))
    except FOREIGN_ERRORS:
        return ""
    if setting == "admin":
        is_one = {"version", "python"} <= told.keys()
        return f"sidecar {str(told['version'])[:20]}" if is_one else ""
    return "a sidecar" if MARK in answer.headers.get("server-timing", "") else ""
