"""Shows what the live stories measured."""

from __future__ import annotations

import pytest

from tests.live.measured import FIGURES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if FIGURES:
        terminalreporter.section("measured on live fleets")
        for figure in FIGURES:
            terminalreporter.write_line(figure)
