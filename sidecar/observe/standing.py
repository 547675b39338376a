"""What the observers need to be told of breakers and keys, whoever owns them.

Moments are Unix seconds; `None` is never, or until further notice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class Keys(NamedTuple):
    """The keys of one provider: how many there are, and how many of them are passed over."""

    total: int
    parked: int


def no_breakers() -> Sequence[Standing]:
    """Tell of nobody."""
    return ()


def no_keys() -> Mapping[str, Keys]:
    """Tell of no pool of keys."""
    return {}
