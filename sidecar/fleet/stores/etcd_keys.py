"""Where things are in etcd, and how its gateway spells keys, values and questions.

    llm-failover/NAMESPACE/breaker/NAME    a record as JSON, for 24 hours since its last write
    llm-failover/NAMESPACE/pod/POD         nothing; it is there while the pod lives

A role needs `readwrite` on the prefix `llm-failover/NAMESPACE/` and nothing else.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

Json = Mapping[str, Any]


class Keys:
    """The keys of one namespace, as the gateway wants them."""

    def __init__(self, namespace: str) -> None:
        self._all = f"llm-failover/{quote(namespace, safe='')}/"
        self._breakers = f"{self._all}breaker/"
        self._pods = f"{self._all}pod/"

    def of_breaker(self, name: str) -> str:
        """The key of a record."""
        return encode(self._breakers + name)

    def of_pod(self, pod: str) -> str:
        """The key of a pod."""
        return encode(self._pods + pod)

    def breaker_in(self, kv: Json) -> str | None:
        """Whose record `kv` is; `None`: it is none."""
        return _without(self._breakers, kv)

    def pod_in(self, kv: Json) -> str | None:
        """Whose key `kv` is; `None`: no pod's."""
        return _without(self._pods, kv)

    def everything(self) -> dict[str, str]:
        """The range of all that is kept."""
        return _below(self._all)

    def breakers(self) -> dict[str, str]:
        """The range of all records."""
        return _below(self._breakers)


def encode(text: str | bytes) -> str:
    """Bytes as the gateway's JSON has them."""
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


def decode(text: str) -> bytes:
    """The bytes again."""
    return b64decode(text)


def _below(prefix: str) -> dict[str, str]:
    return {"key": encode(prefix), "rangeEnd": encode(prefix[:-1] + "0")}  # 0 follows / in ASCII


def _without(prefix: str, kv: Json) -> str | None:
    key = decode(kv["key"]).decode(errors="replace")
    return key.removeprefix(prefix) if key.startswith(prefix) else None
