"""How the report of a sidecar reads in a terminal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.terminal.report import count, reported
from sidecar.terminal.screen import Screen

Json = dict[str, Any]

SCREEN = Screen()
LINE = "providers: {gemini: {timeouts: {first_token: 1.8s}}}"
GEMINI: Json = {
    "name": "gemini/flash",
    "attempts": 12345,
    "availability": 0.9993,
    "ttft_p50_s": 0.31,
    "ttft_p95_s": 0.9,
    "ttft_p99_s": 1.2,
    "tokens": {"input": 4_200_000, "output": 900, "cached_input": 0},
    "usd_per_1000": 0.41234,
}
IDLE: Json = {
    **GEMINI,
    "name": "local",
    "attempts": 0,
    "usd_per_1000": None,
    **dict.fromkeys(("availability", "ttft_p50_s", "ttft_p95_s", "ttft_p99_s")),
    "tokens": {"input": 0, "output": 0, "cached_input": 0},
}


def report(*suggestions: Json, failover: Json | None = None, **more: Any) -> Json:
    cost: Json = {"lost_s": 59.0, "lost_p50_s": 0.2, "lost_p95_s": 12.0}
    money: Json = {"extra_usd": 0.03, "unpriced_tokens": 0}
    requests: Json = {"total": 1000, "served": 990, "served_ratio": 0.995}
    return {
        "uptime_s": 7384.0,
        "requests": {**requests, "saved": 42, "exhausted": 5, "interrupted": 1},
        "failover": {**cost, **money, **(failover or {})},
        "providers": [GEMINI, IDLE],
        "suggestions": list(suggestions),
        "unsaid": [],
        **more,
    }


def lines(told: Json, screen: Screen = SCREEN) -> list[str]:
    return reported(told, screen).splitlines()


def test_it_begins_with_what_failover_was_good_for() -> None:
    assert lines(report(), Screen(width=88))[:4] == [
        "In 2h 3m: 990 of 1000 requests served (99.50% of those that could be).",
        "Failover saved 42; 5 found nobody, 1 broke off.",
        "It cost 59s on tries before the one that answered (p50 200ms, p95 12.00s each), and",
        "$0.03 more than the first of the chain would have.",
    ]


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        ({"extra_usd": None}, "and no money."),
        ({"extra_usd": -0.5}, "and $0.5 less than the first of the chain would have."),
        (
            {"extra_usd": None, "unpriced_tokens": 7},
            "and money that is not known; of 7 tokens no price is known.",
        ),
        ({"lost_p50_s": None}, "on tries before the one that answered, and"),
    ],
    ids=["nothing to compare", "cheaper", "no prices", "nothing lost"],
)
def test_what_it_cost_is_told(cost: Json, words: str) -> None:
    assert words in " ".join(lines(report(failover=cost)))


def test_a_provider_is_a_row() -> None:
    told = lines(report())

    place = next(place for place, one in enumerate(told) if one.startswith("PROVIDER"))
    assert [one.split() for one in told[place + 1 : place + 3]] == [
        *(["gemini/flash", "12.3k", "99.93%", "310ms", "900ms", "1.20s", "4.2M", "900", "0.4123"],),
        *(["local", "0", "-", "-", "-", "-", "0", "0", "-"],),
    ]


def test_a_line_to_copy_is_never_broken() -> None:
    one = {"about": "gemini", "reason": f"{'Very ' * 20}slow.", "yaml": LINE}

    assert f"    {LINE}" in lines(report(one), Screen(width=40))


def test_what_nothing_can_be_said_about_is_told() -> None:
    told = lines(report(unsaid=["Nobody was asked anything yet."]))

    assert told[-3:] == ["SUGGESTIONS", "  None.", "  · Nobody was asked anything yet."]


def test_a_foreign_name_gives_the_terminal_no_orders() -> None:
    evil = "one\x1b[2J\n"
    one = {"about": evil, "reason": evil, "yaml": evil}

    told = lines(report(one, providers=[{**GEMINI, "name": evil}], unsaid=[evil]))

    assert all(line.isprintable() for line in told)


@given(st.integers(0, 10**12))
def test_a_number_is_short_and_near(number: int) -> None:
    text = count(number)

    factor = {"k": 1e3, "M": 1e6, "G": 1e9}.get(text[-1], 1)
    assert len(text) <= 8
    assert float(text.rstrip("kMG")) * factor == pytest.approx(number, rel=0.051)
