"""A provider's turn in a call: its first try, and the further ones that a moment is worth.

The loop is that of aiohttp-retry. What it takes for a session makes one attempt a request, and
what it takes for a response is that attempt: so each one is settled and reported by itself, and
the answer of one that failed is let go before the wait for the next begins.
"""

from __future__ import annotations

from random import random
from typing import Any, Protocol, cast

from aiohttp import ClientResponse, ClientSession
from aiohttp_retry import RetryClient, RetryOptionsBase

from sidecar.core.events import ExtraResult
from sidecar.core.failover import Try
from sidecar.core.outcome import SkipReason
from sidecar.core.permit import Permit
from sidecar.core.retry import wait_before_retry
from sidecar.proxy.attempt import Attempt
from sidecar.proxy.upstream import Upstream

METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
WAITED = frozenset((SkipReason.COOLDOWN,))  # by this very call, as it was told to


class Asking(Protocol):
    """Who makes the attempts of a turn."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def leave(self, step: Try) -> Permit | None:
        """Leave for one more attempt, if there is any."""
        ...

    async def attempt(self, step: Try, permit: Permit) -> Attempt:
        """Make one; it is settled if it failed."""
        ...

    def retried(self, upstream: Upstream, result: ExtraResult) -> None:
        """Hear what an extra try came to."""
        ...


class Turn(RetryOptionsBase):
    """The options of aiohttp-retry for one provider in one call: what another try may cure.

    `first` is the try that failed; `tries` counts the extra ones in this call.
    """

    def __init__(
        self, asking: Asking, upstream: Upstream, step: Try, first: Attempt, tries: int
    ) -> None:
        self.tries = tries
        self._policy = upstream.provider.retry
        super().__init__(
            attempts=self._policy.attempts + 1,
            methods=METHODS,
            retry_all_server_errors=False,
            evaluate_response_callback=self._is_over,
        )
        self._asking = asking
        self._upstream = upstream
        self._step = step
        self._wait_s = 0.0
        self._last = first
        self._is_begun = False
        self._is_refused = False

    async def play(self) -> Attempt:
        """The attempt that has an answer, else the last of those that failed."""
        played = await RETRIES.request(self._last.method, "", retry_options=self, turn=self)
        return cast("Attempt", played)

    async def next_attempt(self) -> Attempt:
        """The attempt that was made already; then another one, where there is leave for it."""
        if self._is_begun:
            await self._try_again()
        self._is_begun = True
        return self._last

    async def _try_again(self) -> None:
        self.tries += 1
        step = self._step._replace(despite=self._step.despite | WAITED)
        permit = self._asking.leave(step)
        if permit is None:  # the breaker has opened meanwhile
            self._upstream.extra_tries.give_back()
            self._is_refused = True
            return
        self._last = await self._asking.attempt(step, permit)
        result = ExtraResult.RECOVERED if self._last.answer else ExtraResult.FAILED
        self._asking.retried(self._upstream, result)

    def get_timeout(self, attempt: int, response: ClientResponse | None = None) -> float:  # noqa: ARG002  known already
        """Seconds until the next try: as long as was found worth waiting."""
        return self._wait_s

    async def _is_over(self, response: ClientResponse) -> bool:
        """Whether another try would cure nothing, or may not be."""
        attempt = cast("Attempt", response)
        if attempt.failure is None or self._is_refused:
            return True
        wait_s = wait_before_retry(
            attempt.failure, self.tries, self._policy, pooled=attempt.pooled, chance=random()
        )
        if wait_s is None or self._asking.now() + wait_s >= self._step.until_s:
            return True
        if not self._upstream.extra_tries.spend():
            self._asking.retried(self._upstream, ExtraResult.NO_BUDGET)
            return True
        self._wait_s = wait_s
        return False


class Attempts:
    """What aiohttp-retry takes for a session."""

    async def request(self, _method: str, _url: str, *, turn: Turn, **_: Any) -> Attempt:
        """The next attempt of `turn`."""
        return await turn.next_attempt()


RETRIES = RetryClient(client_session=cast("ClientSession", Attempts()))
