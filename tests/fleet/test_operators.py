"""What operators do and see."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sidecar.core.events import State
from sidecar.core.outcome import Outcome, SkipReason
from sidecar.core.permit import Ending
from sidecar.core.policies import Scope
from sidecar.fleet.status import AsideStatus
from sidecar.fleet.stores.memory import MemoryStore
from sidecar.fleet.view import FleetBreakers
from tests.fleet.scene import DOWN, UNIX_S, FakeClock, Pod, entry, limited, with_policy


def opened() -> Pod:
    pod = Pod()
    pod.calls(3, DOWN)
    return pod


async def test_held_open_refuses_everything() -> None:
    pod = Pod()
    await pod.breakers.hold("gemini", State.OPEN, 30.0, "me", "drill")

    assert (pod.refused(), pod.retry_in_s()) == (SkipReason.HELD, 30.0)


async def test_held_without_an_end_nobody_knows_when() -> None:
    pod = Pod()
    await pod.breakers.hold("gemini", State.OPEN, None, "me", "drill")

    assert pod.retry_in_s() is None


async def test_held_closed_refuses_nothing() -> None:
    pod = opened()
    await pod.breakers.hold("gemini", State.CLOSED, None, "me", "it works")
    pod.calls(10, DOWN)
    pod.call(limited(60.0))
    pod.call(Ending(outcome=Outcome.AUTH, status=401))

    assert pod.refused() is None


async def test_a_hold_ends_by_itself() -> None:
    pod = Pod()
    await pod.breakers.hold("gemini", State.OPEN, 30.0, "me", "drill")
    pod.clock.turn(30.0)

    assert (pod.refused(), pod.moves) == (
        None,
        ["closed>open hold operator", "open>closed release operator"],
    )


async def test_a_release_ends_a_hold() -> None:
    pod = Pod()
    await pod.breakers.hold("gemini", State.OPEN, None, "me", "drill")
    await pod.breakers.release("gemini")

    assert pod.refused() is None


async def test_a_reset_closes_it() -> None:
    pod = opened()
    await pod.breakers.reset("gemini")

    assert (pod.refused(), pod.moves[-1]) == (None, "open>closed reset operator")


@pytest.mark.parametrize(
    "ending", [limited(60.0), Ending(outcome=Outcome.AUTH, status=401)], ids=["cooldown", "parked"]
)
async def test_a_reset_of_all_passes_over_nothing_any_more(ending: Ending) -> None:
    pod = Pod()
    pod.call(ending)
    await pod.breakers.reset(None)

    assert pod.refused() is None


@pytest.mark.parametrize(
    "command",
    [
        lambda breakers: breakers.hold("nobody", State.OPEN, None, "me", ""),
        lambda breakers: breakers.release("nobody"),
        lambda breakers: breakers.reset("nobody"),
    ],
    ids=["hold", "release", "reset"],
)
async def test_an_unknown_breaker_is_a_key_error(
    command: Callable[[FleetBreakers], object],
) -> None:
    with pytest.raises(KeyError):
        await command(Pod().breakers)  # type: ignore[misc]  # each is a coroutine


async def test_nothing_can_be_held_half_open() -> None:
    with pytest.raises(ValueError, match="half_open"):
        await Pod().breakers.hold("gemini", State.HALF_OPEN, None, "me", "")


def test_the_status_of_an_open_breaker() -> None:
    pod = opened()
    pod.clock.turn(10.0)
    status = pod.breakers.snapshot()[0]

    assert (status.state, status.cause, status.since_unix_s, status.open_until_unix_s) == (
        State.OPEN,
        "failures",
        UNIX_S,
        UNIX_S + 60.0,
    )
    assert (status.retry_in_s, status.consecutive_failures, status.error_ratio) == (50.0, 3, 1.0)


async def test_the_status_shows_who_holds_it_and_why() -> None:
    pod = Pod()
    await pod.breakers.hold("gemini", State.CLOSED, 30.0, "me", "drill")
    held = pod.breakers.snapshot()[0].held

    assert held
    assert (held.mode, held.until_unix_s, held.by, held.reason) == (
        State.CLOSED,
        UNIX_S + 30.0,
        "me",
        "drill",
    )


def test_the_status_shows_what_is_passed_over() -> None:
    pod = Pod()
    first, second = pod.permit(), pod.permit()
    pod.breakers.settle(first, limited(7.0))
    pod.breakers.settle(second, Ending(outcome=Outcome.AUTH, status=401))
    status = pod.breakers.snapshot()[0]

    assert status.cooldown_s == (AsideStatus(model="flash", reason="rate_limit", seconds=7.0),)
    assert status.parked == (AsideStatus(model="", reason="auth", seconds=600.0),)


def test_the_status_shows_nothing_that_is_passed_over_no_more() -> None:
    pod = Pod()
    pod.call(limited(7.0))
    pod.clock.turn(7.0)

    assert pod.breakers.snapshot()[0].cooldown_s == ()


def test_a_pod_shows_what_another_was_told_without_a_reason() -> None:
    clock = FakeClock()
    store = MemoryStore(clock)
    Pod(clock, store).call(limited(7.0))
    status = Pod(clock, store).breakers.snapshot()[0]

    assert status.cooldown_s == (AsideStatus(model="flash", reason="", seconds=7.0),)


def by_model() -> Pod:
    policy = with_policy(scope=Scope.MODEL)
    return Pod(
        entries=[entry(policy=policy), entry(model="pro", policy=policy), entry("anthropic")]
    )


async def test_a_breaker_of_a_model_is_held_by_its_name() -> None:
    pod = by_model()
    await pod.breakers.hold("gemini/pro", State.OPEN, None, "me", "drill")

    assert [status.state for status in pod.breakers.snapshot()] == [
        State.CLOSED,
        State.OPEN,
        State.CLOSED,
    ]


@pytest.mark.parametrize(
    ("name", "refused"),
    [("gemini", [None, None]), ("gemini/pro", [SkipReason.OPEN, None])],
    ids=["provider", "breaker"],
)
async def test_a_reset_closes_all_breakers_of_a_name(
    name: str, refused: list[SkipReason | None]
) -> None:
    pod = by_model()
    models = list(pod.entries)[:2]
    for one in models:
        pod.calls(3, DOWN, one)

    await pod.breakers.reset(name)

    assert [pod.refused(one) for one in models] == refused


async def test_all_are_open_when_every_breaker_refuses() -> None:
    pod = opened()
    before = pod.breakers.all_open()
    await pod.breakers.hold("anthropic", State.OPEN, 90.0, "me", "drill")

    assert (before, pod.breakers.all_open()) == (False, True)


async def test_one_past_its_deadline_is_not_open_any_more() -> None:
    pod = opened()
    await pod.breakers.hold("anthropic", State.OPEN, None, "me", "drill")
    pod.clock.turn(60.0)

    assert not pod.breakers.all_open()


async def test_one_whose_hold_is_over_is_not_open_any_more() -> None:
    pod = opened()
    await pod.breakers.hold("anthropic", State.OPEN, 30.0, "me", "drill")
    pod.clock.turn(30.0)

    assert not pod.breakers.all_open()


async def test_one_held_closed_is_not_open() -> None:
    pod = opened()
    pod.calls(3, DOWN, entry("anthropic", "haiku"))
    before = pod.breakers.all_open()
    await pod.breakers.hold("gemini", State.CLOSED, None, "me", "it works")

    assert (before, pod.breakers.all_open()) == (True, False)
