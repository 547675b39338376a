"""What every store has to offer, whatever it is made of."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace

import pytest

from sidecar.core.events import State
from sidecar.core.record import Record
from sidecar.fleet.stores.base import Guard, LocalStore, Lost, Store
from sidecar.fleet.stores.memory import MemoryStore
from tests.fleet.scene import UNIX_S, FakeClock
from tests.fleet.stores.makers import MAKERS, Maker

NEW = Record(name="gemini", epoch=1, state=State.OPEN, until_ms=5)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=list(MAKERS.values()), ids=list(MAKERS))
async def store(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[Store]:
    make: Maker = request.param
    async with make(clock) as one:
        yield one


async def test_what_was_never_written_is_not_there(store: Store) -> None:
    assert (await store.sync(["gemini"], "a")).records == ()


async def test_the_first_write_is_from_revision_zero(store: Store) -> None:
    swap = await store.cas(0, NEW)

    assert (swap.done, swap.record) == (True, replace(NEW, rev=1))


async def test_what_was_written_is_read(store: Store) -> None:
    await store.cas(0, NEW)

    assert (await store.sync(["gemini", "other"], "a")).records == (replace(NEW, rev=1),)


async def test_records_of_other_names_are_not_read(store: Store) -> None:
    await store.cas(0, NEW)

    assert (await store.sync(["other"], "a")).records == ()


async def test_of_two_writes_from_one_revision_the_first_wins(store: Store) -> None:
    await store.cas(0, NEW)

    late = await store.cas(0, replace(NEW, epoch=9))

    assert (late.done, late.record) == (False, replace(NEW, rev=1))


async def test_a_write_from_a_revision_that_is_gone_is_refused(store: Store) -> None:
    swap = await store.cas(7, NEW)

    assert (swap.done, swap.record) == (False, None)


async def test_revisions_count_the_writes(store: Store) -> None:
    for seen in range(3):
        swap = await store.cas(seen, NEW)

    assert swap.record
    assert swap.record.rev == 3


async def test_a_write_that_says_a_higher_revision_is_followed_by_the_next(store: Store) -> None:
    first = await store.cas(0, replace(NEW, rev=1_800_000_000_000))
    assert first.record

    assert (await store.cas(first.record.rev, NEW)).done


@pytest.mark.parametrize(
    ("not_before", "not_after", "done"),
    [(0, 0, True), (0, 1, True), (1, 0, False), (0, -1, False), (-1, 1, True)],
    ids=["unbounded", "in time", "too early", "too late", "within"],
)
async def test_a_write_is_done_only_in_its_time(
    store: Store, not_before: int, not_after: int, done: bool
) -> None:
    now_ms = (await store.sync([], "a")).now_ms
    guard = Guard(
        not_before_ms=now_ms + not_before * 60_000 if not_before else 0,
        not_after_ms=now_ms + not_after * 60_000 if not_after else 0,
    )

    assert (await store.cas(0, NEW, guard)).done is done


async def test_a_write_repeated_under_its_token_is_done_once(store: Store) -> None:
    first = await store.cas(0, NEW, Guard(token="t"))

    again = await store.cas(0, NEW, Guard(token="t"))

    assert (again.done, again.record) == (first.done, first.record)


async def test_another_write_under_another_token_is_another(store: Store) -> None:
    await store.cas(0, NEW, Guard(token="t"))

    assert not (await store.cas(0, NEW, Guard(token="u"))).done


async def test_the_pods_that_synchronise_live(store: Store) -> None:
    await store.sync([], "a")

    assert set((await store.sync([], "b")).pods) == {"a", "b"}


async def test_changes_begin_with_the_advice_to_synchronise(store: Store) -> None:
    async with aclosing(_changes(store)) as changes:
        assert await anext(changes) == Lost()


async def test_every_write_is_pushed(store: Store) -> None:
    async with aclosing(_changes(store)) as changes:
        await anext(changes)
        await store.cas(0, NEW)

        assert await anext(changes) == replace(NEW, rev=1)


async def test_a_refused_write_is_not_pushed(store: Store) -> None:
    async with aclosing(_changes(store)) as changes:
        await anext(changes)
        await store.cas(7, NEW)
        await store.cas(0, NEW)

        assert await anext(changes) == replace(NEW, rev=1)


async def _changes(store: Store) -> AsyncGenerator[Record | Lost, None]:
    async for change in store.changes():
        yield change


# --- of memory alone


def test_memory_answers_at_once(clock: FakeClock) -> None:
    assert isinstance(MemoryStore(clock), LocalStore)


def test_memory_tells_unix_time(clock: FakeClock) -> None:
    assert MemoryStore(clock).now_ms() == UNIX_S * 1000


def test_a_stepping_wall_clock_does_not_move_memorys_time(clock: FakeClock) -> None:
    store = MemoryStore(clock)
    clock.unix_s -= 3600

    clock.now_s += 1.5

    assert store.now_ms() == (UNIX_S + 1.5) * 1000


async def test_a_pod_that_no_longer_synchronises_is_dead(clock: FakeClock) -> None:
    store = MemoryStore(clock)
    await store.sync([], "a")
    clock.turn(10.0)

    assert (await store.sync([], "b")).pods == ("b",)


async def test_a_reader_that_is_far_behind_is_told_to_synchronise(clock: FakeClock) -> None:
    store = MemoryStore(clock)
    async with aclosing(_changes(store)) as changes:
        await anext(changes)
        for seen in range(1001):
            store.swap_now(seen, NEW)

        assert await anext(changes) == Lost()
