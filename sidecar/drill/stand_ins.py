"""The operator's own settings, with scripted providers in the place of the real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from yarl import URL

from sidecar.core.settings import Address, Provider, Secret, Settings
from sidecar.dialects.presets import PRESETS
from sidecar.drill.meaning import ITS_FAULT, meant_by
from sidecar.drill.place import Place
from sidecar.drill.promise import ANSWER_S, WORDS
from sidecar.faults.answer import Answer
from sidecar.faults.catalog import CATALOG, OK
from sidecar.faults.fault import Fault
from sidecar.faults.provider import HOST
from sidecar.faults.vendors import Trouble, complains

ANYWHERE = Address(host=HOST, port=0)
KEY = Secret("drill-stand-in-key")
MEANT_FOR_US = frozenset(("anthropic-version",))  # read here, and no secret

# Longer than any name can be: no resolver can ask anybody for it, so nothing leaves this machine.
NOWHERE = ".".join([*["nobody" * 10] * 4, "nobody", "invalid"])


class Way(Enum):
    """How the provider with the fault is addressed."""

    HTTP = auto()
    HTTPS = auto()
    NOWHERE = auto()

    def url(self, port: int, path: str) -> str:
        """An address on this machine, or none at all."""
        scheme = "https" if self is Way.HTTPS else "http"
        return f"{scheme}://{NOWHERE if self is Way.NOWHERE else HOST}:{port}{path}"


Plays = Callable[[Provider], Fault]


def fails_fast(provider: Provider) -> Fault:
    """What those before the fault play: what no rule of the operator makes anything else of."""
    if meant_by(provider, Trouble.OVERLOADED) in ITS_FAULT:
        return complains(provider.kind, Trouble.OVERLOADED)
    return CATALOG["reset_before_headers"]


def plays_well(_: Provider) -> Fault:
    """What those after it play."""
    return OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who plays what: `faults` the provider with the fault, `later` those after it.

    `says` is its answer, if it is not the usual one. With `same_words` all say the same, so that
    one can go on where another broke off; with `tools` all answer with a tool call.
    """

    faults: tuple[Fault, ...]
    way: Way = Way.HTTP
    later: Plays = plays_well
    says: Answer | None = None
    same_words: bool = False
    tools: bool = False

    def answer_of(self, provider: Provider, place: Place) -> Answer:
        """What a provider has to say."""
        own = provider.name == place.provider.name
        usual = Answer(
            text=words_of("word" if self.same_words else provider.name),
            delay_s=ANSWER_S / (WORDS - 1),
            calls_tool=self.tools,
            goes_on=self.same_words and not PRESETS[provider.kind].prefill.echoes,
        )
        return self.says if own and self.says else usual

    def faults_of(self, provider: Provider, place: Place) -> tuple[Fault, ...]:
        """What a provider plays."""
        if provider.name == place.provider.name:
            return self.faults
        earlier = {entry.provider.name for entry in place.earlier}
        return (fails_fast(provider) if provider.name in earlier else self.later(provider),)


def words_of(name: str) -> str:
    """So many words that only this provider says."""
    return " ".join(f"{name}-{number}" for number in range(1, WORDS + 1))


def providers_of(place: Place) -> list[Provider]:
    """Everybody in the chain, once."""
    return list({entry.provider.name: entry.provider for entry in place.route.chain}.values())


def drilled(place: Place, urls: Mapping[str, str]) -> Settings:
    """The settings with the route of `place` alone, and its providers at `urls`, by name.

    Whatever tells who somebody is, or leads elsewhere, is left out; all else is as it was.
    """
    providers = {one.name: stood_in(one, urls[one.name]) for one in providers_of(place)}
    chain = tuple(
        replace(entry, provider=providers[entry.provider.name]) for entry in place.route.chain
    )
    return replace(
        place.settings,
        routes=(replace(place.route, chain=chain),),
        providers=tuple(providers.values()),
        listen=ANYWHERE,
        admin=ANYWHERE,
        admin_token=None,
        store="memory",
        tracing=replace(place.settings.tracing, otlp=None),
    )


def stood_in(provider: Provider, url: str) -> Provider:
    """A provider with another address; it has as many keys as before, and none that is worth it."""
    several = len(provider.keys) > 1
    return replace(
        provider,
        base_url=url,
        api_key=None if several else KEY,
        api_keys=keys(len(provider.keys)) if several else (),
        headers=tuple(
            (name, value if name.lower() in MEANT_FOR_US else KEY)
            for name, value in provider.headers
        ),
        proxy=None,
        ca_file=None,
    )


def keys(count: int) -> tuple[Secret, ...]:
    """So many keys, all different."""
    return tuple(Secret(f"{KEY.reveal()}-{number}") for number in range(count))


def path_of(provider: Provider) -> str:
    """What its address has after the host."""
    return URL(provider.base_url).raw_path.rstrip("/")
