"""The kinds of stores there are: another one is a file here, and a row in the table."""

from __future__ import annotations

from collections.abc import Callable

from sidecar.clock import Clock
from sidecar.core.policies import Fleet
from sidecar.fleet.stores.base import Store
from sidecar.fleet.stores.memory import MemoryStore


def _redis(url: str, fleet: Fleet, clock: Clock) -> Store:
    try:
        from sidecar.fleet.stores.redis import RedisStore
    except ModuleNotFoundError as error:
        raise ValueError("store: needs `pip install llm-failover-sidecar[redis]`") from error
    return RedisStore(url, fleet, clock)


def _etcd(url: str, fleet: Fleet, clock: Clock) -> Store:
    from sidecar.fleet.stores.etcd import open_etcd

    return open_etcd(url, fleet, clock)


# By the scheme of the URL. What a store needs from outside is imported when it is made.
KINDS: dict[str, Callable[[str, Fleet, Clock], Store]] = {
    "memory": lambda _, __, clock: MemoryStore(clock),
    "redis": _redis,
    "rediss": _redis,
    "redis+sentinel": _redis,
    "rediss+sentinel": _redis,
    "redis+cluster": _redis,
    "rediss+cluster": _redis,
    **dict.fromkeys(("etcd", "etcds"), _etcd),
}


def open_store(url: str, fleet: Fleet, clock: Clock) -> Store:
    """The store that `url` names.

    Raises `ValueError` for a kind that is not in the table, and for a URL that is wrong.
    """
    kind = url.partition("://")[0]
    if kind not in KINDS:
        raise ValueError(f"store: must be one of {', '.join(KINDS)}, got {kind}")
    return KINDS[kind](url, fleet, clock)
