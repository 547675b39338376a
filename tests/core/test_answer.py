"""The judge of a streamed answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.answer import HELD_BYTES, AnswerFailed, Judge, Move, Piece
from sidecar.core.events import Usage
from sidecar.core.outcome import Outcome

ZERO, ONE = frozenset((0,)), frozenset((1,))
ROLE = Piece()
TEXT = Piece(starts=ZERO)
THOUGHT = Piece(reasoning=True)
FINISH = Piece(ends=ZERO)
DONE = Piece(done=True)
GARBLED = Piece(garbled=True)
NOISE = Piece(noise=True)


def moves(judge: Judge, *pieces: Piece) -> list[Move]:
    return [judge.judge(piece, 10) for piece in pieces]


def failure_of(judge: Judge, *pieces: Piece) -> Outcome:
    with pytest.raises(AnswerFailed) as failed:
        moves(judge, *pieces)
    return failed.value.outcome


def test_nothing_goes_out_before_the_first_content() -> None:
    assert moves(Judge(), ROLE, THOUGHT, ROLE) == [Move.HOLD] * 3


def test_the_first_content_commits() -> None:
    judge = Judge()

    assert moves(judge, ROLE, TEXT, ROLE) == [Move.HOLD, Move.RELAY, Move.RELAY]
    assert judge.committed


def test_reasoning_is_progress_but_no_commitment() -> None:
    role, thought = Judge(), Judge()
    moves(role, ROLE)
    moves(thought, THOUGHT)

    assert [role.progressed, thought.progressed] == [False, True]
    assert not thought.committed


def test_a_preamble_beyond_all_bounds_goes_out() -> None:
    judge = Judge()

    assert judge.judge(THOUGHT, HELD_BYTES) is Move.HOLD
    assert judge.judge(THOUGHT, 1) is Move.RELAY


def test_a_finished_answer_ends_whole() -> None:
    assert moves(Judge(), TEXT, FINISH, DONE)[-1] is Move.END


def test_an_empty_answer_that_finished_is_whole() -> None:
    assert moves(Judge(), ROLE, FINISH, DONE) == [Move.HOLD, Move.HOLD, Move.END]


@pytest.mark.parametrize(
    "pieces",
    [(), (NOISE,), (ROLE,), (TEXT,), (THOUGHT,), (TEXT, Piece(starts=ONE), FINISH)],
    ids=["nothing", "noise", "role only", "text", "reasoning", "one of two choices finished"],
)
def test_an_end_without_a_finish_is_truncated(pieces: tuple[Piece, ...]) -> None:
    assert failure_of(Judge(), *pieces, DONE) is Outcome.STREAM_TRUNCATED


def test_every_choice_that_began_must_finish() -> None:
    judge = Judge()
    moves(judge, TEXT, Piece(starts=ONE), FINISH)
    assert not judge.whole

    moves(judge, Piece(ends=ONE))

    assert judge.whole


def test_an_error_event_is_what_it_says() -> None:
    error = Piece(failure=Outcome.OVERLOADED, message="busy")

    assert failure_of(Judge(), TEXT, error) is Outcome.OVERLOADED


def test_garbage_before_content_fails() -> None:
    assert failure_of(Judge(), ROLE, GARBLED) is Outcome.PROTOCOL


def test_one_garbled_event_among_good_ones_is_skipped() -> None:
    assert moves(Judge(), TEXT, GARBLED, TEXT)[1:] == [Move.DROP, Move.RELAY]


def test_a_second_garbled_event_fails() -> None:
    assert failure_of(Judge(), TEXT, GARBLED, TEXT, GARBLED) is Outcome.PROTOCOL


def test_a_refusal_by_policy_is_an_answer() -> None:
    assert moves(Judge(), Piece(ends=ZERO, filtered=True), DONE)[-1] is Move.END


def test_a_refusal_by_policy_fails_where_it_is_to_fail_over() -> None:
    judge = Judge(filter_fails=True)

    outcome = failure_of(judge, Piece(ends=ZERO, filtered=True), DONE)

    assert outcome is Outcome.CONTENT_FILTER


def test_a_refusal_after_content_cannot_fail_over_any_more() -> None:
    judge = Judge(filter_fails=True)

    assert moves(judge, TEXT, Piece(ends=ZERO, filtered=True), DONE)[-1] is Move.END


def test_the_last_usage_wins() -> None:
    judge = Judge()
    moves(judge, Piece(usage=Usage(1, 1)), TEXT, Piece(usage=Usage(1, 9)), ROLE)

    assert judge.usage == Usage(1, 9)


PIECES = st.sampled_from((ROLE, TEXT, THOUGHT, FINISH, GARBLED, NOISE, Piece(starts=ONE)))


@given(st.lists(PIECES, max_size=12))
def test_no_stream_without_its_finish_is_ever_whole(pieces: list[Piece]) -> None:
    judge = Judge()
    try:
        last = moves(judge, *pieces, DONE)[-1]
    except AnswerFailed:
        last = None

    if last is Move.END:
        begun = frozenset[int]().union(*(piece.starts for piece in pieces))
        ended = frozenset[int]().union(*(piece.ends for piece in pieces))
        assert ended
        assert begun <= ended


def test_noise_is_dropped_and_shows_nothing() -> None:
    judge = Judge()

    assert moves(judge, NOISE, TEXT, NOISE) == [Move.DROP, Move.RELAY, Move.DROP]


def test_much_without_any_progress_is_no_answer() -> None:
    judge = Judge()
    judge.judge(ROLE, HELD_BYTES)

    assert failure_of(judge, ROLE) is Outcome.PROTOCOL


def end_of(judge: Judge, *pieces: Piece, done: bool) -> Outcome:
    """What an end after these comes to."""
    moves(judge, *pieces)
    try:
        judge.end(done=done)
    except AnswerFailed as failed:
        return failed.outcome
    return Outcome.OK


def test_a_stream_without_any_event_is_none() -> None:
    assert end_of(Judge(), done=False) is Outcome.PROTOCOL


def test_noise_alone_is_a_stream_that_broke_off() -> None:
    assert end_of(Judge(), NOISE, done=False) is Outcome.STREAM_TRUNCATED


SECOND = (Piece(starts=ONE), Piece(ends=ONE))


@pytest.mark.parametrize(
    ("pieces", "done", "outcome"),
    [
        ((TEXT, FINISH), False, Outcome.STREAM_TRUNCATED),
        ((TEXT, FINISH, FINISH), False, Outcome.STREAM_TRUNCATED),
        ((TEXT, FINISH, *SECOND), False, Outcome.OK),
        ((TEXT, FINISH), True, Outcome.OK),
        ((TEXT, FINISH, SECOND[0]), True, Outcome.STREAM_TRUNCATED),
    ],
    ids=["one", "one twice", "both", "one, and the provider's word", "begun is to be finished"],
)
def test_of_two_choices_asked_for(pieces: tuple[Piece, ...], done: bool, outcome: Outcome) -> None:
    assert end_of(Judge(choices=2), *pieces, done=done) is outcome


FREE = Piece(usage=Usage(input=5, output=0))


def test_an_answer_that_says_nothing_and_costs_nothing_is_none() -> None:
    judge = Judge()
    moves(judge, ROLE, FINISH, FREE)

    with pytest.raises(AnswerFailed) as failed:
        judge.judge(DONE, 10)
    assert (failed.value.outcome, failed.value.blameless) == (Outcome.GENERATION_FAILED, True)


@pytest.mark.parametrize("said", [TEXT, THOUGHT, Piece(filtered=True), Piece(cut=True)])
def test_an_answer_that_says_anything_is_one_whatever_it_costs(said: Piece) -> None:
    assert moves(Judge(), said, FINISH, FREE, DONE)[-1] is Move.END
