"""What is said to a provider in one attempt, and what it says: the head and the body."""

from __future__ import annotations

import logging
from dataclasses import replace

from sidecar.core.answer import AnswerFailed
from sidecar.core.failover import Failure, Try
from sidecar.core.rejection import read_broken, read_failure
from sidecar.dialects.dialect import Untranslatable
from sidecar.dialects.translation import Translation
from sidecar.proxy.answers import Terms, parse, unsayable
from sidecar.proxy.call import Call
from sidecar.proxy.lessons import Asked, Lesson, heed, in_view_of
from sidecar.proxy.traces import fresh_span_id
from sidecar.proxy.upstream import Upstream, read_bounded, read_start, unread
from sidecar.proxy.wire import Answer
from sidecar.proxy.words import SILENCE, Now, put

log = logging.getLogger(__name__)


class ProviderRefused(Exception):
    """The provider answered with an error status."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class Conversation:
    """One request and its answer. `status` is 0, and `answer` missing, until its head is there.

    `span_id` is the attempt's, of which the provider hears where it may.
    """

    def __init__(self, upstream: Upstream, call: Call, step: Try, terms: Terms) -> None:
        self.answer: Answer | None = None
        self.status = 0
        self.words = SILENCE  # until the call is put into the provider's
        self.key = 0
        self.span_id = fresh_span_id()
        self._upstream = upstream
        self._call = call
        self._step = step
        self._terms = terms

    def put(self) -> Translation | None:
        """Put the call into the provider's words; `None` where its answer goes on as it is."""
        terms, step = self._terms, self._step
        told = terms.broken.told if terms.broken else None
        now = Now(terms.unix(), terms.now())
        self.words = put(self._call, step.entry, self._upstream, now, told)
        if terms.trace:
            self.words = self.words.within(terms.trace.within(self.span_id))
        return self.words.translation

    async def send(self) -> Answer:
        """Ask; the head of whatever answer."""
        entry = self._step.entry
        self.key = self._upstream.keys.pick(entry.model_label, self._terms.now())
        connect_s = entry.timeouts.connect_s
        answer = await self._upstream.send(self.words.request, self.key, connect_s)
        self.answer, self.status = answer, answer.status
        return answer

    async def accepted(self) -> Answer:
        """Ask; an answer whose head is good. Raises `ProviderRefused`."""
        answer = await self.send()
        if answer.status != 200:
            raise ProviderRefused(await self._refusal(answer))
        return answer

    async def body(self, answer: Answer) -> bytes:
        """All of a body, without our credentials. Raises `AnswerFailed` for too long a one."""
        return answer.scrub(await read_bounded(answer, self._terms.limits.response_body_bytes))

    def failure(self, failed: AnswerFailed) -> Failure:
        """What an answer comes to that is none."""
        return read_broken(self.status, failed, self._upstream.provider.errors)

    def odd(self, error: BaseException) -> Failure:
        """What nobody foresaw: in an answer, or else in the request: then nobody is to blame."""
        if self.answer is None:
            log.warning("a request could not be sent", exc_info=error)
            return unsayable(Untranslatable("The request cannot be sent to the provider."))
        log.warning("an answer could not be read", exc_info=error)
        return self.failure(unread(error))

    def heed(self, failure: Failure, now_s: float) -> Lesson:
        """Remember what a failure teaches; without an answer it teaches nothing."""
        if not self.status:
            return Lesson(failure, one_key=False)
        request = self.words.request
        asked = Asked(self._call, self._step.entry, self._upstream, request, self.key)
        return heed(asked, failure, now_s)

    def headers(self) -> list[tuple[str, str]]:
        """The provider's headers that go on to the application."""
        return self.answer.passable_headers() if self.answer else []

    def close(self) -> None:
        """Let go of the provider: at once, unless the answer is whole and its connection good."""
        if self.answer:
            self.answer.close()

    async def _refusal(self, answer: Answer) -> Failure:
        """An error status: what it means, and when to come back."""
        body = parse(answer.scrub(await read_start(answer)))
        rules = self._upstream.provider.errors
        failure = read_failure(answer.status, answer.headers, body, self._terms.unix(), rules)
        return in_view_of(self._call, failure)


def streamed(call: Call) -> Call:
    """A call whose answer is to be streamed by the provider, though the application wants it whole.

    Its tokens are always counted, as they are in a whole answer.
    """
    fields = {**call.fields, "stream": True}
    return replace(call, stream=True, wants_usage=True, fields=fields, body=b"")
