"""Store time where the store has no clock: each pod's own. What others wrote is moved into it.

A pod's store time is Unix time as it believed at its start, and goes on with its monotonic clock.
Nobody compares it with another pod's. Beside the record stands the writer's time at the write; who
reads it takes the moment of first sight for the moment of the write, and moves all times in it by
the difference. It was written before it was seen, so a deadline moved this way is never earlier
than the writer meant, by any clock, and later by no more than the record took on its way here (or
the pod, to come: it has to measure for itself what it did not see begin).

What belongs to an epoch (its deadline, hold and beginning) keeps the reckoning of the pod that
began it, whoever writes on top: each pod moves it by what it saw first of the epoch, and back. So
it is the same at every write, and neither creeps from pod to pod nor moves with one that joins.
The rest (leases, votes, cooldowns) is rewritten in the reckoning of the latest writer.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from sidecar.clock import Clock
from sidecar.core.record import Held, Record
from sidecar.core.record_json import from_json_value, to_json_value

KEPT = 10_000  # breakers whose first sight is remembered


class Version(NamedTuple):
    """One write of a key, in etcd's words: how many there were, and at which revision."""

    writes: int
    revision: int


class Seen(NamedTuple):
    """The latest version seen of a breaker, and by how much its times are moved for this pod."""

    version: Version
    epoch: int
    epoch_by_ms: int
    by_ms: int


class Reckoning:
    """This pod's store time, and its translation of what the others wrote."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_ms = round((clock.unix() - clock.monotonic()) * 1000)
        self._me = secrets.token_hex(8)
        self._seen: dict[str, Seen] = {}

    def now_ms(self) -> int:
        """Store time here."""
        return self._began_ms + round(self._clock.monotonic() * 1000)

    def revision_of(self, name: str, writes: int) -> int | None:
        """At which revision the write of that number was, if it is the latest seen here."""
        seen = self._seen.get(name)
        return seen.version.revision if seen and seen.version.writes == writes else None

    def to_stored(self, record: Record) -> dict[str, Any]:
        """`record` for others to read: with its times as they are kept, and the time of writing."""
        seen, now_ms = self._seen.get(record.name), self.now_ms()
        epoch_by_ms = seen.epoch_by_ms if seen and seen.epoch == record.epoch else 0
        stamps = {"by": self._me, "now": now_ms, "epoch_now": now_ms - epoch_by_ms}
        return to_json_value(_moved(record, -epoch_by_ms, 0)) | stamps

    def from_stored(self, name: str, value: Mapping[str, Any], version: Version) -> Record:
        """The record that was stored, in this pod's time. `ValueError` for anything else."""
        record = replace(from_json_value(name, value), rev=version.writes)
        seen = self._see(record, value, version)
        return _moved(record, seen.epoch_by_ms, seen.by_ms)

    def _see(self, record: Record, value: Mapping[str, Any], version: Version) -> Seen:
        """Take a look at it and remember it. Old news do not change how a later epoch is moved."""
        by_ms, epoch_by_ms = self._since_written(value)
        old = self._seen.pop(record.name, None)
        if old and old.epoch == record.epoch:
            # it may only shrink while the epoch lasts: what is written back must not come earlier
            epoch_by_ms = min(old.epoch_by_ms, epoch_by_ms)
            by_ms = old.by_ms if old.version == version else by_ms
        new = Seen(version, record.epoch, epoch_by_ms, by_ms)
        is_late = old is not None and old.epoch > new.epoch
        self._seen[record.name] = old._replace(version=version) if old and is_late else new
        if len(self._seen) > KEPT:
            del self._seen[next(iter(self._seen))]
        return new

    def _since_written(self, value: Mapping[str, Any]) -> tuple[int, int]:
        """How far this pod's time is ahead of the writer's, and of the time of the epoch."""
        try:
            by, wrote_ms, epoch_ms = value["by"], int(value["now"]), int(value["epoch_now"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"no times of writing: {error!r}") from error
        at_ms = wrote_ms if by == self._me else self.now_ms()
        return at_ms - wrote_ms, at_ms - epoch_ms


def _moved(record: Record, epoch_by_ms: int, by_ms: int) -> Record:
    """`record` with its times later by so much: those of its epoch, and the others."""
    why = record.why
    return replace(
        record,
        since_ms=record.since_ms and record.since_ms + epoch_by_ms,
        until_ms=record.until_ms and record.until_ms + epoch_by_ms,
        why=why and replace(why, at_ms=why.at_ms + epoch_by_ms),
        hold=_moved_hold(record.hold, epoch_by_ms),
        leases=tuple([replace(each, until_ms=each.until_ms + by_ms) for each in record.leases]),
        votes=tuple([replace(each, until_ms=each.until_ms + by_ms) for each in record.votes]),
        cooldown=tuple([(scope, until_ms + by_ms) for scope, until_ms in record.cooldown]),
    )


def _moved_hold(hold: Held | None, by_ms: int) -> Held | None:
    if hold is None or hold.until_ms is None:
        return hold
    return replace(hold, until_ms=hold.until_ms + by_ms)
