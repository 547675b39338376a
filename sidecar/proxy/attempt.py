"""One attempt at one provider: ask, judge the head, get the whole answer or its first token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from sidecar.core.answer import AnswerFailed, Judge
from sidecar.core.events import Stage, Usage
from sidecar.core.failover import Failure, Try
from sidecar.core.outcome import FAILURES, Outcome
from sidecar.core.permit import Ending
from sidecar.core.rate_limit import Remaining, remaining
from sidecar.core.settings import Entry
from sidecar.dialects.dialect import Answered, Untranslatable
from sidecar.dialects.resumption import Diverged, Told
from sidecar.dialects.translation import Translation
from sidecar.proxy.answers import (
    EVENT_STREAM,
    JSON,
    AttemptFailed,
    Terms,
    Whole,
    judge_passed,
    unsayable,
)
from sidecar.proxy.call import Call
from sidecar.proxy.clocks import Clocks
from sidecar.proxy.conversation import Conversation, ProviderRefused, streamed
from sidecar.proxy.passing import Passing
from sidecar.proxy.stream import Assembling, Stream, Telling
from sidecar.proxy.upstream import (
    FOREIGN_ERRORS,
    UNREADABLE,
    Upstream,
    as_failure,
    drain,
)
from sidecar.proxy.watch import Watch, limited
from sidecar.proxy.wire import Answer, PooledConnectionGone


class Attempt:
    """One try. Whatever happens, `close` it, and tell the breaker its `ending`.

    `answer` is what is worth passing on, once there is such a thing; `failure` is what it failed
    with before that.
    """

    def __init__(self, upstream: Upstream, call: Call, step: Try, terms: Terms) -> None:
        self.outcome = Outcome.CANCELLED  # until something better or worse is known
        self.answer: Whole | Stream | Answer | None = None
        self.failure: Failure | None = None
        self.pooled = False  # whether it failed for a connection that had been used before
        self.usage: Usage | None = None
        self.began_s = terms.now()
        self.first_token_s: float | None = None
        self.on_first_token: Callable[[], None] | None = None
        self.on_content: Callable[[Attempt], None] | None = None
        self.ended_s: float | None = None
        self.stream: Stream | None = None
        self._upstream = upstream
        self._wants_stream = call.stream
        self._call = streamed(call) if terms.streams(call) else call
        self._step = step
        self._terms = terms
        self._clocks = Clocks(step, terms.now)
        self._talk = Conversation(upstream, self._call, step, terms)
        self.passing: Passing | None = None  # of what goes through unjudged
        self._one_key = False
        self._blameless = False
        self._wait_s: float | None = None
        self._watch: Watch | None = None

    async def ask(self) -> None:
        """Get an `answer` that is worth passing on. Raises `AttemptFailed`.

        An `Answer` is one that is passed through unjudged; its body is still to come.
        """
        try:
            self.answer = await self._ask()
            self._show_content()
        except ProviderRefused as refused:
            raise self._failed(refused.failure) from None
        except Untranslatable as beyond:
            raise self._failed(unsayable(beyond)) from None
        except Diverged as diverged:
            raise self._failed(replace(self._talk.failure(diverged), final=True)) from None
        except AnswerFailed as failed:
            raise self._failed(self._talk.failure(failed)) from None
        except FOREIGN_ERRORS as error:
            self.pooled = isinstance(error, PooledConnectionGone)
            failure = self._talk.failure(as_failure(error))
            # that it was closed while nobody used it says nothing; a new one will tell
            raise self._failed(replace(failure, blameless=self.pooled)) from error
        except UNREADABLE as error:
            raise self._failed(self._talk.odd(error)) from error

    def ending(self) -> Ending:
        """What the breaker needs to know."""
        return Ending(
            outcome=self.outcome,
            status=self.status,
            wait_s=self._wait_s,
            one_key=self._one_key,
            blameless=self._blameless,
            ttft_s=self.ttft_s,
        )

    def succeed(self) -> None:
        """The answer was whole; of one that is passed through, its status has the word."""
        self.outcome = judge_passed(self.status)
        self.ended_s = now_s = self._terms.now()
        self._one_key = self._upstream.keys.ended(
            self._talk.key, self.entry.model_label, self.outcome, self._wait_s, now_s
        )
        self._count()

    def break_off(self, failed: AnswerFailed) -> None:
        """The answer broke after its first content."""
        self._failed(self._talk.failure(failed))
        self._count()

    def call_off(self, outcome: Outcome) -> Failure:
        """End it for no fault of its own: another one was faster, or the application hung up."""
        self.ended_s = self._terms.now()
        if outcome is Outcome.HEDGE_LOST and self.first_token_s is None and self._call.stream:
            took_s = self.ended_s - self.began_s  # at least
            self._upstream.first_token_took(self.entry.model_label, took_s)
        self.outcome, self.answer = outcome, None
        self.failure = Failure(outcome=outcome, status=self.status)
        return self.failure

    def expire(self) -> None:
        """End a stream now, as when the time for the whole call is over."""
        if self._watch:
            self._watch.expire()

    @property
    def entry(self) -> Entry:
        """Whom it asks."""
        return self._step.entry

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self._call.method

    @property
    def status(self) -> int:
        """The status of the answer, 0 without one."""
        return self._talk.status

    @property
    def span_id(self) -> str:
        """Its span, within that of the request."""
        return self._talk.span_id

    @property
    def dropped(self) -> tuple[str, ...]:
        """The call's fields that the provider did not hear."""
        return self._talk.words.dropped

    @property
    def remaining(self) -> Remaining:
        """What the provider says is left of its rate limits."""
        return remaining(self._talk.answer.headers) if self._talk.answer else ()

    @property
    def broken_at(self) -> Stage | None:
        """Where a streamed answer broke, if it began and did."""
        if not self._call.stream or self.status != 200 or self.outcome not in FAILURES:
            return None
        return Stage.AFTER_CONTENT if self.stream else Stage.BEFORE_CONTENT

    @property
    def ttft_s(self) -> float | None:
        """Seconds to the first token, of what the provider streams."""
        if not self._call.stream or self.first_token_s is None:
            return None
        return self.first_token_s - self.began_s

    @property
    def duration_s(self) -> float:
        """Seconds from asking to the end, or to now."""
        return (self.ended_s or self._terms.now()) - self.began_s

    def headers(self) -> list[tuple[str, str]]:
        """The provider's headers that go on to the application."""
        return self._talk.headers()

    async def finish(self) -> None:
        """Read to the end of a whole answer, so that its connection can serve another."""
        if self._talk.answer and self.outcome is Outcome.OK:
            await drain(self._talk.answer)

    def close(self) -> None:
        """Let go of the provider."""
        if self._watch:
            self._watch.stop()
        self._talk.close()

    async def _ask(self) -> Whole | Stream | Answer:
        translation = self._talk.put()
        if translation is None:
            return await self._passed()
        if not self._call.stream:
            return await self._unstreamed(translation)
        if not self._wants_stream:
            return await self._assembled(translation)
        return await self._streamed(translation)

    async def _passed(self) -> Whole | Answer:
        self.passing = passing = Passing(self._talk, self.entry, self._terms)
        answer = await passing.ask(self._clocks.answer())
        self._wait_s = passing.wait_s
        return answer

    async def _unstreamed(self, translation: Translation) -> Whole:
        with limited(*self._clocks.answer()):
            body = await self._talk.body(await self._talk.accepted())
        answered = self._judged(translation.provider.read_answer(body))
        return Whole(body=translation.application.write_answer(answered))

    async def _assembled(self, translation: Translation) -> Whole:
        """What the provider streams, as the whole answer that was asked for."""
        assembler = translation.provider.assembler()
        telling = Telling(translation.provider.reader, Assembling(assembler))
        with limited(*self._clocks.answer()):
            opened = await self._opened(translation, telling)
            if isinstance(opened, Stream):
                await self._rest_of(opened)
                opened = self._judged(assembler.answered())
        return Whole(body=translation.application.write_answer(opened))

    async def _streamed(self, translation: Translation) -> Whole | Stream:
        opened = await self._opened(translation, self._telling(translation))
        if isinstance(opened, Answered):
            return self._as_stream(translation, opened)
        if self._terms.buffers:
            return Whole(body=await self._rest_of(opened), content_type=EVENT_STREAM)
        self.stream = opened
        return opened

    def _telling(self, translation: Translation) -> Telling:
        """How the stream is told: from the start, or from where another one broke off."""
        reader, broken = translation.provider.reader, self._terms.broken
        if broken:
            return Telling(reader, broken.writer, broken.told)
        told = Told() if self._terms.resumes else None
        return Telling(reader, translation.application.writer(), told)

    def _as_stream(self, translation: Translation, answered: Answered) -> Whole:
        """A whole answer as the stream that was asked for. Raises `AnswerFailed`."""
        if self._terms.broken:
            raise AnswerFailed(Outcome.PROTOCOL, "the provider does not stream", blameless=True)
        whole = translation.application.write_stream(answered)
        return Whole(body=whole, content_type=EVENT_STREAM)

    async def _opened(self, translation: Translation, telling: Telling) -> Answered | Stream:
        """A stream at its first content; a whole answer, where the provider does not stream."""
        loop = asyncio.get_running_loop()
        seconds, late = self._clocks.first_token(reasoning=self._call.reasoning)
        first_s = loop.time() + seconds
        with limited(seconds, late):
            answer = await self._talk.accepted()
            if answer.content_type == JSON:
                body = await self._talk.body(answer)
                return self._judged(translation.provider.read_answer(body))
        held = self._terms.buffers or not self._wants_stream
        ends_s = self._step.whole_s if held else self._terms.deadline_s
        self._watch = watch = Watch(
            first_s=first_s,
            idle_s=self.entry.timeouts.idle_s,
            end_s=loop.time() + ends_s - self._terms.now(),
            late=late,
        )
        judge = Judge(filter_fails=self._terms.filter_fails, choices=self._call.choices)
        stream = Stream(answer, telling, judge, watch, self._terms.limits.response_body_bytes)
        watch.start(answer.close)
        try:
            await stream.until_content(self._note_first_token)
        finally:
            self.usage = stream.usage  # what is refused or breaks off is paid for all the same
        self._show_content()
        return stream

    async def _rest_of(self, stream: Stream) -> bytes:
        """All that a stream says, held until it is whole. Raises `AnswerFailed`."""
        try:
            return await stream.read_all()
        finally:
            self.usage = stream.usage

    def _count(self) -> None:
        """Take over what a stream's provider has counted by now."""
        if self.stream:
            self.usage = self.stream.usage

    def _judged(self, answered: Answered) -> Answered:
        """A whole answer that is one. Raises `AnswerFailed`."""
        self.usage = answered.usage or self.usage
        if answered.filtered and self._terms.filter_fails:
            raise AnswerFailed(
                Outcome.CONTENT_FILTER, "the provider's content policy refused an answer"
            )
        if answered.empty:
            raise AnswerFailed(
                Outcome.GENERATION_FAILED, "the provider's answer is empty", blameless=True
            )
        self._note_first_token()
        return answered

    def _failed(self, failure: Failure) -> AttemptFailed:
        self.ended_s = self._terms.now()
        self.outcome = failure.outcome
        if self.status:
            failure, self._one_key = self._talk.heed(failure, self.ended_s)
        elif failure.outcome is Outcome.AUTH:
            self._one_key = True  # the credential was never sent: it is renewed in its own time
        self._wait_s = failure.wait_s
        self._blameless = failure.blameless
        self.failure = failure
        return AttemptFailed(failure)

    def _show_content(self) -> None:
        """Say once that there is content, be it that nobody is to hear of it yet."""
        if self.on_content:
            self.on_content(self)
            self.on_content = None

    def _note_first_token(self) -> None:
        if self.first_token_s is None:
            self.first_token_s = self._terms.now()
            if self.on_first_token:
                self.on_first_token()
            if self._call.stream:
                self._upstream.first_token_took(
                    self.entry.model_label, self.first_token_s - self.began_s
                )
