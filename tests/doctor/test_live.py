"""Who is called, and what is said of the answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sidecar.config.loading import read_settings
from sidecar.core.settings import Settings
from sidecar.doctor.finding import Mark
from sidecar.doctor.live import (
    Heard,
    alone_of,
    attempts_in,
    entries_of,
    judge_call,
    model_in,
    price_told,
)

PROVIDERS = """\
providers:
  one: {kind: gemini, api_key: secret-of-one}
  two: {kind: vllm}
"""


def settings_of(*routes: str) -> Settings:
    listed = "".join(f"  - {route}\n" for route in routes)
    return read_settings(f"{PROVIDERS}routes:\n{listed}", "test.yaml", {})


SETTINGS = settings_of(
    "{models: [smart, 'smart-*'], chain: [one/flash, two]}",
    "{models: [other], chain: [one/flash, one/pro]}",
    "{models: ['*'], chain: [two]}",
)


def test_each_model_of_each_chain_is_called_once() -> None:
    entries = [(one.provider.name, one.model) for one in entries_of(SETTINGS)]

    assert entries == [("one", "flash"), ("two", "smart"), ("one", "pro"), ("two", None)]
    assert price_told(entries_of(SETTINGS)).startswith("--live: 3 calls of a few tokens each")


def test_no_entry_shares_a_route_or_a_breaker_with_another() -> None:
    alone = alone_of(SETTINGS, entries_of(SETTINGS)[:3])

    assert [(route.models, len(route.chain)) for route in alone.routes] == [
        (("0",), 1),
        (("1",), 1),
        (("2",), 1),
    ]
    assert len({route.chain[0].breaker_name for route in alone.routes}) == 3


def test_nobody_but_the_providers_hears_of_the_calls() -> None:
    shared = replace(SETTINGS, store="redis://there")

    assert alone_of(shared, entries_of(shared)).store == "memory"


def heard(status: int, attempts: str, **more: str) -> Heard:
    return Heard(
        entry=entries_of(SETTINGS)[0],
        status=status,
        took_s=0.8123,
        attempts=tuple(attempts_in(attempts)),
        **{"model": "flash-001", **more},
    )


@pytest.mark.parametrize(
    ("status", "attempts", "mark", "seen", "cure"),
    [
        (200, "0;ok;200;0.8", Mark.GOOD, "200 in 812 ms, answered by flash-001", ""),
        (
            *(200, "0;auth;401;0.1, 0;ok;200;0.7", Mark.DOUBT),
            *("200 in 812 ms, answered by flash-001, after auth 401", "put a valid key"),
        ),
        (503, "0;auth;401;0.1", Mark.BAD, "auth 401 in 812 ms", "put a valid key"),
        (503, "0;connect;0;0.1", Mark.BAD, "connect in 812 ms", "see what is said above"),
        (503, "0;model_missing;404;0.1", Mark.BAD, "model_missing 404 in 812 ms", "model's name"),
        (429, "0;rate_limit;429;0.1", Mark.DOUBT, "rate_limit 429 in 812 ms", "wait"),
        (503, "0;server_error;500;0.1", Mark.BAD, "server_error 500 in 812 ms", "status page"),
        (404, "", Mark.BAD, "404 in 812 ms", "docs/errors.md"),
    ],
)
def test_an_answer_is_told_with_what_it_took(
    status: int, attempts: str, mark: Mark, seen: str, cure: str
) -> None:
    found = judge_call(heard(status, attempts))

    assert (found.about, found.mark, found.seen) == ("one/flash", mark, seen)
    assert cure in found.cure


def test_silence_is_told() -> None:
    found = judge_call(heard(0, "", error="nothing within 30 s"))

    assert (found.mark, found.seen) == (Mark.BAD, "nothing within 30 s in 812 ms")


def test_who_cannot_be_asked_for_a_model_is_in_doubt() -> None:
    found = judge_call(Heard(entry=entries_of(SETTINGS)[-1]))

    assert (found.about, found.mark) == ("two/*", Mark.DOUBT)
    assert "not asked" in found.seen


@pytest.mark.parametrize(
    ("body", "model"),
    [
        (b'{"model": "flash-001"}', "flash-001"),
        (b'{"model": "your key is secret-of-one"}', "your key is ***"),
        (b"[]", "a model without a name"),
        (b"no JSON", "a model without a name"),
    ],
)
def test_a_model_is_what_the_answer_says_less_any_key(body: bytes, model: str) -> None:
    assert model_in(body, SETTINGS.providers[0]) == model
