"""How the state of a sidecar reads."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.overview import overview, row, seconds, span, standing, who_serves, who_shares

Json = dict[str, Any]

NOW = 1_000_000.0


def provider(name: str, state: str = "closed", **more: Any) -> Json:
    """An entry of `/status.json` as it is before the first call."""
    return {
        "name": name,
        "state": state,
        "since": 0.0,
        "cause": "",
        "retry_in_s": None,
        "error_ratio": 0.0,
        "p50_s": None,
        "p95_s": None,
        "in_flight": 0,
        "held": None,
        "parked": [],
        "cooldown_s": [],
        **more,
    }


def status(*providers: Json, **routes: list[str]) -> Json:
    """`/status.json` with `routes`, each a model and its chain."""
    return {
        "providers": list(providers),
        "routes": [{"models": [model], "chain": chain} for model, chain in routes.items()],
    }


def held(mode: str) -> Json:
    return {"mode": mode, "until": None, "by": "operator", "reason": "drill_7"}


def aside(model: str = "big", reason: str = "rate_limit", retry_in_s: float = 12.0) -> Json:
    return {"model": model, "reason": reason, "retry_in_s": retry_in_s}


KEYLESS = aside("", "auth", 600.0)


@pytest.mark.parametrize(
    ("first", "sentence"),
    [
        (provider("one"), "one serves every model."),
        (
            provider("one", "open", cause="failures", retry_in_s=42.0),
            "two serves every model: one is open for 42s (failures).",
        ),
        (
            provider("one", "half_open", cause="open_timeout"),
            "two serves every model: one is half open (open timeout).",
        ),
        (provider("one", held=held("open")), "two serves every model: one is held open (drill_7)."),
        (provider("one", "open", held=held("closed")), "one serves every model."),
        (
            provider("one", parked=[KEYLESS]),
            "two serves every model: one is parked for 10m (auth).",
        ),
        (
            provider("one", cooldown_s=[aside()]),
            "two serves every model: one is cooling down for 12s (rate limit).",
        ),
        (
            provider("one", cooldown_s=[aside(reason="")]),
            "two serves every model: one is cooling down for 12s.",
        ),
        (provider("one", cooldown_s=[aside("small")]), "one serves every model."),
        (provider("other"), "two serves every model."),
    ],
    ids=[
        *("closed", "open", "half open", "held open", "held closed", "parked", "cooling down"),
        *("another pod was told to wait", "another model is cooling down", "unknown"),
    ],
)
def test_the_first_that_takes_calls_serves(first: Json, sentence: str) -> None:
    told = who_serves(status(first, provider("two"), smart=["one/big", "two"]))

    assert told == sentence


def test_an_entry_without_a_model_waits_for_the_models_that_callers_name() -> None:
    told = who_serves(status(provider("one", cooldown_s=[aside("*")]), smart=["one"]))

    assert told == "Nobody serves: one is cooling down for 12s (rate limit)."


def test_a_provider_that_is_asked_for_two_models_is_told_with_them() -> None:
    one = provider("one", cooldown_s=[aside("org/big")])

    told = who_serves(status(one, smart=["one/org/big", "one/small"]))

    assert told == "one/small serves every model: one/org/big is cooling down for 12s (rate limit)."


def test_what_two_routes_pass_over_is_told_once() -> None:
    one = provider("one", "open")

    told = who_serves(status(one, provider("two"), smart=["one", "two"], fast=["one", "two"]))

    assert told == "two serves every model: one is open."


def test_nobody_serves_where_every_breaker_refuses() -> None:
    told = who_serves(status(provider("one", "open"), smart=["one"], fast=["one/small"]))

    assert told == "Nobody serves: one is open."


def test_routes_that_are_served_by_the_same_are_told_together() -> None:
    told = who_serves(
        status(
            provider("one"),
            provider("two"),
            provider("three", "open"),
            smart=["one"],
            fast=["two"],
            wise=["three", "one/big"],
            odd=["three"],
        )
    )

    assert told == "one serves smart, wise; two serves fast; nobody serves odd: three is open."


@pytest.mark.parametrize("entry", ["one/big", "one"], ids=["a model", "any model"])
def test_a_breaker_of_a_model_is_found(entry: str) -> None:
    breakers = (provider("one/big", "open"), provider("one/*", "open"), provider("two"))

    told = who_serves(status(*breakers, smart=[entry, "two"]))

    assert told == "two serves every model: one is open."


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        (provider("one"), "closed"),
        (provider("one", "half_open"), "half_open"),
        (provider("one", "open", held=held("closed")), "held closed"),
        (provider("one", parked=[KEYLESS], cooldown_s=[aside()]), "parked"),
        (provider("one", cooldown_s=[aside()]), "cooling down"),
        (provider("one", "half_open", cooldown_s=[aside()]), "cooling down"),
        (provider("one", "open", retry_in_s=3.0, cooldown_s=[aside()]), "open"),
        (provider("one", "open", retry_in_s=0.0, cooldown_s=[aside()]), "cooling down"),
        (provider("one", held=held("closed"), cooldown_s=[aside()]), "held closed"),
        ({"state": "closed", "parked": [{"model": "", "reason": "auth", "seconds": 6}]}, "parked"),
    ],
    ids=[
        *("closed", "half open", "held", "parked", "cooling down", "not probed before it cooled"),
        *("open", "not probed when it could be", "held and cooling down", "after a change"),
    ],
)
def test_where_a_provider_stands_is_one_word(entry: Json, word: str) -> None:
    assert standing(entry).word == word


def test_a_provider_in_trouble_is_told_with_all_that_matters() -> None:
    entry = provider(
        "one",
        "open",
        since=NOW - 190,
        cause="probe_failed",
        retry_in_s=41.6,
        error_ratio=0.75,
        p50_s=0.8412,
        p95_s=2.0,
        in_flight=3,
    )

    told = row(entry, NOW)

    assert told == ("one", "open", "3m 10s", "probe failed", "42s", "75%", "841ms", "2.00s", "3")


def test_what_is_set_aside_is_told_with_its_model_and_the_next_try() -> None:
    models = [aside("big_one"), aside("small", "warming", 3.0), aside("", "")]

    told = row(provider("one", since=NOW - 190, cause="reset", cooldown_s=models), NOW)

    assert told[1:5] == ("cooling down", "-", "rate limit of big_one, warming of small", "3s")


def test_a_provider_before_its_first_call_has_little_to_tell() -> None:
    told = row(provider("one"), NOW)

    assert told == ("one", "closed", "-", "-", "-", "0%", "-", "-", "0")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-3, "0s"),
        (0.4, "0s"),
        (59.4, "59s"),
        (60, "1m"),
        (3600, "1h"),
        (7384, "2h 3m"),
        (90000, "1d 1h"),
    ],
)
def test_a_time_is_told_in_two_units_at_most(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0008, "0.8ms"),
        (0.0099, "9.9ms"),
        (0.00996, "10ms"),
        (0.841, "841ms"),
        (0.9994, "999ms"),
        (0.9996, "1.00s"),
        (12.345, "12.35s"),
    ],
)
def test_a_latency_below_a_second_is_told_in_milliseconds(value: float | None, text: str) -> None:
    assert seconds(value) == text


def test_columns_stand_below_each_other() -> None:
    told = overview(status(provider("one"), provider("a-long-name", "open")), NOW, color=False)

    _, empty, heading, *rows = told.splitlines()
    assert empty == ""
    assert {line.index(word) for line, word in zip(rows, ("closed", "open"), strict=True)} == {
        heading.index("STATE")
    }


def test_a_pipe_gets_no_colors() -> None:
    told = overview(status(provider("one", "open")), NOW, color=False)

    assert told.isascii()
    assert "\x1b" not in told


def test_a_terminal_sees_an_open_breaker_in_red() -> None:
    told = overview(status(provider("one", "open")), NOW, color=True)

    assert told.splitlines()[-1].startswith("\x1b[31mone")


def test_a_name_gives_the_terminal_no_orders() -> None:
    told = overview(status(provider("one\x1b[2J"), smart=["one\x1b[2J"]), NOW, color=False)

    assert "\x1b" not in told


def shared(*pods: str, kind: str = "redis", degraded: bool = False) -> Json:
    """`/status.json` of a pod that shares its breakers with `pods`."""
    seen = [{"pod": pod, "last_seen_s": 1.0} for pod in pods]
    return {"store": {"kind": kind, "up": True, "degraded": degraded, "pods": seen}}


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (status(), []),
        (shared("a", kind="memory"), []),
        (shared(), ["No pod was seen at redis yet."]),
        (shared("a", "b"), ["2 share their breakers by redis: a, b."]),
        (
            shared(*map(str, range(11)), kind="etcd"),
            ["11 share their breakers by etcd: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …."],
        ),
        (shared("a", degraded=True), ["This pod decides alone: redis is out of reach."]),
    ],
    ids=["none", "memory", "nobody yet", "two", "many", "alone"],
)
def test_who_shares_the_breakers_is_told(status: Json, told: list[str]) -> None:
    assert who_shares(status) == told


def test_the_store_stands_below_who_serves() -> None:
    one = status(provider("one"), any=["one"]) | shared("a", "b")

    assert (
        overview(one, NOW, color=False).splitlines()[1] == "2 share their breakers by redis: a, b."
    )
