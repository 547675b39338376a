"""A table fits: cells are cut, then columns go."""

from __future__ import annotations

import pytest

from sidecar.terminal.table import Column, fitted

COLUMNS = (
    Column("NAME", least=6),
    Column("RATE", rank=1, is_number=True),
    Column("WHY", least=4, rank=2),
)
ROWS = [("a-long-name", "1.2", "because"), ("b", "12.3", "-")]


@pytest.mark.parametrize(
    ("width", "table"),
    [
        (30, ["NAME         RATE  WHY", "a-long-name   1.2  because", "b            12.3  -"]),
        (22, ["NAME     RATE  WHY", "a-long…   1.2  because", "b        12.3  -"]),
        (18, ["NAME    RATE  WHY", "a-lon…   1.2  bec…", "b       12.3  -"]),
        (17, ["NAME      WHY", "a-long-…  because", "b         -"]),
        (10, ["NAME", "a-long-na…", "b"]),
        (3, ["NAME", "a-lon…", "b"]),
    ],
    ids=["all", "a name cut", "both cut", "without the rate", "the name only", "no room at all"],
)
def test_what_matters_least_gives_way_first(width: int, table: list[str]) -> None:
    assert fitted(COLUMNS, ROWS, width) == table
