"""Cloudflare's AI gateway: how it is found in the environment, and what is always said to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import quote, urlsplit

from sidecar.dialects.presets import PRESETS

HOST = "gateway.ai.cloudflare.com"
VARIABLES = ACCOUNT, GATEWAY, TOKEN = (
    *("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_GATEWAY_ID", "CLOUDFLARE_API_TOKEN"),
)
AUTHORIZATION = "cf-aig-authorization"
HEADERS = PRESETS["cloudflare-compat"].headers  # another way through the same gateway


def is_gateway(base_url: str) -> bool:
    """Whether calls to `base_url` go through the gateway."""
    return urlsplit(base_url).hostname == HOST


def is_complete(environ: Mapping[str, str]) -> bool:
    """Whether the environment says all that is needed to reach it."""
    return not _missing(environ)


def address(environ: Mapping[str, str], path: str) -> str:
    """The base URL of the provider that it has at `path`."""
    account, gateway = (quote(environ[name].strip(), safe="") for name in (ACCOUNT, GATEWAY))
    return f"https://{HOST}/v1/{account}/{gateway}/{path}"


def warnings(environ: Mapping[str, str], used: Collection[str]) -> list[str]:
    """What to say of a gateway that is set in part. `used` are variables with another purpose."""
    missing = _missing(environ)
    given = set(VARIABLES).difference(missing, used)
    if not missing or not given:
        return []
    return [f"the gateway is not used without {' and '.join(missing)}"]


def _missing(environ: Mapping[str, str]) -> list[str]:
    return [name for name in VARIABLES if not environ.get(name, "").strip()]
