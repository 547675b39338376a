"""The store on etcd 3.4 or later: transactions, and one watch of the namespace.

The `rev` of a record is etcd's own count of the writes of its key. etcd has no clock: how pods make
do with their own is told in `etcd_time`. So it is the pod that keeps to a write's bounds in time,
before it sends it; the compared version makes one that arrives late harmless if another came first.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from sidecar.clock import Clock
from sidecar.core.etcd_address import Address, read_address
from sidecar.core.policies import Fleet
from sidecar.core.record import Record
from sidecar.fleet.stores.base import (
    UNGUARDED,
    Guard,
    Lost,
    StoreUnavailable,
    Swap,
    Sync,
    Unreadable,
)
from sidecar.fleet.stores.etcd_gateway import Gateway, Json, Refused
from sidecar.fleet.stores.etcd_keys import Keys, decode, encode
from sidecar.fleet.stores.etcd_lag import Lag
from sidecar.fleet.stores.etcd_leases import Leases
from sidecar.fleet.stores.etcd_time import Reckoning, Version

LEASE_IS_GONE = "etcdserver: requested lease not found"


class Written(NamedTuple):
    """A record as it is stored, and the token of the write."""

    record: Record
    token: str


class EtcdStore:
    """A fleet's records under one prefix. Connects when it is first asked."""

    def __init__(self, address: Address, fleet: Fleet, clock: Clock) -> None:
        self._timeout_s = fleet.op_timeout_s
        self._gateway = Gateway(address, fleet.op_timeout_s)
        self._keys = Keys(fleet.namespace)
        self._leases = Leases(self._gateway, clock)
        self._reckoning = Reckoning(clock)
        self._lag = Lag(clock)
        self._one_sync = asyncio.Lock()

    async def sync(self, names: Iterable[str], pod: str) -> Sync:
        """All in two requests: renew the pod's lease; put its key if need be, and read."""
        async with self._in_time() as by_s, self._one_sync:
            lease = await self._leases.of_pod(pod, by_s)
            answer = await self._gateway.ask("/v3/kv/txn", self._appearance(pod, lease), by_s)
        kvs = _found(answer)
        wanted = set(names)
        written = [self._read(kv) for kv in kvs if self._keys.breaker_in(kv) in wanted]
        pods = sorted(filter(None, map(self._keys.pod_in, kvs)))
        records = tuple(one.record for one in written if one)
        return Sync(self._reckoning.now_ms(), records, tuple(pods))

    async def cas(self, seen_rev: int, new: Record, guard: Guard = UNGUARDED) -> Swap:
        """Write `new` in one request, or two where this pod has not written for an hour."""
        # also without a caller's token a write must be known again where a second member is asked
        token = guard.token or secrets.token_hex(8)
        async with self._in_time() as by_s:
            if not guard.admits(self._reckoning.now_ms()):
                key = {"key": self._keys.of_breaker(new.name)}
                answer = await self._gateway.ask("/v3/kv/range", key, by_s)
                return self._refusal(answer.get("kvs", ()), new.name, token)
            return await self._write(replace(new, rev=seen_rev + 1), token, by_s)

    async def changes(self) -> AsyncGenerator[Record | Lost, None]:
        """Every record as it is written, from one watch; `Lost` whenever it begins anew."""
        while True:
            async with aclosing(self._watch()) as changes:
                async for change in changes:
                    yield change

    async def close(self) -> None:
        """Let go of every connection. The pod's key goes within ten seconds."""
        await self._gateway.close()

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[float]:
        by_s = asyncio.get_running_loop().time() + self._timeout_s
        try:
            async with asyncio.timeout_at(by_s):
                yield by_s
        except TimeoutError as error:
            raise StoreUnavailable("etcd took too long") from error

    def _appearance(self, pod: str, lease: str) -> Json:
        """Put the pod's key, if it is not there under this lease, and read everything."""
        key = self._keys.of_pod(pod)
        read = {"requestRange": self._keys.everything()}
        put = {"requestPut": {"key": key, "lease": lease}}
        there = {"target": "LEASE", "key": key, "result": "EQUAL", "lease": lease}
        return {"compare": [there], "success": [read], "failure": [put, read]}

    async def _write(self, record: Record, token: str, by_s: float) -> Swap:
        value = self._reckoning.to_stored(record) | {"token": token}
        lease = await self._leases.of_record(by_s)
        try:
            answer = await self._gateway.ask(
                "/v3/kv/txn", self._exchange(record, value, lease), by_s
            )
        except Refused as refused:
            if refused.reason != LEASE_IS_GONE:
                raise
            self._leases.forget_record_lease()
            lease = await self._leases.of_record(by_s)
            answer = await self._gateway.ask(
                "/v3/kv/txn", self._exchange(record, value, lease), by_s
            )
        if not answer.get("succeeded"):
            return self._refusal(_found(answer), record.name, token)
        version = Version(record.rev, int(answer["header"]["revision"]))
        self._lag.saw(version.revision)
        stored = self._reckoning.from_stored(record.name, value, version)
        return Swap(True, stored, self._reckoning.now_ms())

    def _exchange(self, record: Record, value: dict[str, Any], lease: str) -> Json:
        key = self._keys.of_breaker(record.name)
        same = {"key": key, "result": "EQUAL"}
        seen = record.rev - 1
        compare = [{"target": "VERSION", "version": str(seen), **same}]
        if revision := self._reckoning.revision_of(record.name, seen):
            # counted from one again, after it expired or all was lost, it is another record
            compare.append({"target": "MOD", "modRevision": str(revision), **same})
        put = {"key": key, "value": encode(orjson.dumps(value)), "lease": lease}
        return {
            "compare": compare,
            "success": [{"requestPut": put}],
            "failure": [{"requestRange": {"key": key}}],
        }

    def _refusal(self, kvs: Iterable[Json], name: str, token: str) -> Swap:
        """What is stored instead; or it is the very write, done when it was asked for before."""
        for kv in kvs:
            written = self._read(kv)
            if written is None:
                raise Unreadable(f"etcd: breaker {name}: the record of another version is kept")
            return Swap(written.token == token, written.record, self._reckoning.now_ms())
        return Swap(False, None, self._reckoning.now_ms())

    async def _watch(self) -> AsyncGenerator[Record | Lost, None]:
        """From now on: who hears that it began synchronises, and so misses nothing."""
        create = {"createRequest": {**self._keys.breakers(), "progressNotify": True}}
        async with aclosing(self._gateway.stream("/v3/watch", create)) as messages:
            async for message in messages:
                result = message["result"] if message else {}
                if result.get("canceled"):
                    self._judge_end(result)
                    return
                for change in self._heard(result):
                    yield change
                if message is None and self._lag.is_behind():
                    self._gateway.move_on()
                    return

    def _judge_end(self, result: Json) -> None:
        if "compact_revision" in result:  # we were so slow that what comes next is gone
            return
        self._gateway.forget_token()  # a watch says "permission denied" also of an old token
        self._gateway.move_on()
        raise StoreUnavailable(f"etcd ends the watch: {result.get('cancel_reason', '')[:200]}")

    def _heard(self, result: Json) -> list[Record | Lost]:
        changes: list[Record | Lost] = []
        if result.get("created"):
            self._lag.begin(int(result["header"]["revision"]))
            changes.append(Lost())
        for event in result.get("events", ()):
            kv = event["kv"]
            self._lag.heard(int(kv["mod_revision"]))
            if event.get("type") != "DELETE" and (written := self._read(kv)):
                changes.append(written.record)
        return changes

    def _read(self, kv: Json) -> Written | None:
        """The record in `kv`; `None` for what a newer or another program wrote."""
        name = self._keys.breaker_in(kv) or ""
        version = Version(int(kv["version"]), int(kv["mod_revision"]))
        self._lag.saw(version.revision)
        try:
            value = orjson.loads(decode(kv.get("value", "")))
            record = self._reckoning.from_stored(name, value, version)
            return Written(record, value["token"])
        except (AttributeError, KeyError, ValueError):
            return None


def open_etcd(url: str, fleet: Fleet, clock: Clock) -> EtcdStore:
    """The store that `url` names, as `etcd_address` reads it."""
    return EtcdStore(read_address(url), fleet, clock)


def _found(answer: Json) -> list[Json]:
    """What the read at the end of a transaction found."""
    kvs: list[Json] = answer["responses"][-1]["response_range"].get("kvs", [])
    return kvs
