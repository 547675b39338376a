"""The whole configuration as frozen values: what the file and the environment come to.

A field's name is its key in YAML less the unit: `open_timeout_s` is `open_timeout: 60s` there.
`Seconds` and `Bytes` mark the fields whose YAML form is a string with a unit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Literal

from sidecar.core.capability import Capability
from sidecar.core.outcome import Outcome
from sidecar.core.policies import (
    AfterContent,
    BreakerPolicy,
    ContentFilter,
    Fleet,
    Hedge,
    RetryPolicy,
    Scope,
    Streaming,
    Timeouts,
)
from sidecar.core.units import Bytes, Seconds, require


class Secret:
    """A string that shows itself only to those who ask by name: never in a repr, log or error."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the wire only."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a listener binds. Port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """How loud the log is, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one call and the whole process may hold."""

    request_body_bytes: Bytes = 32 * 1024**2
    response_body_bytes: Bytes = 64 * 1024**2
    in_flight: int = 1000
    headers_bytes: Bytes = 32 * 1024

    def __post_init__(self) -> None:
        for name in ("request_body_bytes", "response_body_bytes", "in_flight", "headers_bytes"):
            value = getattr(self, name)
            require(value > 0, name.removesuffix("_bytes"), "must be positive", value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorMatch:
    """Which error answers a rule is for: those where everything that is said here holds.

    `code` and `type` are compared with the words of the body, `text` is a part of its message in
    any case of letters.
    """

    status: int | None = None
    code: str | None = None
    type: str | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        said = (self.status, self.code, self.type, self.text)
        require(any(one is not None for one in said), "match", "must say something", "nothing")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRule:
    """What the operator knows better than the taxonomy: what matches is of this class."""

    match: ErrorMatch
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What tokens cost, in USD per million. `cached_input` is `None` where it costs as input."""

    input: float
    output: float
    cached_input: float | None = None

    def __post_init__(self) -> None:
        for name in ("input", "output", "cached_input"):
            value = getattr(self, name)
            require(value is None or value >= 0, name, "must not be negative", value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider, its preset and overrides already merged in.

    `base_url` has no trailing slash and includes the `/v1` part; `query` follows every path below
    it. `headers` are added to every request to it. `proxy` is the URL of an HTTP proxy, `ca_file`
    a PEM file. `max_in_flight` is how many calls it may have at once, `None` for any number.
    `errors` are tried in order before the taxonomy; `cannot` is what its kind or the operator says
    is beyond it.
    """

    name: str
    kind: str
    base_url: str
    query: str = ""
    api_key: Secret | None = None
    api_keys: tuple[Secret, ...] = ()
    headers: tuple[tuple[str, Secret], ...] = ()
    proxy: Secret | None = None
    ca_file: str | None = None
    max_in_flight: int | None = None
    breaker: BreakerPolicy = field(default_factory=BreakerPolicy)
    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    errors: tuple[ErrorRule, ...] = ()
    cannot: frozenset[Capability] = frozenset()

    @property
    def keys(self) -> tuple[Secret, ...]:
        """All its keys, in the order of their use."""
        return self.api_keys or ((self.api_key,) if self.api_key else ())


@dataclass(frozen=True, kw_only=True)  # no slots: every call asks for the names, so they are kept
class Entry:
    """One place in a chain: a provider, the model it is asked for, and the clocks in force.

    `model` is `None` where the application's own model name goes on unchanged. `context` is the
    window in tokens, `None` where nobody said. `prefill`: it goes on with what an assistant's
    message at the end of the chat begins. `cannot` is what is beyond it, the provider's own
    included.
    """

    provider: Provider
    model: str | None = None
    context: int | None = None
    prefill: bool = False
    timeouts: Timeouts = field(default_factory=Timeouts)
    cannot: frozenset[Capability] = frozenset()

    @cached_property
    def model_label(self) -> str:
        """The model as a label value: what the configuration says, never what a request says."""
        return self.model or "*"

    @cached_property
    def breaker_name(self) -> str:
        """Which breaker stands in front of this entry."""
        if self.provider.breaker.scope is Scope.MODEL:
            return f"{self.provider.name}/{self.model_label}"
        return self.provider.name


@dataclass(frozen=True, kw_only=True)  # no slots: what every call asks for is kept
class Route:
    """Which models go to which chain. `total_s` is the deadline of the whole chain."""

    models: tuple[str, ...]
    chain: tuple[Entry, ...]
    content_filter: ContentFilter = ContentFilter.RETURN
    after_content: AfterContent = AfterContent.ERROR
    total_s: Seconds = 300.0

    @cached_property
    def name(self) -> str:
        """The route as a label value."""
        return ",".join(self.models)

    @cached_property
    def smallest_window(self) -> int | None:
        """The fewest tokens that one of the chain is known to hold."""
        return min((entry.context for entry in self.chain if entry.context), default=None)

    @cached_property
    def cannot(self) -> frozenset[Capability]:
        """What is beyond one or more of the chain."""
        return frozenset().union(*(entry.cannot for entry in self.chain))

    def serves(self, model: str) -> bool:
        """Whether one of the patterns (shell globs, case-sensitive) matches."""
        return "*" in self.models or any(fnmatchcase(model, one) for one in self.models)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """Where spans go, and who is told of a trace.

    `otlp` is the base URL of a collector that takes OTLP over HTTP, `None` where spans go nowhere.
    `to_providers`: the providers are told which trace a call belongs to. `sample_ratio` is the
    share of the traces that begin here which are recorded.
    """

    otlp: str | None = None
    to_providers: bool = False
    sample_ratio: float = 1.0

    def __post_init__(self) -> None:
        ratio = self.sample_ratio
        require(0 <= ratio <= 1, "sample_ratio", "must be from 0 to 1", ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything the process was told."""

    routes: tuple[Route, ...]
    providers: tuple[Provider, ...]
    listen: Address = Address(host="127.0.0.1", port=8787)
    admin: Address = Address(host="0.0.0.0", port=9464)  # noqa: S104  read-only for the network
    log: LogSettings = field(default_factory=LogSettings)
    streaming: Streaming = field(default_factory=Streaming)
    hedge: Hedge = field(default_factory=Hedge)
    limits: Limits = field(default_factory=Limits)
    drain_timeout_s: Seconds = 25.0
    admin_token: Secret | None = None
    store: str = "memory"
    fleet: Fleet = field(default_factory=Fleet)
    prices: tuple[tuple[str, Price], ...] = ()  # by provider/model
    tracing: Tracing = field(default_factory=Tracing)

    def route_for(self, model: str) -> Route | None:
        """The first route whose patterns match `model`."""
        return next((route for route in self.routes if route.serves(model)), None)
