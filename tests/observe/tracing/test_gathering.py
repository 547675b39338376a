"""What is told of a request is kept until it has ended, and no longer."""

from __future__ import annotations

from dataclasses import dataclass, field

from sidecar.core.events import Event
from sidecar.core.trace import TraceContext
from sidecar.observe.tracing.gathering import Told, Tracing, Walk
from tests.observe.scene import TRACE, StillClock, attempt_ended, failed_over, request_ended

OTHER = TRACE.within("1" * 16)
NOT_SAMPLED = TraceContext(TRACE.trace_id, TRACE.span_id)


@dataclass
class Sent:
    """Keeps what is put."""

    walks: list[Walk] = field(default_factory=list)
    put_open: bool = False

    def open(self) -> None:
        self.put_open = True

    def put(self, walk: Walk) -> None:
        self.walks.append(walk)

    def close(self) -> None:
        self.put_open = False


def gathered(*events: Event, clock: StillClock | None = None) -> list[Walk]:
    """What is sent after these events."""
    sent = Sent()
    tracing = Tracing(sent, clock or StillClock())
    for event in events:
        tracing.handlers[type(event)](event)
    return sent.walks


def test_a_request_that_has_not_ended_is_not_sent() -> None:
    assert gathered(attempt_ended(trace=TRACE)) == []


def test_a_request_is_sent_with_its_own_attempts_alone() -> None:
    own, other = attempt_ended(trace=TRACE), attempt_ended(trace=OTHER)

    (walk,) = gathered(own, other, request_ended())

    assert [told.event for told in walk.told] == [own]


def test_an_attempt_is_told_by_its_beginning_and_a_failover_by_its_moment() -> None:
    clock = StillClock(monotonic_s=100.0, unix_s=5_000.0)
    attempt, failover = attempt_ended(trace=TRACE, began_s=98.5), failed_over(trace=TRACE)
    request = request_ended()

    (walk,) = gathered(attempt, failover, request, clock=clock)

    assert walk == Walk(5_000.0, request, [Told(4_998.5, attempt), Told(5_000.0, failover)])


def test_what_is_told_is_forgotten_with_the_request() -> None:
    walks = gathered(attempt_ended(trace=TRACE), request_ended(), request_ended())

    assert [len(walk.told) for walk in walks] == [1, 0]


def test_what_is_not_recorded_is_not_kept() -> None:
    walks = gathered(attempt_ended(trace=NOT_SAMPLED), request_ended(trace=NOT_SAMPLED))

    assert walks == []


async def test_it_opens_and_closes_the_way_to_the_collector() -> None:
    sent = Sent()
    tracing = Tracing(sent, StillClock())

    tracing.open()
    was_open = sent.put_open
    await tracing.close()

    assert (was_open, sent.put_open) == (True, False)
