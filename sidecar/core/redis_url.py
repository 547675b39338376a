"""Where a fleet's Redis is, and how to get in: read strictly from the URL of the store.

    redis[s]://[[user]:password@]host[:port][/db]
    redis[s]+sentinel://[[user]:password@]host[:port],…/service[/db]
    redis[s]+cluster://[[user]:password@]host[:port],…

`rediss` is TLS, with the options `ca_file`, `cert_file` and `key_file`; Sentinels that ask who is
there take `sentinel_user` and `sentinel_password`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from sidecar.core.tls_files import TLS_OPTIONS, TlsFiles

URL = re.compile(
    r"redis(?P<tls>s?)(?:\+(?P<kind>sentinel|cluster))?://"
    r"(?:(?P<login>[^@/?#]*)@)?(?P<hosts>[^@/?#]+)(?P<path>/[^@?#]*)?(?:\?(?P<options>[^#]*))?"
)
FORM = "must be scheme://[[user]:password@]host[:port][,…][/…][?…], a @ / ? # % within it as %40 …"
HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?")
DB = re.compile(r"[0-9]{1,5}")
BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")

PORT = 6379
SENTINEL_PORT = 26379
SENTINEL_OPTIONS = ("sentinel_user", "sentinel_password")


@dataclass(frozen=True, slots=True)
class Address:
    """One server."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks. Without a user it is Redis' `default`, without a password nobody in particular."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a URL says. `service` is the name that the Sentinels know the servers by, if any.

    `tls` is `None` where the connection is plain.
    """

    addresses: tuple[Address, ...]
    service: str = ""
    db: int = 0
    login: Login = Login()
    sentinel_login: Login = Login()
    tls: TlsFiles | None = None

    def __str__(self) -> str:
        return ",".join(map(str, self.addresses))


def read_url(url: str) -> Place:
    """The place that `url` names.

    Raises `ValueError` for what is wrong with it, without a word of the URL: part of a password
    that is not percent-encoded can show up anywhere in it.
    """
    found = URL.fullmatch(url)
    if not found:
        raise ValueError(f"store: {FORM}")
    kind, has_tls = found["kind"], bool(found["tls"])
    addresses = _addresses(found["hosts"], SENTINEL_PORT if kind == "sentinel" else PORT)
    if not kind and len(addresses) > 1:
        raise ValueError("store: must be one host, or redis+sentinel:// or redis+cluster://")
    service, db = _service_and_db(kind, (found["path"] or "").removeprefix("/"))
    known = TLS_OPTIONS * has_tls + SENTINEL_OPTIONS * bool(service)
    options = _options(found["options"], known)
    return Place(
        addresses=addresses,
        service=service,
        db=db,
        login=_login(found["login"]),
        sentinel_login=Login(*map(options.get, SENTINEL_OPTIONS)),
        tls=_tls_files(options) if has_tls else None,
    )


def _addresses(text: str, port: int) -> tuple[Address, ...]:
    return tuple(_address(part, port) for part in text.split(","))


def _address(text: str, port: int) -> Address:
    found = HOST.fullmatch(text)
    if not found or not 0 < int(found[3] or port) < 65536:
        raise ValueError("store: a host must be name:port, 192.0.2.1:port or [2001:db8::1]:port")
    return Address(found[1] or found[2], int(found[3] or port))


def _service_and_db(kind: str | None, path: str) -> tuple[str, int]:
    if kind == "sentinel":
        service, _, path = path.partition("/")
        if not service:
            raise ValueError("store: the name of the service must follow the Sentinels: /mymaster")
        return _decode(service), _db(path)
    if kind == "cluster" and _db(path):
        raise ValueError("store: a Cluster has one database, 0")
    return "", _db(path)


def _db(text: str) -> int:
    if text and not DB.fullmatch(text):
        raise ValueError("store: the database must be a number")
    return int(text or 0)


def _login(text: str | None) -> Login:
    if text is None:
        return Login()
    user, colon, password = text.partition(":")
    if not colon:
        raise ValueError("store: a login must be user:password@, or :password@")
    return Login(_decode(user) or None, _decode(password))


def _options(text: str | None, known: tuple[str, ...]) -> Mapping[str, str]:
    options: dict[str, str] = {}
    for part in text.split("&") if text else ():
        name, _, value = part.partition("=")
        if name not in known or name in options or not value:
            allowed = ", ".join(known) or "none here"
            raise ValueError(f"store: the options must be name=value, each once, of: {allowed}")
        options[name] = _decode(value)
    return options


def _tls_files(options: Mapping[str, str]) -> TlsFiles:
    if ("cert_file" in options) is not ("key_file" in options):
        raise ValueError("store: cert_file and key_file must be given together")
    return TlsFiles(*map(options.get, TLS_OPTIONS))


def _decode(text: str) -> str:
    try:
        if not BROKEN_PERCENT.search(text):
            return unquote(text, errors="strict")
    except UnicodeDecodeError:
        pass
    raise ValueError("store: % must begin the code of a byte of UTF-8, and is itself %25") from None
