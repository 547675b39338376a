"""The credentials of a provider: its keys, or what a cloud has in their place."""

from __future__ import annotations

from collections.abc import Callable

from sidecar.clock import Clock, SystemClock
from sidecar.core.settings import Provider, Secret
from sidecar.dialects.presets import Preset
from sidecar.proxy.aws_signing import AwsSigner
from sidecar.proxy.credential import Credential, Unsigned, secrets_among
from sidecar.proxy.google_tokens import GoogleTokens

__all__ = ["Credential", "NoKey", "StaticKey", "Unsigned", "credentials_of"]


class NoKey:
    """For a provider that lets everybody in."""

    __slots__ = ()

    async def headers(self, _: Unsigned, /) -> list[tuple[str, str]]:
        """None."""
        return []

    def secrets(self) -> tuple[bytes, ...]:
        """None."""
        return ()

    async def close(self) -> None:
        """There is nothing to stop."""


class StaticKey:
    """One key, which goes into `header` after `scheme`."""

    __slots__ = ("_headers", "_secrets")

    def __init__(self, header: str, scheme: str, secret: Secret) -> None:
        self._headers = [(header, scheme + secret.reveal())]
        self._secrets = secrets_among((secret.reveal(),))

    async def headers(self, _: Unsigned, /) -> list[tuple[str, str]]:
        """The same for every request."""
        return self._headers

    def secrets(self) -> tuple[bytes, ...]:
        """The key."""
        return self._secrets

    async def close(self) -> None:
        """There is nothing to stop."""


# What stands in for a key, by the `credential` of a preset.
KEYLESS: dict[str, Callable[[Provider, Clock], Credential]] = {
    "key": lambda *_: NoKey(),
    "google": lambda provider, clock: GoogleTokens(provider.name, provider.kind, clock),
    "aws": lambda provider, clock: AwsSigner(
        provider.name, provider.kind, provider.base_url, clock
    ),
}


def credentials_of(
    provider: Provider, preset: Preset, clock: Clock | None = None
) -> tuple[Credential, ...]:
    """One for each of the provider's keys; where it has none, what its kind has in their place.

    Raises `UnusableCredential` for a kind whose library or region is missing. Each must be closed.
    """
    if provider.keys:
        header, scheme = preset.auth_header, preset.auth_scheme
        return tuple(StaticKey(header, scheme, key) for key in provider.keys)
    return (KEYLESS[preset.credential](provider, clock or SystemClock()),)
