"""Signatures for AWS (Signature Version 4), for Amazon Bedrock: botocore finds the keys and signs.

It looks for keys where all of AWS's tools do: environment, files, web identity, container and
instance metadata. It reaches AWS by the proxy and the authorities that the environment names.
"""

from __future__ import annotations

import asyncio
import os
import re
from bisect import bisect_left
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sidecar.clock import Clock
from sidecar.proxy.credential import Unsigned, UnusableCredential, library, secrets_among
from sidecar.proxy.renewal import Lasting, Renewed

PATIENCE_S = 5  # with one request for temporary keys
LONGEST_S = 3600  # then keys are looked for anew, also those that never end: files change
BIG_BODY_BYTES = 256 * 1024  # hashing more takes longer than going to a thread

# Also of private endpoints: vpce-1a2b.bedrock-runtime.eu-west-1.vpce.amazonaws.com
HOST = re.compile(
    r"(?:^|\.)bedrock-(?P<part>runtime|mantle)(?:-fips)?\.(?P<region>[a-z]{2,}(?:-[a-z]+)+-\d+)\."
)
SERVICES = {"mantle": "bedrock-mantle"}
SERVICE = "bedrock"
REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")


class Scope(NamedTuple):
    """What a signature is good for."""

    service: str
    region: str


class AwsSigner:
    """A credential that signs each request anew, its very last bytes included.

    Raises `UnusableCredential` where botocore is not installed or nobody says which region to sign
    for. Nothing is read or asked before the first call.
    """

    def __init__(self, provider: str, kind: str, base_url: str, clock: Clock) -> None:
        self._session, self._auth, self._awsrequest, self._config = (
            library(f"botocore.{name}", kind, "bedrock")
            for name in ("session", "auth", "awsrequest", "config")
        )
        self._scope = scope_of(provider, base_url)
        self._renewed = Renewed(self._fetch, clock.monotonic, provider)

    async def headers(self, request: Unsigned, /) -> list[tuple[str, str]]:
        """The signature, its time, and the session's token if there is one."""
        keys = await self._renewed.get()
        if len(request.body) > BIG_BODY_BYTES:
            return await asyncio.to_thread(self._sign, request, keys)
        return self._sign(request, keys)

    def secrets(self) -> tuple[bytes, ...]:
        """The keys in use: AWS quotes what it was sent when a signature does not match."""
        return self._renewed.secrets

    async def close(self) -> None:
        """Return when botocore asks for nothing any more."""
        await self._renewed.close()

    def _sign(self, request: Unsigned, keys: Any) -> list[tuple[str, str]]:
        method, url, body = request
        signed = self._awsrequest.AWSRequest(method=method, url=url, data=body)
        self._auth.SigV4Auth(keys, *self._scope).add_auth(signed)
        return list(signed.headers.items())

    def _fetch(self) -> Lasting[Any]:
        """Keys that change no more. Blocks. Raises whatever botocore does."""
        credentials = self._look_for_keys()
        keys = credentials.get_frozen_credentials()
        secrets = secrets_among((keys.secret_key, keys.token, keys.access_key))
        return Lasting(keys, left_s(credentials), secrets)

    def _look_for_keys(self) -> Any:
        session = self._session.get_session()
        session.set_default_client_config(
            self._config.Config(
                connect_timeout=PATIENCE_S,
                read_timeout=PATIENCE_S,
                retries={"total_max_attempts": 2},
            )
        )
        credentials = session.get_credentials()
        if credentials is None:
            raise LookupError("no AWS credentials")
        return credentials


def scope_of(provider: str, base_url: str) -> Scope:
    """What to sign for, by the URL or else the environment. Raises `UnusableCredential`."""
    found = HOST.search(urlsplit(base_url).hostname or "")
    if found:
        return Scope(SERVICES.get(found["part"], SERVICE), found["region"])
    stated = (os.environ.get(name) for name in REGION_VARIABLES)
    region = next(filter(None, stated), None)
    if region is None:
        raise UnusableCredential(
            f"providers.{provider}.base_url: names no AWS region, nor does AWS_REGION"
        )
    return Scope(SERVICE, region)


def left_s(credentials: Any) -> float:
    """Whole seconds that `credentials` are still good for, `LONGEST_S` at most.

    botocore says of those that end only whether they do so within a given time.
    """
    ends_within = getattr(credentials, "refresh_needed", None)
    if ends_within is None:
        return LONGEST_S
    return bisect_left(range(1, LONGEST_S + 1), True, key=ends_within)
