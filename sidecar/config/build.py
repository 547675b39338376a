"""What the file says to settings: presets, overrides and names put together, and checked."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from sidecar.config.cursor import Cursor, Given
from sidecar.config.errors import rules_of
from sidecar.config.forms import FILE
from sidecar.config.patterns import report_unreachable
from sidecar.config.problem import closest
from sidecar.config.reach import check_keys, reach
from sidecar.core.capability import Capability
from sidecar.core.policies import BreakerPolicy, RetryPolicy, Streaming, Timeouts
from sidecar.core.settings import Address, Entry, Price, Provider, Route, Settings
from sidecar.dialects.presets import PRESETS

ALL_INTERFACES = ("0.0.0.0", "::")  # noqa: S104  compared with, not bound
NOTHING: frozenset[Capability] = frozenset()
FREE = Price(input=0, output=0)  # what a price is read onto


def build(root: Cursor) -> Settings:
    """The settings that `root` asks for. Not to be used where a problem was reported."""
    file = Given(root, {})
    with root.reporting():
        file = FILE.read(root)
    usual, streaming = _usual_provider(file), file.over("streaming", Streaming())
    providers = {
        name: _provider(name, given, usual)
        for name, given in file.values.get("providers", ())
        if "kind" in given.values
    }
    settings = file.onto(
        Settings(
            routes=tuple(_routes(file, providers, _usual_route(usual.timeouts, streaming))),
            providers=tuple(providers.values()),
            streaming=streaming,
            prices=tuple(_prices(file)),
        ),
        keep=("routes", "providers", "streaming", "prices"),
    )
    if _collide(settings.listen, settings.admin):
        root.child("admin").report("takes the same port as listen")
    return settings


def idle(settings: Settings) -> Iterator[str]:
    """The paths of the providers that no chain asks, and of the prices that no chain meets."""
    met = set(_met(settings))
    providers = (f"providers.{provider.name}" for provider in settings.providers)
    prices = (f"prices.{name}" for name, _ in settings.prices)
    return (path for path in (*providers, *prices) if path not in met)


def _met(settings: Settings) -> Iterator[str]:
    for route in settings.routes:
        for entry in route.chain:
            yield f"providers.{entry.provider.name}"
            yield f"prices.{entry.provider.name}/{entry.model_label}"


def _collide(one: Address, other: Address) -> bool:
    same_host = one.host == other.host or not {one.host, other.host}.isdisjoint(ALL_INTERFACES)
    return one.port == other.port != 0 and same_host


def _usual_provider(file: Given) -> Provider:
    """What the file says of every provider."""
    return Provider(
        name="",
        kind="",
        base_url="",
        breaker=file.over("breaker", BreakerPolicy()),
        timeouts=file.over("timeouts", Timeouts()),
        retry=file.over("retry", RetryPolicy()),
        errors=tuple(rules_of(file)),
    )


def _provider(name: str, given: Given, usual: Provider) -> Provider:
    preset = PRESETS[given.values["kind"]]
    reached = reach(preset, given)
    base = replace(
        usual,
        name=name,
        base_url=reached.base_url,
        query=reached.query,
        headers=reached.headers,
        errors=(*rules_of(given), *usual.errors),
        cannot=preset.beyond | given.values.get("cannot", NOTHING),
    )
    provider = given.onto(base, keep=("base_url", "headers", "errors", "cannot"))
    check_keys(provider, preset, given)
    _check_ca_file(provider.ca_file, given.at.child("ca_file"))
    return provider


def _check_ca_file(path: str | None, at: Cursor) -> None:
    try:
        if path is not None:
            Path(path).open("rb").close()
    except OSError as error:
        at.report(f"cannot be read: {error.strerror}", got=at.node.shown)


def _usual_route(timeouts: Timeouts, streaming: Streaming) -> Route:
    """What the file says of every route."""
    return Route(
        models=(), chain=(), after_content=streaming.after_content, total_s=timeouts.total_s
    )


def _routes(file: Given, providers: dict[str, Provider], usual: Route) -> Iterator[Route]:
    """The routes, less the entries whose provider is wrong or missing: that is reported."""
    names = _names(file)
    routes: tuple[Given, ...] = file.values.get("routes", ())
    report_unreachable(routes)
    for given in routes:
        entries = (_entry(entry, providers, names) for entry in given.values.get("chain", ()))
        base = replace(
            usual,
            chain=tuple(entry for entry in entries if entry is not None),
            total_s=given.over("timeouts", Timeouts(total_s=usual.total_s)).total_s,
        )
        # the file's own content_filter first, then the route's
        yield given.onto(file.onto(base), keep=("chain",))


def _names(file: Given) -> Collection[str]:
    """The names of all providers, also of those that are wrong."""
    named = file.at.child("providers").node.content
    return named if isinstance(named, dict) else {}


def _entry(given: Given, providers: dict[str, Provider], names: Collection[str]) -> Entry | None:
    name = given.values.get("provider", "")
    provider = providers.get(name)
    if provider is not None:
        cannot = provider.cannot | given.values.get("cannot", NOTHING)
        base = Entry(provider=provider, timeouts=provider.timeouts, cannot=cannot)
        return given.onto(base, keep=("provider", "cannot"))
    if name and names and name not in names:
        at = given.at.child("provider") if given.at.is_mapping() else given.at
        at.report("unknown provider", got=at.node.shown, meant=closest(name, names))
    return None


def _prices(file: Given) -> Iterator[tuple[str, Price]]:
    names, places = _names(file), file.at.child("prices").node.keys
    for priced, given in file.values.get("prices", ()):
        provider = priced.partition("/")[0]
        if names and provider not in names:
            meant = closest(provider, names)
            given.at.report("unknown provider", meant=meant, at=places.get(priced))
        yield priced, given.onto(FREE)
