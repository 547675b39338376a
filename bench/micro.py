"""Times the pure pieces that every request or every chunk goes through, in microseconds each."""

from __future__ import annotations

import timeit
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from statistics import median
from typing import Any, NamedTuple

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
from sidecar.core.policies import BreakerPolicy, Fleet
from sidecar.core.settings import Entry, Provider, Route, Settings
from sidecar.core.sse import Event as SseEvent
from sidecar.core.sse import Parser
from sidecar.core.trace import TraceContext
from sidecar.dialects.dialect import Target, Writer, dumps
from sidecar.dialects.memory import Memory
from sidecar.dialects.openai import ChatReader
from sidecar.dialects.openai_application import ChatWriter
from sidecar.dialects.presets import PRESETS
from sidecar.dialects.translation import translate
from sidecar.fleet.lane import Member
from sidecar.fleet.stores.memory import MemoryStore
from sidecar.fleet.view import FleetBreakers
from sidecar.observe.fanout import fan_out
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
ANTHROPIC_OPENING = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_mock",'
    b'"type":"message","role":"assistant","model":"mock","content":[],'
    b'"usage":{"input_tokens":24,"output_tokens":1}}}\n\n'
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n'
)
ANTHROPIC_EVENT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":" word"}}\n\n'
)
ANSWER = (
    b'{"id":"chatcmpl-mock","object":"chat.completion","created":1700000000,"model":"mock",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"The quick brown fox jumps '
    b'over the lazy dog.","refusal":null},"logprobs":null,"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":24,"completion_tokens":32,"total_tokens":56}}'
)
MANY = tuple(
    Provider(name=f"provider-{number}", kind="openai", base_url="http://many/v1")
    for number in range(20)
)
LARGE = Settings(
    routes=tuple(
        Route(models=(model,), chain=tuple(Entry(provider=one, model=model) for one in MANY))
        for model in ("small", "medium", "large", "vision", "thinking")
    ),
    providers=MANY,
)
OPENMETRICS = "application/openmetrics-text"
MEMBER = Member("bench", Fleet(), lambda _: None)
USAGE = Usage(input=24, output=32)
TRACE = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", is_sampled=True)
ATTEMPT = AttemptEnded(
    request_id="r",
    route="*",
    provider="primary",
    model="*",
    outcome=Outcome.OK,
    status=200,
    duration_s=0.5,
    usage=USAGE,
    counts_tokens=True,
)
EVENTS: tuple[Event, ...] = (
    RequestStarted(route="*"),
    AttemptStarted(request_id="r", provider="primary", model="*"),
    ATTEMPT,
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


class Asked(NamedTuple):
    """A call, as far as its words go."""

    endpoint: Endpoint
    fields: dict[str, Any]
    body: bytes
    wants_usage: bool = False


def target(kind: str) -> Target:
    """A provider of `kind`."""
    return Target(
        provider="bench",
        preset=PRESETS[kind],
        model="mock",
        seed="bench",
        created=1_700_000_000,
        memory=Memory(),
    )


def call(endpoint: Endpoint, turns: int = 2) -> Asked:
    """A streamed call of so many short messages."""
    said = [
        {"role": role, "content": "Say something friendly about sidecars and circuit breakers."}
        for role in ("user", "assistant")
    ]
    name = "input" if endpoint is Endpoint.RESPONSES else "messages"
    fields = {"model": "mock", "max_tokens": 100, "stream": True, name: said * (turns // 2)}
    return Asked(endpoint, fields, dumps(fields))


def put_into_words(kind: str, turns: int) -> Callable[[], None]:
    """A chat call of so many messages in a provider's words."""
    asked, aim = call(Endpoint.CHAT, turns), target(kind)

    def run() -> None:
        translate(asked, aim)

    return run


def read_whole_answer() -> Callable[[], None]:
    """A whole chat answer read, judged and handed on."""
    provider, application, _ = translate(call(Endpoint.CHAT), target("openai"))

    def run() -> None:
        assert application.write_answer(provider.read_answer(ANSWER)) is ANSWER

    return run


def read_anthropic_event() -> Callable[[], None]:
    """An event of an Anthropic stream read as chat chunks."""
    reader = translate(call(Endpoint.CHAT), target("anthropic")).provider.reader()
    *opening, event = Parser(MAX_BYTES).feed(ANTHROPIC_OPENING + ANTHROPIC_EVENT)
    for one in opening:
        reader.read(one)

    def run() -> None:
        assert reader.read(event).chunks

    return run


def write_event(endpoint: Endpoint) -> Callable[[], None]:
    """A chat chunk written as an event of another format."""
    writer: Writer = translate(call(endpoint), target("mistral")).application.writer()
    reading = ChatReader("bench").read(SseEvent(EVENT.removeprefix(b"data: ").strip(), b"", b""))
    writer.write(reading)

    def run() -> None:
        assert writer.write(reading)

    return run


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
    breakers = FleetBreakers(ENTRIES, MemoryStore(clock), clock, MEMBER)
    ending = Ending(outcome=Outcome.OK, status=200)

    def run() -> None:
        permit = breakers.admit(ENTRIES[0])
        assert isinstance(permit, Permit)
        breakers.settle(permit, ending)

    return run


def pass_over() -> Callable[[], None]:
    """Be refused by an open breaker, take the next of the chain, and report it."""
    clock = SystemClock()
    breakers = FleetBreakers(ENTRIES, MemoryStore(clock), clock, MEMBER)
    report = fan_out(Metrics(SETTINGS, clock, Build("0", "")).handlers)
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
        report(skipped)
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
    report = fan_out(Metrics(SETTINGS, SystemClock(), Build("0", "")).handlers)

    def run() -> None:
        for event in EVENTS:
            report(event)

    return run


def render_metrics(attempts: int) -> Callable[[], None]:
    """Write all metrics of a large configuration, after so many attempts all over it."""
    metrics = Metrics(LARGE, SystemClock(), Build("0", ""))
    pairs = cycle((one.provider.name, one.model) for route in LARGE.routes for one in route.chain)
    attempted = [
        replace(ATTEMPT, provider=provider, model=model, duration_s=number / 10, trace=TRACE)
        for number, (provider, model) in zip(range(attempts), pairs, strict=False)
    ]
    count = metrics.handlers[AttemptEnded]

    def run() -> None:
        for event in attempted:
            count(event)
        metrics.render(OPENMETRICS)

    return run


PIECES: tuple[tuple[str, Callable[[], None], int], ...] = (
    ("read an SSE event that comes alone", parse_events(1), 1),
    ("read an SSE event that comes with 15 more", parse_events(16), 16),
    ("judge a chat event", judge_event(), 1),
    ("read a whole chat answer", read_whole_answer(), 1),
    ("put a chat call into OpenAI's words", put_into_words("openai", 2), 1),
    ("the same with 400 messages", put_into_words("openai", 400), 1),
    ("put a chat call into Anthropic's words", put_into_words("anthropic", 2), 1),
    ("read an Anthropic event as a chat event", read_anthropic_event(), 1),
    ("write a chat event for Messages", write_event(Endpoint.MESSAGES), 1),
    ("write a chat event for Responses", write_event(Endpoint.RESPONSES), 1),
    ("admit and settle, breaker closed", admit_and_settle(), 1),
    ("pass over a provider, breaker open", pass_over(), 1),
    ("plan a chain of two", plan_chain(), 1),
    ("walk a chain of two to its end", walk_chain(), 1),
    ("report a request to the metrics", count_request(), 1),
    ("render /metrics: 20 providers, 5 routes", render_metrics(0), 1),
    ("count 1,000 attempts there, and the same", render_metrics(1000), 1),
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
