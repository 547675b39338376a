"""What a configuration leaves no time or room for is left out, and says so once."""

from __future__ import annotations

import pytest

from sidecar.drill.table import ROWS, plan
from tests.drill.settings import settings_of

SHORT = "too short for the healthy answers of the drill: timeouts"


HELD = "streaming: {after_content: buffer}"


def left_out(more: str, *rows: str) -> set[tuple[str, str]]:
    """What is left out of the first position, and why."""
    _, omissions = plan(settings_of(more=more), [ROWS[row] for row in rows])
    return {(one.what, one.why) for one in omissions if ", 1. " in one.where}


@pytest.mark.parametrize(
    ("more", "what", "why"),
    [
        ("timeouts: {total: 1s}", "everything", f"{SHORT}.total (less than 1.3 s)"),
        (
            "limits: {response_body: 10KiB}",
            "everything",
            "too small for its answers: limits.response_body (less than 64 KiB)",
        ),
        (
            "limits: {request_body: 100B}",
            "everything",
            "too small for its calls: limits.request_body (less than 1 KiB)",
        ),
        ("timeouts: {answer: 1s}", "everything as whole", f"{SHORT}.answer (less than 1.3 s)"),
        ("timeouts: {idle: 20ms}", "everything as stream", f"{SHORT}.idle (less than 0.1 s)"),
        (
            "timeouts: {first_token: 20ms}",
            "everything as stream",
            f"{SHORT}.first_token (less than 0.1 s)",
        ),
    ],
    ids=["total", "response_body", "request_body", "answer", "idle", "first_token"],
)
def test_what_cannot_be_played_is_said_once(more: str, what: str, why: str) -> None:
    assert left_out(more, "reset", "cut", "silence") == {(what, why)}


def test_a_mode_that_no_row_asks_in_is_not_spoken_of() -> None:
    assert left_out("timeouts: {answer: 1s}", "dns") == set()


def test_what_is_streamed_anyway_needs_the_clocks_of_a_stream() -> None:
    more = "timeouts: {idle: 20ms}\nstreaming: {upstream: always}"

    assert {what for what, _ in left_out(more, "reset")} == {
        "everything as stream",
        "everything as whole",
    }


@pytest.mark.parametrize(
    ("row", "more", "played"),
    [
        ("silence", "timeouts: {total: 14s}", True),
        ("silence", "timeouts: {total: 1800ms, first_token: 1s}", False),
        ("reset", "timeouts: {total: 2s, first_token: 1s}", True),
        ("reset", f"timeouts: {{total: 2s, first_token: 1s}}\n{HELD}", False),
        ("cut", "timeouts: {total: 1500ms, first_token: 1s}", True),
    ],
    ids=["time enough", "none left", "none lost", "held within a share", "nobody answers"],
)
def test_a_row_needs_time_for_the_answer_after_the_fault(row: str, more: str, played: bool) -> None:
    scenarios, _ = plan(settings_of(more=more), [ROWS[row]])

    streamed = {(one.place.position, one.mode) for one in scenarios}
    assert ((0, "stream") in streamed) == played


@pytest.mark.parametrize(
    ("slow", "mode", "played"),
    [("1s", "stream", True), ("100ms", "stream", False), ("100ms", "whole", True)],
)
def test_where_the_healthy_may_count_as_slow_no_breaker_is_watched(
    slow: str, mode: str, played: bool
) -> None:
    more = f"breaker: {{slow: {{first_token: {slow}}}}}"

    scenarios, _ = plan(settings_of(more=more), [ROWS["overloaded"]])

    assert (mode in {one.mode for one in scenarios}) == played


@pytest.mark.parametrize(
    ("keep_alive", "mode", "opened"),
    [("20ms", "stream", True), ("20ms", "whole", False), ("1m", "stream", False)],
    ids=["in time", "not streamed", "too late"],
)
def test_a_comment_may_open_an_answer_before_its_error(
    keep_alive: str, mode: str, opened: bool
) -> None:
    more = f"streaming: {{keep_alive: {keep_alive}}}"

    scenarios, _ = plan(settings_of(more=more), [ROWS["content_filter"]])

    assert {one.promise.opened for one in scenarios if one.mode == mode} == {opened}
