"""Times the pure pieces that every request or every chunk goes through, in microseconds each."""

from __future__ import annotations

import timeit
from collections.abc import Callable
from statistics import median

from sidecar.clock import SystemClock
from sidecar.core.answer import Judge, Move
from sidecar.core.events import (
    AttemptEnded,
    AttemptStarted,
    Event,
    RequestEnded,
    RequestStarted,
    Skipped,
    Usage,
)
from sidecar.core.failover import Failover, GiveUp, Try
from sidecar.core.outcome import Endpoint, Outcome, RequestOutcome
from sidecar.core.permit import Ending, Permit, Refusal
from sidecar.core.settings import BreakerPolicy, Entry, Provider, Route, Settings
from sidecar.core.sse import Event as SseEvent
from sidecar.core.sse import Parser
from sidecar.dialects.openai import ChatReader
from sidecar.dialects.openai_application import ChatWriter
from sidecar.fleet.stores.memory import MemoryStore
from sidecar.fleet.view import FleetBreakers
from sidecar.observe.metrics import Build, Metrics

ROUNDS = 7
ROUND_S = 0.05
MAX_BYTES = 64 * 1024**2
EVENT = (
    b'data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"mock","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,'
    b'"finish_reason":null}]}\n\n'
)
ENTRIES = tuple(
    Entry(provider=Provider(name=name, kind="openai", base_url=f"http://{name}/v1"))
    for name in ("primary", "secondary")
)
SETTINGS = Settings(
    routes=(Route(models=("*",), chain=ENTRIES),),
    providers=tuple(entry.provider for entry in ENTRIES),
)
USAGE = Usage(input=24, output=32)
EVENTS: tuple[Event, ...] = (
    RequestStarted(route="*"),
    AttemptStarted(request_id="r", provider="primary", model="*"),
    AttemptEnded(
        request_id="r",
        route="*",
        provider="primary",
        model="*",
        outcome=Outcome.OK,
        status=200,
        duration_s=0.5,
        usage=USAGE,
        counts_tokens=True,
    ),
    RequestEnded(
        request_id="r",
        route="*",
        endpoint=Endpoint.CHAT,
        stream=False,
        outcome=RequestOutcome.SUCCESS,
        code=200,
        provider="primary",
        model="*",
        attempts="primary;ok;200;0.50",
        duration_s=0.5,
        overhead_s=0.001,
        usage=USAGE,
    ),
)


def parse_events(together: int) -> Callable[[], None]:
    """Read events that come `together` in one piece."""
    parser, piece = Parser(MAX_BYTES), EVENT * together
    parser.feed(EVENT)

    def run() -> None:
        assert len(parser.feed(piece)) == together

    return run


def judge_event() -> Callable[[], None]:
    """An event of a stream read, judged and handed on."""
    reader, judge, writer = ChatReader("bench"), Judge(), ChatWriter(wants_usage=False)
    event = SseEvent(EVENT.removeprefix(b"data: ").strip(), b"", EVENT)

    def run() -> None:
        reading = reader.read(event)
        if judge.judge(reading.piece, len(event.data)) is not Move.RELAY:
            raise RuntimeError("a good event was not relayed")
        writer.write(reading)

    return run


def admit_and_settle() -> Callable[[], None]:
    """Ask a closed breaker for leave, and hand it back."""
    clock = SystemClock()
    breakers = FleetBreakers(ENTRIES, MemoryStore(clock), clock, lambda _: None, "bench")
    ending = Ending(outcome=Outcome.OK, status=200)

    def run() -> None:
        permit = breakers.admit(ENTRIES[0])
        assert isinstance(permit, Permit)
        breakers.settle(permit, ending)

    return run


def pass_over() -> Callable[[], None]:
    """Be refused by an open breaker, take the next of the chain, and report it."""
    clock = SystemClock()
    breakers = FleetBreakers(ENTRIES, MemoryStore(clock), clock, lambda _: None, "bench")
    metrics = Metrics(SETTINGS, clock, Build("0", ""))
    for _ in range(BreakerPolicy().failure_threshold):
        permit = breakers.admit(ENTRIES[0])
        assert isinstance(permit, Permit)
        breakers.settle(permit, Ending(outcome=Outcome.SERVER_ERROR, status=500))

    def run() -> None:
        failover = Failover(chain=ENTRIES, deadline_s=300.0)
        failover.next(0.0)
        refusal = breakers.admit(ENTRIES[0])
        assert isinstance(refusal, Refusal)
        failover.refused(ENTRIES[0], refusal)
        skipped = Skipped(request_id="r", route="*", provider="primary", reason=refusal.reason)
        metrics.report(skipped)
        failover.next(0.0)

    return run


def plan_chain() -> Callable[[], None]:
    """Find the first provider to ask."""

    def run() -> None:
        assert isinstance(Failover(chain=ENTRIES, deadline_s=300.0).next(0.0), Try)

    return run


def walk_chain() -> Callable[[], None]:
    """Find the first provider, then the second, then nobody."""

    def run() -> None:
        failover = Failover(chain=ENTRIES, deadline_s=300.0)
        while isinstance(step := failover.next(0.0), Try):
            pass
        assert isinstance(step, GiveUp)

    return run


def count_request() -> Callable[[], None]:
    """Put all events of a request into the metrics."""
    metrics = Metrics(SETTINGS, SystemClock(), Build("0", ""))

    def run() -> None:
        for event in EVENTS:
            metrics.report(event)

    return run


PIECES: tuple[tuple[str, Callable[[], None], int], ...] = (
    ("read an SSE event that comes alone", parse_events(1), 1),
    ("read an SSE event that comes with 15 more", parse_events(16), 16),
    ("judge a chat event", judge_event(), 1),
    ("admit and settle, breaker closed", admit_and_settle(), 1),
    ("pass over a provider, breaker open", pass_over(), 1),
    ("plan a chain of two", plan_chain(), 1),
    ("walk a chain of two to its end", walk_chain(), 1),
    ("report a request to the metrics", count_request(), 1),
)


def microseconds(piece: Callable[[], None]) -> list[float]:
    """What one call takes, in each of several rounds."""
    timer = timeit.Timer(piece)
    number, taken_s = timer.autorange()
    number = max(1, round(number * ROUND_S / taken_s))
    return [taken_s / number * 1e6 for taken_s in timer.repeat(ROUNDS, number)]


def main() -> None:
    """Print a table."""
    print(f"{'microseconds':42}  median   least")
    for title, piece, times in PIECES:
        taken = [value / times for value in microseconds(piece)]
        print(f"{title:42} {median(taken):7.2f} {min(taken):7.2f}")


if __name__ == "__main__":
    main()
