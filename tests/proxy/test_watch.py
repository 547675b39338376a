"""The clocks of a stream."""

from __future__ import annotations

import asyncio

import pytest

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import Outcome
from sidecar.proxy.watch import Watch, limited

FIRST_TOKEN = Outcome.TIMEOUT_FIRST_TOKEN
SHORT_S = 0.02
LONG_S = 60.0


async def fired(watch: Watch, *, waiting: bool = True, within_s: float = 1.0) -> Outcome | None:
    """Which clock of `watch` ran out while nothing came."""
    cut = asyncio.Event()
    watch.start(cut.set)
    if waiting:
        watch.waiting()
    try:
        async with asyncio.timeout(within_s):
            await cut.wait()
    except TimeoutError:
        return None
    finally:
        watch.stop()
    return watch.fired


def a_watch(
    first_s: float, idle_s: float, end_s: float = LONG_S, late: Outcome = FIRST_TOKEN
) -> Watch:
    now = asyncio.get_running_loop().time()
    return Watch(first_s=now + first_s, idle_s=idle_s, end_s=now + end_s, late=late)


async def test_no_token_in_time_is_the_first_token_clock() -> None:
    assert await fired(a_watch(SHORT_S, LONG_S)) is Outcome.TIMEOUT_FIRST_TOKEN


async def test_a_first_token_is_late_under_the_name_it_was_given() -> None:
    watch = a_watch(SHORT_S, LONG_S, late=Outcome.TIMEOUT_TOTAL)

    assert await fired(watch) is Outcome.TIMEOUT_TOTAL


async def test_silence_after_early_progress_is_noticed_before_the_first_token_clock() -> None:
    watch = a_watch(LONG_S, SHORT_S)
    watch.start(lambda: None)
    watch.waiting()
    watch.progress()

    await asyncio.sleep(SHORT_S * 4)

    assert watch.fired is Outcome.TIMEOUT_IDLE
    watch.stop()


async def test_what_a_stalled_process_could_not_read_is_not_silence() -> None:
    watch = a_watch(LONG_S, SHORT_S)
    watch.start(lambda: None)
    watch.progress()
    watch.waiting()

    stand_still(0.2)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    watch.reading()  # what waited in the socket is read now
    watch.waiting()

    assert watch.fired is None
    watch.stop()


async def test_after_progress_only_silence_counts() -> None:
    watch = a_watch(SHORT_S, SHORT_S * 2)
    watch.progress()

    assert await fired(watch) is Outcome.TIMEOUT_IDLE


async def test_after_progress_the_chains_time_still_ends() -> None:
    watch = a_watch(SHORT_S, LONG_S, SHORT_S)
    watch.progress()

    assert await fired(watch) is Outcome.TIMEOUT_TOTAL


async def test_a_slow_reader_is_not_the_providers_silence() -> None:
    watch = a_watch(SHORT_S, SHORT_S)
    watch.progress()

    assert await fired(watch, waiting=False, within_s=SHORT_S * 10) is None


@pytest.mark.parametrize("clock", ["idle", "first"])
async def test_a_watch_that_stopped_cuts_nothing(clock: str) -> None:
    watch = a_watch(SHORT_S, SHORT_S)
    if clock == "idle":
        watch.progress()
    cuts: list[str] = []
    watch.start(lambda: cuts.append("cut"))
    watch.waiting()
    watch.stop()

    await asyncio.sleep(SHORT_S * 4)

    assert cuts == []


async def test_what_takes_too_long_fails_under_its_name() -> None:
    with pytest.raises(AnswerFailed) as failed, limited(SHORT_S, Outcome.TIMEOUT_ANSWER):
        await asyncio.sleep(LONG_S)

    assert failed.value.outcome is Outcome.TIMEOUT_ANSWER


async def test_what_is_in_time_is_left_alone() -> None:
    with limited(SHORT_S, Outcome.TIMEOUT_ANSWER):
        await asyncio.sleep(0)
    await asyncio.sleep(SHORT_S * 3)

    task = asyncio.current_task()
    assert task
    assert not task.cancelling()


async def test_a_timeout_of_somebody_else_stays_theirs() -> None:
    with pytest.raises(TimeoutError), limited(LONG_S, Outcome.TIMEOUT_ANSWER):
        raise TimeoutError


async def test_a_cancellation_from_outside_stays_one() -> None:
    async def wait() -> None:
        with limited(LONG_S, Outcome.TIMEOUT_ANSWER):
            await asyncio.sleep(LONG_S)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_at_the_very_moment_of_the_limit_is_not_swallowed() -> None:
    async def wait() -> None:
        with limited(SHORT_S, Outcome.TIMEOUT_ANSWER):
            await asyncio.sleep(LONG_S)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    loop.call_later(SHORT_S, task.cancel)

    with pytest.raises((asyncio.CancelledError, AnswerFailed)):
        await task


async def test_what_came_while_the_process_stood_still_is_in_time() -> None:
    loop = asyncio.get_running_loop()
    came: asyncio.Future[str] = loop.create_future()
    with limited(SHORT_S, Outcome.TIMEOUT_ANSWER):
        loop.call_soon(stand_still, 0.2)
        loop.call_later(0.01, came.set_result, "an answer")
        assert await came == "an answer"


def stand_still(seconds: float) -> None:
    """Keep everything from running, as SIGSTOP does."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + seconds
    while loop.time() < end_s:
        pass
