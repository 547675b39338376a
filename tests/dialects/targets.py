"""Whom calls are put into words for."""

from __future__ import annotations

from typing import Any

from sidecar.dialects.dialect import Target
from sidecar.dialects.memory import Memory
from sidecar.dialects.presets import PRESETS


def target(kind: str, model: str = "m", **fields: Any) -> Target:
    """A provider of `kind` that is asked for `model`."""
    given = {"memory": Memory(), **fields}
    return Target(
        provider=kind, preset=PRESETS[kind], model=model, seed="s1", created=1_800_000_000, **given
    )
