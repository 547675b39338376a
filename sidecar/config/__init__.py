"""The configuration: a YAML file or the environment, checked as a whole, as `Settings`."""

from sidecar.config.forms import json_schema
from sidecar.config.loading import DEFAULT_PATH, Loaded, find_config, load
from sidecar.config.problem import ConfigError, Place, Problem
from sidecar.config.show import explain, redacted

__all__ = [
    "DEFAULT_PATH",
    "ConfigError",
    "Loaded",
    "Place",
    "Problem",
    "explain",
    "find_config",
    "json_schema",
    "load",
    "redacted",
]
