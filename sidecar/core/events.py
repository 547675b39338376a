"""Facts worth reporting: proxy and fleet report them, `observe` makes something of them.

What tells of a request has its `trace`: the span of the request. Unlike a `request_id`, which an
application may use again, a span id is that of one request alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from sidecar.core.outcome import Endpoint, Outcome, RequestOutcome, SkipReason
from sidecar.core.rate_limit import Remaining
from sidecar.core.trace import UNTRACED, TraceContext


class State(StrEnum):
    """The states of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Cause(StrEnum):
    """Why a breaker moved."""

    FAILURES = "failures"
    RATIO = "ratio"
    SLOW = "slow"
    OPEN_TIMEOUT = "open_timeout"
    PROBES_SUCCEEDED = "probes_succeeded"
    PROBE_FAILED = "probe_failed"
    PROBES_LOST = "probes_lost"
    HOLD = "hold"
    RELEASE = "release"
    RESET = "reset"
    MERGE = "merge"


class Origin(StrEnum):
    """Who moved a breaker: this pod, another pod, or an operator."""

    SELF = "self"
    FLEET = "fleet"
    OPERATOR = "operator"


class ProbeVerdict(StrEnum):
    """What became of a probe."""

    SUCCESS = "success"
    FAILURE = "failure"
    INCONCLUSIVE = "inconclusive"
    VOID = "void"
    LOST = "lost"


class Stage(StrEnum):
    """Whether the application had seen content when a stream broke."""

    BEFORE_CONTENT = "before_content"
    AFTER_CONTENT = "after_content"


class ExtraResult(StrEnum):
    """What became of an extra try at a provider: a retry or a hedge."""

    RECOVERED = "recovered"
    FAILED = "failed"
    WON = "won"
    LOST = "lost"
    NO_BUDGET = "no_budget"


class Usage(NamedTuple):
    """Tokens that a provider says it counted. `input` includes `cached_input`."""

    input: int
    output: int
    cached_input: int = 0


@dataclass(slots=True, kw_only=True)
class RequestStarted:
    """A request for a route was accepted; exactly one `RequestEnded` follows."""

    route: str


@dataclass(slots=True, kw_only=True)
class AttemptStarted:
    """A provider is being asked; exactly one `AttemptEnded` follows."""

    request_id: str
    provider: str
    model: str


@dataclass(slots=True, kw_only=True)
class AttemptEnded:
    """One try at one provider is over. `status` is 0 where there was no answer.

    `usage` is `None` where the provider sent none; it matters only for outcome `ok`.
    `counts_tokens` says whether this kind of answer carries usage at all. `dropped` are the call's
    fields that the provider did not hear; `remaining` is what the provider says is left of its rate
    limits. `began_s` is monotonic; `span_id` is that of the attempt
    itself, within the request's; `broken_at` says where a streamed answer broke off.
    """

    request_id: str
    route: str
    provider: str
    model: str
    outcome: Outcome
    status: int
    duration_s: float
    ttft_s: float | None = None
    usage: Usage | None = None
    counts_tokens: bool = False
    dropped: tuple[str, ...] = ()
    remaining: Remaining = ()
    began_s: float = 0.0
    broken_at: Stage | None = None
    span_id: str = ""
    trace: TraceContext = UNTRACED


@dataclass(slots=True, kw_only=True)
class Skipped:
    """A provider of the chain was passed over."""

    request_id: str
    route: str
    provider: str
    reason: SkipReason
    trace: TraceContext = UNTRACED


@dataclass(slots=True, kw_only=True)
class Parked:
    """A provider is passed over until somebody cures it: all of it where `model` is empty."""

    provider: str
    model: str
    outcome: Outcome


@dataclass(slots=True, kw_only=True)
class FailedOver:
    """After a failed attempt the next provider is asked."""

    request_id: str
    route: str
    from_provider: str
    to_provider: str
    reason: Outcome
    trace: TraceContext = UNTRACED


@dataclass(slots=True, kw_only=True)
class Retried:
    """The same provider was worth another try: `recovered`, `failed`, or `no_budget` for it."""

    provider: str
    result: ExtraResult


@dataclass(slots=True, kw_only=True)
class Hedged:
    """`provider` was worth asking as well, beside a slow one: `won`, `lost`, or `no_budget`.

    `lost` is also one that failed.
    """

    provider: str
    result: ExtraResult


@dataclass(slots=True, kw_only=True)
class StreamInterrupted:
    """A streamed answer broke off."""

    provider: str
    stage: Stage


@dataclass(slots=True, kw_only=True)
class RequestEnded:
    """A request is over. Label values only: `route` is empty where none was found.

    `attempts` is the text of the `x-sidecar-attempts` header. `lost_s` is the time spent on tries
    before the one that answered (0 where the first did). `overhead_s` is the time not spent
    waiting for a provider. `client_retry`: it is that retry of the application's SDK. `parent_id`
    is the caller's span, if it stated one.
    """

    request_id: str
    route: str
    endpoint: Endpoint
    stream: bool
    outcome: RequestOutcome
    code: int
    provider: str = ""
    model: str = ""
    attempts: str = ""
    duration_s: float = 0.0
    ttft_s: float | None = None
    overhead_s: float = 0.0
    lost_s: float = 0.0
    usage: Usage | None = None
    trace: TraceContext = UNTRACED
    parent_id: str = ""
    client_retry: int | None = None

    @property
    def trace_id(self) -> str:
        """The trace that it belongs to."""
        return self.trace.trace_id


@dataclass(slots=True, kw_only=True)
class BreakerMoved:
    """A breaker changed its state. `until_unix_s`: the earliest half-open of an open one, or 0."""

    breaker: str
    from_state: State
    to_state: State
    cause: Cause
    epoch: int
    origin: Origin
    until_unix_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class ProbeEnded:
    """A probe was settled, or its lease ran out."""

    breaker: str
    verdict: ProbeVerdict


class StoreOperation(StrEnum):
    """What is asked of a store."""

    SYNC = "sync"
    CAS = "cas"


class StoreResult(StrEnum):
    """What became of an operation of the store."""

    OK = "ok"
    REFUSED = "refused"  # somebody else wrote first, or the time for it was wrong
    TIMEOUT = "timeout"
    ERROR = "error"


@dataclass(slots=True, kw_only=True)
class StoreAsked:
    """An operation of the store has ended."""

    operation: StoreOperation
    result: StoreResult
    duration_s: float


@dataclass(slots=True, kw_only=True)
class Propagated:
    """Another pod's move of a breaker came to be in use here, so long after it was made."""

    breaker: str
    seconds: float


Event = (
    RequestStarted
    | AttemptStarted
    | AttemptEnded
    | Skipped
    | Parked
    | FailedOver
    | Retried
    | Hedged
    | StreamInterrupted
    | RequestEnded
    | BreakerMoved
    | ProbeEnded
    | StoreAsked
    | Propagated
)
Report = Callable[[Event], None]
