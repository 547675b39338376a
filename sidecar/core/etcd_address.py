"""Where an etcd is and how to be let in, read from its URL.

    etcd://[USER:PASSWORD@]HOST:PORT[,HOST:PORT …]
    etcds://…[?ca_file=PATH][&cert_file=PATH&key_file=PATH]

User and password are percent-encoded; the port may be left out where it is 2379.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from sidecar.core.tls_files import TLS_OPTIONS, TlsFiles

PORT = 2379

_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-][A-Za-z0-9._-]*)(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The members' base URLs, who we are (nobody where there is no `user`), and whom to trust.

    `tls` is `None` where the connection is plain.
    """

    endpoints: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)
    tls: TlsFiles | None = None


def read_address(url: str) -> Address:
    """The address that `url` names.

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
        tls=_read_tls(scheme, query),
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


def _read_tls(scheme: str, query: str) -> TlsFiles | None:
    files = _read_files(query)
    if scheme != "etcds":
        if files:
            raise ValueError(f"store: {next(iter(files))} is for etcds://, got {scheme}://")
        return None
    if ("cert_file" in files) is not ("key_file" in files):
        raise ValueError("store: cert_file and key_file of etcd go together")
    return TlsFiles(*map(files.get, TLS_OPTIONS))


def _read_files(query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, strict_parsing=True) if query else []
    except ValueError:
        raise ValueError("store: the options of etcd must be NAME=PATH, joined by &") from None
    files = dict(pairs)
    if unknown := next((name for name in files if name not in TLS_OPTIONS), None):
        raise ValueError(
            f"store: unknown option of etcd, must be one of {', '.join(TLS_OPTIONS)}, got {unknown}"
        )
    if len(files) < len(pairs):
        raise ValueError("store: an option of etcd is given twice")
    return files
