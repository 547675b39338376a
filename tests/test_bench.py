"""The benchmark's arithmetic. What it measures is nothing for a test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pytest

from bench import hotspots, measures, micro, naive, run, targets, toolchain
from bench.report import Results, Row, read, render

Figures = Mapping[str, float]


def results(**targets: Sequence[Figures]) -> Results:
    """What is read from the lines of a run; the figures of each target are given by round."""
    return read(
        json.dumps({"round": number, "target": target, "figures": figures})
        for target, rounds in targets.items()
        for number, figures in enumerate(rounds, start=1)
    )


def cells(report: str, title: str) -> list[str]:
    """The cells of one row of the table, without its title."""
    row = next(line for line in report.splitlines() if line.startswith(f"| {title} "))
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


@pytest.mark.parametrize("module", [hotspots, measures, micro, naive, run, targets, toolchain])
def test_every_part_says_what_it_is_for(module: object) -> None:
    assert module.__doc__


def test_a_cell_holds_the_median_and_the_extremes() -> None:
    report = render(results(naive=[{"start_s": value} for value in (0.5, 0.25, 4.0)]))

    assert cells(report, "start to first answer, s") == ["0.50 (0.25 to 4.00)"]


def test_a_single_round_has_no_extremes() -> None:
    report = render(results(naive=[{"start_s": 0.5}]))

    assert cells(report, "start to first answer, s") == ["0.50"]


def test_a_ratio_is_the_median_of_the_ratios_within_each_round() -> None:
    naive_us = [{"request_cpu_us": value} for value in (100.0, 200.0, 1000.0)]
    sidecar_us = [{"request_cpu_us": value} for value in (50.0, 150.0, 600.0)]

    report = render(results(naive=naive_us, sidecar=sidecar_us))

    assert cells(report, "CPU µs a request, 64 connections")[-1] == "0.60"


def test_a_difference_that_came_out_negative_has_no_ratio() -> None:
    naive_ms = [{"failover_later_ms": value} for value in (0.5, 0.4)]
    sidecar_ms = [{"failover_later_ms": value} for value in (0.1, -0.1)]

    report = render(results(naive=naive_ms, sidecar=sidecar_ms))

    assert cells(report, "added by failover, later requests, p50 ms")[-1] == ""


def test_added_latency_is_taken_within_each_round() -> None:
    direct_ms = [{"calm_p50_ms": value} for value in (0.25, 1.25)]
    naive_ms = [{"calm_p50_ms": value} for value in (1.25, 3.25)]

    shown = results(direct=direct_ms, naive=naive_ms)

    assert shown.rounds("naive", Row("calm_p50_ms", "", added=True)) == {1: 1.0, 2: 2.0}
    assert shown.rounds("direct", Row("calm_p50_ms", "", added=True)) == {1: 0.25, 2: 1.25}


def test_a_figure_that_nobody_has_takes_no_row() -> None:
    report = render(results(naive=[{"start_s": 0.5}]))

    assert "1000 streams" not in report


@pytest.mark.parametrize(
    ("harness_share", "said"),
    [(0.98, "the harness was the limit"), (0.4, "something else was the limit")],
    ids=["harness", "others"],
)
def test_a_target_that_was_held_up_is_named_with_the_culprit(
    harness_share: float, said: str
) -> None:
    held_up = {"requests_target_share": 0.5, "requests_harness_share": harness_share}

    assert said in render(results(sidecar=[held_up]))


def test_a_busy_target_is_not_called_held_up() -> None:
    busy = {"requests_target_share": 0.97, "requests_harness_share": 0.95}

    assert "limit" not in render(results(sidecar=[busy]))


def test_a_load_in_which_requests_failed_is_told() -> None:
    note = {"round": 2, "target": "sidecar", "note": "busy: 3 requests went well"}

    report = render(Results([note]))

    assert "- round 2: sidecar: busy: 3 requests went well" in report
