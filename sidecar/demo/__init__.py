"""`sidecar demo`: a failover to watch, without keys or network."""

from sidecar.demo.telling import demo, tell

__all__ = ["demo", "tell"]
