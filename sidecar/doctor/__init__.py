"""`sidecar doctor`: what keeps a configuration from serving here, and what cures it."""

from sidecar.doctor.telling import Wish, doctor

__all__ = ["Wish", "doctor"]
