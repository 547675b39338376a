"""The status as server-sent events: the newest one each second, for a few listeners at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from aiohttp import web

from sidecar.clock import Clock
from sidecar.core.sse import encode
from sidecar.proxy.replies import cut

MAX_LISTENERS = 8
EVERY_S = 1.0
PATIENCE_S = 15.0  # for a listener that takes nothing of the last event
ANY_SIZE = 2**30


class Feed:
    """Tells listeners what `snapshot` gives, which is asked at most twice a second for all of them.

    A listener that has not taken the last event yet misses the next: at most one is held for each.
    """

    def __init__(
        self, snapshot: Callable[[], bytes], clock: Clock, headers: Mapping[str, str]
    ) -> None:
        self._snapshot = snapshot
        self._clock = clock
        self._headers = {"Content-Type": "text/event-stream", **headers}
        self._listeners = 0
        self._event = b""
        self._event_s = float("-inf")

    @property
    def is_full(self) -> bool:
        """Whether nobody else may listen."""
        return self._listeners >= MAX_LISTENERS

    async def tell(self, request: web.BaseRequest) -> web.StreamResponse:
        """Tell `request` until it hangs up, or is cut because it takes nothing."""
        response = web.StreamResponse(headers=self._headers)
        self._listeners += 1
        try:
            with suppress(ConnectionError):
                await response.prepare(request)
                await self._tell(request, response)
        finally:
            self._listeners -= 1
        return response

    async def _tell(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        if request.transport:  # a write never waits: what is unsent is looked at instead
            request.transport.set_write_buffer_limits(high=ANY_SIZE)
        told_s = self._clock.monotonic()
        while self._clock.monotonic() - told_s < PATIENCE_S:
            if not unsent(request):
                await response.write(self._newest())
                told_s = self._clock.monotonic()
            await self._clock.sleep(EVERY_S)
        cut(request)

    def _newest(self) -> bytes:
        now_s = self._clock.monotonic()
        if now_s - self._event_s > EVERY_S / 2:
            self._event, self._event_s = encode(self._snapshot()), now_s
        return self._event


def unsent(request: web.BaseRequest) -> bool:
    """Whether something that was written is still on its way."""
    return bool(request.transport and request.transport.get_write_buffer_size())
