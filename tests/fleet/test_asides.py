"""Who is passed over for what is no failure: rate limits, bad keys, unknown models."""

from __future__ import annotations

import pytest

from sidecar.core.events import Parked
from sidecar.core.outcome import COOLING, PARKING, Outcome, SkipReason
from sidecar.core.permit import Ending, Permit, Refusal
from sidecar.core.policies import Scope
from sidecar.fleet.stores.memory import MemoryStore
from tests.fleet.scene import DOWN, LIMITED, OK, FakeClock, Pod, entry, limited, with_policy

UNSTATED = LIMITED
BAD_KEY = Ending(outcome=Outcome.AUTH, status=401)


def told_parked(pod: Pod) -> list[tuple[str, str, str]]:
    """What was reported as parked: provider, model, outcome."""
    parked = [event for event in pod.events if isinstance(event, Parked)]
    return [(one.provider, one.model, one.outcome) for one in parked]


def test_a_rate_limit_is_waited_for_as_stated() -> None:
    pod = Pod()
    pod.call(limited(7.0))

    assert (pod.refused(), pod.retry_in_s()) == (SkipReason.COOLDOWN, 7.0)


def test_a_cooldown_ends() -> None:
    pod = Pod()
    pod.call(limited(7.0))
    pod.clock.turn(7.0)

    assert pod.refused() is None


def test_a_shorter_wait_does_not_shorten_a_longer_one() -> None:
    pod = Pod()
    first, second = pod.permit(), pod.permit()
    pod.breakers.settle(first, limited(30.0))
    pod.breakers.settle(second, limited(2.0))

    assert pod.retry_in_s() == 30.0


def test_unstated_waits_grow() -> None:
    pod = Pod()
    waits = []
    for _ in range(3):
        pod.call(UNSTATED)
        waits.append(pod.retry_in_s())
        pod.clock.turn(60.0)

    assert waits == [2.0, 4.0, 8.0]


def test_a_success_ends_the_growth() -> None:
    pod = Pod()
    for ending in (UNSTATED, UNSTATED, OK):
        pod.call(ending)
        pod.clock.turn(60.0)
    pod.call(UNSTATED)

    assert pod.retry_in_s() == 2.0


def test_a_rate_limit_concerns_its_model_alone() -> None:
    pod = Pod(entries=[entry(), entry(model="pro")])
    pod.call(limited(7.0))

    assert pod.refused(entry(model="pro")) is None


def test_a_bad_key_sets_the_whole_provider_aside() -> None:
    policy = with_policy(scope=Scope.MODEL)
    pod = Pod(entries=[entry(policy=policy), entry(model="pro", policy=policy)])
    pod.call(Ending(outcome=Outcome.AUTH, status=401))

    assert pod.refused(entry(model="pro", policy=policy)) is SkipReason.PARKED


def test_an_unknown_model_sets_itself_aside_alone() -> None:
    pod = Pod(entries=[entry(), entry(model="pro")])
    pod.call(Ending(outcome=Outcome.MODEL_MISSING, status=404))

    assert (pod.refused(), pod.refused(entry(model="pro"))) == (SkipReason.PARKED, None)


@pytest.mark.parametrize("outcome", [Outcome.MODEL_MISSING, Outcome.FORBIDDEN])
def test_a_model_that_a_caller_chose_sets_nothing_aside(outcome: Outcome) -> None:
    pod = Pod(entries=[entry(model=None)])
    pod.call(Ending(outcome=outcome, status=404))

    assert pod.refused() is None


def test_a_bad_key_is_one_whoever_chose_the_model() -> None:
    pod = Pod(entries=[entry(model=None)])
    pod.call(Ending(outcome=Outcome.AUTH, status=401))

    assert pod.refused() is SkipReason.PARKED


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (limited(90.0), SkipReason.COOLDOWN),
        (Ending(outcome=Outcome.AUTH, status=401), SkipReason.PARKED),
    ],
    ids=["cooldown", "parked"],
)
def test_what_is_set_aside_by_a_call_from_before_the_trip_is(
    ending: Ending, reason: SkipReason
) -> None:
    pod = Pod()
    late = pod.permit()
    pod.calls(3, DOWN)
    pod.breakers.settle(late, ending)
    pod.clock.turn(60.0)

    assert pod.refused() is reason


def test_what_is_set_aside_comes_back_after_ten_minutes() -> None:
    pod = Pod()
    pod.call(Ending(outcome=Outcome.AUTH, status=401))
    before = pod.retry_in_s()
    pod.clock.turn(600.0)

    assert (before, pod.refused()) == (600.0, None)


def test_what_is_set_aside_is_not_probed() -> None:
    pod = Pod()
    pod.calls(3, DOWN)
    pod.clock.turn(60.0)
    pod.call(Ending(outcome=Outcome.QUOTA_EXHAUSTED, status=429))

    assert pod.refused() is SkipReason.PARKED


def test_a_bad_key_is_no_matter_of_the_fleet() -> None:
    clock = FakeClock()
    store = MemoryStore(clock)
    Pod(clock, store).call(Ending(outcome=Outcome.AUTH, status=401))

    assert store.read_now("gemini") is None


def test_what_is_set_aside_is_asked_as_a_last_resort() -> None:
    pod = Pod()
    pod.call(Ending(outcome=Outcome.AUTH, status=401))

    assert isinstance(pod.last_resort(), Permit)


@pytest.mark.parametrize(
    ("ending", "reason"),
    [(limited(7.0), SkipReason.COOLDOWN), (DOWN, SkipReason.OPEN)],
    ids=["cooling", "open"],
)
def test_nothing_else_is_asked_as_a_last_resort(ending: Ending, reason: SkipReason) -> None:
    pod = Pod()
    permits = [pod.permit() for _ in range(3)]
    for permit in permits:
        pod.breakers.settle(permit, ending)
    answer = pod.last_resort()

    assert isinstance(answer, Refusal)
    assert answer.reason is reason


def test_who_has_waited_out_a_cooldown_is_let_in_despite_it() -> None:
    pod = Pod()
    pod.call(limited(2.0))

    waited = pod.breakers.admit(pod.entry, despite=(SkipReason.COOLDOWN,))

    assert isinstance(waited, Permit)
    assert pod.refused() is SkipReason.COOLDOWN


@pytest.mark.parametrize("outcome", sorted(COOLING | PARKING))
def test_one_bad_key_of_several_sets_nothing_aside(outcome: Outcome) -> None:
    pod = Pod()
    pod.call(Ending(outcome=outcome, status=429, one_key=True))

    assert (pod.refused(), told_parked(pod)) == (None, [])


@pytest.mark.parametrize(
    ("outcome", "model"), [(Outcome.AUTH, ""), (Outcome.MODEL_MISSING, "flash")]
)
def test_what_is_parked_is_reported(outcome: Outcome, model: str) -> None:
    pod = Pod()
    pod.call(Ending(outcome=outcome, status=404))

    assert told_parked(pod) == [("gemini", model, outcome)]


def test_what_is_parked_already_is_not_reported_again() -> None:
    pod = Pod()
    first, second = pod.permit(), pod.permit()
    pod.breakers.settle(first, BAD_KEY)
    pod.breakers.settle(second, BAD_KEY)

    assert len(told_parked(pod)) == 1


def test_a_provider_with_several_breakers_is_reported_once() -> None:
    policy = with_policy(scope=Scope.MODEL)
    flash, pro = entry(policy=policy), entry(model="pro", policy=policy)
    pod = Pod(entries=[flash, pro])
    permits = [pod.permit(flash), pod.permit(pro)]
    for permit in permits:
        pod.breakers.settle(permit, BAD_KEY)

    assert len(told_parked(pod)) == 1


def test_what_is_parked_anew_after_its_time_is_reported_anew() -> None:
    pod = Pod()
    pod.call(BAD_KEY)
    pod.clock.turn(600.0)
    pod.call(BAD_KEY)

    assert len(told_parked(pod)) == 2


def test_a_model_that_a_caller_chose_is_not_reported() -> None:
    pod = Pod(entries=[entry(model=None)])
    pod.call(Ending(outcome=Outcome.MODEL_MISSING, status=404))

    assert told_parked(pod) == []


def test_an_answer_to_who_waited_ends_the_cooldown() -> None:
    pod = Pod()
    pod.call(limited(0.01))
    pod.clock.turn(0.1)
    waited = pod.breakers.admit(pod.entry, despite=(SkipReason.COOLDOWN,))
    assert isinstance(waited, Permit)
    pod.breakers.settle(waited, OK)

    assert pod.refused() is None


def test_an_answer_to_an_older_call_does_not() -> None:
    pod = Pod()
    older = pod.permit()
    pod.clock.turn(0.1)
    pod.call(limited(5.0))
    pod.breakers.settle(older, OK)

    assert pod.refused() is SkipReason.COOLDOWN
