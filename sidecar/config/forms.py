"""The configuration file's own forms, where they differ from the settings they become."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from sidecar.config.containers import ListOf, MapOf
from sidecar.config.cursor import Cursor, Given
from sidecar.config.errors import RULES
from sidecar.config.problem import Wrong, closest
from sidecar.config.sections import Section, shape_of
from sidecar.config.shapes import Choice, Json, Optional, Quantity, SecretText, Text, Whole
from sidecar.config.store_url import StoreUrl
from sidecar.config.urls import BaseUrl, CollectorUrl, ProxyUrl
from sidecar.core.headers import OF_THE_CONNECTION
from sidecar.core.policies import P95, BreakerPolicy, ContentFilter, Hedge, RetryPolicy, Timeouts
from sidecar.core.settings import Entry, Price, Provider, Route, Secret, Settings, Tracing
from sidecar.core.units import Unit
from sidecar.dialects.presets import PRESETS


class Kind(Text):
    """The kind of a provider: one of the presets."""

    def parse(self, text: str) -> str:
        """The kind itself. Raises `Wrong` for one that has no preset."""
        if text not in PRESETS:
            raise Wrong("unknown kind", meant=closest(text, PRESETS))
        return text

    def schema(self) -> Json:
        """The kinds there are."""
        return Choice(PRESETS).schema()


class Providers(MapOf):
    """Providers by their names: one at least."""

    def read(self, at: Cursor) -> tuple[tuple[str, Given], ...]:
        """The right ones by their names. Raises `Wrong` where there is none at all."""
        if not at.children():
            raise Wrong("must not be empty", shows_value=False)
        return super().read(at)

    def write(self, value: Iterable[Any]) -> dict[str, Any]:
        """A mapping by their names."""
        return super().write((provider.name, provider) for provider in value)

    def schema(self) -> Json:
        """A mapping of one provider at least."""
        return super().schema() | {"minProperties": 1}


class Headers(MapOf):
    """Headers to add to every request, as pairs."""

    def read(self, at: Cursor) -> tuple[tuple[str, Any], ...]:
        """The pairs. Those that would break a request or lead it elsewhere are reported."""
        for name, child in at.children().items():
            if name.lower() in OF_THE_CONNECTION:
                what = "cannot be set: it frames or routes the request"
                child.report(what, at=at.node.keys.get(name))
        return super().read(at)


class ApiKeys(ListOf):
    """Several keys. One that is left out, as by an empty variable, is none."""

    def __init__(self) -> None:
        super().__init__(Optional(SecretText()))

    def read(self, at: Cursor) -> tuple[Secret, ...]:
        """The keys there are. Raises `Wrong` where all are left out."""
        read = super().read(at)
        keys = tuple(key for key in read if key is not None)
        if read and not keys:
            raise Wrong("must hold a key", shows_value=False)
        return keys


class HedgeDelay(Quantity):
    """A duration, or the word for what the provider usually takes."""

    def __init__(self) -> None:
        super().__init__(Unit.SECONDS)

    def parse(self, text: str) -> Any:
        """Seconds, or the word. Raises `Wrong`."""
        return P95 if text == P95 else super().parse(text)

    def write(self, value: Any) -> Any:
        """As the file has it."""
        return P95 if value == P95 else super().write(value)

    def schema(self) -> Json:
        """Either."""
        return {"anyOf": [{"const": P95}, super().schema()]}


class ProviderName(Text):
    """A provider, by its name."""

    def write(self, value: Provider) -> str:
        """The name."""
        return value.name


class ChainEntry(Section):
    """One place in a chain: `provider/model`, a provider alone, or a mapping."""

    def read(self, at: Cursor) -> Given:
        """Provider and model, up to the first slash and after it; or the mapping."""
        if at.is_mapping():
            return super().read(at)
        provider, slash, model = (at.text() or "").partition("/")
        if not provider or (slash and not model):
            raise Wrong("must be PROVIDER/MODEL or PROVIDER")
        return Given(at, {"provider": provider} | ({"model": model} if slash else {}))

    def schema(self) -> Json:
        """A string or a mapping."""
        return {"anyOf": [{"type": "string"}, super().schema()]}


class RouteSection(Section):
    """A route. Of the clocks it has only the one of the whole chain."""

    def write(self, value: Route) -> dict[str, Any]:
        """The route, with its clock where the file has it."""
        return super().write(value) | {"timeouts": CHAIN_CLOCK.write(value)}


HEADER = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}"  # RFC 9110, section 5.6.2

# Names go into header values, labels and paths, so they hold nothing that separates there.
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
PROVIDER_AND_MODEL = rf"{NAME}/.{{1,256}}"

ATTEMPT_CLOCKS = Section(Timeouts, without={"total"}, partial=True)
CHAIN_CLOCK = Section(
    Timeouts,
    without={field.name.removesuffix("_s") for field in fields(Timeouts)} - {"total"},
    partial=True,
)
PROVIDER = Section(
    Provider,
    without={"name", "query"},
    kind=Kind(),
    base_url=Optional(BaseUrl()),
    api_keys=ApiKeys(),
    headers=Headers(SecretText(), HEADER),
    proxy=Optional(ProxyUrl()),
    max_in_flight=Optional(Whole(least=1)),
    breaker=Section(BreakerPolicy, partial=True),
    timeouts=ATTEMPT_CLOCKS,
    retry=Section(RetryPolicy, partial=True),
    errors=RULES,
)
ENTRY = ChainEntry(
    Entry,
    provider=ProviderName(),
    context=Optional(Whole(least=1)),
    timeouts=ATTEMPT_CLOCKS,
)
ROUTE = RouteSection(
    Route,
    without={"total"},
    partial=True,
    chain=ListOf(ENTRY),
    timeouts=CHAIN_CLOCK,
)
FILE = Section(
    Settings,
    providers=Providers(PROVIDER, NAME),
    routes=ListOf(ROUTE),
    store=StoreUrl(),
    breaker=shape_of(BreakerPolicy),
    timeouts=shape_of(Timeouts),
    retry=shape_of(RetryPolicy),
    hedge=Section(Hedge, after=Optional(HedgeDelay())),
    content_filter=shape_of(ContentFilter),
    prices=MapOf(shape_of(Price), PROVIDER_AND_MODEL),
    errors=RULES,
    tracing=Section(Tracing, otlp=Optional(CollectorUrl())),
)


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft-07) of the configuration file."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "llm-failover-sidecar",
    } | (FILE.schema())
