"""The log says what the contract says, once, and nothing that must stay secret."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import fields
from typing import get_args

import pytest

from sidecar.core.events import AttemptStarted, Cause, Event, Parked, State
from sidecar.core.outcome import Outcome, RequestOutcome
from sidecar.core.settings import LogSettings
from sidecar.core.trace import UNTRACED
from sidecar.observe.logs import set_level
from tests.observe.logbook import Log, a_log
from tests.observe.scene import (
    ROUTE,
    attempt_ended,
    breaker_moved,
    failed_over,
    request_ended,
)

SECRET = "sk-live-1234 tell me about otters"
OPENED = "Circuit breaker opened due to failures"
HALF_OPENED = "Circuit breaker transitioning from OPEN to HALF_OPEN"
CLOSED = "Circuit breaker closed after successful recovery"
MOVED = "Circuit breaker state transition"


class Terminal(io.StringIO):
    """A stream that a person reads."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def log() -> Iterator[Log]:
    with a_log() as log:
        yield log


def test_a_request_is_one_line_with_exactly_these_fields(log: Log) -> None:
    log.tell(request_ended())

    assert log.lines == [
        {
            "time": "2025-10-09T08:53:20.250Z",
            "level": "info",
            "msg": "request",
            "request_id": "req-1",
            "route": ROUTE,
            "endpoint": "chat",
            "stream": True,
            "outcome": "success",
            "code": 200,
            "provider": "gemini",
            "model": "gemini-3-flash",
            "attempts": "gemini;ok;200;0.42",
            "duration_s": 0.42,
            "ttft_s": 0.2,
            "overhead_s": 0.0004,
            "tokens_in": 12,
            "tokens_out": 34,
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
        }
    ]


def test_what_a_request_did_not_have_is_left_out(log: Log) -> None:
    without = {"route": "", "provider": "", "model": "", "attempts": "", "trace": UNTRACED}

    log.tell(request_ended(**without, ttft_s=None, usage=None))

    assert log.lines[0].keys() == {
        *("time", "level", "msg", "request_id", "endpoint", "stream", "outcome", "code"),
        *("duration_s", "overhead_s"),
    }


def test_a_retry_of_the_applications_sdk_is_told(log: Log) -> None:
    log.tell(request_ended(client_retry=2))

    assert log.lines[0]["client_retry"] == 2


def test_times_are_told_to_the_microsecond(log: Log) -> None:
    log.tell(request_ended(duration_s=0.1 + 0.2))

    assert log.lines[0]["duration_s"] == 0.3


def test_requests_are_not_logged_where_only_warnings_are_asked_for(log: Log) -> None:
    set_level("warning")

    log.tell(request_ended())

    assert log.text == ""


def test_an_exhausted_request_is_an_error_besides(log: Log) -> None:
    log.tell(request_ended(outcome=RequestOutcome.EXHAUSTED, code=503))

    assert log.messages == [("error", "All providers failed"), ("info", "request")]


def test_an_exhausted_request_is_still_an_error_where_only_errors_are_asked_for(log: Log) -> None:
    set_level("error")

    log.tell(request_ended(outcome=RequestOutcome.EXHAUSTED, code=503))

    assert log.messages == [("error", "All providers failed")]


# Attempts


def test_an_attempt_is_announced_at_debug(log: Log) -> None:
    log.tell(AttemptStarted(request_id="req-1", provider="gemini", model="m"))

    assert log.messages == [("debug", "Attempting provider")]


def test_a_good_attempt_is_told_at_debug(log: Log) -> None:
    log.tell(attempt_ended())

    assert log.messages == [("debug", "Provider succeeded")]


def test_a_bad_attempt_is_left_to_the_failover(log: Log) -> None:
    log.tell(attempt_ended(outcome=Outcome.SERVER_ERROR))

    assert log.text == ""


def test_attempts_are_not_logged_above_debug(log: Log) -> None:
    set_level("info")

    log.tell(attempt_ended())

    assert log.text == ""


def test_a_failover_is_a_warning_that_says_from_where_and_why(log: Log) -> None:
    log.tell(failed_over())

    (line,) = log.lines
    del line["time"]
    assert line == {
        "level": "warning",
        "msg": "Provider failed, trying next",
        "request_id": "req-1",
        "provider": "gemini",
        "outcome": "server_error",
        "next": "huggingface",
    }


def test_what_is_parked_is_a_warning_that_says_what_and_why(log: Log) -> None:
    log.tell(Parked(provider="gemini", model="gemini-3-flash", outcome=Outcome.MODEL_MISSING))

    (line,) = log.lines
    del line["time"]
    assert line == {
        "level": "warning",
        "msg": "Provider parked",
        "provider": "gemini",
        "model": "gemini-3-flash",
        "outcome": "model_missing",
    }


def test_of_a_provider_that_is_parked_as_a_whole_no_model_is_named(log: Log) -> None:
    log.tell(Parked(provider="gemini", model="", outcome=Outcome.AUTH))

    assert "model" not in log.lines[0]


def test_nothing_is_said_of_what_is_parked_where_only_errors_are_asked_for(log: Log) -> None:
    set_level("error")

    log.tell(Parked(provider="gemini", model="", outcome=Outcome.AUTH))

    assert log.text == ""


# Breakers


def test_a_move_of_a_breaker_has_exactly_these_fields(log: Log) -> None:
    log.tell(breaker_moved(State.OPEN, Cause.HOLD))

    (line,) = log.lines
    del line["time"]
    assert line == {
        "level": "info",
        "msg": MOVED,
        "provider": "gemini",
        "from": "closed",
        "to": "open",
        "cause": "hold",
        "epoch": 7,
    }


@pytest.mark.parametrize(
    ("to_state", "cause", "level", "message"),
    [
        (State.OPEN, Cause.FAILURES, "warning", OPENED),
        (State.OPEN, Cause.RATIO, "warning", OPENED),
        (State.OPEN, Cause.SLOW, "warning", OPENED),
        (State.OPEN, Cause.PROBE_FAILED, "warning", OPENED),
        (State.HALF_OPEN, Cause.OPEN_TIMEOUT, "info", HALF_OPENED),
        (State.CLOSED, Cause.PROBES_SUCCEEDED, "info", CLOSED),
    ],
)
def test_a_move_that_operators_look_for_has_a_message_of_its_own(
    log: Log, to_state: State, cause: Cause, *, level: str, message: str
) -> None:
    log.tell(breaker_moved(to_state, cause))

    assert log.messages == [("info", MOVED), (level, message)]


@pytest.mark.parametrize("cause", [Cause.HOLD, Cause.RESET, Cause.MERGE, Cause.PROBES_LOST])
def test_no_failures_are_blamed_for_a_move_that_they_did_not_cause(log: Log, cause: Cause) -> None:
    log.tell(breaker_moved(State.OPEN, cause))

    assert log.messages == [("info", MOVED)]


def test_an_opening_is_a_warning_where_only_warnings_are_asked_for(log: Log) -> None:
    set_level("warning")

    log.tell(breaker_moved(State.OPEN, Cause.FAILURES))

    assert log.messages == [("warning", OPENED)]


# Other modules' records


def test_a_record_s_extra_becomes_fields(log: Log) -> None:
    logging.getLogger("sidecar.fleet").info("store is back", extra={"after_s": 1.5})

    (line,) = log.lines
    del line["time"]
    assert line == {"level": "info", "msg": "store is back", "after_s": 1.5}


def test_an_exception_is_told_by_its_kind_and_place_only(log: Log) -> None:
    try:
        raise ValueError(SECRET)
    except ValueError:
        logging.getLogger("sidecar.proxy").exception("request failed")

    assert log.lines[0]["error"] == "ValueError"
    assert "test_logs.py" in log.lines[0]["where"]
    assert "otters" not in log.text


def test_events_have_no_place_for_foreign_words() -> None:
    texts = {
        field.name for event in get_args(Event) for field in fields(event) if field.type == "str"
    }

    assert texts == {
        *("request_id", "span_id", "parent_id", "route", "provider", "model", "attempts"),
        *("from_provider", "to_provider", "breaker"),
    }


def test_a_record_that_cannot_be_shown_is_counted_and_not_raised(log: Log) -> None:
    class Unspeakable:
        def __str__(self) -> str:
            raise RuntimeError

    logging.getLogger("sidecar").info("odd", extra={"field": Unspeakable()})

    assert (log.handler.lost, log.text) == (1, "")


def test_the_log_of_others_is_left_alone(log: Log) -> None:
    logging.getLogger("aiohttp").warning("not ours")

    assert log.text == ""


# Set-up


def test_a_pipe_gets_json(log: Log) -> None:
    log.set_up(LogSettings(format="auto"))

    logging.getLogger("sidecar").info("hello")

    assert log.lines[0]["msg"] == "hello"


def test_a_terminal_gets_text(log: Log) -> None:
    log.stream = Terminal()
    log.set_up(LogSettings(format="auto"))

    logging.getLogger("sidecar").info("hello", extra={"to": "you"})

    assert log.text.endswith("INFO    hello to=you\n")


def test_a_terminal_gets_json_if_that_is_what_was_asked_for(log: Log) -> None:
    log.stream = Terminal()
    log.set_up(LogSettings(format="json"))

    logging.getLogger("sidecar").info("hello")

    assert log.lines[0]["msg"] == "hello"


def test_a_second_set_up_replaces_the_first(log: Log) -> None:
    log.set_up(LogSettings(format="json"))

    logging.getLogger("sidecar").info("hello")

    assert len(log.lines) == 1


def test_the_level_is_that_of_the_settings(log: Log) -> None:
    log.set_up(LogSettings(level="error", format="json"))

    logging.getLogger("sidecar").warning("hello")

    assert log.text == ""
