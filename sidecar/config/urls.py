"""URLs of providers and proxies: what can be called, and what must not stand in one."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from sidecar.config.problem import Wrong
from sidecar.config.shapes import SecretText, Text
from sidecar.core.settings import Secret


class BaseUrl(Text):
    """Everything before `/chat/completions`, without a slash at its end."""

    instead = "use api_key or headers"  # of a name and a password

    def parse(self, text: str) -> str:
        """The URL, less the slash at its end. Raises `Wrong`."""
        parts = _http_url(text)
        if parts.query or parts.fragment or "?" in text or "#" in text:
            raise Wrong("must end with the path: no ? and no #", shows_value=False)
        if "@" in parts.netloc:
            what = f"must not hold a name or a password; {self.instead}"
            raise Wrong(what, shows_value=False)
        return text.rstrip("/")


class CollectorUrl(BaseUrl):
    """Everything before `/v1/traces`, without a slash at its end."""

    instead = "use the variable OTEL_EXPORTER_OTLP_HEADERS"


class ProxyUrl(SecretText):
    """An HTTP proxy, which may want a name and a password."""

    def parse(self, text: str) -> Secret:
        """The URL, password and all, as a secret. Raises `Wrong`."""
        _http_url(text)
        return super().parse(text)


def _http_url(text: str) -> SplitResult:
    parts = _split(text)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        public = not any(sign in text for sign in "@?#")  # a password or a key may follow these
        raise Wrong("must be an http:// or https:// URL", shows_value=public)
    return parts


def _split(text: str) -> SplitResult | None:
    if any(letter.isspace() or not letter.isprintable() for letter in text):
        return None  # urlsplit drops some of them in silence
    try:
        parts = urlsplit(text)
        return parts if parts.port != 0 else None  # reading the port checks it
    except ValueError:
        return None
