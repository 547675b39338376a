"""The walk of a call along its chain."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.capability import Capability
from sidecar.core.failover import MOST_AGAINS, Failover, Failure, GiveUp, Step, Try
from sidecar.core.outcome import Outcome, SkipReason
from sidecar.core.permit import Refusal
from sidecar.core.policies import ContentFilter
from sidecar.core.settings import Entry
from tests.core.chains import entry

A, B, C = entry("a"), entry("b"), entry("c")
EMBEDDINGS = frozenset((Capability.EMBEDDINGS,))


def walk(*chain: Entry, deadline_s: float = 300.0) -> Failover:
    return Failover(chain=chain, deadline_s=deadline_s)


def asked(failover: Failover, now: float = 0.0) -> str:
    """The name of the provider asked next, or the word for the end."""
    step = failover.next(now)
    if isinstance(step, GiveUp):
        return "deadline" if step.deadline else "over"
    return step.entry.provider.name


def fail(failover: Failover, at: Entry, outcome: Outcome) -> None:
    failover.failed(at, Failure(outcome=outcome), 0.1)


def test_each_provider_is_asked_once_in_order() -> None:
    failover = walk(A, B)

    assert asked(failover) == "a"
    fail(failover, A, Outcome.SERVER_ERROR)
    assert asked(failover) == "b"
    fail(failover, B, Outcome.SERVER_ERROR)
    assert asked(failover) == "over"


def test_nobody_is_asked_after_the_deadline() -> None:
    failover = walk(A, B, deadline_s=10.0)

    assert asked(failover, 9.9) == "a"
    assert asked(failover, 10.0) == "deadline"


def test_a_refusal_by_content_policy_ends_the_walk() -> None:
    failover = walk(A, B)
    asked(failover)

    fail(failover, A, Outcome.CONTENT_FILTER)

    assert asked(failover) == "over"


def test_a_refusal_by_content_policy_goes_on_where_the_route_says_so() -> None:
    failover = Failover(chain=(A, B), deadline_s=9.0, content_filter=ContentFilter.FAIL_OVER)
    asked(failover)

    fail(failover, A, Outcome.CONTENT_FILTER)

    assert asked(failover) == "b"


@pytest.mark.parametrize(
    ("window", "served_by"),
    [(4096, "c"), (8192, "c"), (16384, "b"), (None, "b")],
    ids=["smaller", "the same", "larger", "unknown"],
)
def test_a_context_that_was_too_long_goes_to_a_larger_window(
    window: int | None, served_by: str
) -> None:
    small = entry("a", context=8192)
    failover = walk(small, entry("b", context=window), C)
    asked(failover)

    fail(failover, small, Outcome.CONTEXT_LENGTH)

    assert asked(failover) == served_by


def test_an_entry_with_too_small_a_window_is_a_skip() -> None:
    small = entry("a", context=8192)
    failover = walk(small, entry("b", context=8192))
    asked(failover)
    fail(failover, small, Outcome.CONTEXT_LENGTH)

    assert asked(failover) == "over"
    assert str(failover.steps[-1]) == "b;skipped;context;0"


def test_where_one_model_has_to_answer_others_are_skipped() -> None:
    again = replace(A, provider=B.provider)
    failover = Failover(chain=(A, B, again), deadline_s=9.0, one_model=True)
    asked(failover)
    fail(failover, A, Outcome.SERVER_ERROR)

    step = failover.next(0.0)

    assert isinstance(step, Try)
    assert step.entry is again
    assert str(failover.steps[-1]) == "b;skipped;unsupported;0"


def test_the_one_model_is_that_of_the_first_entry_that_can() -> None:
    unable = replace(A, cannot=EMBEDDINGS)
    failover = Failover(chain=(unable, B, C), deadline_s=9.0, one_model=True, needs=EMBEDDINGS)

    assert asked(failover) == "b"
    fail(failover, B, Outcome.SERVER_ERROR)
    assert asked(failover) == "over"


def test_a_parked_provider_is_asked_after_all_the_others() -> None:
    failover = walk(A, B)
    asked(failover)
    failover.refused(A, Refusal(SkipReason.PARKED))
    assert asked(failover) == "b"
    fail(failover, B, Outcome.SERVER_ERROR)

    last = failover.next(0.0)

    assert isinstance(last, Try)
    assert last.entry is A
    assert last.despite == {SkipReason.PARKED}
    fail(failover, A, Outcome.AUTH)
    assert asked(failover) == "over"


def test_an_open_provider_is_not_asked_again() -> None:
    failover = walk(A)
    asked(failover)

    failover.refused(A, Refusal(SkipReason.OPEN, 3.0))

    assert asked(failover) == "over"


def test_each_provider_left_keeps_its_share_of_a_short_deadline() -> None:
    step = walk(A, B, C, deadline_s=9.0).next(0.0)

    assert isinstance(step, Try)
    assert step.until_s == pytest.approx(3.0)


def test_the_last_provider_has_all_the_time_that_is_left() -> None:
    step = walk(A, deadline_s=9.0).next(2.0)

    assert isinstance(step, Try)
    assert step.until_s == 9.0


def test_a_long_deadline_leaves_each_provider_left_its_first_token_clock() -> None:
    step = walk(A, B, deadline_s=300.0).next(0.0)

    assert isinstance(step, Try)
    assert step.until_s == pytest.approx(288.0)


@given(
    firsts=st.lists(st.floats(0.1, 600), min_size=1, max_size=8),
    total_s=st.floats(0.1, 600),
    now=st.floats(0, 600),
)
def test_a_try_never_ends_before_it_begins_nor_after_the_deadline(
    firsts: list[float], total_s: float, now: float
) -> None:
    chain = [entry(str(place), first_token_s=one) for place, one in enumerate(firsts)]
    step = walk(*chain, deadline_s=total_s).next(now)

    if now >= total_s:
        assert step == GiveUp(deadline=True)
    else:
        assert isinstance(step, Try)
        assert now < step.until_s <= total_s


def test_steps_read_like_the_attempts_header() -> None:
    refusal = Step(entry=A, refusal=Refusal(SkipReason.HALF_OPEN))
    failure = Step(entry=B, failure=Failure(outcome=Outcome.OVERLOADED, status=503), seconds=0.214)

    assert [str(refusal), str(failure)] == ["a;skipped;half_open;0", "b;overloaded;503;0.21"]


def test_time_lost_is_that_of_the_failed_attempts() -> None:
    failover = walk(A, B)
    fail(failover, A, Outcome.SERVER_ERROR)
    failover.refused(B, Refusal(SkipReason.OPEN))

    assert failover.last_failure is failover.steps[0]
    assert sum(step.seconds for step in failover.steps) == pytest.approx(0.1)


def first(failover: Failover, now: float = 0.0) -> Try:
    step = failover.next(now)
    assert isinstance(step, Try)
    return step


def test_a_refusal_by_content_policy_is_what_ends_the_walk() -> None:
    failover = walk(A, B)
    refusal = Failure(outcome=Outcome.CONTENT_FILTER, status=403)
    failover.next(0.0)
    failover.failed(A, refusal, 0.1)

    assert failover.next(0.0) == GiveUp(failure=refusal)


def test_a_refusal_by_content_policy_is_told_also_after_the_deadline() -> None:
    failover = walk(A, B, deadline_s=9.0)
    fail(failover, A, Outcome.CONTENT_FILTER)

    assert failover.next(10.0) == GiveUp(failure=Failure(outcome=Outcome.CONTENT_FILTER))


def test_no_time_is_kept_for_a_provider_that_would_not_be_let_in() -> None:
    failover = Failover(chain=(A, B, C), deadline_s=9.0, admits=lambda one: one is C)

    assert first(failover).until_s == pytest.approx(4.5)


def test_no_time_is_kept_for_another_model_where_one_has_to_answer() -> None:
    failover = Failover(chain=(A, B, C), deadline_s=9.0, one_model=True)

    assert first(failover).until_s == 9.0


def test_no_time_is_kept_for_a_window_that_has_proved_too_small() -> None:
    small = entry("a", context=8192)
    failover = walk(small, entry("b", context=None), entry("c", context=4096), deadline_s=9.0)
    failover.next(0.0)
    fail(failover, small, Outcome.CONTEXT_LENGTH)

    assert first(failover).until_s == 9.0


def test_a_parked_provider_with_too_small_a_window_is_no_last_resort() -> None:
    small = entry("a", context=4096)
    large = entry("b", context=8192)
    failover = walk(small, large)
    failover.next(0.0)
    failover.refused(small, Refusal(SkipReason.PARKED))
    failover.next(0.0)
    fail(failover, large, Outcome.CONTEXT_LENGTH)

    assert failover.next(0.0) == GiveUp()


@pytest.mark.parametrize(
    ("chain", "shared"), [((A, B), True), ((A,), False)], ids=["others left", "alone"]
)
def test_a_part_of_the_time_is_not_all_of_it(chain: tuple[Entry, ...], shared: bool) -> None:
    assert first(walk(*chain)).shared is shared


def test_the_time_of_a_probes_lease_is_a_part_of_the_time() -> None:
    step = first(walk(A, deadline_s=9.0)).before(5.0)

    assert (step.until_s, step.shared) == (5.0, True)


def test_a_lease_that_ends_later_changes_nothing() -> None:
    step = first(walk(A, deadline_s=9.0))

    assert step.before(12.0) is step


BLIND = replace(B, cannot=frozenset((Capability.IMAGES,)))
IMAGES = frozenset((Capability.IMAGES,))


def test_who_cannot_do_what_the_call_needs_is_passed_over_where_another_can() -> None:
    told: list[tuple[Entry, SkipReason]] = []
    failover = Failover(
        chain=(BLIND, A), deadline_s=300.0, needs=IMAGES, skips=lambda *skip: told.append(skip)
    )

    assert asked(failover) == "a"
    assert told == [(BLIND, SkipReason.UNSUPPORTED)]
    assert str(failover.steps[0]) == "b;skipped;unsupported;0"


def test_where_nobody_can_everybody_is_asked() -> None:
    failover = Failover(chain=(BLIND,), deadline_s=300.0, needs=IMAGES)

    assert asked(failover) == "b"


def test_a_call_that_needs_nothing_passes_nobody_over() -> None:
    assert asked(walk(BLIND, A)) == "b"


def test_a_prompt_goes_to_who_can_hold_it() -> None:
    small, large = entry("small", context=10), entry("large", context=100)

    assert asked(Failover(chain=(small, large), deadline_s=300.0, tokens=11)) == "large"
    assert asked(Failover(chain=(small, large), deadline_s=300.0, tokens=9)) == "small"


def test_a_prompt_that_nobody_can_hold_is_judged_by_the_providers() -> None:
    small = entry("small", context=10)

    assert asked(Failover(chain=(small,), deadline_s=300.0, tokens=11)) == "small"


def test_a_provider_that_is_worth_it_is_asked_again_at_once() -> None:
    failover = walk(A, B)
    asked(failover)
    failover.failed(A, Failure(outcome=Outcome.RATE_LIMIT, again=True), 0.1)

    assert asked(failover) == "a"
    fail(failover, A, Outcome.RATE_LIMIT)
    assert asked(failover) == "b"


def test_nobody_is_asked_again_for_ever() -> None:
    failover = walk(A, B)
    asked(failover)
    tries = 0
    while failover.steps == [] or asked(failover) == "a":
        tries += 1
        failover.failed(A, Failure(outcome=Outcome.RATE_LIMIT, again=True), 0.1)

    assert tries == MOST_AGAINS + 1


def test_who_is_asked_again_leaves_time_for_those_that_are_parked() -> None:
    failover = walk(A, B)
    for parked in (A, B):
        failover.next(0.0)
        failover.refused(parked, Refusal(SkipReason.PARKED))
    failover.next(0.0)
    failover.failed(A, Failure(outcome=Outcome.RATE_LIMIT, again=True), 0.1)
    again = failover.next(1.0)

    assert isinstance(again, Try)
    assert (again.entry, again.until_s < failover.deadline_s) == (A, True)


def test_who_ran_into_a_clock_is_not_asked_for_another_model() -> None:
    other_model = replace(A, model="a-2")
    failover = walk(A, other_model, B)
    asked(failover)

    fail(failover, A, Outcome.TIMEOUT_FIRST_TOKEN)

    assert asked(failover) == "b"
    assert str(failover.steps[-1]) == "a;skipped;deadline;0"


def test_who_failed_otherwise_is_asked_for_another_model() -> None:
    other_model = replace(A, model="a-2")
    failover = walk(A, other_model)
    asked(failover)

    fail(failover, A, Outcome.SERVER_ERROR)

    assert asked(failover) == "a"


def test_what_is_final_ends_the_walk() -> None:
    failover = walk(A, B)
    asked(failover)

    failover.failed(A, Failure(outcome=Outcome.CANCELLED, final=True), 0.1)

    assert asked(failover) == "over"


def test_beside_the_first_the_next_in_the_chain_is_asked() -> None:
    failover = walk(A, B)
    asked(failover)

    second = failover.also(1.0)

    assert second is not None
    assert second.entry is B
    assert failover.also(1.0) is None
    assert asked(failover) == "over"


def test_nobody_else_is_asked_beside_the_first_after_the_deadline() -> None:
    failover = walk(A, B, deadline_s=10.0)
    asked(failover)

    assert failover.also(10.0) is None


def test_one_that_was_only_slower_is_no_failure_to_go_on_from() -> None:
    failover = walk(A, B)
    asked(failover)
    failover.also(1.0)

    fail(failover, A, Outcome.HEDGE_LOST)

    assert failover.last_failure is None


def test_one_that_was_only_slower_is_asked_again_after_all_the_others() -> None:
    failover = walk(A, B, C)
    asked(failover)
    failover.also(1.0)
    fail(failover, A, Outcome.HEDGE_LOST)
    fail(failover, B, Outcome.STREAM_ERROR)

    assert asked(failover) == "c"
    fail(failover, C, Outcome.SERVER_ERROR)
    assert asked(failover) == "a"


def test_more_time_is_kept_for_a_model_that_is_to_think_first() -> None:
    plain = Failover(chain=(A, B), deadline_s=300.0).next(0.0)
    thinking = Failover(chain=(A, B), deadline_s=300.0, reasoning=True).next(0.0)

    assert isinstance(plain, Try)
    assert isinstance(thinking, Try)
    assert (plain.until_s, thinking.until_s) == (288.0, 240.0)
