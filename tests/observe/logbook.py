"""The log of the sidecar, kept in memory."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from sidecar.core.events import Event
from sidecar.core.settings import LogSettings
from sidecar.observe.logs import ROOT, LineHandler, LogReporter, setup
from tests.observe.scene import StillClock


class Log:
    """What is logged from now on, at all levels."""

    def __init__(self, stream: io.StringIO) -> None:
        self.stream = stream
        self.handler = self.set_up(LogSettings(level="debug", format="json"))

    def set_up(self, settings: LogSettings) -> LineHandler:
        self.handler = setup(settings, self.stream)
        return self.handler

    def tell(self, event: Event) -> None:
        LogReporter(self.handler, StillClock()).report(event)

    @property
    def text(self) -> str:
        self.handler.flush()
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.text.splitlines()]

    @property
    def messages(self) -> list[tuple[str, str]]:
        return [(line["level"], line["msg"]) for line in self.lines]


@contextmanager
def a_log() -> Iterator[Log]:
    """A log that is the sidecar's own until it is left."""
    logger = logging.getLogger(ROOT)
    level, propagate = logger.level, logger.propagate
    log = Log(io.StringIO())
    try:
        yield log
    finally:
        logger.removeHandler(log.handler)
        log.handler.close()
        logger.setLevel(level)
        logger.propagate = propagate
