"""The table: every row is found by its id, and planned where it makes sense."""

from __future__ import annotations

import pytest

from sidecar.drill.place import Mode
from sidecar.drill.row import Row
from sidecar.drill.table import ROWS, plan, rows_of
from tests.drill.settings import settings_of

TWICE = """\
routes:
  - models: [m]
    chain: [gemini/pro, huggingface/llama, gemini/flash, anthropic/claude]
"""


def planned(row: str, **changes: str) -> list[tuple[int, Mode]]:
    scenarios, _ = plan(settings_of(**changes), rows_of([row]))
    return [(one.place.position, one.mode) for one in scenarios]


def test_all_rows_are_meant_where_none_is_named() -> None:
    assert rows_of([]) == tuple(ROWS.values())


def test_rows_come_in_the_order_of_asking_and_once() -> None:
    assert [row.id for row in rows_of(["cut", "dns", "cut"])] == ["cut", "dns"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("silense", r"got silense \(did you mean silence"), ("x", "got x .there are rate_limit_wait")],
    ids=["nearly one", "nothing like it"],
)
def test_an_unknown_row_is_answered_with_those_there_are(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        rows_of([name])


def test_a_row_is_played_at_every_position() -> None:
    assert planned("dns") == [(position, Mode.STREAM) for position in range(3)]


def test_a_row_may_be_played_in_both_modes() -> None:
    assert planned("reset")[:2] == [(0, Mode.STREAM), (0, Mode.WHOLE)]


def test_a_row_of_the_whole_chain_is_played_once() -> None:
    assert planned("all_down") == [(0, Mode.STREAM), (0, Mode.WHOLE)]


def test_what_is_left_out_says_where_and_why() -> None:
    _, omissions = plan(settings_of(route=TWICE), rows_of(["prefill_rejected"]))

    assert [(one.what, one.where) for one in omissions] == [
        ("prefill_rejected", "m, 1. gemini/pro"),
        ("prefill_rejected", "m, 2. huggingface/llama"),
        ("everything", "m, 3. gemini/flash"),
        ("prefill_rejected", "m, 4. anthropic/claude"),
    ]
    assert all(one.why for one in omissions)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_row_says_what_it_does(row: Row) -> None:
    assert row.does
    assert row.modes


def test_what_lasts_long_is_known_beforehand() -> None:
    scenarios, _ = plan(settings_of(), rows_of(["outage", "reset"]))

    assert scenarios[0].lasts_s > 60
    assert scenarios[1].lasts_s < 5
