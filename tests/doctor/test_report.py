"""The findings as people and programs read them."""

from __future__ import annotations

from sidecar import __version__
from sidecar.doctor.finding import bad, doubt, good
from sidecar.doctor.report import WIDTH, Report, as_json, as_text

REPORT = Report(
    source="sidecar.yaml",
    unix_s=1_800_000_000.0,
    findings=(
        good("gemini", "dns", "api.test: 2 addresses, 12 ms"),
        doubt("", "memory", "100 MiB", "give it more"),
        bad("local", "answer", "word " * 30, "cure " * 30),
    ),
)


def test_marks_and_columns_are_aligned_and_cures_are_below() -> None:
    lines = as_text(REPORT, color=False).splitlines()

    assert lines[:5] == [
        f"sidecar {__version__}, sidecar.yaml",
        "",
        "✓ gemini dns    api.test: 2 addresses, 12 ms",
        "! memory        100 MiB",
        "                → give it more",
    ]
    assert lines[-1] == "1 ✓, 1 !, 1 ✗"


def test_what_is_long_is_broken_into_lines_below_itself() -> None:
    lines = as_text(REPORT, color=False).splitlines()

    assert max(map(len, lines)) <= WIDTH
    assert sum("word" in line for line in lines) == 2
    assert [line.strip()[:6] for line in lines if "cure" in line] == ["→ cure", "cure c"]


def test_the_width_does_not_depend_on_colors() -> None:
    colored = as_text(REPORT, color=True)

    assert "\x1b[31m✗\x1b[0m local answer  word" in colored
    for code in ("\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"):
        colored = colored.replace(code, "")
    assert colored == as_text(REPORT, color=False)


def test_programs_read_the_same_with_stable_keys() -> None:
    told = as_json(REPORT)

    assert told["summary"] == {"good": 1, "doubt": 1, "bad": 1}
    assert told["date"] == "2027-01-15T08:00:00+00:00"
    assert told["findings"][1] == {
        "about": None,
        "check": "memory",
        "mark": "doubt",
        "seen": "100 MiB",
        "cure": "give it more",
    }
