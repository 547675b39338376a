"""`sidecar drill`: every fault, against the operator's own configuration, on this machine alone."""

from sidecar.drill.table import rows_of
from sidecar.drill.telling import drill

__all__ = ["drill", "rows_of"]
