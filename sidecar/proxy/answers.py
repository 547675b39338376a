"""What an attempt is told and what it brings back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from sidecar.core.answer import AnswerFailed
from sidecar.core.failover import Failure
from sidecar.core.outcome import Outcome
from sidecar.core.policies import AfterContent, ContentFilter, UpstreamMode
from sidecar.core.settings import Limits
from sidecar.core.taxonomy import Complaint, judge_error
from sidecar.core.trace import TraceContext
from sidecar.dialects.dialect import Untranslatable, Writer
from sidecar.dialects.resumption import Told
from sidecar.proxy.call import Call, can_stream

JSON = "application/json"
SSE = "text/event-stream"
EVENT_STREAM = f"{SSE}; charset=utf-8"


class AttemptFailed(Exception):
    """This provider did not answer; the application has seen nothing of it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Broken(NamedTuple):
    """An answer that broke off after its first content, and that others may go on with.

    `failed` is how it broke off first, `told` what was heard of it, `writer` what wrote that.
    """

    failed: AnswerFailed
    told: Told
    writer: Writer


class Terms(NamedTuple):
    """What holds for an attempt beyond the call itself. `broken` is what it is to go on with."""

    limits: Limits
    content_filter: ContentFilter
    after_content: AfterContent
    upstream: UpstreamMode
    deadline_s: float  # monotonic: the end of the chain's time
    now: Callable[[], float]
    unix: Callable[[], float]
    broken: Broken | None = None
    trace: TraceContext | None = None  # that the provider is told of

    @property
    def buffers(self) -> bool:
        """Whether a stream is held until it is whole."""
        return self.after_content is AfterContent.BUFFER

    @property
    def resumes(self) -> bool:
        """Whether another provider is to go on with a stream that breaks."""
        return self.after_content is AfterContent.RESUME

    def streams(self, call: Call) -> bool:
        """Whether its provider is to stream what the application wants whole."""
        return self.upstream is UpstreamMode.ALWAYS and not call.stream and can_stream(call)

    @property
    def filter_fails(self) -> bool:
        """Whether a refusal by content policy is to fail over."""
        return self.content_filter is ContentFilter.FAIL_OVER


class Whole(NamedTuple):
    """An answer that is all there."""

    body: bytes
    content_type: str = JSON
    status: int = 200


def unsayable(beyond: Untranslatable) -> Failure:
    """What it means that a provider cannot even be asked: another one may."""
    return Failure(
        outcome=Outcome.UNSUPPORTED_PARAM,
        message=beyond.message,
        code="unsupported_parameter",
        param=beyond.param,
    )


def judge_passed(status: int) -> Outcome:
    """What a passed answer says about the provider: a 4xx is between it and the application."""
    if status < 400:
        return Outcome.OK
    if status >= 500 or status == 429:
        return judge_error(status, Complaint(), Outcome.SERVER_ERROR)
    return Outcome.BAD_REQUEST


def parse(body: bytes) -> Any:
    """`body` as JSON, be it in another charset than it should be, or as the text that it is."""
    text = body.decode("utf-8-sig", "replace")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
