"""Keeps what expires fresh: renewed early, in a thread, and once for all who need it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome

log = logging.getLogger(__name__)

EARLY_S = 300.0  # metadata servers hand out the old one until about five minutes before its end
AGAIN_S = 30.0
SOON_S = 5.0  # where nothing is held any more; until then calls fail over at once
SPENT_S = 10.0  # what ends sooner might end on its way to the provider

T = TypeVar("T")


class Lasting(NamedTuple, Generic[T]):
    """A value that is good for `lasts_s` more seconds, and what in it is secret."""

    value: T
    lasts_s: float
    secrets: tuple[bytes, ...]


class Renewed(Generic[T]):
    """The latest value that `fetch` returned, as long as it lasts.

    `fetch` may block: it runs in a thread, never twice at a time. `now` is a monotonic clock.
    `secrets` are those of the latest value and of the one before, which may still be in use.
    """

    def __init__(
        self, fetch: Callable[[], Lasting[T]], now: Callable[[], float], provider: str
    ) -> None:
        self.secrets: tuple[bytes, ...] = ()
        self._fetch = fetch
        self._now = now
        self._provider = provider
        self._held: Lasting[T] | None = None
        self._end_s = float("-inf")  # of what is held
        self._due_s = float("-inf")  # when to renew it
        self._renewal: asyncio.Task[None] | None = None

    async def get(self) -> T:
        """The value. Nobody waits for an early renewal. Raises `AnswerFailed`."""
        now_s = self._now()
        if self._renewal is None and now_s >= self._due_s:
            self._renewal = asyncio.create_task(self._renew())
        if self._renewal and now_s >= self._end_s:
            await asyncio.wait((self._renewal,))  # who stops waiting does not stop it
        if self._held and self._now() < self._end_s:
            return self._held.value
        raise AnswerFailed(Outcome.AUTH, "the sidecar has no valid credentials for the provider")

    async def close(self) -> None:
        """Return when no renewal is under way any more."""
        if self._renewal:
            await asyncio.wait((self._renewal,))

    async def _renew(self) -> None:
        try:
            self._hold(await asyncio.to_thread(self._fetch))
        except Exception as error:  # of whichever library, or of what it reads
            now_s = self._now()
            self._due_s = now_s + max(SOON_S, min(AGAIN_S, self._end_s - now_s))
            log.warning(
                "credentials could not be renewed",
                exc_info=error,
                extra={"provider": self._provider},
            )
        finally:
            self._renewal = None

    def _hold(self, new: Lasting[T]) -> None:
        now_s = self._now()
        old = self._held.secrets if self._held else ()
        self.secrets = tuple(dict.fromkeys((*new.secrets, *old)))
        self._held = new
        self._end_s = now_s + new.lasts_s - SPENT_S
        self._due_s = min(self._end_s, now_s + max(AGAIN_S, new.lasts_s - EARLY_S))
