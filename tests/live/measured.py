"""Figures of a live story: shown at the end of the run, and judged by nobody."""

from __future__ import annotations

from collections.abc import Sequence

FIGURES: list[str] = []


def note(story: str, figure: str) -> None:
    """Have it shown at the end of the run."""
    FIGURES.append(f"{story}: {figure}")


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
