"""The files that a URL names for TLS."""

from __future__ import annotations

from dataclasses import dataclass

TLS_OPTIONS = ("ca_file", "cert_file", "key_file")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Whom to trust in place of the system's authorities, and the certificate to show, if any."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None
