"""The log: one line a request and one a breaker's move, as JSON or as text.

Exceptions are told without their message, which may quote a prompt or a key: what they are and
where they come from is enough to find them.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from sidecar.clock import Clock
from sidecar.core.events import (
    AttemptEnded,
    AttemptStarted,
    BreakerMoved,
    Cause,
    Event,
    FailedOver,
    Parked,
    RequestEnded,
)
from sidecar.core.outcome import Outcome, RequestOutcome
from sidecar.core.settings import LogSettings
from sidecar.observe.lines import Fields, Form, LineWriter, as_json, as_text

ROOT = "sidecar"
MOVED = "Circuit breaker state transition"
OPENED = (logging.WARNING, "Circuit breaker opened due to failures")
TOLD_MOVES: Mapping[Cause, tuple[int, str]] = {
    **dict.fromkeys((Cause.FAILURES, Cause.RATIO, Cause.SLOW, Cause.PROBE_FAILED), OPENED),
    Cause.OPEN_TIMEOUT: (logging.INFO, "Circuit breaker transitioning from OPEN to HALF_OPEN"),
    Cause.PROBES_SUCCEEDED: (logging.INFO, "Circuit breaker closed after successful recovery"),
}
LEVELS = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
    logging.CRITICAL: "error",
}
STANDARD = frozenset((*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"))


class LineHandler(logging.Handler):
    """Puts log records, and what has the same parts, on lines of the log."""

    def __init__(self, writer: LineWriter, form: Form) -> None:
        super().__init__()
        self._writer = writer
        self._form = form

    @property
    def lost(self) -> int:
        """How many lines could not be written."""
        return self._writer.lost

    def put(self, unix_s: float, level: int, message: str, fields: Fields) -> None:
        """Log what has no record: about half the price."""
        self._writer.put(self._form(unix_s, LEVELS.get(level, "info"), message, fields))

    def emit(self, record: logging.LogRecord) -> None:
        """Log `record`. Never raises: no line is worth a request."""
        try:
            self.put(record.created, record.levelno, record.getMessage(), fields_of(record))
        except Exception:  # whatever a foreign object does when asked for its text
            self._writer.lost += 1

    def flush(self) -> None:
        """Wait, for a second at most, until everything is written."""
        self._writer.flush()

    def close(self) -> None:
        """Write what is left, and take no more."""
        self._writer.close()
        super().close()


class LogReporter:
    """Turns events into the lines that operators search for."""

    def __init__(self, handler: LineHandler, clock: Clock) -> None:
        self._handler = handler
        self._unix = clock.unix
        self._log = logging.getLogger(ROOT)
        self._tellers: dict[type[Event], Callable[[Any], None]] = {
            AttemptStarted: self._attempt_started,
            AttemptEnded: self._attempt_ended,
            Parked: self._parked,
            FailedOver: self._failed_over,
            RequestEnded: self._request_ended,
            BreakerMoved: self._breaker_moved,
        }

    def report(self, event: Event) -> None:
        """Log `event`, if there is anything to say about it at this level."""
        if tell := self._tellers.get(type(event)):
            tell(event)

    def _attempt_started(self, event: AttemptStarted) -> None:
        if self._log.isEnabledFor(logging.DEBUG):
            fields = {
                "request_id": event.request_id,
                "provider": event.provider,
                "model": event.model,
            }
            self._say(logging.DEBUG, "Attempting provider", fields)

    def _attempt_ended(self, event: AttemptEnded) -> None:
        if event.outcome is Outcome.OK and self._log.isEnabledFor(logging.DEBUG):
            fields = {
                "request_id": event.request_id,
                "provider": event.provider,
                "model": event.model,
                "duration_s": seconds(event.duration_s),
                "ttft_s": seconds(event.ttft_s),
            }
            self._say(logging.DEBUG, "Provider succeeded", fields)

    def _parked(self, event: Parked) -> None:
        if self._log.isEnabledFor(logging.WARNING):
            fields = {
                "provider": event.provider,
                "model": event.model or None,
                "outcome": event.outcome,
            }
            self._say(logging.WARNING, "Provider parked", fields)

    def _failed_over(self, event: FailedOver) -> None:
        if self._log.isEnabledFor(logging.WARNING):
            fields = {
                "request_id": event.request_id,
                "provider": event.from_provider,
                "outcome": event.reason,
                "next": event.to_provider,
            }
            self._say(logging.WARNING, "Provider failed, trying next", fields)

    def _request_ended(self, event: RequestEnded) -> None:
        if event.outcome is RequestOutcome.EXHAUSTED and self._log.isEnabledFor(logging.ERROR):
            fields = {
                "request_id": event.request_id,
                "route": event.route,
                "code": event.code,
                "attempts": event.attempts or None,
            }
            self._say(logging.ERROR, "All providers failed", fields)
        if self._log.isEnabledFor(logging.INFO):
            self._say(logging.INFO, "request", access_fields(event))

    def _breaker_moved(self, event: BreakerMoved) -> None:
        fields = {
            "provider": event.breaker,
            "from": event.from_state,
            "to": event.to_state,
            "cause": event.cause,
            "epoch": event.epoch,
        }
        told = TOLD_MOVES.get(event.cause)
        for level, message in ((logging.INFO, MOVED), *((told,) if told else ())):
            if self._log.isEnabledFor(level):
                self._say(level, message, fields)

    def _say(self, level: int, message: str, fields: Fields) -> None:
        self._handler.put(self._unix(), level, message, fields)


def access_fields(event: RequestEnded) -> Fields:
    """What the access line says of a request; what there was not is `None`."""
    usage = event.usage
    return {
        "request_id": event.request_id,
        "route": event.route or None,
        "endpoint": event.endpoint,
        "stream": event.stream,
        "outcome": event.outcome,
        "code": event.code,
        "provider": event.provider or None,
        "model": event.model or None,
        "attempts": event.attempts or None,
        "duration_s": seconds(event.duration_s),
        "ttft_s": seconds(event.ttft_s),
        "overhead_s": seconds(event.overhead_s),
        "tokens_in": usage.input if usage else None,
        "tokens_out": usage.output if usage else None,
        "trace_id": event.trace_id or None,
        "client_retry": event.client_retry,
    }


def seconds(value: float | None) -> float | None:
    """`value` to the microsecond: more digits are noise."""
    return None if value is None else round(value, 6)


def setup(settings: LogSettings, stream: TextIO | None = None) -> LineHandler:
    """Send the sidecar's own log to `stream`, or to standard error; from now on only there."""
    stream = stream or sys.stderr
    text = settings.format == "text" or (settings.format == "auto" and stream.isatty())
    handler = LineHandler(LineWriter(stream), as_text if text else as_json)
    log = logging.getLogger(ROOT)
    for old in log.handlers[:]:
        log.removeHandler(old)
        old.close()
    log.addHandler(handler)
    log.propagate = False
    set_level(settings.level)
    return handler


def set_level(level: str) -> None:
    """Log what is at least `level`: debug, info, warning or error."""
    logging.getLogger(ROOT).setLevel(level.upper())


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What a caller gave as `extra`, and where an exception came from."""
    fields = {name: value for name, value in vars(record).items() if name not in STANDARD}
    if record.exc_info and (error := record.exc_info[1]):
        fields["error"] = type(error).__qualname__
        fields["where"] = where(error)
    return fields


def where(error: BaseException) -> str:
    """The way to `error`, innermost last; without its message, which may quote a prompt."""
    frames = traceback.extract_tb(error.__traceback__)
    return " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-10:])


@contextmanager
def silence() -> Iterator[None]:
    """No log: what goes wrong is meant to, or told in another way."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
