"""The scorecard says what was promised, what was seen, and what is left out."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from sidecar import __version__
from sidecar.drill.place import Mode
from sidecar.drill.promise import Sight
from sidecar.drill.row import STREAM
from sidecar.drill.running import Result
from sidecar.drill.scorecard import Scorecard, as_json, as_text
from sidecar.drill.table import Omission, Scenario, plan, rows_of
from sidecar.drill.telling import Meter
from tests.drill.settings import settings_of

HITS = {"gemini": 1, "huggingface": 1}
GOOD = Sight(saw="served by huggingface", seconds=1.02, hits=HITS)
BAD = Sight(saw="20 words", seconds=1.7, hits=HITS, wrongs=("a lie",), late="1.70 s")


def scenarios() -> list[Scenario]:
    found, _ = plan(settings_of(), rows_of(["dns"]))
    return found


def card(*sights: Sight, omissions: tuple[Omission, ...] = (), **changes: Any) -> Scorecard:
    results = [Result(one, sight) for one, sight in zip(scenarios(), sights, strict=False)]
    return Scorecard(
        **{
            "source": "test.yaml",
            "results": results,
            "omissions": omissions,
            "unix_s": 1_790_000_000.0,
            "seconds": 61.0,
            **changes,
        }
    )


def text_of(shown: Scorecard) -> str:
    return as_text(shown, coloured=False)


def test_a_kept_promise_is_one_line() -> None:
    lines = [line.split() for line in text_of(card(GOOD)).splitlines()]

    row = "dns stream served ≤ 1.3 s served by huggingface 1.02 gemini 1, huggingface 1 ✓"
    assert row.split() in lines


def test_a_broken_promise_says_what_broke() -> None:
    shown = text_of(card(BAD))

    assert "✗" in shown
    assert "      broken: a lie; late: 1.70 s" in shown.splitlines()


def test_rows_are_grouped_by_position() -> None:
    shown = text_of(card(GOOD, GOOD))

    assert shown.index("1. gemini/gemini-3-flash: connect 5s") < shown.index("2. huggingface")


def test_the_end_counts_and_says_when() -> None:
    *_, count, version, _took = text_of(card(GOOD, BAD)).splitlines()

    assert count == "1 of 2 promises held."
    assert version == f"sidecar {__version__}, 2026-09-21 14:13 UTC, test.yaml"


def test_what_is_left_out_is_told_once_for_all_positions() -> None:
    left = tuple(Omission(what="a", where=f"*, {number}", why="b") for number in (1, 2))

    assert "  a (2 positions): b" in text_of(card(GOOD, omissions=left)).splitlines()
    assert "  a (*, 1): b" in text_of(card(GOOD, omissions=left[:1])).splitlines()


def test_a_warning_comes_first() -> None:
    assert text_of(card(GOOD, warnings=("no key",))).startswith("warning: no key\n")


def test_a_second_try_is_admitted() -> None:
    results = [Result(scenarios()[0], GOOD, again=True)]

    assert "served by huggingface, played again" in text_of(card(results=results))


def test_columns_are_aligned() -> None:
    rows = [line for line in text_of(card(GOOD, GOOD)).splitlines() if "dns" in line]

    assert len({row.index("served by") for row in rows}) == 1


@pytest.mark.parametrize(("sight", "colour"), [(GOOD, "32"), (BAD, "31")])
def test_colours_say_whether_all_is_well(sight: Sight, colour: str) -> None:
    assert f"\x1b[{colour}m" in as_text(card(sight), coloured=True)
    assert "\x1b" not in text_of(card(sight))


def test_a_document_has_everything() -> None:
    document = json.loads(json.dumps(as_json(card(GOOD, BAD))))

    assert document["version"] == __version__
    assert document["date"] == "2026-09-21T14:13:20+00:00"
    assert document["summary"] == {"promises": 2, "held": 1, "broken": 1, "left_out": 0}
    assert document["routes"][0]["chain"][0]["clocks"]["first_token"] == "12s"
    assert document["rows"][1] == {
        "route": "*",
        "position": 2,
        "provider": "huggingface",
        "model": "meta-llama/Llama-3.3-70B",
        "fault": "dns",
        "does": "a host that nobody knows",
        "mode": "stream",
        "promise": "served ≤ 1.4 s",
        "limit_s": pytest.approx(1.4),
        "saw": "20 words",
        "seconds": 1.7,
        "hits": HITS,
        "held": False,
        "broken": ["a lie", "late: 1.70 s"],
        "played_again": False,
    }


def test_nothing_played_is_nothing_broken() -> None:
    assert card().all_held
    assert "0 of 0 promises held." in text_of(card())


# Progress


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_how_far_it_is() -> None:
    out = Terminal()
    meter = Meter(out, 3)

    meter.start()
    meter.note(Result(scenarios()[0], BAD))
    meter.end()

    assert "\x1b[K1 of 3 promises, 1 broken, 0 s" in out.getvalue()
    assert out.getvalue().endswith("\r\x1b[K")


def test_a_pipe_sees_nothing_of_it() -> None:
    out = io.StringIO()
    meter = Meter(out, 3)

    meter.start()
    meter.note(Result(scenarios()[0], GOOD))
    meter.end()

    assert out.getvalue() == ""


def test_the_modes_are_words() -> None:
    assert [str(mode) for mode in (*STREAM, Mode.WHOLE)] == ["stream", "whole"]
