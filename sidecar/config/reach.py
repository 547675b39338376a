"""How a provider is reached: what is usual for its kind, and what the operator says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote

from sidecar.config import gateway
from sidecar.config.cursor import Given
from sidecar.config.shapes import UNPRINTABLE
from sidecar.core.settings import Provider, Secret
from sidecar.dialects.presets import Preset


class Reach(NamedTuple):
    """Where calls to a provider go, and what goes with each of them."""

    base_url: str
    query: str
    headers: tuple[tuple[str, Secret], ...]


def reach(preset: Preset, given: Given) -> Reach:
    """What is `given`, and for the rest what is usual for the kind.

    A header whose variable is empty is left out. An address that nobody knows is reported.
    """
    values = dict(_values(preset, given))
    quoted = {name: quote(value, safe="") for name, value in values.items()}
    base_url = given.values.get("base_url") or _usual_url(preset, given, quoted)
    own = given.values.get("headers", ())
    taken = {name.lower() for name, _ in own}
    usual = dict(_usual_headers(preset, values))
    if gateway.is_gateway(base_url):
        usual |= gateway.HEADERS
    kept = ((name, Secret(text)) for name, text in usual.items() if name.lower() not in taken)
    return Reach(base_url, preset.query.format(**quoted), (*kept, *own))


def check_keys(provider: Provider, preset: Preset, given: Given) -> None:
    """Report keys in two places, and a key that is missing."""
    if provider.api_key and provider.api_keys:
        given.at.child("api_keys").report("cannot stand beside api_key: put every key here")
    # where a list was written and no key of it is left, what is wrong with it is reported
    is_told = given.is_wrong("api_key") or "api_keys" in given.at.children()
    if _needs_key(provider, preset) and not provider.keys and not is_told:
        what, variable = f"is required for kind {provider.kind}", f"${{{preset.key_env}}}"
        given.at.child("api_key").report(what, meant=variable)


def _needs_key(provider: Provider, preset: Preset) -> bool:
    """A cloud has credentials of its own, and the gateway may keep the keys."""
    by_key = preset.key_required and preset.credential == "key"
    return by_key and not gateway.is_gateway(provider.base_url)


def _values(preset: Preset, given: Given) -> Iterator[tuple[str, str]]:
    """What stands for each variable of the preset: nothing for one that is not set."""
    for name, variable in preset.variables.items():
        value = given.at.environ.get(variable.env, "").strip() or variable.default
        if not value.isprintable():
            given.at.report(f"the variable {variable.env} {UNPRINTABLE}")
        yield name, variable.spelt(value) if value else ""


def _usual_url(preset: Preset, given: Given, values: Mapping[str, str]) -> str:
    template = preset.base_url or ""
    empty = _empty(template, values)
    if template and not empty:
        return template.format(**values)
    if not given.is_wrong("base_url"):
        missing = dict.fromkeys(preset.variables[name].env for name in empty)
        instead = f", or the variable {' and '.join(missing)}" if missing else ""
        kind = given.values["kind"]
        given.at.child("base_url").report(f"is required for kind {kind}{instead}")
    return ""


def _usual_headers(preset: Preset, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, template in preset.headers:
        if not _empty(template, values):
            yield name, template.format(**values)


def _empty(template: str, values: Mapping[str, str]) -> list[str]:
    """The variables that `template` needs and that are not set."""
    return [name for name, value in values.items() if f"{{{name}}}" in template and not value]
