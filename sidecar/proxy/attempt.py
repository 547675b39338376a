"""One attempt at one provider: ask, judge the head, get the whole answer or its first token."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from sidecar.core.answer import AnswerFailed, Judge
from sidecar.core.events import Stage, Usage
from sidecar.core.failover import Failure, Try
from sidecar.core.outcome import FAILURES, Outcome
from sidecar.core.permit import Ending
from sidecar.core.rejection import read_broken, read_failure
from sidecar.core.retry_after import retry_after_s
from sidecar.dialects.dialect import Answered, Untranslatable
from sidecar.dialects.responses.kept import Retelling, retold
from sidecar.dialects.translation import Translation
from sidecar.proxy.answers import (
    EVENT_STREAM,
    JSON,
    SSE,
    AttemptFailed,
    Terms,
    Whole,
    judge_passed,
    parse,
    unsayable,
)
from sidecar.proxy.call import Call
from sidecar.proxy.clocks import Clocks
from sidecar.proxy.lessons import Asked, heed, in_view_of
from sidecar.proxy.stream import Stream
from sidecar.proxy.upstream import (
    FOREIGN_ERRORS,
    UNREADABLE,
    Upstream,
    as_failure,
    drain,
    read_bounded,
    read_pieces,
    read_start,
    retold_pieces,
    unread,
)
from sidecar.proxy.watch import Watch, limited
from sidecar.proxy.wire import Answer
from sidecar.proxy.words import SILENCE, put

log = logging.getLogger(__name__)

# Of what is passed through: the operator's fault, and none of the application's business.
OPERATORS_STATUS = {
    401: Outcome.AUTH,
    402: Outcome.QUOTA_EXHAUSTED,
    403: Outcome.NOT_SUPPORTED,  # of this path perhaps, so the provider is not parked for it
}


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
        self._upstream = upstream
        self._call = call
        self._step = step
        self._terms = terms
        self._clocks = Clocks(step, terms.now)
        self._words = SILENCE  # until the call is put into the provider's
        self._key = 0
        self._one_key = False
        self._blameless = False
        self._wait_s: float | None = None
        self._answer: Answer | None = None
        self._watch: Watch | None = None

    async def ask(self) -> Whole | Stream | Answer:
        """Get an answer that is worth passing on. Raises `AttemptFailed`.

        An `Answer` is one that is passed through unjudged; its body is still to come.
        """
        try:
            return await self._ask()
        except Untranslatable as beyond:
            raise self._failed(unsayable(beyond)) from None
        except AnswerFailed as failed:
            raise self._failed(self._failure(failed)) from None
        except FOREIGN_ERRORS as error:
            raise self._failed(self._failure(as_failure(error))) from error
        except UNREADABLE as error:
            raise self._failed(self._odd(error)) from error

    def ending(self) -> Ending:
        """What the breaker needs to know."""
        return Ending(
            outcome=self.outcome,
            status=self.status,
            wait_s=self._wait_s,
            one_key=self._one_key,
            blameless=self._blameless,
        )

    def succeed(self) -> None:
        """The answer was whole; of one that is passed through, its status has the word."""
        self.outcome = judge_passed(self.status)
        self.ended_s = now_s = self._terms.now()
        self._one_key = self._upstream.keys.ended(
            self._key, self._step.entry.model_label, self.outcome, self._wait_s, now_s
        )
        self._count()

    def break_off(self, failed: AnswerFailed) -> None:
        """The answer broke after its first content."""
        self._failed(self._failure(failed))
        self._count()

    def expire(self) -> None:
        """End a stream now, as when the time for the whole call is over."""
        if self._watch:
            self._watch.expire()

    @property
    def dropped(self) -> tuple[str, ...]:
        """The call's fields that the provider did not hear."""
        return self._words.dropped

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

    def headers(self) -> list[tuple[str, str]]:
        """The provider's headers that go on to the application."""
        return self._answer.passable_headers() if self._answer else []

    @property
    def length(self) -> int | None:
        """How long the body of what is passed through is, if that is known."""
        return self._answer.length if self._answer and not self._words.kept else None

    def pieces(self) -> AsyncIterator[bytes]:
        """The body of what is passed through. Raises `AnswerFailed` where it breaks or stalls."""
        pieces = read_pieces(self._answer, self._step.entry.timeouts.idle_s)
        if self._answer is None or not self._is_kept(self._answer, SSE):
            return pieces
        limit = self._terms.limits.response_body_bytes
        return retold_pieces(pieces, Retelling(self._step.entry.provider.name, limit))

    async def finish(self) -> None:
        """Read to the end of a whole answer, so that its connection can serve another."""
        if self._answer and self.outcome is Outcome.OK:
            await drain(self._answer)

    def close(self) -> None:
        """Let go of the provider: at once, unless the answer is whole and its connection good."""
        if self._watch:
            self._watch.stop()
        if self._answer:
            self._answer.close()

    async def _ask(self) -> Whole | Stream | Answer:
        model, terms = self._step.entry.model, self._terms
        self._words = words = put(self._call, model, self._upstream, terms.unix(), terms.now())
        if words.translation is None:
            return await self._passed()
        if self._call.stream:
            return await self._streamed(words.translation)
        return await self._unstreamed(words.translation)

    async def _unstreamed(self, translation: Translation) -> Whole:
        with limited(*self._clocks.answer()):
            body = await self._read_body(await self._accepted())
        answered = self._judge_whole(translation, body)
        if answered.empty:
            raise AnswerFailed(
                Outcome.GENERATION_FAILED, "the provider's answer is empty", blameless=True
            )
        return Whole(body=translation.application.write_answer(answered))

    async def _streamed(self, translation: Translation) -> Whole | Stream:
        loop = asyncio.get_running_loop()
        seconds, late = self._clocks.first_token(reasoning=self._call.reasoning)
        first_s = loop.time() + seconds
        with limited(seconds, late):
            answer = await self._accepted()
            if answer.content_type == JSON:
                answered = self._judge_whole(translation, await self._read_body(answer))
                whole = translation.application.write_stream(answered)
                return Whole(body=whole, content_type=EVENT_STREAM)
        self._watch = Watch(
            first_s=first_s,
            idle_s=self._step.entry.timeouts.idle_s,
            end_s=loop.time() + self._terms.deadline_s - self._terms.now(),
            late=late,
        )
        return await self._until_content(answer, translation, self._watch)

    async def _passed(self) -> Whole | Answer:
        """Whatever the provider says, unless that is the operator's fault."""
        with limited(*self._clocks.answer()):
            answer = await self._send()
            if answer.status < 400 and not self._is_kept(answer, JSON):
                return answer
            body = await self._read_body(answer)
        if answer.status < 400:
            return Whole(body=retold(body, self._step.entry.provider.name), status=answer.status)
        if outcome := OPERATORS_STATUS.get(answer.status):
            raise AnswerFailed(outcome, "")
        self._wait_s = retry_after_s(answer.headers, None, self._terms.unix())
        stated = answer.headers.get("Content-Type", "")
        return Whole(body=body, content_type=stated, status=answer.status)

    def _is_kept(self, answer: Answer, content_type: str) -> bool:
        """Whether it may name a response that the provider keeps."""
        return self._words.kept and answer.content_type == content_type

    async def _until_content(
        self, answer: Answer, translation: Translation, watch: Watch
    ) -> Stream:
        judge = Judge(filter_fails=self._terms.filter_fails, choices=self._call.choices)
        limit = self._terms.limits.response_body_bytes
        stream = Stream(answer, translation, judge, watch, limit)
        watch.start(answer.close)
        try:
            await stream.until_content(self._note_first_token)
        finally:
            self.usage = stream.usage  # what is refused or breaks off is paid for all the same
        self.stream = stream
        return stream

    def _count(self) -> None:
        """Take over what a stream's provider has counted by now."""
        if self.stream:
            self.usage = self.stream.usage

    async def _accepted(self) -> Answer:
        """Ask; an answer whose head is good."""
        answer = await self._send()
        if answer.status != 200:
            raise await self._refused(answer)
        return answer

    async def _send(self) -> Answer:
        entry = self._step.entry
        self._key = self._upstream.keys.pick(entry.model_label, self._terms.now())
        connect_s = entry.timeouts.connect_s
        answer = await self._upstream.send(self._words.request, self._key, connect_s)
        self._answer, self.status = answer, answer.status
        return answer

    async def _refused(self, answer: Answer) -> AttemptFailed:
        """An error status: what it means, and when to come back."""
        body = parse(answer.scrub(await read_start(answer)))
        rules = self._upstream.provider.errors
        now_unix = self._terms.unix()
        failure = read_failure(answer.status, answer.headers, body, now_unix, rules)
        return self._failed(in_view_of(self._call, failure))

    async def _read_body(self, answer: Answer) -> bytes:
        return answer.scrub(await read_bounded(answer, self._terms.limits.response_body_bytes))

    def _failure(self, failed: AnswerFailed) -> Failure:
        return read_broken(self.status, failed, self._upstream.provider.errors)

    def _odd(self, error: BaseException) -> Failure:
        """What nobody foresaw: in an answer, or else in the request: then nobody is to blame."""
        if self._answer is None:
            log.warning("a request could not be sent", exc_info=error)
            return unsayable(Untranslatable("The request cannot be sent to the provider."))
        log.warning("an answer could not be read", exc_info=error)
        return self._failure(unread(error))

    def _failed(self, failure: Failure) -> AttemptFailed:
        self.ended_s = self._terms.now()
        self.outcome = failure.outcome
        if self.status:
            failure, self._one_key = heed(self._asked, failure, self.ended_s)
        elif failure.outcome is Outcome.AUTH:
            self._one_key = True  # the credential was never sent: it is renewed in its own time
        self._wait_s = failure.wait_s
        self._blameless = failure.blameless
        return AttemptFailed(failure)

    @property
    def _asked(self) -> Asked:
        request = self._words.request
        return Asked(self._call, self._step.entry, self._upstream, request, self._key)

    def _judge_whole(self, translation: Translation, body: bytes) -> Answered:
        answered = translation.provider.read_answer(body)
        self.usage = answered.usage
        if answered.filtered and self._terms.filter_fails:
            raise AnswerFailed(
                Outcome.CONTENT_FILTER, "the provider's content policy refused an answer"
            )
        self._note_first_token()
        return answered

    def _note_first_token(self) -> None:
        self.first_token_s = self.first_token_s or self._terms.now()
