"""One event goes to all observers, whatever one of them does."""

from __future__ import annotations

import pytest

from sidecar.core.events import AttemptStarted, Event, RequestStarted
from sidecar.observe.fanout import fan_out

EVENT = RequestStarted(route="*")


def failing(event: Event) -> None:
    raise RuntimeError("observer")


def test_every_observer_is_told() -> None:
    one: list[Event] = []
    another: list[Event] = []

    fan_out(one.append, another.append)(EVENT)

    assert one == another == [EVENT]


def test_an_observer_that_fails_does_not_hurt_the_next() -> None:
    told: list[Event] = []

    fan_out(failing, told.append)(EVENT)

    assert told == [EVENT]


def test_an_observer_that_keeps_failing_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    report = fan_out(failing)

    report(EVENT)
    report(EVENT)

    assert [record.getMessage() for record in caplog.records] == ["an observer failed"]


def test_each_observer_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    fan_out(failing, failing)(EVENT)

    assert len(caplog.records) == 2


def test_an_observer_with_a_table_is_told_of_what_it_has_a_handler_for() -> None:
    told: list[Event] = []
    report = fan_out({RequestStarted: told.append})

    report(EVENT)
    report(AttemptStarted(request_id="r", provider="p", model="m"))

    assert told == [EVENT]


def test_an_observer_with_a_table_is_logged_once_whatever_it_fails_at(
    caplog: pytest.LogCaptureFixture,
) -> None:
    report = fan_out({RequestStarted: failing, AttemptStarted: failing})

    report(EVENT)
    report(AttemptStarted(request_id="r", provider="p", model="m"))

    assert len(caplog.records) == 1
