"""What a sidecar tells of itself: one provider in trouble, and one that is well."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

NOW = 1_760_004_000.0  # 10:00 UTC


def provider(name: str, state: str = "closed", **more: Any) -> Json:
    """An entry of `/status.json` as it is before the first call."""
    return {
        "name": name,
        "state": state,
        "since": NOW - 3600,
        "cause": None,
        "retry_in_s": None,
        "away_since": None,
        "ttft_p50_s": None,
        "ttft_p95_s": None,
        "attempts_per_s": 0.0,
        "failing": [],
        "history": [],
        "held": None,
        "parked": [],
        "cooldown_s": [],
        **more,
    }


def opened(name: str, **more: Any) -> Json:
    """The same of one that has failed three times."""
    trouble: Json = {
        "cause": "failures",
        "retry_in_s": 41.6,
        "away_since": NOW - 190,
        "failing": [{"what": "503", "count": 3}],
        "attempts_per_s": 0.2,
        "ttft_p50_s": 0.8412,
        "ttft_p95_s": 2.0,
        "history": [[NOW - 200, 8, 2, 0.8, 2.0]],
    }
    return provider(name, "open", **{**trouble, **more})


def seat(entry: str, standing: str = "closed", *, serving: bool = False) -> Json:
    return {"entry": entry, "standing": standing, "serving": serving}


def route(*seats: Json, model: str = "*") -> Json:
    return {"models": [model], "chain": [one["entry"] for one in seats], "seats": list(seats)}


TWO = route(seat("one/big", "open"), seat("two", serving=True), seat("three"))


def status_of(*providers: Json, **more: Any) -> Json:
    """`/status.json` of a pod that keeps its breakers to itself."""
    return {
        "sentence": "two is serving.",
        "version": "0.1.0",
        "pod": "pod-1",
        "time": NOW,
        "uptime_s": 3600.0,
        "config": {"sha256": "", "loaded": NOW, "warnings": [], "problems": []},
        "store": store(kind="memory"),
        "providers": list(providers),
        "routes": [TWO],
        "failovers": [],
        "requests": [],
        **more,
    }


def store(*pods: str, kind: str = "redis", degraded: bool = False) -> Json:
    seen = [{"pod": pod, "last_seen_s": 1.0} for pod in pods]
    return {"kind": kind, "up": True, "degraded": degraded, "last_sync_s": 1.2, "pods": seen}


def aside(model: str = "big", reason: str = "rate_limit", retry_in_s: float = 12.0) -> Json:
    return {"model": model, "reason": reason, "retry_in_s": retry_in_s}


def held(mode: str, until: float | None = None) -> Json:
    return {"mode": mode, "until": until, "by": "operator", "reason": "drill_7"}


def failover(number: int = 1) -> Json:
    return {
        "time": NOW + number,
        "request_id": f"req-{number}",
        "route": "*",
        "from": "one",
        "to": "two",
        "reason": "server_error",
    }
