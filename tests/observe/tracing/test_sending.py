"""What has ended goes to the collector; what it does not take is dropped, counted and told once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from sidecar.observe.tracing.gathering import Walk
from sidecar.observe.tracing.sending import BATCH, MAX_WAITING, Sender
from tests.observe.logbook import Log, a_log
from tests.observe.scene import request_ended

LOST = ("warning", "spans are lost: the collector does not take them")
AGAIN = ("info", "the collector takes spans again")
WALK = Walk(0.0, request_ended(), ())


class Exporter:
    """Takes batches, or says why it does not."""

    def __init__(self) -> None:
        self.problem = ""
        self.crash: Exception | None = None
        self.sizes: list[int] = []
        self.is_shut_down = False

    def export(self, walks: Sequence[Walk]) -> str:
        self.sizes.append(len(walks))
        if self.crash:
            raise self.crash
        return self.problem

    def shut_down(self) -> None:
        self.is_shut_down = True


@pytest.fixture
def log() -> Iterator[Log]:
    with a_log() as log:
        yield log


@pytest.fixture
def exporter() -> Exporter:
    return Exporter()


def a_sender(exporter: Exporter, *, waiting: int = 0) -> Sender:
    sender = Sender(exporter, "http://collector:4318")
    for _ in range(waiting):
        sender.put(WALK)
    return sender


def test_what_waits_is_sent_in_batches(exporter: Exporter) -> None:
    a_sender(exporter, waiting=BATCH + 1).send()

    assert exporter.sizes == [BATCH, 1]


def test_nobody_is_called_for_nothing(exporter: Exporter) -> None:
    a_sender(exporter).send()

    assert exporter.sizes == []


def test_what_would_have_to_be_hoarded_is_dropped_and_counted(exporter: Exporter) -> None:
    sender = a_sender(exporter, waiting=MAX_WAITING + 3)

    sender.send()

    assert sum(exporter.sizes) == MAX_WAITING
    assert sender.lost == 3


def test_a_batch_that_is_not_taken_is_lost_and_the_rest_waits(exporter: Exporter) -> None:
    exporter.problem = "503"
    sender = a_sender(exporter, waiting=2 * BATCH)

    sender.send()
    exporter.problem = ""
    sender.send()

    assert exporter.sizes == [BATCH, BATCH]
    assert sender.lost == BATCH


def test_that_spans_are_lost_is_told_once(exporter: Exporter, log: Log) -> None:
    exporter.problem = "connection refused"
    sender = a_sender(exporter, waiting=3 * BATCH)

    for _ in range(3):
        sender.send()

    assert log.messages == [LOST]
    assert log.lines[0]["collector"] == "http://collector:4318"
    assert log.lines[0]["problem"] == "connection refused"


def test_that_it_is_over_is_told_with_what_was_lost(exporter: Exporter, log: Log) -> None:
    exporter.problem = "503"
    sender = a_sender(exporter, waiting=BATCH + 1)

    sender.send()
    exporter.problem = ""
    sender.send()

    assert log.messages == [LOST, AGAIN]
    assert log.lines[1]["lost_requests"] == BATCH


def test_spans_that_cannot_be_made_are_lost_like_others(exporter: Exporter, log: Log) -> None:
    exporter.crash = ValueError("a secret")
    sender = a_sender(exporter, waiting=1)

    sender.send()

    assert sender.lost == 1
    assert LOST in log.messages
    assert "a secret" not in log.text


def test_the_end_waits_for_what_was_put_before(exporter: Exporter, log: Log) -> None:
    sender = a_sender(exporter, waiting=1)
    sender.open()

    sender.close()

    assert exporter.sizes == [1]
    assert exporter.is_shut_down
    assert log.messages == []


def test_a_collector_that_hangs_does_not_hold_up_the_end(log: Log) -> None:
    class Hanging(Exporter):
        def __init__(self) -> None:
            super().__init__()
            self.aborted = threading.Event()

        def export(self, walks: Sequence[Walk]) -> str:
            assert walks
            self.aborted.wait()
            return "aborted"

        def shut_down(self) -> None:
            self.aborted.set()

    exporter = Hanging()
    sender = a_sender(exporter, waiting=2 * BATCH)
    sender.open()

    sender.close()

    assert exporter.aborted.is_set()
    assert sender.lost >= BATCH
    assert ("warning", "spans were lost") in log.messages
