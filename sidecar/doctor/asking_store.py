"""Asks the store what a pod asks it: for everything, and word of changes. No breaker is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from sidecar.app import pod_name
from sidecar.clock import Clock
from sidecar.config.problem import printable
from sidecar.config.store_url import MEMORY, shown
from sidecar.core.record import Record
from sidecar.core.settings import Settings
from sidecar.doctor.store import StoreSeen
from sidecar.fleet.stores import open_store
from sidecar.fleet.stores.base import Lost, Store, StoreUnavailable, Sync

TRIES = 3  # a pod decides alone after as many
APART_S = 0.1
PATIENCE_S = 5.0  # where `op_timeout` has more
HAS_A_CLOCK = "redis"  # how the schemes of those begin whose time is not this machine's


async def ask_store(settings: Settings, clock: Clock) -> StoreSeen | None:
    """What came of it; `None` where the store is this process's memory."""
    if settings.store in MEMORY:
        return None
    place, op_timeout_s = shown(settings.store), settings.fleet.op_timeout_s
    try:
        store = open_store(settings.store, settings.fleet, clock)
    except ValueError as error:
        said = str(error).removeprefix("store: ")
        return StoreSeen(place=place, op_timeout_s=op_timeout_s, error=said)
    has_a_clock = settings.store.startswith(HAS_A_CLOCK)
    try:
        began_s = clock.monotonic()
        await insistently(store)
        first_s = clock.monotonic() - began_s
        await heard(store)
        began_s, began_unix_s = clock.monotonic(), clock.unix()
        sync = await asked(store)
        op_s = clock.monotonic() - began_s
    except StoreUnavailable as error:
        said = printable(str(error))
        return StoreSeen(place=place, op_timeout_s=op_timeout_s, error=said)
    finally:
        await store.close()
    return StoreSeen(
        place=place,
        op_timeout_s=op_timeout_s,
        first_s=first_s,
        op_s=op_s,
        others=len({*sync.pods} - {pod_name()}),
        ahead_s=sync.now_ms / 1000 - began_unix_s - op_s / 2 if has_a_clock else None,
    )


async def insistently(store: Store) -> None:
    """Ask until it answers, as often as a pod does; a log-in may outlast a question."""
    for _ in range(TRIES - 1):
        try:
            await asked(store)
        except StoreUnavailable:
            await asyncio.sleep(APART_S)
        else:
            return
    await asked(store)


async def asked(store: Store) -> Sync:
    """One question, under this pod's own name, so that no other pod sees one more."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await store.sync((), pod_name())
    except TimeoutError as error:
        raise StoreUnavailable(f"no answer within {PATIENCE_S:g} s") from error


async def heard(store: Store) -> None:
    """Begin to listen: that takes a right of its own."""
    changes = cast("AsyncGenerator[Record | Lost, None]", store.changes())
    try:
        async with asyncio.timeout(PATIENCE_S), aclosing(changes):
            await anext(changes)
    except TimeoutError as error:
        raise StoreUnavailable(f"no word of changes within {PATIENCE_S:g} s") from error
