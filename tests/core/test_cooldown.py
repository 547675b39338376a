from __future__ import annotations

import pytest

from sidecar.core.cooldown import (
    WHOLE_PROVIDER,
    Unstated,
    another,
    cooldown_s,
    parking_s,
    scope_of,
)
from sidecar.core.outcome import COOLING, PARKING, Outcome


@pytest.mark.parametrize(
    ("stated_s", "believed_s"),
    [(0.2, 1.0), (7.5, 7.5), (3600.0, 600.0), (float("inf"), 600.0), (float("nan"), 600.0)],
)
def test_a_stated_wait_is_believed_within_bounds(stated_s: float, believed_s: float) -> None:
    assert cooldown_s(stated_s, Unstated()) == believed_s


@pytest.mark.parametrize(("in_a_row", "wait_s"), [(1, 2), (2, 4), (5, 32), (6, 60), (10**9, 60)])
def test_unstated_waits_double_up_to_a_minute(in_a_row: int, wait_s: float) -> None:
    assert cooldown_s(None, Unstated(in_a_row)) == wait_s


def test_answers_to_calls_asked_one_after_the_other_count_in_a_row() -> None:
    unstated = another(Unstated(), asked_s=0.0, now_s=1.0)

    assert another(unstated, asked_s=3.0, now_s=4.0).in_a_row == 2


def test_answers_to_calls_that_were_under_way_together_count_once() -> None:
    unstated = another(Unstated(), asked_s=0.0, now_s=1.0)

    assert another(unstated, asked_s=0.5, now_s=2.0).in_a_row == 1


@pytest.mark.parametrize(
    ("stated_s", "set_aside_s"),
    [(None, 600.0), (5.0, 600.0), (7200.0, 7200.0), (10**7, 86_400.0)],
)
def test_what_an_operator_has_to_cure_is_set_aside_for_long(
    stated_s: float | None, set_aside_s: float
) -> None:
    assert parking_s(stated_s) == set_aside_s


@pytest.mark.parametrize("outcome", [Outcome.AUTH, Outcome.QUOTA_EXHAUSTED])
def test_what_is_wrong_with_the_credential_concerns_the_whole_provider(outcome: Outcome) -> None:
    assert scope_of(outcome, "m") == WHOLE_PROVIDER


@pytest.mark.parametrize("outcome", sorted((COOLING | PARKING) - {"auth", "quota_exhausted"}))
def test_everything_else_concerns_the_model_alone(outcome: Outcome) -> None:
    assert scope_of(outcome, "m") == "m"
