"""Leases of etcd: what keeps a pod's key while the pod lives, and a record for a day.

Each has an id of our own choice: asked for again after a lost answer, it is the same lease.
"""

from __future__ import annotations

import secrets

from sidecar.clock import Clock
from sidecar.fleet.stores.etcd_gateway import Gateway, Refused

POD_S = 10
RECORD_S = 25 * 3600
# One lease serves all records that this pod writes within an hour, so that there are at most
# twenty-five of it at a time and writes cost no grants; a record lives for 24 to 25 hours.
RECORD_REUSE_S = 3600.0


class Lease:
    """One lease, granted when it is first needed and whenever etcd has it no more."""

    def __init__(self, gateway: Gateway, ttl_s: int) -> None:
        self.id = str(secrets.randbits(62) + 1)
        self._gateway = gateway
        self._ttl_s = ttl_s
        self._granted = False

    async def hold(self, by_s: float) -> str:
        """Its id, once it is granted. It is not renewed."""
        if not self._granted:
            await self._grant(by_s)
        return self.id

    async def renew(self, by_s: float) -> str:
        """Its id, with all of its time before it."""
        if not self._granted or await self._ran_out(by_s):
            await self._grant(by_s)
        return self.id

    async def _ran_out(self, by_s: float) -> bool:
        answer = await self._gateway.ask("/v3/lease/keepalive", {"ID": self.id}, by_s)
        self._granted = int(answer.get("result", {}).get("TTL", 0)) > 0
        return not self._granted

    async def _grant(self, by_s: float) -> None:
        try:
            asked = {"ID": self.id, "TTL": str(self._ttl_s)}
            await self._gateway.ask("/v3/lease/grant", asked, by_s)
        except Refused as refused:
            if refused.reason != "etcdserver: lease already exists":
                raise  # else the answer to an earlier question was lost
        self._granted = True


class Leases:
    """The leases of this process."""

    def __init__(self, gateway: Gateway, clock: Clock) -> None:
        self._gateway = gateway
        self._clock = clock
        self._pods: dict[str, Lease] = {}
        self._record: Lease | None = None
        self._record_since_s = 0.0

    async def of_pod(self, pod: str, by_s: float) -> str:
        """The lease that shows that `pod` lives, renewed."""
        lease = self._pods.setdefault(pod, Lease(self._gateway, POD_S))
        return await lease.renew(by_s)

    async def of_record(self, by_s: float) -> str:
        """A lease for a record that is about to be written."""
        now_s = self._clock.monotonic()
        if self._record is None or now_s - self._record_since_s >= RECORD_REUSE_S:
            self._record, self._record_since_s = Lease(self._gateway, RECORD_S), now_s
        return await self._record.hold(by_s)

    def forget_record_lease(self) -> None:
        """Have another granted: etcd has lost it."""
        self._record = None
