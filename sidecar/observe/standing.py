"""What the observers need to be told of breakers and keys, whoever owns them.

Moments are Unix seconds; `None` is never, or until further notice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol


class HoldView(Protocol):
    """A breaker pinned by an operator, until `until_unix_s` or until released."""

    @property
    def mode(self) -> str: ...
    @property
    def until_unix_s(self) -> float | None: ...
    @property
    def by(self) -> str: ...
    @property
    def reason(self) -> str: ...


class Aside(Protocol):
    """A model (empty: the whole provider) passed over for some seconds; why, if it is known."""

    @property
    def model(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def seconds(self) -> float: ...


class Standing(Protocol):
    """One breaker at one moment. Before its first move `cause` is empty and `since_unix_s` is 0."""

    @property
    def name(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def since_unix_s(self) -> float: ...
    @property
    def epoch(self) -> int: ...
    @property
    def cause(self) -> str: ...
    @property
    def open_until_unix_s(self) -> float | None: ...
    @property
    def retry_in_s(self) -> float | None: ...
    @property
    def consecutive_failures(self) -> int: ...
    @property
    def error_ratio(self) -> float: ...
    @property
    def held(self) -> HoldView | None: ...
    @property
    def parked(self) -> Sequence[Aside]: ...
    @property
    def cooldown_s(self) -> Sequence[Aside]: ...


class StoreStanding(Protocol):
    """How the store that the pods share stands; `pods` by the seconds since they were last seen."""

    @property
    def up(self) -> bool: ...
    @property
    def degraded(self) -> bool: ...
    @property
    def degraded_s(self) -> float: ...
    @property
    def view_age_s(self) -> float | None: ...
    @property
    def pods(self) -> Mapping[str, float]: ...


class Within(NamedTuple):
    """A store within the process: it cannot be away, and nobody shares it."""

    up: bool = True
    degraded: bool = False
    degraded_s: float = 0.0
    view_age_s: float | None = 0.0
    pods: Mapping[str, float] = MappingProxyType({"": 0.0})


class Keys(NamedTuple):
    """The keys of one provider: how many there are, and how many of them are passed over."""

    total: int
    parked: int


class ConfigStanding(NamedTuple):
    """The configuration in force: its hash, and when it was loaded.

    `warnings` are what is odd about it. `problems` are what is wrong with a newer one, which was
    therefore not taken.
    """

    sha256: str = ""
    loaded_unix_s: float | None = None
    warnings: Sequence[str] = ()
    problems: Sequence[str] = ()


def no_breakers() -> Sequence[Standing]:
    """Tell of nobody."""
    return ()


def no_keys() -> Mapping[str, Keys]:
    """Tell of no pool of keys."""
    return {}


class Looks(NamedTuple):
    """Where to look for what no event tells: what is set aside, keys, the store, the settings."""

    breakers: Callable[[], Sequence[Standing]] = no_breakers
    keys: Callable[[], Mapping[str, Keys]] = no_keys
    store: Callable[[], StoreStanding] = Within
    config: Callable[[], ConfigStanding] = ConfigStanding


NOTHING_TO_SEE = Looks()
