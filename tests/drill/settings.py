"""A chain of three for the tests of the drill, and places in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.config.loading import read_settings
from sidecar.core.settings import Settings
from sidecar.drill.place import Place, places_of

CHAIN = """\
providers:
  gemini: {kind: gemini, api_key: secret-of-gemini}
  huggingface: {kind: huggingface, api_key: secret-of-huggingface}
  anthropic: {kind: anthropic, api_key: secret-of-anthropic}
"""
ROUTE = """\
routes:
  - models: ["*"]
    chain: [gemini/gemini-3-flash, huggingface/meta-llama/Llama-3.3-70B, anthropic/claude-haiku-5-5]
"""
NOTHING: Mapping[str, str] = {}


def settings_of(more: str = "", chain: str = CHAIN, route: str = ROUTE) -> Settings:
    """The chain of three, and whatever else is configured."""
    return read_settings(f"{chain}{route}{more}", "test.yaml", NOTHING)


def place_of(position: int = 0, **changes: Any) -> Place:
    """A position of its only route."""
    places = places_of(settings_of(**changes))
    return next(one for one in places if isinstance(one, Place) and one.position == position)
