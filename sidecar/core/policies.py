"""How a call is treated on its way: breakers, clocks, further tries, streams."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from sidecar.core.units import Seconds, require


class Scope(StrEnum):
    """What one breaker stands in front of."""

    PROVIDER = "provider"
    MODEL = "model"


class ContentFilter(StrEnum):
    """What a refusal by a provider's content policy does."""

    RETURN = "return"
    FAIL_OVER = "fail_over"


class AfterContent(StrEnum):
    """What a break after the first content does."""

    ERROR = "error"
    RESUME = "resume"
    BUFFER = "buffer"


class UpstreamMode(StrEnum):
    """When an answer is streamed from its provider: as the application asked, or always."""

    AS_ASKED = "as_asked"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBackoff:
    """How the open time grows with failed half-open rounds."""

    multiplier: float = 1.0
    max_s: Seconds = 600.0

    def __post_init__(self) -> None:
        require(self.multiplier >= 1, "multiplier", "must be at least 1", self.multiplier)
        require(self.max_s > 0, "max", "must be positive", self.max_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """When slow first tokens open a breaker: `first_token_s` is `None` where they never do.

    One that takes longer is a failure of the ratio rule, whose share is `ratio` for these.
    """

    first_token_s: Seconds | None = None
    ratio: float = 0.5

    def __post_init__(self) -> None:
        require(
            self.first_token_s is None or self.first_token_s > 0,
            "first_token",
            "must be positive",
            self.first_token_s,
        )
        require(0 < self.ratio <= 1, "ratio", "must be in (0, 1]", self.ratio)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a breaker opens, for how long, and what closes it again."""

    failure_threshold: int = 3
    failure_window_s: Seconds = 60.0
    failure_ratio: float = 0.5
    min_requests: int = 10
    ratio_window_s: Seconds = 30.0
    success_threshold: int = 2
    half_open_probes: int = 2
    open_timeout_s: Seconds = 60.0
    open_backoff: OpenBackoff = field(default_factory=OpenBackoff)
    slow: Slow = field(default_factory=Slow)
    scope: Scope = Scope.PROVIDER

    def __post_init__(self) -> None:
        for name in ("failure_threshold", "min_requests", "success_threshold", "half_open_probes"):
            require(getattr(self, name) >= 1, name, "must be at least 1", getattr(self, name))
        for name in ("failure_window", "ratio_window", "open_timeout"):
            value = getattr(self, f"{name}_s")
            require(value > 0, name, "must be positive", value)
        require(
            0 < self.failure_ratio <= 1, "failure_ratio", "must be in (0, 1]", self.failure_ratio
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """The clocks of one attempt, and `total_s` of the whole chain."""

    connect_s: Seconds = 5.0
    first_token_s: Seconds = 12.0
    first_token_reasoning_s: Seconds = 60.0
    answer_s: Seconds = 120.0
    idle_s: Seconds = 30.0
    total_s: Seconds = 300.0

    def __post_init__(self) -> None:
        for name in ("connect", "first_token", "first_token_reasoning", "answer", "idle", "total"):
            value = getattr(self, f"{name}_s")
            require(value > 0, name, "must be positive", value)

    def until_first_token_s(self, reasoning: bool) -> float:  # noqa: FBT001  it has one meaning
        """How long a first token may take, later where the model is to think first."""
        return self.first_token_reasoning_s if reasoning else self.first_token_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudget:
    """How many extra tries and hedges there may be: a bucket of `floor` that first tries refill.

    Each of them adds `ratio` of an extra try.
    """

    ratio: float = 0.2
    floor: int = 10

    def __post_init__(self) -> None:
        require(0 <= self.ratio <= 1, "ratio", "must be in [0, 1]", self.ratio)
        require(self.floor >= 0, "floor", "must not be negative", self.floor)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, and for how long a stated wait, the same provider is tried again in one call."""

    attempts: int = 1
    max_wait_s: Seconds = 2.0
    budget: RetryBudget = field(default_factory=RetryBudget)

    def __post_init__(self) -> None:
        require(0 <= self.attempts <= 10, "attempts", "must be from 0 to 10", self.attempts)
        require(self.max_wait_s >= 0, "max_wait", "must not be negative", self.max_wait_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaming:
    """How answers are streamed. `keep_alive_s` is `None` where no comments are sent."""

    after_content: AfterContent = AfterContent.ERROR
    keep_alive_s: Seconds | None = 15.0
    upstream: UpstreamMode = UpstreamMode.AS_ASKED

    def __post_init__(self) -> None:
        alive_s = self.keep_alive_s
        require(alive_s is None or alive_s > 0, "keep_alive", "must be positive", alive_s)


P95: Literal["p95"] = "p95"


LONGEST_SYNC_S = 4.0
SYNC_BOUND = "must be at most 4s: a pod that was not heard of for ten counts as gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """How the pods of a fleet share what they know: `namespace` keeps fleets of one store apart.

    An operation of the store may take `op_timeout_s`; every `sync_s` all is read anew.
    """

    namespace: str = "default"
    op_timeout_s: Seconds = 0.25
    sync_s: Seconds = 2.0

    def __post_init__(self) -> None:
        require(self.namespace, "namespace", "must not be empty", self.namespace)
        for name in ("op_timeout", "sync"):
            value = getattr(self, f"{name}_s")
            require(value > 0, name, "must be positive", value)
        require(self.sync_s <= LONGEST_SYNC_S, "sync", SYNC_BOUND, self.sync_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hedge:
    """When the next entry of the chain is asked as well, as long as the first shows no token.

    `after` is in seconds, or the provider's recent 95th percentile, or `None`: never.
    """

    after: float | Literal["p95"] | None = None

    def __post_init__(self) -> None:
        positive = not isinstance(self.after, float) or self.after > 0
        require(positive, "after", "must be positive", self.after)
