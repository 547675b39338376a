"""One attempt at one provider: ask, judge the head, get the whole answer or its first token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import orjson

from sidecar.core.answer import AnswerFailed, Judge
from sidecar.core.events import Stage, Usage
from sidecar.core.failover import Failure, Try
from sidecar.core.outcome import FAILURES, Outcome
from sidecar.core.permit import Ending
from sidecar.core.retry_after import retry_after_s
from sidecar.core.settings import ContentFilter, Limits
from sidecar.core.sse import encode
from sidecar.core.taxonomy import judge_error, read_complaint
from sidecar.dialects.openai import DONE, StreamReader, as_stream, read_answer, read_usage
from sidecar.proxy.call import Call
from sidecar.proxy.stream import SAYING, Stream
from sidecar.proxy.upstream import (
    FOREIGN_ERRORS,
    Upstream,
    as_failure,
    read_bounded,
    read_start,
)
from sidecar.proxy.watch import Watch
from sidecar.proxy.wire import Answer

DRAIN_S = 0.1  # what a connection is worth waiting for after the last event
EVENT_STREAM = "text/event-stream; charset=utf-8"


class AttemptFailed(Exception):
    """This provider did not answer; the application has seen nothing of it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """An answer that is all there."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for an attempt beyond the call itself."""

    limits: Limits
    content_filter: ContentFilter
    deadline_s: float  # monotonic: the end of the chain's time
    now: Callable[[], float]
    unix: Callable[[], float]


class Attempt:
    """One try. Whatever happens, `close` it, and tell the breaker its `ending`."""

    def __init__(self, upstream: Upstream, call: Call, step: Try, terms: Terms) -> None:
        self.outcome = Outcome.CANCELLED  # until something better or worse is known
        self.status = 0
        self.usage: Usage | None = None
        self.began_s = terms.now()
        self.first_token_s: float | None = None
        self.ended_s: float | None = None
        self.stream: Stream | None = None
        self.head: Mapping[str, str] = {}
        self._upstream = upstream
        self._call = call
        self._step = step
        self._terms = terms
        self._wait_s: float | None = None
        self._response: Answer | None = None
        self._watch: Watch | None = None

    async def ask(self) -> Whole | Stream:
        """Get an answer that is worth passing on. Raises `AttemptFailed`."""
        try:
            return await (self._streamed() if self._call.stream else self._unstreamed())
        except AnswerFailed as failed:
            raise self._failed(self._failure(failed)) from None
        except FOREIGN_ERRORS as error:
            raise self._failed(self._failure(as_failure(error))) from error

    def ending(self) -> Ending:
        """What the breaker needs to know."""
        return Ending(outcome=self.outcome, status=self.status, wait_s=self._wait_s)

    def succeed(self) -> None:
        """The answer was whole."""
        self.outcome = Outcome.OK
        self.ended_s = self._terms.now()
        if self.stream:
            self.usage = self.stream.usage

    def break_off(self, outcome: Outcome) -> None:
        """The answer broke after its first content."""
        self.outcome = outcome

    @property
    def broken_at(self) -> Stage | None:
        """Where a streamed answer broke, if it began and did."""
        if not self._call.stream or self.status != 200 or self.outcome not in FAILURES:
            return None
        return Stage.AFTER_CONTENT if self.stream else Stage.BEFORE_CONTENT

    @property
    def ttft_s(self) -> float | None:
        """Seconds to the first token, of a streamed answer."""
        if not self._call.stream or self.first_token_s is None:
            return None
        return self.first_token_s - self.began_s

    @property
    def duration_s(self) -> float:
        """Seconds from asking to the end, or to now."""
        return (self.ended_s or self._terms.now()) - self.began_s

    async def finish(self) -> None:
        """Read to the end of a whole answer, so that its connection can serve another."""
        response = self._response
        if self.outcome is not Outcome.OK or response is None or response.content.at_eof():
            return
        try:
            async with asyncio.timeout(DRAIN_S):
                await response.content.readany()
        except (TimeoutError, *FOREIGN_ERRORS):
            return

    def close(self) -> None:
        """Let go of the provider: at once, unless the answer is whole and its connection good."""
        if self._watch:
            self._watch.stop()
        if self._response:
            self._response.close()

    async def _unstreamed(self) -> Whole:
        seconds, shared = self._limit(self._step.entry.timeouts.answer_s)
        async with limited(seconds, Outcome.TIMEOUT_TOTAL if shared else Outcome.TIMEOUT_ANSWER):
            response = await self._send()
            body = await self._read_body(response)
        return self._judge_whole(body)

    async def _streamed(self) -> Whole | Stream:
        loop = asyncio.get_running_loop()
        seconds, shared = self._limit(self._first_token_s())
        first_s = loop.time() + seconds
        late = Outcome.TIMEOUT_TOTAL if shared else Outcome.TIMEOUT_FIRST_TOKEN
        async with limited(seconds, late):
            response = await self._send()
            if response.content_type == "application/json":
                return as_streamed(self._judge_whole(await self._read_body(response)))
        end_s = loop.time() + self._terms.deadline_s - self._terms.now()
        self._watch = Watch(
            first_s=first_s,
            idle_s=self._step.entry.timeouts.idle_s,
            end_s=end_s,
            shared=shared,
        )
        return await self._until_content(response, self._watch)

    async def _until_content(self, response: Answer, watch: Watch) -> Stream:
        judge = Judge(filter_fails=self._filter_fails)
        reader = StreamReader(self._call.id)
        limit = self._terms.limits.response_body_bytes
        stream = Stream(response, reader, judge, watch, limit)
        watch.start(response.close)
        await stream.until_content(self._note_first_token)
        self.stream = stream
        return stream

    async def _read_body(self, response: Answer) -> bytes:
        return await read_bounded(response, self._terms.limits.response_body_bytes)

    async def _send(self) -> Answer:
        """Ask, and judge the head of the answer."""
        call = self._call
        response = self._response = await self._upstream.send(
            "POST", call.path, call.headers, call.body_for(self._step.entry.model)
        )
        self.status = response.status
        if response.status != 200:
            raise self._refused(response, await read_start(response))
        self.head = response.headers
        return response

    def _refused(self, response: Answer, body: bytes) -> AttemptFailed:
        """An error status: what it means, and when to come back."""
        parsed = parse(body)
        complaint = read_complaint(parsed, "" if parsed else body.decode("utf-8", "replace"))
        return self._failed(
            Failure(
                outcome=judge_error(response.status, complaint, Outcome.PROTOCOL),
                status=response.status,
                message=self._upstream.scrub(complaint.message),
                code=complaint.code,
                param=complaint.param,
                wait_s=retry_after_s(response.headers, parsed, self._terms.unix()),
            )
        )

    def _failure(self, failed: AnswerFailed) -> Failure:
        message = self._upstream.scrub(failed.message)
        return Failure(outcome=failed.outcome, status=self.status, message=message)

    def _failed(self, failure: Failure) -> AttemptFailed:
        self.outcome = failure.outcome
        self.ended_s = self._terms.now()
        self._wait_s = failure.wait_s
        return AttemptFailed(failure)

    def _judge_whole(self, body: bytes) -> Whole:
        answer = read_answer(body, self._call.endpoint, filter_fails=self._filter_fails)
        self.usage = read_usage(answer.get("usage"))
        self._note_first_token()
        return Whole(content_type="application/json", body=body)

    def _note_first_token(self) -> None:
        self.first_token_s = self.first_token_s or self._terms.now()

    def _first_token_s(self) -> float:
        timeouts = self._step.entry.timeouts
        return timeouts.first_token_reasoning_s if self._call.reasoning else timeouts.first_token_s

    def _limit(self, own_s: float) -> tuple[float, bool]:
        """Seconds that this attempt has, and whether the chain's time is what limits it."""
        shared_s = self._step.until_s - self._terms.now()
        return min(own_s, shared_s), shared_s < own_s

    @property
    def _filter_fails(self) -> bool:
        return self._terms.content_filter is ContentFilter.FAIL_OVER


class limited:  # noqa: N801  reads like the built-in context managers
    """Raise `AnswerFailed(late)` if the body of the `async with` takes longer than `seconds`."""

    __slots__ = ("_clock", "_late")

    def __init__(self, seconds: float, late: Outcome) -> None:
        self._clock = asyncio.timeout(seconds)
        self._late = late

    async def __aenter__(self) -> None:
        await self._clock.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._clock.__aexit__(kind, error, trace)
        except TimeoutError:
            raise AnswerFailed(self._late, SAYING[self._late]) from None


def as_streamed(whole: Whole) -> Whole:
    """A whole answer in the form of the stream that was asked for."""
    events = [encode(data) for data in as_stream(orjson.loads(whole.body))]
    return Whole(content_type=EVENT_STREAM, body=b"".join((*events, DONE)))


def parse(body: bytes) -> Any:
    """`body` as JSON, or `None`."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
