"""Configurations for the tests, as short as they can be."""

from __future__ import annotations

from collections.abc import Mapping

from sidecar.config import ConfigError
from sidecar.config.loading import read_settings
from sidecar.core.settings import Settings

BASE = """\
providers:
  one: {kind: openai}
routes:
  - {models: ["*"], chain: [one]}
"""


def settings_of(text: str, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings that `text` comes to."""
    return read_settings(text, "c.yaml", environ or {})


def problems_of(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """Everything that is wrong with `text`, one line each."""
    try:
        settings_of(text, environ)
    except ConfigError as error:
        return str(error).splitlines()
    return []
