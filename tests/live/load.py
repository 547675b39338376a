"""Applications that ask one call after the other, each call with words of its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from sidecar.faults.provider import ScriptedProvider
from tests.live.pods import Heard, Pod


@dataclass(slots=True)
class Load:
    """What the applications heard, by the words of their calls."""

    heard: dict[str, Heard] = field(default_factory=dict)
    is_over: bool = False
    _numbers: count[int] = field(default_factory=count)

    async def ask_on(self, pod: Pod, pause_s: float) -> None:
        """Ask until it is over, and have each call answered."""
        while not self.is_over:
            words = f"call {next(self._numbers)}"
            self.heard[words] = await pod.chat(words)
            await asyncio.sleep(pause_s)

    async def more(self, calls: int) -> list[float]:
        """Wait for so many more answers; how long each of them took."""
        before = len(self.heard)
        while len(self.heard) < before + calls:  # noqa: ASYNC110  a dict has no event
            await asyncio.sleep(0.005)
        return [heard.seconds for heard in list(self.heard.values())[before:]]

    def not_asked_once(self, *providers: ScriptedProvider) -> dict[str, int]:
        """The words that not exactly one provider was asked, once; how often they were."""
        asked = Counter(
            call.json["messages"][0]["content"] for provider in providers for call in provider.calls
        )
        return {words: asked[words] for words in self.heard if asked[words] != 1}


@asynccontextmanager
async def a_load(pods: Sequence[Pod], each: int = 1, pause_s: float = 0.02) -> AsyncIterator[Load]:
    """`each` applications at every one of `pods`, as long as the context lasts."""
    load = Load()
    async with asyncio.TaskGroup() as applications:
        for pod in pods:
            for _ in range(each):
                applications.create_task(load.ask_on(pod, pause_s))
        try:
            yield load
        finally:
            load.is_over = True
