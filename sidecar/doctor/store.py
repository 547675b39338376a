"""The store of the fleet: whether it is there, lets us in, and is quick enough for its clock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sidecar.config.quantity import format_quantity
from sidecar.core.units import Unit
from sidecar.doctor.finding import Finding, bad, counted, doubt, good, ms

CHECK = "store"
SLOW_SHARE = 0.5  # of `op_timeout`: a busy moment then takes the rest

# What the servers and their clients say, and its cure; the first match wins.
CURES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(said, re.IGNORECASE), cure)
    for said, cure in (
        (r"pip install", "install that package beside the sidecar"),
        (r"cannot read the certificates", "correct ca_file, cert_file and key_file in store"),
        (
            r"permission|ACL failure|NOPERM",
            "grant its user what docs/fleet.md lists, and the namespace of fleet.namespace",
        ),
        (
            r"WRONGPASS|password|NOAUTH|authentication|user name is empty|auth token",
            "correct user and password in store; signs such as @ and / percent-encoded",
        ),
        (r"certificate", "name the PEM file of its authority as ?ca_file=… in store"),
        (r"ssl|tls", "use rediss:// or etcds:// where it speaks TLS, and not where it does not"),
        (r"name or service|getaddrinfo|resolve|DNS|nodename", "correct the host in store"),
        (
            r"refused|connect call failed|ClientConnector",
            "start it, or correct host and port in store",
        ),
        (
            r"no answer within|too long|Timeout",
            "let this machine reach it, or raise fleet.op_timeout",
        ),
    )
)
ELSE = "look at the server's own log"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSeen:
    """What came of asking it. `place` has no login in it; `error` is empty where all went well.

    `first_s` is how long it took with connecting, `op_s` how long it takes from then on.
    `others` are the pods that share it with this one. `ahead_s` is how far its clock is before
    ours, where it has one.
    """

    place: str
    op_timeout_s: float
    error: str = ""
    first_s: float = 0.0
    op_s: float = 0.0
    others: int = 0
    ahead_s: float | None = None


def judge_store(seen: StoreSeen | None) -> Finding:
    """The finding; `None` stands for memory."""
    if seen is None:
        return good("", CHECK, "memory: every pod decides alone, and nothing has to be reached")
    if seen.error:
        return bad("", CHECK, seen.error, next(cures_of(seen.error)))
    told = (
        f"{seen.place}: reached and let in, {ms(seen.first_s)}; an operation {ms(seen.op_s)};"
        f" {counted(seen.others, 'other pod')}"
    )
    if seen.op_s < seen.op_timeout_s * SLOW_SHARE:
        return good("", CHECK, told)
    limit = format_quantity(seen.op_timeout_s, Unit.SECONDS)
    return doubt("", CHECK, told, f"raise fleet.op_timeout ({limit}), or bring the store nearer")


def cures_of(error: str) -> Iterator[str]:
    """What may help, the likeliest first."""
    yield from (cure for pattern, cure in CURES if pattern.search(error))
    yield ELSE
