"""The status tells where everything stands, under keys that stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sidecar.core.events import AttemptStarted, Cause, Event, Skipped, State
from sidecar.core.outcome import Outcome, SkipReason
from sidecar.observe.fanout import fan_out
from sidecar.observe.standing import ConfigStanding, Keys, Looks, Within, no_keys
from sidecar.observe.status import Status
from tests.observe.scene import (
    ROUTE,
    SETTINGS,
    StillClock,
    attempt_ended,
    breaker_moved,
    failed_over,
    request_ended,
)


@dataclass(frozen=True, slots=True)
class Held:
    mode: State = State.OPEN
    until_unix_s: float | None = None
    by: str = "operator"
    reason: str = "maintenance"


@dataclass(frozen=True, slots=True)
class Aside:
    model: str = "gemini-3-flash"
    reason: str = "model_missing"
    seconds: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """A breaker that says of itself what a real one would."""

    name: str = "gemini"
    provider: str = "gemini"
    state: State = State.OPEN
    since_unix_s: float = 1_759_999_990.5
    epoch: int = 7
    cause: str = "failures"
    open_until_unix_s: float | None = 1_760_000_050.5
    retry_in_s: float | None = 50.25
    consecutive_failures: int = 3
    error_ratio: float = 0.75
    held: Held | None = None
    parked: tuple[Aside, ...] = ()
    cooldown_s: tuple[Aside, ...] = ()


def status(
    *breakers: Breaker,
    clock: StillClock | None = None,
    keys: Callable[[], Mapping[str, Keys]] = no_keys,
) -> Status:
    shown = breakers or (Breaker(),)
    looks = Looks(breakers=lambda: shown, store=lambda: Within(pods={"pod-1": 0.0}), keys=keys)
    return Status(SETTINGS, clock or StillClock(), looks, "0.1.0")


def told(*events: Event, of: Status | None = None) -> dict[str, Any]:
    of = of or status()
    for event in events:
        fan_out(of.handlers)(event)
    return of.as_json()


def provider(*events: Event, breaker: Breaker | None = None) -> dict[str, Any]:
    one: dict[str, Any] = told(*events, of=status(breaker or Breaker()))["providers"][0]
    return one


def started(name: str = "gemini", model: str = "gemini-3-flash") -> AttemptStarted:
    return AttemptStarted(request_id="req-1", provider=name, model=model)


def skipped() -> Skipped:
    return Skipped(request_id="req-1", route=ROUTE, provider="gemini", reason=SkipReason.OPEN)


def test_the_keys_are_those_of_the_contract() -> None:
    assert told().keys() == {
        *("version", "uptime_s", "store", "providers", "routes", "failovers"),
        *("pod", "time", "sentence", "config", "requests"),
    }


def test_the_keys_of_a_provider_are_those_of_the_contract() -> None:
    assert provider().keys() == {
        *("name", "kind", "state", "since", "epoch", "cause", "open_until", "retry_in_s"),
        *("consecutive_failures", "error_ratio", "p50_s", "p95_s", "ttft_p95_s", "in_flight"),
        *("held", "parked", "cooldown_s", "keys"),
        *("failing", "away_since", "ttft_p50_s", "attempts_per_s", "history"),
    }


def test_the_store_is_the_pod_s_own_memory() -> None:
    assert told()["store"] == {
        "kind": "memory",
        "up": True,
        "degraded": False,
        "last_sync_s": 0.0,
        "pods": [{"pod": "pod-1", "last_seen_s": 0.0}],
    }


def test_a_failover_is_told_with_exactly_these_keys() -> None:
    assert told(failed_over())["failovers"] == [
        {
            "time": 1_760_000_000.25,
            "request_id": "req-1",
            "route": "gpt-4o*,smart",
            "from": "gemini",
            "to": "huggingface",
            "reason": "server_error",
        }
    ]


def test_a_route_is_told_in_the_words_of_the_configuration() -> None:
    route = told()["routes"][0]

    assert route["models"] == ["gpt-4o*", "smart"]
    assert route["chain"] == ["gemini/gemini-3-flash", "huggingface/meta-llama/Llama-3.3", "local"]


def test_a_place_of_a_chain_is_told_with_where_its_provider_stands() -> None:
    assert told()["routes"][0]["seats"][0] == {
        "entry": "gemini/gemini-3-flash",
        "name": "gemini",
        "breaker": "gemini",
        "standing": "open",
        "serving": False,
        "why": "failures",
        "wait_s": 50.25,
    }


def test_the_sentence_tells_what_failed_here() -> None:
    refused = attempt_ended(outcome=Outcome.OVERLOADED, status=503)
    well = Breaker(name="huggingface", provider="huggingface", state=State.CLOSED, cause="")

    sentence = told(*[refused] * 3, of=status(Breaker(), well))["sentence"]

    assert "huggingface is serving gpt-4o*, smart since" in sentence
    assert "gemini is open (503 ×3), next probe in 51 s." in sentence


def test_the_configuration_in_force_is_told() -> None:
    config = ConfigStanding("ab12", 1_759_999_000.0, ["one warning"], ["one problem"])
    of = Status(SETTINGS, StillClock(), Looks(config=lambda: config), "0.1.0", "pod-7")

    shown = of.as_json()

    assert shown["pod"] == "pod-7"
    assert shown["config"] == {
        "sha256": "ab12",
        "loaded": 1_759_999_000.0,
        "warnings": ["one warning"],
        "problems": ["one problem"],
    }


def test_a_breaker_is_away_since_it_last_was_closed() -> None:
    clock = StillClock()
    of = status(Breaker(state=State.HALF_OPEN), clock=clock)
    opened_s = clock.unix_s
    told(breaker_moved(State.OPEN, Cause.FAILURES), of=of)
    clock.pass_s(60.0)
    told(breaker_moved(State.HALF_OPEN, Cause.OPEN_TIMEOUT), of=of)

    assert of.as_json()["providers"][0]["away_since"] == opened_s


def test_a_breaker_that_came_back_is_away_no_more() -> None:
    clock = StillClock()
    of = status(Breaker(since_unix_s=5.0), clock=clock)
    moves = (State.OPEN, Cause.FAILURES), (State.CLOSED, Cause.PROBES_SUCCEEDED)

    shown = told(*[breaker_moved(*move) for move in moves], of=of)["providers"][0]

    assert shown["away_since"] == 5.0  # what the breaker says itself, of a move not heard of
    assert provider(breaker=Breaker(state=State.CLOSED))["away_since"] is None


def test_a_request_is_told_with_its_tries() -> None:
    of = status()
    told(skipped(), attempt_ended(), request_ended(), of=of)

    request = of.request("req-1")

    assert request
    assert [one["outcome"] for one in request["tries"]] == ["skipped", "ok"]
    assert [one["id"] for one in of.as_json()["requests"]] == ["req-1"]


def test_everything_can_be_sent_as_json() -> None:
    held = status(Breaker(held=Held(), parked=(Aside(),)))

    text = orjson.dumps(told(failed_over(), attempt_ended(), of=held))

    assert orjson.loads(text)["providers"][0]["state"] == "open"


def test_uptime_counts_from_the_start() -> None:
    clock = StillClock()
    of = status(clock=clock)

    clock.pass_s(12.5)

    assert of.as_json()["uptime_s"] == 12.5


def test_only_the_last_fifty_failovers_are_kept() -> None:
    events = [failed_over(request_id=f"req-{number}") for number in range(60)]

    kept = [one["request_id"] for one in told(*events)["failovers"]]

    assert kept == [f"req-{number}" for number in range(10, 60)]


def test_a_breaker_is_told_as_it_tells_itself() -> None:
    shown = provider()

    assert {key: shown[key] for key in ("state", "since", "cause", "open_until", "retry_in_s")} == {
        "state": "open",
        "since": 1_759_999_990.5,
        "cause": "failures",
        "open_until": 1_760_000_050.5,
        "retry_in_s": 50.25,
    }


def test_a_breaker_that_never_moved_stands_since_the_start() -> None:
    shown = provider(breaker=Breaker(state=State.CLOSED, since_unix_s=0.0, cause=""))

    assert (shown["since"], shown["cause"]) == (StillClock().unix_s, None)


def test_a_hold_is_told_with_its_reason() -> None:
    assert provider(breaker=Breaker(held=Held()))["held"] == {
        "mode": "open",
        "until": None,
        "by": "operator",
        "reason": "maintenance",
    }


def test_what_is_set_aside_is_told_with_its_reason() -> None:
    assert provider(breaker=Breaker(parked=(Aside(),)))["parked"] == [
        {"model": "gemini-3-flash", "reason": "model_missing", "retry_in_s": 600.0}
    ]


def test_the_keys_of_a_pool_are_told_by_their_number_alone() -> None:
    of = status(keys=lambda: {"gemini": Keys(total=3, parked=1)})

    assert of.as_json()["providers"][0]["keys"] == {"total": 3, "parked": 1}


def test_a_provider_without_a_pool_has_no_keys_to_tell_of() -> None:
    assert provider()["keys"] is None


def test_a_cooldown_is_told_with_its_model_and_how_long_it_lasts() -> None:
    cooling = Aside(reason="rate_limit", seconds=12.0)

    assert provider(breaker=Breaker(cooldown_s=(cooling,)))["cooldown_s"] == [
        {"model": "gemini-3-flash", "reason": "rate_limit", "retry_in_s": 12.0}
    ]


def test_a_provider_that_never_answered_has_no_latencies() -> None:
    shown = provider()

    assert (shown["p50_s"], shown["p95_s"], shown["ttft_p95_s"]) == (None, None, None)


def test_latencies_are_the_nearest_ranks_of_good_answers() -> None:
    answers = [attempt_ended(duration_s=n / 100, ttft_s=n / 1000) for n in range(1, 101)]

    shown = provider(*answers)

    assert (shown["p50_s"], shown["p95_s"], shown["ttft_p95_s"]) == (0.5, 0.95, 0.095)


def test_a_quick_refusal_is_no_quick_answer() -> None:
    refused = attempt_ended(outcome=Outcome.SERVER_ERROR, duration_s=0.001)

    assert provider(attempt_ended(duration_s=0.4), refused)["p50_s"] == 0.4


def test_latencies_forget_what_was_long_ago() -> None:
    slow = [attempt_ended(duration_s=30.0)] * 600
    quick = [attempt_ended(duration_s=0.4)] * 512

    assert provider(*slow, *quick)["p95_s"] == 0.4


def test_an_attempt_is_in_flight_until_it_ends() -> None:
    assert provider(started(), started(), attempt_ended())["in_flight"] == 1


def test_attempts_at_another_provider_are_not_in_flight_here() -> None:
    assert provider(started("huggingface", "meta-llama/Llama-3.3"))["in_flight"] == 0


def test_attempts_belong_to_the_breaker_of_their_model() -> None:
    shown = provider(started("local", "*"), breaker=Breaker(name="local/*", provider="local"))

    assert (shown["in_flight"], shown["kind"]) == (1, "local")


def test_attempts_at_what_nobody_configured_are_passed_over() -> None:
    shown = provider(started(model="never heard of"), attempt_ended(model="never heard of"))

    assert (shown["in_flight"], shown["p50_s"]) == (0, None)
