"""A store behind a bad network: what can happen to one that many pods share, and to the way there.

The `Server` is the store itself, a `Line` a pod's way to it. All chance comes from the one source
that both are given.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Generic, NamedTuple, Protocol, TypeVar

from sidecar.core.record import Record
from sidecar.fleet.stores.base import UNGUARDED, Guard, Lost, StoreUnavailable, Swap, Sync
from tests.fleet.simulated_loop import NOBODY, SimulatedLoop

T = TypeVar("T")

POD_LIVES_S = 10.0
BACK_S = 1.5  # so long it may take to act on an older word
UNIX_S = 1_700_000_000.0
TRIP_S = 0.0005  # of a message through the network, on average


@dataclass(frozen=True, kw_only=True)
class Weather:
    """How bad the network is: the shares of messages to which it happens."""

    late: float = 0.0  # an operation or its answer takes up to `late_s`
    late_s: float = 0.6
    unheard: float = 0.0  # an answer is lost after the work was done
    repeated: float = 0.0  # a write reaches the store again, a moment later, and that is answered
    lost_pushes: float = 0.0
    late_pushes: float = 0.0  # up to `late_s`: others overtake them
    stale_syncs: float = 0.0  # a replica answers that is up to `late_s` * 5 behind


FAIR = Weather()


class Write(NamedTuple):
    """A write that was done: by whom, over what, when the store did it and when it was asked.

    `missed` are pods of which the store had not heard for long, a moment before or still.
    """

    pod: str
    old: Record | None
    new: Record
    now_ms: int
    asked_ms: int
    missed: frozenset[str]


class Watcher(Protocol):
    """Who hears of everything that is written and forgotten."""

    def written(self, write: Write) -> None:
        """A write was done."""
        ...

    def forgotten(self, now: dict[str, Record]) -> None:
        """The store has gone back to what it has `now`."""
        ...


class Server:
    """The store itself: compare-and-swap in one place, and word of it to everybody."""

    is_guarded = True

    def __init__(self, loop: SimulatedLoop, chance: Random, watcher: Watcher) -> None:
        self.loop, self.chance, self.watcher = loop, chance, watcher
        self.weather = FAIR
        self.is_up, self.is_frozen = True, False
        self.records: dict[str, Record] = {}
        self.lines: list[Line] = []
        self.writes = 0
        self._tokens: dict[str, str] = {}
        self._seen_s: dict[str, float] = {}
        self._back_s: dict[str, float] = {}  # by pod: when it was heard of again
        self._backlog: list[Callable[[], None]] = []
        self._past: list[tuple[float, dict[str, Record]]] = [(0.0, {})]

    def now_ms(self) -> int:
        """The store's time."""
        return int((UNIX_S + self.loop.time()) * 1000)

    def swap(self, asked: _Asked, seen_rev: int, new: Record, guard: Guard) -> Swap:
        """As every store has to do it."""
        now_ms, old = self.now_ms(), self.records.get(new.name)
        if guard.token and self._tokens.get(new.name) == guard.token:
            return Swap(True, old, now_ms)
        admitted = guard.admits(now_ms) or not self.is_guarded
        if (old.rev if old else 0) != seen_rev or not admitted:
            return Swap(False, old, now_ms)
        stored = replace(new, rev=max(seen_rev + 1, new.rev))
        missed = self._missed()
        self.watcher.written(Write(asked.pod, old, stored, now_ms, asked.at_ms, missed))
        self.records = {**self.records, new.name: stored}
        self._past.append((self.loop.time(), self.records))
        self._tokens[new.name] = guard.token
        self.writes += 1
        for line in self.lines:
            line.push(stored)
        return Swap(True, stored, now_ms)

    def read(self, pod: str, names: Iterable[str]) -> Sync:
        """As every store has to do it, but a replica may answer that is behind."""
        now_s = self.loop.time()
        if self._seen_s.get(pod, 0.0) <= now_s - POD_LIVES_S:
            self._back_s[pod] = now_s
        self._seen_s[pod] = now_s
        records = self.records
        if self.chance.random() < self.weather.stale_syncs:
            records = self.records_of(now_s - self.chance.uniform(0, 5 * self.weather.late_s))
        pods = sorted(p for p, at_s in self._seen_s.items() if at_s > now_s - POD_LIVES_S)
        found = filter(None, map(records.get, names))
        return Sync(self.now_ms(), tuple(found), tuple(pods))

    def _missed(self) -> frozenset[str]:
        now_s = self.loop.time()
        gone = {pod for pod, at_s in self._seen_s.items() if at_s <= now_s - POD_LIVES_S}
        back = {pod for pod, at_s in self._back_s.items() if at_s >= now_s - BACK_S}
        return frozenset(gone | back)

    def records_of(self, at_s: float) -> dict[str, Record]:
        """What it had at that time."""
        return self._past[bisect_right(self._past, at_s, key=lambda one: one[0]) - 1][1]

    def go_back(self, records: dict[str, Record]) -> None:
        """Restart with what an old replica has, or with nothing."""
        self.watcher.forgotten(records)
        self.records = records
        self._past = [(0.0, records)]
        self._tokens.clear()

    def work(self, request: Callable[[], None]) -> None:
        """Do it now, or when it is awake."""
        if self.is_frozen:
            self._backlog.append(request)
        elif self.is_up:
            request()

    def freeze(self) -> None:
        """Answer nobody; what is asked meanwhile is done later."""
        self.is_frozen = True

    def thaw(self) -> None:
        """Go on."""
        self.is_frozen = False
        backlog, self._backlog = self._backlog, []
        for request in backlog:
            self.work(request)

    def stop(self) -> None:
        """Be gone: every connection ends."""
        self.is_up = False
        self._backlog.clear()
        for line in self.lines:
            line.break_off()

    def start(self) -> None:
        """Be there again."""
        self.is_up = True

    def trip_s(self, late: float) -> float:
        """How long a message takes, `late` being the share of those that take long."""
        if late and self.chance.random() < late:
            return self.chance.uniform(0.0, self.weather.late_s)
        return self.chance.expovariate(1 / TRIP_S)

    def happens(self, share: float) -> bool:
        """Whether it happens this time."""
        return share > 0 and self.chance.random() < share


class Line:
    """One pod's way to the store. `is_cut`: nothing gets through, and nobody is told so."""

    def __init__(self, server: Server, pod: str) -> None:
        self.pod = pod
        self.is_cut = False
        self.asked = 0
        self.pods_heard = 0  # of the last two answers to a sync
        self._last_heard = 2
        self.on_answer: Callable[[Record, Swap], None] = _ignore
        self._server = server
        self._feeds: list[Feed] = []
        server.lines.append(self)

    async def sync(self, names: Iterable[str], pod: str) -> Sync:
        """Read everything."""
        sync = await self._exchange(_Request(partial(self._server.read, pod, tuple(names))))
        self.pods_heard, self._last_heard = max(self._last_heard, len(sync.pods)), len(sync.pods)
        return sync

    async def cas(self, seen_rev: int, new: Record, guard: Guard = UNGUARDED) -> Swap:
        """Write `new`."""
        self.asked += 1
        weather = self._server.weather
        asked = _Asked(self.pod, self._server.now_ms())
        request = _Request(partial(self._server.swap, asked, seen_rev, new, guard))
        request.is_repeated = self._server.happens(weather.repeated)
        swap = await self._exchange(request)
        self.on_answer(new, swap)
        return swap

    def changes(self) -> Feed:
        """Listen."""
        return Feed(self)

    async def close(self) -> None:
        """Hang up."""
        self.break_off()
        if self in self._server.lines:
            self._server.lines.remove(self)

    def push(self, record: Record) -> None:
        """Have the network bring word of a write."""
        server, weather = self._server, self._server.weather
        for feed in self._feeds:
            if not self.is_cut and not server.happens(weather.lost_pushes):
                delay_s = server.trip_s(weather.late_pushes)
                server.loop.call_later(delay_s, self._bring, feed, record, context=NOBODY)

    def break_off(self) -> None:
        """End what was listened to."""
        feeds, self._feeds = self._feeds, []
        for feed in feeds:
            feed.put(StoreUnavailable("the connection is gone"))

    def interrupt(self) -> None:
        """End it, and begin again at once, as a client that reconnects by itself."""
        for feed in self._feeds:
            feed.put(Lost())

    async def listen(self, feed: Feed) -> None:
        """Begin to bring word to `feed`."""
        await self._exchange(_Request(lambda: self._feeds.append(feed)))

    def _bring(self, feed: Feed, record: Record) -> None:
        if feed in self._feeds and not self.is_cut:
            feed.put(record)

    async def _exchange(self, request: _Request[T]) -> T:
        server = self._server
        request.answer = server.loop.create_future()
        first_s = server.trip_s(server.weather.late)
        if request.is_repeated:
            again = partial(self._arrive, request, True)
            server.loop.call_later(first_s + server.chance.uniform(0, 0.1), again, context=NOBODY)
        first = partial(self._arrive, request, not request.is_repeated)
        server.loop.call_later(first_s, first, context=NOBODY)
        return await request.answer

    def _arrive(self, request: _Request[T], is_answered: bool) -> None:
        if self.is_cut:
            return
        if not self._server.is_up:
            _refuse(request)
        self._server.work(partial(self._serve, request, is_answered))

    def _serve(self, request: _Request[T], is_answered: bool) -> None:
        server = self._server
        result = request.work()
        if is_answered and not server.happens(server.weather.unheard):
            delay_s = server.trip_s(server.weather.late)
            server.loop.call_later(delay_s, self._hear, request, result, context=NOBODY)

    def _hear(self, request: _Request[T], result: T) -> None:
        if request.answer and not request.answer.done() and not self.is_cut:
            request.answer.set_result(result)


class Feed:
    """What a pod listens to. The first word is that it may have missed something."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._news: deque[Record | Lost | StoreUnavailable] = deque([Lost()])
        self._waiting: asyncio.Future[None] | None = None
        self._is_open = False

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> Record | Lost:
        if not self._is_open:
            self._is_open = True
            await self._line.listen(self)
        while not self._news:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        news = self._news.popleft()
        if isinstance(news, StoreUnavailable):
            raise news
        return news

    def put(self, news: Record | Lost | StoreUnavailable) -> None:
        """Bring word."""
        self._news.append(news)
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(None)


class _Asked(NamedTuple):
    """Who asked, and when."""

    pod: str
    at_ms: int


class _Request(Generic[T]):
    """What is asked of the store, and the answer that is waited for."""

    def __init__(self, work: Callable[[], T]) -> None:
        self.work = work
        self.answer: asyncio.Future[T] | None = None
        self.is_repeated = False


def _refuse(request: _Request[T]) -> None:
    if request.answer and not request.answer.done():
        request.answer.set_exception(StoreUnavailable("nobody listens there"))


def _ignore(_: Record, __: Swap) -> None:
    """Nobody wants to hear of it."""
