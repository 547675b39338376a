"""What is measured of a target: each function puts one kind of load on it and returns figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

from bench.processes import Load, Mock, Target, load, post

PAIRS = 4  # many short ones drift apart less than few long ones

Figures = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured. `busy_s` is for loads without pause, `calm_s` for those at a rate."""

    rounds: int
    busy_s: float
    calm_s: float
    paced_chunks: int
    slow_streams: bool


QUICK = Plan(rounds=2, busy_s=1.5, calm_s=2.0, paced_chunks=50, slow_streams=False)
FULL = Plan(rounds=5, busy_s=2.0, calm_s=4.0, paced_chunks=100, slow_streams=True)


class Spoiled(Exception):
    """Something did not go as it must for the figure to mean anything."""


def clean(target: Target, mock: Mock, **flags: object) -> Load:
    """Put load on `target`. Raises `Spoiled`."""
    seen = load(target, mock, **flags)
    if seen.errors or not seen.ok:
        raise Spoiled(f"{seen.ok} requests went well, others did not: {seen.errors}")
    return seen


def warm_up(target: Target, mock: Mock, plan: Plan) -> Figures:  # noqa: ARG001
    """Nothing is measured of the first answers but the time to start."""
    clean(target, mock, connections=16, duration="500ms")
    clean(target, mock, connections=16, duration="300ms", stream=True)
    return {}


def busy(target: Target, mock: Mock, plan: Plan) -> Figures:
    """64 connections, each asking again as soon as it is answered."""
    seen = clean(target, mock, connections=64, duration=f"{plan.busy_s}s")
    return {
        "requests_per_s": seen.ok / seen.seconds,
        "request_cpu_us": per(seen, seen.ok),
        **shares("requests", seen),
    }


def calm(target: Target, mock: Mock, plan: Plan) -> Figures:
    """10 requests a second: what is added is the way through, not a queue."""
    seen = clean(target, mock, connections=16, rate=10, duration=f"{plan.calm_s}s")
    return {"calm_p50_ms": seen.p50_ms}


def steady(target: Target, mock: Mock, plan: Plan) -> Figures:
    """100 requests a second, so that there are enough for a p99."""
    seen = clean(target, mock, connections=32, rate=100, duration=f"{plan.calm_s}s")
    return {"steady_p50_ms": seen.p50_ms, "steady_p99_ms": seen.p99_ms}


def first_token(target: Target, mock: Mock, plan: Plan) -> Figures:
    """10 short streams a second."""
    flags = {"rate": 10, "duration": f"{plan.calm_s}s", "stream": True, "chunks": 10}
    seen = clean(target, mock, connections=16, **flags)
    return {"first_token_p50_ms": seen.first_token_p50_ms}


def fast_streams(target: Target, mock: Mock, plan: Plan) -> Figures:
    """16 streams whose chunks come as fast as they go."""
    seen = clean(target, mock, connections=16, duration=f"{plan.busy_s}s", stream=True)
    return {
        "fast_chunk_cpu_us": per(seen, seen.chunks),
        "fast_chunks_per_s": seen.chunks / seen.seconds,
        **shares("fast_chunks", seen),
    }


def paced_streams(target: Target, mock: Mock, plan: Plan) -> Figures:
    """50 streams of 25 chunks a second each: every chunk is a wake-up of its own."""
    flags = {"connections": 50, "limit": 50, "duration": "20s", "ramp": "40ms", "stream": True}
    seen = clean(target, mock, **flags, chunks=plan.paced_chunks, delay="40ms")
    return {"paced_chunk_cpu_us": per(seen, seen.chunks)}


def slow_streams(target: Target, mock: Mock, plan: Plan) -> Figures:
    """1000 streams at once, of 10 chunks a second each, for 10 seconds. In the full form only."""
    if not plan.slow_streams:
        return {}
    flags = {"connections": 1000, "limit": 1000, "duration": "20s", "ramp": "1s", "stream": True}
    seen = clean(target, mock, **flags, chunks=100, delay="100ms")
    return {"slow_chunk_cpu_us": per(seen, seen.chunks), "slow_streams_mib": target.peak_rss_mib}


def failover(target: Target, mock: Mock, plan: Plan) -> Figures:  # noqa: ARG001
    """The first provider answers 500: what the first requests after that lose, and the later ones.

    Needs a fresh start, whose breaker has seen no failure.
    """
    flags = {"connections": 1, "rate": 50, "duration": "2s"}
    before = clean(target, mock, **flags)
    with mock.primary("500"):
        after = clean(target, mock, **flags)
    return {
        "failover_first_ms": median(after.first_ms[:3]) - before.p50_ms,
        "failover_later_ms": after.p50_ms - before.p50_ms,
    }


def skipping(target: Target, mock: Mock, plan: Plan) -> Figures:
    """What a request costs more while the first provider's breaker is open, in alternation."""
    costs, plan = [], replace(plan, busy_s=plan.busy_s / PAIRS * 2)
    for _ in range(PAIRS):
        if post(target.address, "/reset", {}) != 200:
            raise Spoiled("the breakers could not be reset")
        closed = busy(target, mock, plan)
        with mock.primary("500"):
            clean(target, mock, connections=1, limit=10)
            asked = mock.behave("500")
            opened = busy(target, mock, plan)
            if asked != mock.behave("500"):
                raise Spoiled("the provider was not skipped")
        costs.append(opened["request_cpu_us"] - closed["request_cpu_us"])
    return {"skip_cpu_us": median(costs)}


def per(seen: Load, number: int) -> float:
    """The target's CPU microseconds for each of `number` things."""
    return seen.cpu_s * 1e6 / number


def shares(what: str, seen: Load) -> Figures:
    """Who was busy: tells whether the target or the harness was the limit."""
    return {
        f"{what}_target_share": seen.target_share,
        f"{what}_harness_share": seen.harness_share,
    }


Measure = Callable[[Target, Mock, Plan], Figures]
SIDE_BY_SIDE: tuple[Measure, ...] = (
    warm_up,
    busy,
    calm,
    steady,
    first_token,
    fast_streams,
    paced_streams,
)
