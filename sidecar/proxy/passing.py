"""What goes through to one provider and back unjudged: paths that no chain serves."""

from __future__ import annotations

from collections.abc import AsyncIterator

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome
from sidecar.core.retry_after import retry_after_s
from sidecar.core.settings import Entry
from sidecar.dialects.responses.kept import Retelling, retold
from sidecar.proxy.answers import JSON, SSE, Terms, Whole
from sidecar.proxy.clocks import Limit
from sidecar.proxy.conversation import Conversation
from sidecar.proxy.upstream import read_pieces, retold_pieces
from sidecar.proxy.watch import limited
from sidecar.proxy.wire import Answer

# The operator's fault, and none of the application's business.
OPERATORS_STATUS = {
    401: Outcome.AUTH,
    402: Outcome.QUOTA_EXHAUSTED,
    403: Outcome.NOT_SUPPORTED,  # of this path perhaps, so the provider is not parked for it
}


class Passing:
    """An answer on its way through. `wait_s` is how long the provider asked us to stay away."""

    def __init__(self, talk: Conversation, entry: Entry, terms: Terms) -> None:
        self.wait_s: float | None = None
        self._talk = talk
        self._entry = entry
        self._terms = terms

    async def ask(self, limit: Limit) -> Whole | Answer:
        """Whatever the provider says, unless that is the operator's fault."""
        with limited(*limit):
            answer = await self._talk.send()
            is_good = answer.status < 300  # what a redirect says may hold a key, as an error may
            if is_good and not self._is_kept(answer, JSON):
                return answer
            body = await self._talk.body(answer)
        if is_good:
            return Whole(body=retold(body, self._entry.provider.name), status=answer.status)
        if outcome := OPERATORS_STATUS.get(answer.status):
            raise AnswerFailed(outcome, "")
        self.wait_s = retry_after_s(answer.headers, None, self._terms.unix())
        return Whole(body=body, content_type="", status=answer.status)  # as its headers say

    @property
    def length(self) -> int | None:
        """How long the body is, if that is known."""
        answer = self._talk.answer
        return answer.length if answer and not self._talk.words.kept else None

    def pieces(self) -> AsyncIterator[bytes]:
        """The body. Raises `AnswerFailed` where it breaks or stalls."""
        answer = self._talk.answer
        pieces = read_pieces(answer, self._entry.timeouts.idle_s)
        if answer is None or not self._is_kept(answer, SSE):
            return pieces
        limit = self._terms.limits.response_body_bytes
        return retold_pieces(pieces, Retelling(self._entry.provider.name, limit))

    def _is_kept(self, answer: Answer, content_type: str) -> bool:
        """Whether it may name a response that the provider keeps."""
        return self._talk.words.kept and answer.content_type == content_type
