"""How the state of a sidecar reads in a terminal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.terminal.overview import BARS, overview, plot, row
from sidecar.terminal.screen import GREEN, RED, YELLOW, Screen
from tests.terminal.scene import (
    NOW,
    TWO,
    Json,
    aside,
    failover,
    held,
    opened,
    provider,
    route,
    seat,
    status_of,
    store,
)

SCREEN = Screen()
KEYLESS = aside("", "auth", 600.0)


def lines(status: Json, screen: Screen = SCREEN) -> list[str]:
    return overview(status, screen).splitlines()


def test_the_sentence_is_the_sidecars_own() -> None:
    sentence = "two is serving since 09:56 UTC. one is open (503 ×3), next probe in 42 s."

    assert lines(status_of(opened("one"), sentence=sentence))[0] == sentence


def test_who_tells_it_comes_next() -> None:
    assert lines(status_of(provider("one")))[1] == "pod-1 · 0.1.0 · up 1h"


@pytest.mark.parametrize(
    ("told", "end"),
    [
        (store("a", kind="memory"), "up 1h"),
        (store(), "up 1h · redis, read 1s ago, pod: none yet"),
        (store("a", "b"), "redis, read 1s ago, 2 pods: a, b"),
        (
            store(*map(str, range(11)), kind="etcd"),
            "etcd, read 1s ago, 11 pods: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …",
        ),
        ({**store("a"), "last_sync_s": None}, "redis, never read, pod: a"),
    ],
    ids=["memory", "nobody yet", "two", "many", "never read"],
)
def test_who_shares_the_breakers_is_told(told: Json, end: str) -> None:
    assert lines(status_of(provider("one"), store=told))[1].endswith(end)


def test_deciding_alone_is_told_before_all_but_the_sentence() -> None:
    alone = status_of(provider("one"), store=store("a", degraded=True))

    assert lines(alone)[1] == (
        "✗ THIS POD IS DECIDING ALONE: redis is out of reach. Other pods may see other states."
    )


def test_a_configuration_that_was_refused_is_told_likewise() -> None:
    config = {"warnings": [], "problems": ["sidecar.yaml:3: unknown key"]}

    _, alarm, problem, *_ = lines(status_of(provider("one"), config=config))

    assert alarm == "✗ THE NEWEST CONFIGURATION WAS REFUSED: the old is in force."
    assert problem == "  · sidecar.yaml:3: unknown key"


# The chains


def test_a_chain_is_one_line_with_where_everybody_stands() -> None:
    assert "*: ✗ one/big open → ✓ two serving → ✓ three ready" in lines(status_of(opened("one")))


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (seat("one", "half_open"), "◐ one half open"),
        (seat("one", "cooldown"), "◐ one cooling down"),
        (seat("one", "parked"), "‖ one parked"),
        (seat("one", "held_open"), "‖ one held open"),
        (seat("one", "held_closed", serving=True), "‖ one serving, held closed"),
        (seat("one", "unknown"), "‖ one not known yet"),
    ],
    ids=lambda told: told["standing"] if isinstance(told, dict) else "",
)
def test_every_standing_has_a_mark_and_a_word(told: Json, line: str) -> None:
    assert f"*: {line}" in lines(status_of(provider("one"), routes=[route(told)]))


def test_a_long_chain_breaks_before_an_arrow() -> None:
    found = lines(status_of(provider("one")), Screen(width=40))

    place = found.index("*: ✗ one/big open → ✓ two serving")
    assert found[place + 1] == "  → ✓ three ready"


# The table


def test_a_provider_in_trouble_is_told_with_all_that_matters() -> None:
    assert row(opened("one"), NOW) == (
        *("one", "✗ open", "3m 10s", "503 ×3", "42s"),
        *("12/min", "25%", "841ms", "2.00s", "       █  "),
    )


def test_a_provider_before_its_first_call_has_little_to_tell() -> None:
    assert row(provider("one"), NOW) == (
        *("one", "✓ closed", "1h", "-", "-", "0/min", "-", "-", "-", " " * 10),
    )


def test_what_is_set_aside_is_told_with_its_model_and_the_next_try() -> None:
    models = [aside("big_one"), aside("small", "warming", 3.0), aside("", "")]

    told = row(provider("one", cause="reset", cooldown_s=models), NOW)

    assert told[1:5] == (*("◐ cooling down", "-", "rate limit of big_one, warming of small", "3s"),)


@pytest.mark.parametrize(("until", "left"), [(NOW + 90, "1m 30s"), (None, "-")])
def test_a_hold_is_told_with_its_reason_and_its_end(until: float | None, left: str) -> None:
    told = row(provider("one", held=held("open", until)), NOW)

    assert told[1:5] == ("‖ held open", "1h", "drill_7", left)


def test_the_plot_tells_the_attempts_of_a_quarter_of_an_hour() -> None:
    history = [[NOW - 899, 1, 0], [NOW - 500, 8, 0], [NOW - 5, 4, 1], [NOW - 2000, 99, 0]]

    assert plot(history, NOW) == "▁   █    ▄"


@given(st.lists(st.tuples(st.integers(0, 899), st.integers(1, 10**9))))
def test_a_plot_shows_something_wherever_something_was(slices: list[tuple[int, int]]) -> None:
    shown = plot([(NOW - ago, count) for ago, count in slices], NOW)

    assert len(shown) == 10
    assert (BARS[-1] in shown) == bool(slices)
    assert {9 - ago // 90 for ago, _ in slices} >= {
        place for place, one in enumerate(shown) if one != " "
    }


# What happened


def test_the_last_few_failovers_are_told_newest_first() -> None:
    told = lines(status_of(provider("one"), failovers=[failover(one) for one in range(9)]))

    start = next(place for place, one in enumerate(told) if one.startswith("TIME (UTC)"))
    rows = [one.split() for one in told[start + 1 :]]
    assert [one[1] for one in rows] == ["req-8", "req-7", "req-6", "req-5", "req-4"]
    assert rows[0] == ["10:00:08", "req-8", "*", "one", "two", "server", "error"]


def test_where_nothing_failed_over_that_is_told() -> None:
    assert lines(status_of(provider("one")))[-1] == "No failover so far."


def test_warnings_of_the_configuration_are_few() -> None:
    config = {"warnings": [f"no. {one}" for one in range(12)], "problems": []}

    told = lines(status_of(provider("one"), config=config))

    assert told[-12:-9] == ["CONFIGURATION WARNINGS", "  · no. 0", "  · no. 1"]
    assert told[-1] == "  · and 2 more"


# Where it is written


@pytest.mark.parametrize(
    ("routes", "color"),
    [
        ([route(seat("one", serving=True))], GREEN),
        ([TWO], YELLOW),
        ([TWO, route(seat("one", "open"))], RED),
    ],
    ids=["well", "on backup", "nobody"],
)
def test_a_terminal_sees_how_well_it_is(routes: list[Json], color: str) -> None:
    told = lines(status_of(provider("one"), routes=routes), Screen(color=True))

    assert told[0] == f"{color}two is serving.\x1b[0m"


def test_colors_change_nothing_else() -> None:
    status = status_of(
        *(opened("one"), provider("two")),
        store=store("a", degraded=True),
        failovers=[failover()],
    )
    colored = overview(status, Screen(color=True))

    for number in (0, 1, 31, 32, 33, 35):
        colored = colored.replace(f"\x1b[{number}m", "")
    assert colored == overview(status, SCREEN)


def test_a_terminal_without_the_marks_reads_the_words() -> None:
    told = overview(status_of(opened("one"), sentence="one (503 ×3)"), Screen(encoding="latin-1"))

    assert told.isascii()
    assert "*: x one/big open > + two serving > + three ready" in told.splitlines()


def test_a_foreign_name_gives_the_terminal_no_orders() -> None:
    evil = "one\x1b[2J\r\n\x9b31m"
    foreign: dict[str, Any] = {
        "sentence": evil,
        "pod": evil,
        "version": evil,
        "store": store(evil),
        "routes": [{**route(seat(evil)), "models": [evil]}],
        "failovers": [{**failover(), "request_id": evil, "reason": evil}],
        "config": {"warnings": [evil], "problems": [evil]},
    }
    told = overview(
        status_of(opened(evil, failing=[{"what": evil, "count": 1}]), **foreign), SCREEN
    )

    assert all(one.isprintable() for one in told.splitlines())


NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1)


@given(
    name=NAMES,
    reason=NAMES,
    width=st.integers(90, 160),
    encoding=st.sampled_from(["utf-8", "ascii", "cp1252"]),
)
def test_whatever_is_told_it_fits(name: str, reason: str, width: int, encoding: str) -> None:
    failing = [{"what": reason, "count": 7}]
    status = status_of(
        *(opened(name[:12], failing=failing), provider("two")),
        sentence=f"{name} is serving. {reason}.",
        routes=[route(seat(name, "open"), seat(reason, serving=True), model=name)],
        failovers=[{**failover(), "request_id": name, "reason": reason}],
    )

    told = overview(status, Screen(width=width, encoding=encoding))

    assert max(map(len, told.splitlines())) <= width
    assert told.encode(encoding)
