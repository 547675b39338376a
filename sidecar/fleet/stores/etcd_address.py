"""Where an etcd is and how to be let in, read from its URL.

    etcd://[USER:PASSWORD@]HOST:PORT[,HOST:PORT …]
    etcds://…[?ca_file=PATH][&cert_file=PATH&key_file=PATH]

User and password are percent-encoded; the port may be left out where it is 2379.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

PORT = 2379
OPTIONS = ("ca_file", "cert_file", "key_file")

_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-][A-Za-z0-9._-]*)(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The members' base URLs, who we are (nobody where there is no `user`), and whom we trust."""

    endpoints: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)
    trust: ssl.SSLContext | None = None


def read_address(url: str) -> Address:
    """The address that `url` names. Its files are read here.

    `ValueError` for anything else, in words without any part of the URL that may be secret.
    """
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    who, _, where = rest.rpartition("@")
    user, password = _read_user(who)
    web = "https" if scheme == "etcds" else "http"
    return Address(
        endpoints=tuple(f"{web}://{each}" for each in _read_members(where.removesuffix("/"))),
        user=user,
        password=password,
        trust=_read_trust(scheme, query),
    )


def _read_user(who: str) -> tuple[str, str]:
    user, _, password = (unquote(part) for part in who.partition(":"))
    if who and not (user and password):
        raise ValueError("store: etcd needs both a user and a password, or neither")
    return user, password


def _read_members(where: str) -> list[str]:
    members = [_read_member(position, text) for position, text in enumerate(where.split(","), 1)]
    if len(set(members)) < len(members):
        raise ValueError("store: etcd has the same host and port twice")
    return members


def _read_member(position: int, text: str) -> str:
    # what does not parse may be a password with an @ or a / in it: it is not shown
    found = _HOST_PORT.fullmatch(text)
    if found is None or not 0 < int(found[2] or PORT) < 65536:
        raise ValueError(
            f"store: host {position} of etcd must be HOST:PORT (percent-encode the rest)"
        )
    return f"{found[1]}:{int(found[2] or PORT)}"


def _read_trust(scheme: str, query: str) -> ssl.SSLContext | None:
    files = _read_files(query)
    if scheme != "etcds":
        if files:
            raise ValueError(f"store: {next(iter(files))} is for etcds://, got {scheme}://")
        return None
    if ("cert_file" in files) is not ("key_file" in files):
        raise ValueError("store: cert_file and key_file of etcd go together")
    try:
        trust = ssl.create_default_context(cafile=files.get("ca_file"))
        if "cert_file" in files:
            trust.load_cert_chain(files["cert_file"], files["key_file"])
    except OSError as error:  # ssl.SSLError is one
        raise ValueError(f"store: a file of etcd's TLS cannot be used: {error}") from error
    return trust


def _read_files(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, strict_parsing=True) if query else []
    except ValueError:
        raise ValueError("store: the options of etcd must be NAME=PATH, joined by &") from None
    files = dict(pairs)
    if unknown := next((name for name in files if name not in OPTIONS), None):
        raise ValueError(
            f"store: unknown option of etcd, must be one of {', '.join(OPTIONS)}, got {unknown}"
        )
    if len(files) < len(pairs):
        raise ValueError("store: an option of etcd is given twice")
    return files
