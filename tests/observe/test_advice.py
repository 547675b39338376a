"""What the configuration could do better is told with a reason and a line that loads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as cases
from hypothesis import strategies as st

from sidecar.config.loading import read_settings
from sidecar.config.quantity import parse_quantity
from sidecar.core.events import Usage
from sidecar.core.settings import Settings
from sidecar.core.units import Unit
from sidecar.observe.advice import Suggestion, suggest, unsaid
from sidecar.observe.life import FirstTokens, Life, Seen
from sidecar.observe.standing import Keys
from sidecar.observe.yaml_lines import rounded_up, told_s, word

Json = dict[str, Any]

HOUR_S = 3600.0
CONFIG: Json = {
    "providers": {
        "gemini": {"kind": "gemini", "api_key": "a-key"},
        "local": {"kind": "openai", "base_url": "http://127.0.0.1:8000/v1"},
    },
    "routes": [{"models": ["*"], "chain": ["gemini/flash", "local"]}],
}


def settings_of(changes: Mapping[str, Any] | None = None) -> Settings:
    return read_settings(yaml.safe_dump(merged(CONFIG, changes or {})), "test.yaml", {})


def merged(one: Any, other: Any) -> Any:
    """`other` written over `one`."""
    if not (isinstance(one, dict) and isinstance(other, Mapping)):
        return other
    return {**one, **{key: merged(one.get(key), value) for key, value in other.items()}}


def seen(provider: str = "gemini", model: str = "flash", **changes: Any) -> Seen:
    """A provider that did well."""
    first_tokens = FirstTokens(1000, 0.3, 0.5, 0.6)
    usual: Json = {"attempts": 5000, "answers": 5000, "first_tokens": first_tokens, "usd": 1.0}
    return Seen(provider, model, **{**usual, **changes})


LOCAL = seen("local", "*")


def life(*models: Seen, **changes: Any) -> Life:
    return Life(**{"up_s": HOUR_S, "models": models, "requests": {"success": 1000}, **changes})


def suggested(seen_so_far: Life, changes: Mapping[str, Any] | None = None) -> list[Suggestion]:
    return suggest(settings_of(changes), seen_so_far)


SHORT: Json = {"timeouts": {"first_token": "2s"}}


def only(seen_so_far: Life, changes: Mapping[str, Any] | None = None) -> Suggestion:
    (one,) = suggested(seen_so_far, changes)
    return one


def test_where_all_is_well_nothing_is_suggested() -> None:
    assert suggested(life(seen(), LOCAL), SHORT) == []


def test_a_clock_far_above_what_is_seen_is_to_be_shorter() -> None:
    one, _ = suggested(life(seen(), LOCAL))

    assert one == Suggestion(
        "gemini/flash",
        "99 of 100 first tokens of gemini/flash came within 600ms, yet one that stalls is waited "
        "for until 12s.",
        "providers: {gemini: {timeouts: {first_token: 1.8s}}}",
    )


def test_a_clock_that_first_tokens_run_into_is_to_be_longer() -> None:
    close = FirstTokens(1000, 0.5, 1.0, 1.9)

    one = only(life(seen(first_tokens=close), LOCAL), SHORT)

    assert "close to its clock of 2s" in one.reason
    assert one.yaml == "providers: {gemini: {timeouts: {first_token: 5.7s}}}"


@pytest.mark.parametrize(
    "one",
    [
        seen(first_tokens=FirstTokens(199, 0.3, 0.5, 0.6)),
        seen(failures=51),
        seen(first_tokens=FirstTokens(1000, 1.0, 4.0, 5.0)),
        seen(first_tokens=FirstTokens(1000, 1.0, 20.0, 40.0)),
    ],
    ids=["too few", "ill itself", "not far off", "reasoning, which has a clock of its own"],
)
def test_otherwise_a_clock_is_left_alone(one: Seen) -> None:
    changes = {"hedge": {"after": "1s"}}

    assert [each for each in suggested(life(one, LOCAL), changes) if each.about != "local"] == []


def test_a_clock_of_one_of_several_models_is_set_in_the_chain() -> None:
    chain = ["gemini/flash", "gemini/pro"]
    changes = {"routes": [{"models": ["*"], "chain": chain}]}
    slow = seen(model="pro", first_tokens=FirstTokens(1000, 4.0, 6.0, 7.0))

    one = only(life(seen(), slow), changes)

    assert one.yaml == (
        'routes: [{models: ["*"], chain: [{provider: gemini, model: flash, '
        "timeouts: {first_token: 1.8s}}]}]"
    )


def test_a_long_tail_is_worth_a_hedge() -> None:
    tail = FirstTokens(1000, 0.3, 0.5, 1.5)

    one = only(life(seen(first_tokens=tail), LOCAL), SHORT)

    assert one.yaml == "hedge: {after: 500ms}"
    assert "1 of 20 first tokens of gemini/flash takes more than 500ms" in one.reason


def test_a_tail_of_the_last_of_a_chain_is_not() -> None:
    tail = FirstTokens(1000, 0.3, 0.5, 1.5)

    assert suggested(life(seen(), seen("local", "*", first_tokens=tail)), SHORT) == []


@pytest.mark.parametrize(
    ("attempts", "line"),
    [
        (1000, "min_requests: 8"),
        (400, "ratio_window: 90s"),
        (100, "ratio_window: 360s"),
    ],
)
def test_a_rule_that_never_applies_is_to_apply(attempts: int, line: str) -> None:
    one = only(life(seen(attempts=attempts), LOCAL), SHORT)

    assert one.yaml == f"providers: {{gemini: {{breaker: {{{line}}}}}}}"


@pytest.mark.parametrize(
    ("attempts", "up_s"), [(99, HOUR_S), (5000, HOUR_S), (100, 500.0), (100, 10 * HOUR_S)]
)
def test_otherwise_it_is_left_alone(attempts: int, up_s: float) -> None:
    few = life(seen(attempts=attempts), seen("local", "*", attempts=10**6), up_s=up_s)

    assert suggested(few, SHORT) == []


def test_one_that_could_hold_every_call_is_to_have_a_limit() -> None:
    one = only(life(seen(busy_s=6.3 * HOUR_S), LOCAL), SHORT)

    assert one.yaml == "providers: {gemini: {max_in_flight: 63}}"
    assert "gemini has 6 calls at once on average" in one.reason


def test_a_limit_that_is_met_is_to_be_higher() -> None:
    changes = merged(SHORT, {"providers": {"gemini": {"max_in_flight": 4}}})

    one = only(life(seen(), LOCAL, full={"gemini": 7}), changes)

    assert one.yaml == "providers: {gemini: {max_in_flight: 8}}"
    assert one.reason == "gemini was passed over 7 times, having 4 calls already."


def test_tokens_without_a_price_are_told() -> None:
    one = only(life(seen(usage=Usage(70, 30), usd=None), LOCAL), SHORT)

    assert one.yaml == "prices: {gemini/flash: {input: INPUT_USD, output: OUTPUT_USD}}"
    assert one.reason.startswith("100 tokens of gemini/flash have no price")


def test_one_that_was_never_asked_is_to_be_tried() -> None:
    idle = Seen("local", "*", usd=1.0)

    one = only(life(seen(), idle), SHORT)

    assert one.yaml == "routes: [{models: [A_MODEL_IT_HAS], chain: [local]}]"
    assert suggested(life(seen(), idle, requests={"success": 99}), SHORT) == []


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        ("auth", "providers: {gemini: {api_key: NEW_KEY}}"),
        ("model_missing", 'routes: [{models: ["*"], chain: [gemini/A_MODEL_IT_HAS]}]'),
    ],
)
def test_what_is_parked_is_to_be_cured(reason: str, line: str) -> None:
    assert only(life(seen(), LOCAL, parked={"gemini": reason}), SHORT).yaml == line


def test_keys_that_are_set_aside_are_told() -> None:
    one = only(life(seen(), LOCAL, keys={"gemini": Keys(3, 1), "local": Keys(2, 0)}), SHORT)

    assert one.reason.startswith("1 of the 3 keys of gemini are set aside")


# When nothing is said


def test_it_is_told_when_too_little_was_seen() -> None:
    few = seen(first_tokens=FirstTokens(17, 0.1, 0.1, 0.1))

    assert unsaid(life(few, LOCAL)) == [
        "gemini/flash: first tokens seen: 17; "
        "it takes 200 to say something about clocks and hedging."
    ]


def test_it_is_told_when_nothing_was_seen() -> None:
    nothing = life(Seen("gemini", "flash"), Seen("local", "*"), up_s=5.0, requests={})

    assert suggested(nothing) == []
    assert unsaid(nothing) == [
        "Nobody was asked anything yet.",
        "Rates are judged after 10 minutes; this process is younger.",
    ]


def test_where_enough_was_seen_nothing_is_left_unsaid() -> None:
    assert unsaid(life(seen(), LOCAL)) == []


# The lines


EVERYTHING_WRONG = life(
    seen(attempts=400, first_tokens=FirstTokens(400, 0.1, 0.2, 0.9), busy_s=6 * HOUR_S),
    Seen("local", "*"),
    keys={"gemini": Keys(3, 1)},
    parked={"local": "auth"},
)


def test_every_line_is_a_configuration_that_loads_and_cures_what_it_is_for() -> None:
    now, wrong = EVERYTHING_WRONG, suggested(EVERYTHING_WRONG)
    assert [one.about for one in wrong] == [
        *("local", "gemini", "gemini/flash", "gemini/flash", "gemini", "gemini", "local"),
    ]

    for one in wrong[2:6]:
        changes = yaml.safe_load(one.yaml)
        assert one not in suggested(now, changes), one.yaml
    settings = settings_of(yaml.safe_load(wrong[6].yaml))
    assert [entry.provider.name for entry in settings.routes[0].chain] == ["local"]


@given(st.floats(0.001, 10_000))
def test_a_time_is_rounded_up_by_little_and_can_be_read(value: float) -> None:
    rounded = rounded_up(value)

    assert value * 0.9999 <= rounded <= value * 1.11
    assert parse_quantity(told_s(rounded), Unit.SECONDS) == pytest.approx(rounded, rel=0.01)


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1))
def test_a_name_is_the_same_in_yaml(name: str) -> None:
    assert yaml.safe_load(f"{{key: [{word(name)}]}}") == {"key": [name]}


@cases(max_examples=40)  # a configuration is loaded for each line
@given(
    up_s=st.floats(0.001, 1e7),
    attempts=st.integers(0, 10**7),
    failures=st.floats(0, 1),
    times=st.lists(st.floats(0, 60), min_size=3, max_size=3).map(sorted),
    busy_s=st.floats(0, 1e8),
)
def test_whatever_was_seen_the_advice_is_yaml(
    up_s: float, attempts: int, failures: float, times: list[float], busy_s: float
) -> None:
    first_tokens = FirstTokens(attempts, *times) if attempts else FirstTokens()
    lost = int(failures * attempts)
    one = seen(attempts=attempts, failures=lost, first_tokens=first_tokens, busy_s=busy_s)

    for told in suggested(life(one, LOCAL, up_s=up_s)):
        assert settings_of(yaml.safe_load(told.yaml))
        assert told.reason.endswith(".")
