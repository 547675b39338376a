"""What an error means follows from the operator's rules, and a row without meaning is left out."""

from __future__ import annotations

import pytest

from sidecar.core.outcome import Outcome
from sidecar.drill.meaning import USUAL, all_fail, meant_by
from sidecar.drill.stand_ins import fails_fast
from sidecar.faults.vendors import Trouble
from tests.drill.settings import place_of


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize("trouble", USUAL)
def test_without_rules_all_means_the_usual(position: int, trouble: Trouble) -> None:
    assert meant_by(place_of(position).provider, trouble) is USUAL[trouble]


@pytest.mark.parametrize(
    ("match", "trouble", "meant"),
    [
        ("{status: 429}", Trouble.LIMITED, Outcome.AUTH),
        ("{status: 429}", Trouble.BROKEN, Outcome.SERVER_ERROR),
        ("{code: UNAVAILABLE}", Trouble.OVERLOADED, Outcome.AUTH),
        ("{text: blocked}", Trouble.FILTERED, Outcome.AUTH),
    ],
)
def test_a_rule_makes_something_else_of_it(match: str, trouble: Trouble, meant: Outcome) -> None:
    place = place_of(more=f"errors: [{{match: {match}, class: auth}}]")

    assert meant_by(place.provider, trouble) is meant


def test_a_rule_for_a_status_is_not_for_an_error_that_comes_with_another() -> None:
    provider = place_of(2, more="errors: [{match: {status: 500}, class: auth}]").provider

    assert meant_by(provider, Trouble.BROKEN) is Outcome.AUTH
    assert meant_by(provider, Trouble.BROKEN, status=200) is Outcome.SERVER_ERROR


@pytest.mark.parametrize(
    ("outcome", "played", "meant"),
    [
        ("server_error", "overloaded", None),
        ("content_filter", "reset_before_headers", Outcome.CONTENT_FILTER),
    ],
    ids=["a failure all the same", "no failure any more"],
)
def test_those_before_the_fault_fail_whatever_the_rules_say(
    outcome: str, played: str, meant: Outcome | None
) -> None:
    provider = place_of(more=f"errors: [{{match: {{status: 503}}, class: {outcome}}}]").provider

    assert fails_fast(provider).id == played
    assert all_fail([provider]) is meant
