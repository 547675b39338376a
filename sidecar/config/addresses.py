"""Addresses in YAML."""

from __future__ import annotations

import ipaddress
import re

from sidecar.config.problem import Wrong
from sidecar.config.shapes import Word
from sidecar.core.settings import Address


class AddressText(Word):
    """Where a listener binds: `127.0.0.1:8787`, `[::1]:8787`."""

    _FORM = re.compile(r"(?:\[(?P<v6>[^\]]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})")

    def parse(self, text: str) -> Address:
        """The host without brackets and the port. Raises `Wrong`."""
        found = self._FORM.fullmatch(text)
        if found is None or not _is_ipv6(found["v6"] or "::"):
            raise Wrong("must be HOST:PORT", meant=self._likely(text))
        if int(found["port"]) > 65535:
            raise Wrong("the port must be 0 to 65535")
        return Address(host=found["v6"] or found["host"], port=int(found["port"]))

    def _likely(self, text: str) -> str:
        host, _, port = text.rpartition(":")
        if host.startswith("["):
            return ""
        host = f"[{host}]" if _is_ipv6(host) else host or "127.0.0.1"
        return f"{host}:{port}" if self._FORM.fullmatch(f"{host}:{port}") else ""

    def write(self, value: Address) -> str:
        """`HOST:PORT`."""
        return str(value)


def _is_ipv6(text: str) -> bool:
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False
