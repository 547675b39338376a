"""The cases of `docs/conformance.md` are those that are tested here, and in these files."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "conformance.md"
TESTED = re.compile(r"^(?:async )?def test_([a-h][0-9]+|e)_", re.MULTILINE)  # E is a single case
LISTED = re.compile(r"^\| ([A-H][0-9]*) \|.*\| ([^|]*) \|$", re.MULTILINE)
FILE = re.compile(r"/(test_\w+\.py)\)")


def proven() -> dict[str, set[str]]:
    """The files in which each case is tested."""
    cases: dict[str, set[str]] = {}
    for path in HERE.glob("test_*.py"):
        for code in TESTED.findall(path.read_text()):
            cases.setdefault(code.upper(), set()).add(path.name)
    return cases


def test_every_case_is_listed_with_the_files_that_show_it_and_no_other() -> None:
    listed = {code: set(FILE.findall(files)) for code, files in LISTED.findall(PAGE.read_text())}

    assert listed == proven()
