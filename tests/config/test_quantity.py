"""Durations and sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.config.problem import Wrong
from sidecar.config.quantity import format_quantity, parse_quantity
from sidecar.core.units import Unit

DURATIONS = [("250ms", 0.25), ("60s", 60.0), ("1.5s", 1.5), ("10m", 600.0), ("1h", 3600.0)]
SIZES = [("7B", 7), ("32KiB", 32768), ("32MiB", 33554432), ("1GiB", 1073741824), ("2KB", 2000)]


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_a_duration_is_read_as_seconds(text: str, seconds: float) -> None:
    assert parse_quantity(text, Unit.SECONDS) == seconds


@pytest.mark.parametrize(("text", "count"), SIZES)
def test_a_size_is_read_as_whole_bytes(text: str, count: int) -> None:
    read = parse_quantity(text, Unit.BYTES)

    assert (read, type(read)) == (count, int)


@given(st.integers(min_value=0, max_value=10**11))
def test_a_duration_that_was_written_reads_back_as_it_was(milliseconds: int) -> None:
    seconds = milliseconds / 1000

    assert parse_quantity(format_quantity(seconds, Unit.SECONDS), Unit.SECONDS) == seconds


@given(st.integers(min_value=0, max_value=10**11))
def test_a_size_that_was_written_reads_back_as_it_was(count: int) -> None:
    assert parse_quantity(format_quantity(count, Unit.BYTES), Unit.BYTES) == count


@given(st.integers(min_value=1, max_value=10**6), st.sampled_from(["ms", "s", "m", "h"]))
def test_any_duration_survives_being_written_anew(number: int, unit: str) -> None:
    seconds = parse_quantity(f"{number}{unit}", Unit.SECONDS)

    assert parse_quantity(format_quantity(seconds, Unit.SECONDS), Unit.SECONDS) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "250ms"), (60.0, "1m"), (90.0, "90s"), (1.5, "1500ms"), (3600.0, "1h"), (0.0, "0ms")],
)
def test_a_duration_is_written_in_the_largest_unit_that_keeps_it_whole(
    seconds: float, text: str
) -> None:
    assert format_quantity(seconds, Unit.SECONDS) == text


@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize(
    "text", ["", "s", "-5s", "5 s", "5S", "1e3s", "٣s", "5s\n", "9" * 13 + "s"]
)
def test_what_is_no_quantity_is_refused(text: str, unit: Unit) -> None:
    with pytest.raises(Wrong, match=f"must be a {unit} such as"):
        parse_quantity(text, unit)


@pytest.mark.parametrize(("unit", "meant"), [(Unit.SECONDS, "60s"), (Unit.BYTES, "60B")])
def test_a_number_without_a_unit_is_told_what_to_write(unit: Unit, meant: str) -> None:
    with pytest.raises(Wrong, match="needs a unit") as refused:
        parse_quantity("60", unit)

    assert refused.value.meant == meant
