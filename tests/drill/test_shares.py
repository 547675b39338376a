"""The time of a call is shared out among those of its chain, as it says in docs/streams.md."""

from __future__ import annotations

import pytest

from sidecar.drill.place import Mode
from sidecar.drill.shares import room_s, stalled_s, turn_s, unheard_s
from tests.drill.settings import place_of

STREAM, WHOLE = Mode.STREAM, Mode.WHOLE
ALWAYS = "streaming: {upstream: always}"


@pytest.mark.parametrize(
    ("mode", "at", "gone_s", "turn"),
    [
        (STREAM, 0, 0.0, 276.0),
        (STREAM, 1, 0.0, 288.0),
        (STREAM, 2, 0.0, 300.0),
        (STREAM, 2, 299.0, 1.0),
        (STREAM, 0, 270.0, 10.0),
        (WHOLE, 0, 0.0, 188.0),
        (WHOLE, 2, 0.0, 300.0),
    ],
    ids=[
        *("all after it may begin", "one may", "the last has all", "all that is left"),
        *("an equal share where there is not so much", "the last may say all", "the last, whole"),
    ],
)
def test_each_one_after_it_keeps_its_time(mode: Mode, at: int, gone_s: float, turn: float) -> None:
    assert turn_s(place_of(), mode, at, gone_s) == pytest.approx(turn)


@pytest.mark.parametrize(
    ("mode", "more", "seconds"),
    [
        (STREAM, "", 12.0),
        (WHOLE, "", 120.0),
        (WHOLE, ALWAYS, 12.0),
        (STREAM, "timeouts: {total: 9s}", 3.0),
        (WHOLE, "timeouts: {answer: 2s}\nstreaming: {upstream: always}", 2.0),
    ],
    ids=["a first token", "an answer", "a first token of it", "a share", "the sooner of both"],
)
def test_silence_ends_with_the_first_clock(mode: Mode, more: str, seconds: float) -> None:
    assert unheard_s(place_of(more=more), mode) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("mode", "more", "seconds"),
    [
        (STREAM, "", 30.5),
        (WHOLE, "", 120.0),
        (WHOLE, ALWAYS, 30.5),
        (STREAM, "timeouts: {total: 9s}", 30.5),
        (STREAM, "timeouts: {total: 9s}\nstreaming: {after_content: buffer}", 3.0),
        (WHOLE, "timeouts: {total: 9s}", 3.0),
    ],
    ids=["idle", "answer", "idle within it", "no share once words are out", "held", "whole"],
)
def test_a_stall_ends_with_the_first_clock(mode: Mode, more: str, seconds: float) -> None:
    assert stalled_s(place_of(more=more), mode, 0.5) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("mode", "more", "room"),
    [
        (STREAM, "timeouts: {total: 9s}", 8.0),
        (WHOLE, "timeouts: {total: 9s}", 4.0),
        (STREAM, "timeouts: {total: 9s}\nstreaming: {after_content: buffer}", 4.0),
    ],
    ids=["all that is left", "whole within a share", "held within a share"],
)
def test_an_answer_has_room(mode: Mode, more: str, room: float) -> None:
    assert room_s(place_of(more=more), mode, 1, 1.0) == pytest.approx(room)
