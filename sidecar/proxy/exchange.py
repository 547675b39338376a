"""One request and what became of it: what the answer's headers and the final report say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from sidecar.core.events import RequestEnded
from sidecar.core.failover import Step
from sidecar.core.headers import client_retry
from sidecar.core.outcome import Endpoint, Outcome, RequestOutcome
from sidecar.core.refusal import Refused
from sidecar.core.settings import Entry
from sidecar.core.sse import encode
from sidecar.core.trace import TRACEPARENT, TRACESTATE, UNTRACED, TraceContext
from sidecar.proxy.attempt import Attempt
from sidecar.proxy.paths import speaks_messages
from sidecar.proxy.replies import cut, error_body, error_reply, messages_error_body

NAME = "llm-failover-sidecar"


@dataclass(slots=True, kw_only=True, eq=False)
class Exchange:
    """Facts gathered on a request's way. Times are monotonic."""

    request: web.BaseRequest
    id: str
    now: Callable[[], float]
    began_s: float
    trace: TraceContext = UNTRACED
    parent_id: str = ""  # of the caller's span
    endpoint: Endpoint | None = None
    route: str = ""
    stream: bool = False
    model: str = ""
    steps: list[Step] = field(default_factory=list)
    entry: Entry | None = None
    attempt: Attempt | None = None
    outcome: RequestOutcome = RequestOutcome.CANCELLED
    code: int = 0
    content_s: float | None = None  # when the application's first content went out
    is_hurried: bool = False
    patient_until_s: float = float("inf")
    _asked_s: float | None = None  # since when providers are waited for
    _waited_s: float = 0.0  # for those that came to nothing

    def headers(self) -> dict[str, str]:
        """What the sidecar adds to every answer."""
        total_s = self.now() - self.began_s
        upstream_s = self.upstream_s
        headers = {
            "server": NAME,
            "x-request-id": self.id,
            TRACEPARENT: self.trace.traceparent,
            "server-timing": f"sidecar;dur={(total_s - upstream_s) * 1000:.1f}, "
            f"upstream;dur={upstream_s * 1000:.1f}",
        }
        if self.trace.state:
            headers[TRACESTATE] = self.trace.state
        if self.entry:
            headers["x-sidecar-provider"] = self.entry.provider.name
            headers["x-sidecar-model"] = self.model
        over = self.attempt if self.attempt and self.attempt.ended_s else None
        if attempts := self.attempts(over.outcome if over else Outcome.OK):
            headers["x-sidecar-attempts"] = attempts
        return headers

    def refuse(self, refused: Refused) -> web.Response:
        """An error answer of the sidecar's own, in the words that the application speaks."""
        self.code = refused.status
        spoken = speaks_messages(self.request.path)
        return error_reply(refused, self.headers(), self.steps, in_messages=spoken)

    def attempts(self, outcome: Outcome) -> str:
        """The text of `x-sidecar-attempts`; `outcome` is that of the attempt that answered."""
        told = [str(step) for step in self.steps]
        if self.entry and self.attempt:
            name, status = self.entry.provider.name, self.attempt.status
            told.append(f"{name};{outcome};{status};{self.attempt.duration_s:.2f}")
        return ", ".join(told)

    def refused_in_band(self, refused: Refused) -> bytes:
        """The same error as the last event of a stream whose head is out."""
        if speaks_messages(self.request.path):
            return encode(messages_error_body(refused, self.steps, self.id), b"error")
        return encode(error_body(refused, self.steps))

    @property
    def served(self) -> RequestOutcome:
        """What an answer that was passed on makes of the request."""
        if self.code >= 500:
            return RequestOutcome.EXHAUSTED
        if self.code >= 400:
            return RequestOutcome.CLIENT_ERROR
        walked = [step for step in self.steps if not (step.aside or step.is_slower)]
        others = any(step.entry is not self.entry for step in walked)
        return RequestOutcome.FAILOVER_SUCCESS if others else RequestOutcome.SUCCESS

    def cut_if_stuck(self) -> None:
        """Cut the connection of an application that takes nothing of its answer in time."""
        if self.now() > self.patient_until_s:
            cut(self.request)

    def note_content(self) -> None:
        """Content goes out, perhaps the first."""
        self.content_s = self.content_s or self.now()

    def asks(self) -> None:
        """From now on providers are waited for."""
        self._asked_s = self.now()

    def got_nothing(self) -> None:
        """What was waited for came to nothing."""
        if self._asked_s is not None:
            self._waited_s += self.now() - self._asked_s
        self._asked_s = None

    @property
    def upstream_s(self) -> float:
        """Seconds spent on providers so far."""
        if self.attempt:
            return self.lost_s + self.attempt.duration_s
        return self._waited_s + (0.0 if self._asked_s is None else self.now() - self._asked_s)

    @property
    def lost_s(self) -> float:
        """Seconds until the attempt began that answers, of those spent on providers."""
        if self._asked_s is None or self.attempt is None:
            return self._waited_s
        return self._waited_s + self.attempt.began_s - self._asked_s

    def ended(self, endpoint: Endpoint) -> RequestEnded:
        """The report of the whole request."""
        attempt = self.attempt
        duration_s = self.now() - self.began_s
        return RequestEnded(
            request_id=self.id,
            route=self.route,
            endpoint=endpoint,
            stream=self.stream,
            outcome=self.outcome,
            code=self.code,
            provider=self.entry.provider.name if self.entry else "",
            model=self.entry.model_label if self.entry else "",
            attempts=self.attempts(attempt.outcome if attempt else Outcome.OK),
            duration_s=duration_s,
            ttft_s=self.ttft_s,
            overhead_s=max(0.0, duration_s - self.upstream_s),
            lost_s=self.lost_s,
            usage=attempt.usage if attempt else None,
            trace=self.trace,
            parent_id=self.parent_id,
            client_retry=client_retry(self.request.headers),
        )

    @property
    def ttft_s(self) -> float | None:
        """Seconds until the application had the first content of a streamed answer."""
        return None if self.content_s is None else self.content_s - self.began_s

    def hurry(self) -> None:
        """Come to an end: it breaks off, and says so where it still can."""
        self.is_hurried = True
        if self.attempt and self.attempt.stream:
            self.attempt.expire()
        else:
            self.request.task.cancel()
