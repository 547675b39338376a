"""What the file says to settings: presets, overrides and names put together, and checked."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import quote

from sidecar.config.cursor import Cursor, Given
from sidecar.config.forms import FILE
from sidecar.config.patterns import report_unreachable
from sidecar.config.problem import closest
from sidecar.core.settings import (
    Address,
    BreakerPolicy,
    Entry,
    Provider,
    Route,
    Settings,
    Timeouts,
)
from sidecar.dialects.presets import PRESETS, Preset

ALL_INTERFACES = ("0.0.0.0", "::")  # noqa: S104  compared with, not bound


def build(root: Cursor) -> Settings:
    """The settings that `root` asks for. Not to be used where a problem was reported."""
    file = Given(root, {})
    with root.reporting():
        file = FILE.read(root)
    breaker = file.over("breaker", BreakerPolicy())
    timeouts = file.over("timeouts", Timeouts())
    providers = {}
    for name, given in file.values.get("providers", ()):
        if "kind" in given.values:
            providers[name] = _provider(name, given, breaker, timeouts)
    settings = file.onto(
        Settings(
            routes=tuple(_routes(file, providers, timeouts)),
            providers=tuple(providers.values()),
        ),
        keep=("routes", "providers"),
    )
    if _collide(settings.listen, settings.admin):
        root.child("admin").report("takes the same port as listen")
    return settings


def idle_providers(settings: Settings) -> Iterator[str]:
    """The names of the providers that no chain asks."""
    asked = {entry.provider.name for route in settings.routes for entry in route.chain}
    return (provider.name for provider in settings.providers if provider.name not in asked)


def _collide(one: Address, other: Address) -> bool:
    same_host = one.host == other.host or not {one.host, other.host}.isdisjoint(ALL_INTERFACES)
    return one.port == other.port != 0 and same_host


def _provider(name: str, given: Given, breaker: BreakerPolicy, timeouts: Timeouts) -> Provider:
    kind = given.values["kind"]
    preset = PRESETS[kind]
    base_url = given.values.get("base_url") or _preset_url(preset, given)
    base = Provider(name=name, kind=kind, base_url=base_url, breaker=breaker, timeouts=timeouts)
    provider = given.onto(base, keep=("base_url",))
    if preset.key_required and provider.api_key is None and not given.is_wrong("api_key"):
        variable = f"${{{preset.key_env}}}"
        given.at.child("api_key").report(f"is required for kind {kind}", meant=variable)
    _check_ca_file(provider.ca_file, given.at.child("ca_file"))
    return provider


def _preset_url(preset: Preset, given: Given) -> str:
    environ = given.at.environ
    values = {name: environ.get(one.env) or one.default for name, one in preset.variables.items()}
    if preset.base_url and all(values.values()):
        quoted = {name: quote(value, safe="") for name, value in values.items()}
        return preset.base_url.format(**quoted)
    if not given.is_wrong("base_url"):
        missing = [preset.variables[name].env for name, value in values.items() if not value]
        instead = f", or the variable {' and '.join(missing)}" if missing else ""
        kind = given.values["kind"]
        given.at.child("base_url").report(f"is required for kind {kind}{instead}")
    return ""


def _check_ca_file(path: str | None, at: Cursor) -> None:
    try:
        if path is not None:
            Path(path).open("rb").close()
    except OSError as error:
        at.report(f"cannot be read: {error.strerror}", got=at.node.shown)


def _routes(file: Given, providers: dict[str, Provider], timeouts: Timeouts) -> Iterator[Route]:
    """The routes, less the entries whose provider is wrong or missing: that is reported."""
    named = file.at.child("providers").node.content
    names = named if isinstance(named, dict) else {}
    routes: tuple[Given, ...] = file.values.get("routes", ())
    report_unreachable(routes)
    for given in routes:
        entries = (_entry(entry, providers, names) for entry in given.values.get("chain", ()))
        base = Route(
            models=(),
            chain=tuple(entry for entry in entries if entry is not None),
            total_s=given.over("timeouts", timeouts).total_s,
        )
        # the file's own content_filter first, then the route's
        yield given.onto(file.onto(base), keep=("chain",))


def _entry(given: Given, providers: dict[str, Provider], names: Collection[str]) -> Entry | None:
    name = given.values.get("provider", "")
    provider = providers.get(name)
    if provider is not None:
        base = Entry(provider=provider, timeouts=provider.timeouts)
        return given.onto(base, keep=("provider",))
    if name and names and name not in names:
        at = given.at.child("provider") if given.at.is_mapping() else given.at
        at.report("unknown provider", got=at.node.shown, meant=closest(name, names))
    return None
