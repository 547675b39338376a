"""A breaker's record as plain values for a JSON encoder, and back: how the stores keep it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.core.events import Cause, State
from sidecar.core.record import Held, Policy, Record, Slot, Vote, Why

VERSION = 1

_NUMBERS = {
    "epoch": "epoch",
    "rev": "rev",
    "since": "since_ms",
    "until": "until_ms",
    "rounds": "rounds",
    "succ": "succ",
    "lost": "lost",
}
_POLICY = {
    "open": "open_ms",
    "multiplier": "multiplier",
    "max": "max_ms",
    "successes": "successes",
    "probes": "probes",
    "lease": "lease_ms",
    "round": "round_ms",
}


def to_json_value(record: Record) -> dict[str, Any]:
    """`record` less its name, which is the store's key."""
    why, hold = record.why, record.hold
    return {
        "v": VERSION,
        "state": record.state.value,
        **{key: getattr(record, name) for key, name in _NUMBERS.items()},
        "leases": {slot.token: [slot.pod, slot.until_ms] for slot in record.leases},
        "excluded": list(record.excluded),
        "votes": {v.pod: [v.until_ms, v.weight, v.cause.value] for v in record.votes},
        "policy": {key: getattr(record.policy, name) for key, name in _POLICY.items()},
        "cause": why
        and {"class": why.cause.value, "status": why.status, "pod": why.pod, "at": why.at_ms},
        "hold": hold
        and {
            "mode": hold.mode.value,
            "until": hold.until_ms,
            "by": hold.by,
            "reason": hold.reason,
        },
        "cooldown": dict(record.cooldown),
    }


def from_json_value(name: str, value: Mapping[str, Any]) -> Record:
    """The record that `to_json_value` made such a value of.

    `ValueError` for anything else, and for the form of another version.
    """
    if value.get("v") != VERSION:
        raise ValueError(f"breaker {name}: unknown version of a record, got {value.get('v')!r}")
    try:
        return _record(name, value)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"breaker {name}: not a record: {error!r}") from error


def _record(name: str, value: Mapping[str, Any]) -> Record:
    why, hold, policy = value["cause"], value["hold"], value["policy"]
    return Record(
        name=name,
        state=State(value["state"]),
        **{field: value[key] for key, field in _NUMBERS.items()},
        leases=tuple(Slot(token, *slot) for token, slot in value["leases"].items()),
        excluded=tuple(value["excluded"]),
        votes=tuple(Vote(p, at, w, Cause(c)) for p, (at, w, c) in value["votes"].items()),
        policy=Policy(**{field: policy[key] for key, field in _POLICY.items()}),
        why=why and Why(Cause(why["class"]), why["pod"], why["at"], why["status"]),
        hold=hold and Held(State(hold["mode"]), hold["until"], hold["by"], hold["reason"]),
        cooldown=tuple(value["cooldown"].items()),
    )
