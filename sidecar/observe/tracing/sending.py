"""A thread that takes what has ended to the collector, so that no request waits for it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from sidecar.observe.tracing.gathering import Walk

log = logging.getLogger(__name__)

EVERY_S = 1.0  # what is sent together costs one call; a crash loses at most these
MAX_WAITING = 2048  # requests; a few MB while the collector is gone
BATCH = 32  # requests; more at once would keep the event loop waiting for longer than 3 ms
PATIENCE_S = 1.0  # what a collector may hold up the end of the process
LAST_S = 0.2  # for the thread to count what it has given up


class Exporter(Protocol):
    """Makes spans and calls the collector."""

    def export(self, walks: Sequence[Walk]) -> str:
        """Send them; empty, or why they are lost."""
        ...

    def shut_down(self) -> None:
        """Give up what is under way."""
        ...


class Sender:
    """Sends walks from a thread of its own.

    `put` never waits and never fails. What the collector does not take, or what would have to be
    hoarded for it, is dropped and counted; that it begins is told once, and how many there were
    when it is over.
    """

    def __init__(self, exporter: Exporter, collector: str) -> None:
        self._dropped = 0  # by whoever puts …
        self._untaken = 0  # … and by the thread: each counts for itself
        self._exporter = exporter
        self._collector = collector
        self._waiting: deque[Walk] = deque()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="span-sender", daemon=True)
        self._is_failing = False

    @property
    def lost(self) -> int:
        """How many requests' spans were lost."""
        return self._dropped + self._untaken

    def open(self) -> None:
        """Begin to send."""
        self._thread.start()

    def put(self, walk: Walk) -> None:
        """Have it sent soon."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(walk)
        else:
            self._dropped += 1

    def send(self) -> None:
        """Send all that waits, or as much as the collector takes."""
        while batch := self._next_batch():
            problem = self._export(batch)
            self._note(problem)
            if problem:
                self._untaken += len(batch)
                return

    def close(self) -> None:
        """Send what was put before, and end the thread."""
        self._closing.set()
        self._thread.join(PATIENCE_S)
        self._exporter.shut_down()
        self._thread.join(LAST_S)
        self._untaken += len(self._waiting)
        if self.lost:
            log.warning("spans were lost", extra={"lost_requests": self.lost})

    def _run(self) -> None:
        while not self._closing.wait(EVERY_S):
            self.send()
        self.send()

    def _next_batch(self) -> list[Walk]:
        size = min(len(self._waiting), BATCH)
        return [self._waiting.popleft() for _ in range(size)]

    def _export(self, batch: list[Walk]) -> str:
        try:
            return self._exporter.export(batch)
        except Exception as error:
            log.exception("spans could not be made")
            return type(error).__qualname__

    def _note(self, problem: str) -> None:
        """Tell when spans begin to be lost, and when that is over."""
        if problem and not self._is_failing:
            told = {"collector": self._collector, "problem": problem}
            log.warning("spans are lost: the collector does not take them", extra=told)
        if self._is_failing and not problem:
            log.info("the collector takes spans again", extra={"lost_requests": self.lost})
        self._is_failing = bool(problem)
