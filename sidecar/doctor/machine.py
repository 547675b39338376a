"""What the machine gives the process: memory, file descriptors, the right time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sidecar.config.quantity import format_quantity
from sidecar.core.units import Unit
from sidecar.doctor.finding import Finding, bad, doubt, good

CLOCK = "clock"
SET_IT = "set this machine's clock (NTP): certificates and signatures fail otherwise"
MIB = 1024**2
TOO_LITTLE_BYTES = 64 * MIB  # an idle sidecar has 48 MiB
SCARCE_BYTES = 128 * MIB  # a few hundred streams, and the answers that are held
PER_CALL = 2  # descriptors: the application's connection and the provider's
OWN = 100  # what else is open: listeners, the store, the log, pooled connections
TOO_FEW = OWN + 10 * PER_CALL
OFF_S = 30.0  # then signatures are refused
WRITTEN_UNIX_S = 1_767_225_600  # 2026-01-01: no clock that is right is before this program


def judge_memory(room_bytes: int | None, limit: str) -> Finding:
    """`room_bytes` is what there is, `limit` what says so; `None` where nobody says."""
    if room_bytes is None:
        cure = f"make sure of {SCARCE_BYTES // MIB} MiB: this system does not tell"
        return doubt("", "memory", "unknown", cure)
    seen = f"{room_bytes // MIB} MiB ({limit})"
    cure = f"give it {SCARCE_BYTES // MIB} MiB or more (resources.limits.memory of its container)"
    if room_bytes < TOO_LITTLE_BYTES:
        return bad("", "memory", seen, cure)
    if room_bytes < SCARCE_BYTES:
        return doubt("", "memory", seen, cure)
    return good("", "memory", seen)


def judge_descriptors(open_files: int | None, in_flight: int) -> Finding:
    """`open_files` is how many the process may have, `in_flight` what `limits` says of calls."""
    if open_files is None:
        return good("", "descriptors", "any number of open files")
    needed = OWN + PER_CALL * in_flight
    seen = f"{open_files} open files for {in_flight} calls at once"
    if open_files >= needed:
        return good("", "descriptors", seen)
    fits = max(1, (open_files - OWN) // PER_CALL)
    cure = f"raise `ulimit -n` to {needed}, or set limits.in_flight to {fits}"
    return (bad if open_files < TOO_FEW else doubt)("", "descriptors", seen, cure)


def judge_clock(ahead_s: Mapping[str, float], unix_s: float) -> Finding:
    """`ahead_s` is how far whose clock is before ours; `unix_s` the time that we believe it is."""
    now = f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M} UTC"
    if not ahead_s:
        return judge_clock_alone(now, unix_s)
    off = [f"{name} {place_of(one)}" for name, one in ahead_s.items() if abs(one) > OFF_S]
    if not off:
        return good("", CLOCK, f"{now}, as {', '.join(ahead_s)} has it")
    seen = f"{now}, but {', '.join(off)}"
    if len(off) < len(ahead_s):
        return doubt("", CLOCK, seen, "find out whose clock is off")
    return bad("", CLOCK, seen, SET_IT)


def judge_clock_alone(now: str, unix_s: float) -> Finding:
    """The clock where nobody told the time."""
    if unix_s < WRITTEN_UNIX_S:
        return bad("", CLOCK, f"{now}, which is before this program was written", SET_IT)
    return doubt("", CLOCK, f"{now}; nobody told the time", "compare it with another clock")


def place_of(ahead_s: float) -> str:
    """Where a clock is, seen from ours."""
    size = format_quantity(round(abs(ahead_s)), Unit.SECONDS)
    return f"is {size} {'ahead' if ahead_s > 0 else 'behind'}"
