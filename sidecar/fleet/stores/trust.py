"""Whom a store's client trusts."""

from __future__ import annotations

import ssl

from sidecar.core.tls_files import TlsFiles


def trust(files: TlsFiles) -> ssl.SSLContext:
    """The context that these files make. Raises `ValueError` where they cannot be read."""
    try:
        context = ssl.create_default_context(cafile=files.ca)
        if files.cert:
            context.load_cert_chain(files.cert, files.key)
    except OSError as error:  # also those of `ssl`
        given = ", ".join(filter(None, (files.ca, files.cert, files.key)))
        raise ValueError(f"store: cannot read the certificates, got {given}: {error}") from error
    return context
