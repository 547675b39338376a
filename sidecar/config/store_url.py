"""The URL of the store: what it may be, and how it is shown without what lets one in."""

from __future__ import annotations

import re
from collections.abc import Callable

from sidecar.config.cursor import HIDDEN, Cursor
from sidecar.config.problem import Wrong, closest, shortened
from sidecar.config.shapes import TEMPLATE, Json, Text
from sidecar.core.etcd_address import read_address
from sidecar.core.redis_url import HOST, SENTINEL_OPTIONS, read_url
from sidecar.core.tls_files import TLS_OPTIONS

MEMORY = ("memory", "memory://")
READERS: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(("redis", "rediss"), read_url),
    **dict.fromkeys(("redis+sentinel", "rediss+sentinel"), read_url),
    **dict.fromkeys(("redis+cluster", "rediss+cluster"), read_url),
    **dict.fromkeys(("etcd", "etcds"), read_address),
}
FORMS = "memory, redis://…, redis+sentinel://…, redis+cluster://… (with TLS: rediss), etcd[s]://…"
PATTERN = r"^memory(://)?$|^rediss?(\+sentinel|\+cluster)?://|^etcds?://"

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.DOTALL)
_PATH = re.compile(r"(/[^/#]*){0,2}")  # a service and a database


class StoreUrl(Text):
    """Where the breakers of the fleet meet. It may hold passwords."""

    sensitive = True

    def read(self, at: Cursor) -> str:
        """The URL. Raises `Wrong` with what can be shown of it as it was written."""
        try:
            url: str = super().read(at)
        except Wrong as wrong:
            written = at.node.content
            got = shown(written) if isinstance(written, str) else ""
            raise Wrong(str(wrong), shows_value=wrong.shows_value, got=got) from None
        return url

    def parse(self, text: str) -> str:
        """The URL, less the white space around it. Raises `Wrong`."""
        url: str = super().parse(text.strip())
        if url in MEMORY:
            return url
        scheme, found, _ = url.partition("://")
        if not found or scheme not in READERS:
            meant = closest(scheme, READERS) if found else ""
            raise Wrong(f"must be one of {FORMS}", meant=meant)
        try:
            READERS[scheme](url)
        except ValueError as error:
            raise Wrong(str(error).removeprefix("store: ")) from None
        return url

    def write(self, value: str) -> str:
        """The URL without its login and its secrets."""
        return value if value in MEMORY else shown(value)

    def schema(self) -> Json:
        """The kinds of URLs there are."""
        return {"type": "string", "pattern": f"{PATTERN}|{TEMPLATE['pattern']}"}


def shown(url: str) -> str:
    """`url` without its login and secret options; three stars where it may be all secret.

    A password that is not percent-encoded may hold any sign, so what stands before the last @ is
    hidden, and so is everything if what follows is no host.
    """
    found = _URL.fullmatch(url)
    if found is None:
        return HIDDEN
    _, at, rest = found[2].rpartition("@")
    place, mark, options = rest.partition("?")
    hosts, slash, path = place.partition("/")
    are_hosts = all(map(HOST.fullmatch, hosts.split(",")))
    if not are_hosts or not _PATH.fullmatch(slash + path):
        return HIDDEN
    options = "&".join(map(_shown_option, options.split("&"))) if mark else ""
    return shortened(f"{found[1]}://{HIDDEN * bool(at)}{at}{place}{mark}{options}")


def _shown_option(option: str) -> str:
    name, _, value = option.partition("=")
    if name in TLS_OPTIONS:
        return f"{name}={value}"
    return f"{name}={HIDDEN}" if name in SENTINEL_OPTIONS else HIDDEN
