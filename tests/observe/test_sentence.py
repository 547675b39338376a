"""One sentence that says who serves since when, what keeps the others away, and what comes next."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.observe.seats import seated, span
from sidecar.observe.sentence import Chain, sentence

NOW = 1_760_004_000.0  # 10:00 UTC
SINCE = NOW - 1800
CHAIN = ("gemini/flash", "anthropic/claude", "local")
Json = dict[str, Any]


def provider(name: str, **changes: Any) -> Json:
    """What `/status.json` says of a provider that never had any trouble."""
    told: Json = {
        "name": name,
        "state": "closed",
        "since": NOW - 86400,
        "cause": None,
        "retry_in_s": None,
        "held": None,
        "parked": [],
        "cooldown_s": [],
        "failing": [],
        "away_since": None,
    }
    return {**told, **changes}


def opened(name: str, **changes: Any) -> Json:
    """The same of one whose breaker has been open for half an hour."""
    trouble: Json = {
        "state": "open",
        "since": NOW - 40,
        "cause": "failures",
        "retry_in_s": 11.2,
        "failing": [{"what": "503", "count": 3}],
        "away_since": SINCE,
    }
    return provider(name, **{**trouble, **changes})


def aside(model: str = "", reason: str = "rate_limit", retry_in_s: float = 11.2) -> Json:
    return {"model": model, "reason": reason, "retry_in_s": retry_in_s}


def hold(mode: str, until: float | None = None, reason: str = "") -> Json:
    return {"mode": mode, "until": until, "by": "operator", "reason": reason}


def told(*providers: Json, chain: tuple[str, ...] = CHAIN) -> str:
    """The sentence for one route along `chain`; who is not given never had any trouble."""
    return told_of({"*": chain}, *providers)


def told_of(routes: dict[str, tuple[str, ...]], *providers: Json) -> str:
    names = {entry.partition("/")[0] for chain in routes.values() for entry in chain}
    known = {name: provider(name) for name in names} | {one["name"]: one for one in providers}
    chains = [Chain((model,), tuple(seated(chain, known, NOW))) for model, chain in routes.items()]
    return sentence(chains, NOW)


def test_who_was_always_there_just_serves() -> None:
    assert told() == "gemini is serving."


def test_who_stands_in_serves_since_the_first_one_left() -> None:
    assert told(opened("gemini")) == (
        "anthropic is serving since 09:30 UTC. gemini is open (503 ×3), next probe in 12 s."
    )


def test_the_last_of_those_before_to_leave_says_since_when() -> None:
    later = opened("anthropic", away_since=NOW - 60)

    assert told(opened("gemini"), later).startswith("local is serving since 09:59 UTC. ")


def test_who_stands_in_serves_since_it_came_back_itself() -> None:
    back = provider("anthropic", since=NOW - 120, cause="probes_succeeded")

    assert told(opened("gemini"), back).startswith("anthropic is serving since 09:58 UTC. ")


def test_who_came_back_serves_since_then() -> None:
    back = provider("gemini", since=NOW - 120, cause="probes_succeeded")

    assert told(back) == "gemini is serving since 09:58 UTC."


def test_what_is_long_ago_is_told_with_its_date() -> None:
    sentence = told(opened("gemini", away_since=NOW - 24 * 3600))

    assert sentence.startswith("anthropic is serving since 2025-10-08 10:00 UTC. ")


def test_when_nobody_serves_every_reason_is_told() -> None:
    assert told(*map(opened, ("gemini", "anthropic", "local"))) == (
        "Nobody is serving. gemini is open (503 ×3), next probe in 12 s. "
        "anthropic is open (503 ×3), next probe in 12 s. "
        "local is open (503 ×3), next probe in 12 s."
    )


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (opened("gemini", retry_in_s=0), "gemini is open (503 ×3), the next call probes."),
        (opened("gemini", failing=[]), "gemini is open (failures), next probe in 12 s."),
        (
            opened("gemini", failing=[{"what": "timeout_first_token", "count": 1}]),
            "gemini is open (timeout first token), next probe in 12 s.",
        ),
        (
            opened("gemini", state="half_open", retry_in_s=None),
            "gemini is half open, being probed.",
        ),
        (
            provider("gemini", held=hold("open", NOW + 540, "new keys")),
            "gemini is held open (new keys), for another 9 min.",
        ),
        (provider("gemini", held=hold("open")), "gemini is held open, until released."),
        (
            provider("gemini", cooldown_s=[aside()]),
            "gemini is cooling down (rate limit), for another 12 s.",
        ),
        (
            provider("gemini", parked=[aside("flash", "model_missing", 3500.0)]),
            "gemini is set aside (model missing), for another 59 min.",
        ),
    ],
    ids=[
        *("due", "another pod's", "a clock", "half open", "held", "held for good"),
        *("cooling down", "parked"),
    ],
)
def test_why_a_provider_does_not_serve(standing: Json, words: str) -> None:
    assert told(standing).partition(". ")[2] == words


def test_since_when_one_is_set_aside_is_not_noted() -> None:
    assert told(provider("gemini", cooldown_s=[aside()])).startswith("anthropic is serving. ")


def test_what_is_set_aside_for_another_model_does_not_matter() -> None:
    assert told(provider("gemini", parked=[aside("pro")])) == "gemini is serving."


def test_held_closed_serves() -> None:
    assert told(opened("gemini", state="closed", held=hold("closed"))).startswith(
        "gemini is serving since"
    )


def test_a_provider_asked_for_several_models_is_told_with_them() -> None:
    chain = ("gemini/flash", "gemini/pro")

    sentence = told(provider("gemini", parked=[aside("flash")]), chain=chain)

    assert sentence.startswith("gemini/pro is serving. gemini/flash is set aside (rate limit)")


def test_a_breaker_of_a_model_is_found_by_its_name() -> None:
    chain = ("gemini/flash", "gemini/pro", "local")

    sentence = told(opened("gemini/flash"), opened("local/*"), chain=chain)

    assert sentence.startswith("gemini/pro is serving since 09:30 UTC. gemini/flash is open")


def test_without_a_route_nobody_could_serve() -> None:
    assert told_of({}) == "No route is configured."


def test_routes_with_the_same_server_are_told_as_one() -> None:
    routes = {"smart": CHAIN, "*": ("anthropic/claude",)}

    assert told_of(routes, opened("gemini")).startswith("anthropic is serving since 09:30 UTC. ")


def test_well_routes_are_told_in_a_word() -> None:
    routes = {"smart": CHAIN, "*": ("local",)}

    assert told_of(routes) == "Every route is served by its first provider."


def test_of_several_routes_the_hurt_ones_are_told() -> None:
    routes = {"smart": CHAIN, "cheap": ("gemini/flash",), "*": ("local",)}

    assert told_of(routes, opened("gemini")) == (
        "anthropic is serving smart since 09:30 UTC; nobody is serving cheap; "
        "the other routes are served by their first provider. "
        "gemini is open (503 ×3), next probe in 12 s."
    )


def test_many_models_and_reasons_are_counted() -> None:
    chain = tuple(f"provider{number}" for number in range(6))
    routes = {f"model{number}": (*chain, f"last{number % 2}") for number in range(10)}

    sentence = told_of(routes, *map(opened, chain))

    assert "last0 is serving model0, model2, model4 and 2 more since" in sentence
    assert sentence.endswith("2 more are passed over.")


def test_a_provider_that_nobody_knows_of_yet_is_told_as_such() -> None:
    chains = [Chain(("*",), tuple(seated(("gemini",), {}, NOW)))]

    assert sentence(chains, NOW) == "Nobody is serving. gemini is not known yet."


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"),
        (0.2, "1 s"),
        (12.0, "12 s"),
        (119.5, "120 s"),
        (120.0, "2 min"),
        (7201.0, "3 h"),
        (200_000.0, "3 d"),
    ],
)
def test_a_time_is_told_in_its_largest_unit_and_rounded_up(seconds: float, words: str) -> None:
    assert span(seconds) == words
