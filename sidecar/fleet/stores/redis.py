"""The store of a fleet on Redis (6.2 or newer) or Valkey: one server, Sentinels, or a Cluster.

A breaker is a hash, the pods that live are a sorted set, and changes go through a channel. All
names begin with `llm-failover:{namespace}:`; the braces keep a fleet on one node of a Cluster.

The user needs no more than `+evalsha +eval +hmget +hset +pexpire +time +zadd +zremrangebyscore
+zrange +publish +subscribe +ping ~llm-failover:* &llm-failover:*`, and `+select` for a database
other than 0.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from dataclasses import replace
from urllib.parse import quote

import orjson

from sidecar.clock import Clock
from sidecar.core.policies import Fleet
from sidecar.core.record import Record
from sidecar.core.record_json import VERSION, from_json_value, to_json_value
from sidecar.core.redis_url import read_url
from sidecar.fleet.stores.base import UNGUARDED, Guard, Lost, Swap, Sync, Unreadable
from sidecar.fleet.stores.redis_lag import Lag
from sidecar.fleet.stores.redis_primary import Primary, Script

KEPT_MS = 24 * 60 * 60 * 1000
POD_LIVES_MS = 10_000

# The version is compared, too: after a loss, a record of another one may have the revision seen.
CAS = Script(
    """
local seen, rev, version, token, not_before, not_after, new, channel = unpack(ARGV)
local old = redis.call('HMGET', KEYS[1], 'rev', 'v', 'token', 'data')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if token ~= '' and token == old[3] then
  return {1, now, old[4]}
end
local is_current = (old[1] or '0') == seen and (old[2] or version) == version
local is_late = not_after ~= '0' and now >= tonumber(not_after)
if not is_current or is_late or now < tonumber(not_before) then
  return {0, now, old[4]}
end
redis.call('HSET', KEYS[1], 'rev', rev, 'v', version, 'token', token, 'data', new)
redis.call('PEXPIRE', KEYS[1], KEPT_MS)
redis.call('PUBLISH', channel, new)
return {1, now, new}
""".replace("KEPT_MS", str(KEPT_MS))
)

# It writes, so that a replica refuses it: what is read is what the primary has. The pods come as
# one text, as redis-py takes 2 ms for a thousand answers.
SYNC = Script(
    """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - POD_LIVES_MS)
redis.call('PEXPIRE', KEYS[1], POD_LIVES_MS)
local records = {}
for i = 2, #KEYS do
  records[i - 1] = redis.call('HMGET', KEYS[i], 'data')[1]
end
return {now, cjson.encode(redis.call('ZRANGE', KEYS[1], 0, -1)), records}
""".replace("POD_LIVES_MS", str(POD_LIVES_MS))
)

log = logging.getLogger(__name__)


class RedisStore:
    """Keeps each record as the JSON of it and of its name, which is also what is published.

    Raises `ValueError` for a URL that is wrong, or whose certificates cannot be read. A record of
    another version is left out by `sync` and `changes`, and never written over.
    """

    def __init__(self, url: str, fleet: Fleet, clock: Clock) -> None:
        place = read_url(url)
        self._primary = Primary(place, fleet.op_timeout_s)
        self._prefix = f"llm-failover:{{{quote(fleet.namespace, safe='')}}}:"
        self._channel = f"{self._prefix}changes:{place.db}"  # databases share their channels
        self._clock = clock
        self._lag = Lag(clock)
        self._has_warned = False

    async def sync(self, names: Iterable[str], pod: str) -> Sync:
        """The records, and the pods that synchronised within ten seconds, by one script."""
        asked_s = self._clock.monotonic()
        keys = [f"{self._prefix}pods", *map(self._key, names)]
        now_ms, pods, texts = await self._primary.run(SYNC, keys, pod)
        records = tuple(filter(None, (self._read(text) for text in texts if text)))
        for record in records:
            self._lag.saw(record, asked_s)
        return Sync(now_ms, records, tuple(orjson.loads(pods)))

    async def cas(self, seen_rev: int, new: Record, guard: Guard = UNGUARDED) -> Swap:
        """Write `new`, if nothing else was written meanwhile, by one script."""
        asked_s = self._clock.monotonic()
        new = replace(new, rev=max(seen_rev + 1, new.rev))
        done, now_ms, text = await self._primary.run(
            CAS,
            [self._key(new.name)],
            *(seen_rev, new.rev, VERSION),
            *(guard.token, guard.not_before_ms, guard.not_after_ms),
            *(_write(new), self._channel),
        )
        record = self._read(text) if text else None
        if text and record is None:
            raise Unreadable(f"redis: breaker {new.name}: what is stored cannot be read")
        if record:
            self._lag.saw(record, asked_s)
        return Swap(bool(done), record, now_ms)

    async def changes(self) -> AsyncIterator[Record | Lost]:
        """Every record as it is written; `Lost` also where the subscription had to begin anew."""
        while True:
            async with aclosing(self._subscription()) as changes:
                async for change in changes:
                    yield change

    async def close(self) -> None:
        """Let go of every connection."""
        await self._primary.close()

    def _key(self, name: str) -> str:
        return f"{self._prefix}breaker:{name}"

    async def _subscription(self) -> AsyncGenerator[Record | Lost, None]:
        """One of them, as long as it tells what looks show as well."""
        async with aclosing(self._primary.listen(self._channel)) as messages:
            async for message in messages:
                if message is None and self._lag.is_behind():
                    return
                if message and (change := self._told(*message)):
                    yield change

    def _told(self, kind: bytes, *rest: bytes) -> Record | Lost | None:
        if kind == b"subscribe":
            self._lag.begin()
            return Lost()
        record = self._read(rest[-1]) if kind == b"message" else None
        if record:
            self._lag.heard(record)
        return record

    def _read(self, text: bytes) -> Record | None:
        try:
            value = orjson.loads(text)
            return from_json_value(value["name"], value)
        except (KeyError, TypeError, ValueError) as error:
            if not self._has_warned:  # nobody is helped by the same line every two seconds
                log.warning("a breaker's record cannot be read", extra={"error": repr(error)})
            self._has_warned = True
            return None


def _write(record: Record) -> bytes:
    return orjson.dumps({"name": record.name, **to_json_value(record)})
