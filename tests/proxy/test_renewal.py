"""What expires is renewed in time, once for all, and in nobody's way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome
from sidecar.proxy.renewal import AGAIN_S, EARLY_S, SOON_S, SPENT_S, Lasting, Renewed

HOUR_S = 3600.0


class Source:
    """Hands out numbers, each good for `lasts_s`, in a time that the test determines."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.lasts_s = HOUR_S
        self.asked = 0
        self.fails = False
        self.open = threading.Event()
        self.open.set()
        self.renewed = Renewed(self.fetch, lambda: self.now_s, "vertex")

    def fetch(self) -> Lasting[int]:
        """The next number, once the gate is open."""
        self.asked += 1
        number = self.asked
        self.open.wait()
        if self.fails:
            raise ConnectionError("secret")
        return Lasting(number, self.lasts_s, (f"secret {number}".encode(),))

    async def got(self) -> int | Outcome:
        """What a call gets, after whatever is under way has ended."""
        try:
            return await self.renewed.get()
        except AnswerFailed as failed:
            return failed.outcome
        finally:
            if self.open.is_set():
                await self.renewed.close()


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    source = Source()
    yield source
    source.open.set()
    await source.renewed.close()


async def test_calls_that_come_together_share_one_renewal(source: Source) -> None:
    numbers = await asyncio.gather(*(source.renewed.get() for _ in range(20)))

    assert (set(numbers), source.asked) == ({1}, 1)


async def test_what_lasts_is_kept(source: Source) -> None:
    first = await source.got()
    source.now_s += HOUR_S - EARLY_S - 1

    assert (first, await source.got(), source.asked) == (1, 1, 1)


async def test_nobody_waits_for_an_early_renewal(source: Source) -> None:
    await source.got()
    source.now_s += HOUR_S - EARLY_S
    source.open.clear()

    assert [await source.got() for _ in range(3)] == [1, 1, 1]


async def test_what_was_renewed_early_takes_the_place_of_the_old(source: Source) -> None:
    await source.got()
    source.now_s += HOUR_S - EARLY_S
    await source.got()

    assert await source.got() == 2


async def test_what_would_end_on_its_way_is_not_given(source: Source) -> None:
    await source.got()
    source.now_s += HOUR_S - SPENT_S

    assert await source.got() == 2


async def test_what_is_near_its_end_from_the_start_is_not_asked_for_at_every_call(
    source: Source,
) -> None:
    source.lasts_s = EARLY_S - 1
    got = [await source.got() for _ in range(3)]
    source.now_s += AGAIN_S
    await source.got()

    assert (got, await source.got()) == ([1, 1, 1], 2)


async def test_what_lasts_for_less_than_the_time_between_tries_is_not_kept_beyond_its_end(
    source: Source,
) -> None:
    source.lasts_s = AGAIN_S / 2
    await source.got()
    source.now_s += AGAIN_S / 2

    assert await source.got() == 2


async def test_the_old_serves_on_while_renewing_fails(source: Source) -> None:
    await source.got()
    source.fails = True
    source.now_s += HOUR_S - EARLY_S
    got = [await source.got() for _ in range(3)]

    assert (got, source.asked) == ([1, 1, 1], 2)


async def test_after_a_failure_it_is_tried_again(source: Source) -> None:
    await source.got()
    source.fails = True
    source.now_s += HOUR_S - EARLY_S
    await source.got()
    source.fails = False
    source.now_s += AGAIN_S
    await source.got()

    assert await source.got() == 3


async def test_without_anything_valid_a_call_fails(source: Source) -> None:
    await source.got()
    source.fails = True
    source.now_s += HOUR_S

    assert await source.got() is Outcome.AUTH


async def test_without_anything_valid_it_is_soon_tried_again(source: Source) -> None:
    source.fails = True
    await source.got()
    source.fails = False
    source.now_s += SOON_S

    assert await source.got() == 2


async def test_until_then_calls_fail_at_once(source: Source) -> None:
    source.fails = True

    assert [await source.got() for _ in range(3)] == [Outcome.AUTH] * 3
    assert source.asked == 1


async def test_why_a_call_fails_quotes_nothing(source: Source) -> None:
    source.fails = True

    with pytest.raises(AnswerFailed) as failed:
        await source.renewed.get()

    assert "secret" not in failed.value.message


async def test_a_failure_is_logged(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    source.fails = True
    await source.got()

    assert [(one.getMessage(), vars(one)["provider"]) for one in caplog.records] == [
        ("credentials could not be renewed", "vertex")
    ]


async def test_a_call_that_hangs_up_does_not_end_the_renewal_for_the_others(
    source: Source,
) -> None:
    source.open.clear()
    first, second = (asyncio.create_task(source.renewed.get()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    source.open.set()

    assert (await second, source.asked) == (1, 1)


async def test_closing_waits_for_the_renewal_under_way(source: Source) -> None:
    await source.got()
    source.now_s += HOUR_S - EARLY_S
    source.open.clear()
    await source.got()
    closing = asyncio.create_task(source.renewed.close())
    await asyncio.sleep(0.01)
    closed_early = closing.done()
    source.open.set()
    await closing

    assert (closed_early, await source.renewed.get()) == (False, 2)


async def test_the_secrets_are_those_that_may_still_be_in_use(source: Source) -> None:
    for _ in range(3):
        await source.got()
        source.now_s += HOUR_S

    assert source.renewed.secrets == (b"secret 3", b"secret 2")
