"""The metrics: the only package with their names, and the only one that knows Prometheus."""

from sidecar.observe.metrics.registry import Metrics
from sidecar.observe.metrics.table import Build

__all__ = ["Build", "Metrics"]
