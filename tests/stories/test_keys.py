"""Several keys for one provider: one that is limited or bad costs nobody an answer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import pytest

from sidecar.faults.answer import Scene
from sidecar.faults.catalog import Effect, Fault, fault, status
from sidecar.faults.refusals import openai
from sidecar.faults.steps import Step
from tests.stories.desk import WORD, Desk, Heard, a_desk, speaks

A, B, LONE = "sk-key-a-of-the-pool", "sk-key-b-of-the-pool", "sk-lone-key-of-second"
CONFIG = """
providers:
  first: {kind: openai, base_url: "${FIRST}", api_keys: ["${A}", "${B}"]}
  second: {kind: openai, base_url: "${SECOND}", api_key: "${LONE}"}
routes:
  - {models: ["other"], chain: [first/other-model, second/second-model]}
  - {models: ["*"], chain: [first/first-model, second/second-model]}
"""
LIMITED = "first;rate_limit;429"
OK = "first;ok;200"
OF_SECOND = "second;ok;200"
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def pool() -> AbstractAsyncContextManager[Desk]:
    return a_desk(CONFIG, environ={"A": A, "B": B, "LONE": LONE})


def lone() -> AbstractAsyncContextManager[Desk]:
    text = CONFIG.replace('api_keys: ["${A}", "${B}"]', 'api_key: "${A}"')
    return a_desk(text, environ={"A": A, "LONE": LONE})


def limited(seconds: int) -> Fault:
    return status(429, retry_after=seconds)


def by_key(*, a: Fault | str, b: Fault | str) -> Fault:
    """Answers each key in its own way."""
    faults = {f"Bearer {A}": a, f"Bearer {B}": b}

    def play(scene: Scene) -> Iterator[Step]:
        struck = faults[scene.call.headers["authorization"]]
        yield from (fault(struck) if isinstance(struck, str) else struck).script(scene)

    return Fault("by_key", "tells its keys apart", Effect.SERVED, play)


def keys_used(desk: Desk) -> str:
    """The keys that `first` was asked with, in order."""
    names = {f"Bearer {A}": "a", f"Bearer {B}": "b"}
    return "".join(names[call.headers["authorization"]] for call in desk["first"].calls)


async def calls(desk: Desk, count: int) -> list[Heard]:
    return [await desk.chat() for _ in range(count)]


# A key that is limited


@STREAMED
async def test_a_limited_key_gives_way_to_the_next_within_the_call(stream: bool) -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=limited(30), b="ok"))

        heard = await desk.chat(stream=stream)

        assert (heard.code, heard.attempts) == (200, [LIMITED, OK])
        assert "first" in heard.text


async def test_another_key_is_no_failover() -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=limited(30), b="ok"))

        await desk.chat()

        assert await desk.counted("failovers_total") == 0
        assert await desk.counted("requests_total", outcome="success") == 1
        assert not desk.logged("Provider failed, trying next")


async def test_both_keys_are_attempts() -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=limited(30), b="ok"))

        await desk.chat()

        assert await desk.counted("attempts_total", provider="first", outcome="rate_limit") == 1
        assert await desk.counted("attempts_total", provider="first", outcome="ok") == 1


async def test_one_limited_key_does_not_cool_the_provider() -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=limited(30), b="ok"))

        await desk.chat()

        assert (await desk.standing("first"))["cooldown_s"] == []


async def test_one_key_is_used_as_long_as_it_serves() -> None:
    async with pool() as desk:
        await calls(desk, 4)

        assert keys_used(desk) == "aaaa"


async def test_the_next_key_stays_in_use_when_the_first_is_back() -> None:
    async with pool() as desk:
        desk["first"].plays(limited(30), "ok")
        await calls(desk, 2)
        desk.clock.ahead_s = 31
        await calls(desk, 1)

        assert keys_used(desk) == "abbb"


async def test_the_first_key_takes_over_from_the_second() -> None:
    async with pool() as desk:
        desk["first"].plays(limited(10), "ok", limited(30), "ok")
        await calls(desk, 1)
        desk.clock.ahead_s = 11
        await calls(desk, 2)

        assert keys_used(desk) == "abbaa"


async def test_a_limit_is_of_one_model() -> None:
    async with pool() as desk:
        desk["first"].plays(limited(30), "ok")
        await calls(desk, 1)
        await desk.chat(model="other")

        assert keys_used(desk) == "aba"


async def test_calls_that_come_together_all_get_the_next_key() -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=limited(30), b="ok"))

        heard = await asyncio.gather(*(desk.chat() for _ in range(10)))

        assert {one.attempts[-1] for one in heard} == {OK}
        assert (await desk.standing("first"))["cooldown_s"] == []


# All keys limited


async def test_when_all_keys_are_limited_the_chain_goes_on() -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=limited(20), b=limited(40)))

        heard = await desk.chat()

        assert heard.attempts == [LIMITED, LIMITED, OF_SECOND]
        assert await desk.counted("failovers_total", reason="rate_limit") == 1


@pytest.mark.parametrize(("a_s", "b_s"), [(20, 40), (40, 20)])
async def test_then_the_provider_cools_until_the_first_key_is_back(a_s: int, b_s: int) -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=limited(a_s), b=limited(b_s)))
        await calls(desk, 1)
        (cooling,) = (await desk.standing("first"))["cooldown_s"]

        assert 19 < cooling["retry_in_s"] <= 20
        assert (await desk.chat()).attempts == ["first;skipped;cooldown", OF_SECOND]


async def test_the_key_that_is_back_first_is_the_one_that_is_used() -> None:
    async with pool() as desk:
        desk["first"].plays(limited(40), limited(20), "ok")
        await calls(desk, 1)
        desk.clock.ahead_s = 21
        heard = await desk.chat()

        assert (heard.attempts, keys_used(desk)) == ([OK], "abb")


async def test_with_everybody_limited_the_application_waits_for_the_first_key() -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=limited(40), b=limited(20)))
        desk["second"].plays(limited(60))

        heard = await desk.chat()

        assert (heard.code, heard.headers["retry-after"]) == (429, "20")


async def test_limits_open_no_breaker() -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=limited(1), b=limited(1)))
        for _ in range(5):
            await desk.chat()
            desk.clock.ahead_s += 2

        assert desk["first"].hits == 10
        assert (await desk.standing("first"))["state"] == "closed"


# A key that is bad

BAD = pytest.mark.parametrize(
    ("reason", "word"),
    [("bad_key", "auth;401"), ("insufficient_quota", "quota_exhausted;429")],
    ids=["bad", "used up"],
)


@BAD
async def test_a_bad_key_gives_way_to_the_next_within_the_call(reason: str, word: str) -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=reason, b="ok"))

        heard = await desk.chat()

        assert (heard.code, heard.attempts) == (200, [f"first;{word}", OK])


@BAD
async def test_a_bad_key_is_not_used_again_for_any_model(reason: str, word: str) -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=reason, b="ok"))
        await calls(desk, 2)
        desk.clock.ahead_s = 120
        await desk.chat(model="other")

        assert keys_used(desk) == "abbb"


@BAD
async def test_a_bad_key_parks_itself_and_not_the_provider(reason: str, word: str) -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=reason, b="ok"))
        await calls(desk, 1)
        standing = await desk.standing("first")

        assert (standing["keys"], standing["parked"]) == ({"total": 2, "parked": 1}, [])
        assert await desk.counted("keys_parked", provider="first") == 1
        assert await desk.counted("parked", provider="first") == 0
        assert not desk.logged("Provider parked")


async def test_when_no_key_is_good_the_provider_is_parked() -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a="bad_key", b="insufficient_quota"))

        first, then = await calls(desk, 2)

        assert first.attempts == ["first;auth;401", "first;quota_exhausted;429", OF_SECOND]
        assert then.attempts == ["first;skipped;parked", OF_SECOND]
        assert await desk.counted("keys_parked", provider="first") == 2
        assert await desk.counted("parked", provider="first") == 1


async def test_a_parked_pool_that_answers_after_all_is_asked_first_again() -> None:
    async with pool() as desk:
        desk["first"].plays("bad_key", "bad_key", "ok")
        desk["second"].plays("ok", status(500), "ok")

        _, rescued, then = await calls(desk, 3)

        assert rescued.attempts == ["first;skipped;parked", "second;server_error;500", OK]
        assert then.attempts == [OK]
        assert await desk.counted("parked", provider="first") == 0


async def test_a_bad_key_beside_a_limited_one_leaves_the_provider_cooling() -> None:
    async with pool() as desk:
        desk["first"].plays("bad_key", limited(5), "ok")
        heard = await desk.chat()
        standing = await desk.standing("first")
        desk.clock.ahead_s = 6
        then = await desk.chat()

        assert heard.attempts == ["first;auth;401", LIMITED, OF_SECOND]
        assert (standing["parked"], len(standing["cooldown_s"])) == ([], 1)
        assert (then.attempts, keys_used(desk)) == ([OK], "abb")


async def test_a_model_that_is_missing_is_no_fault_of_a_key() -> None:
    async with pool() as desk:
        desk["first"].plays("model_not_found")

        first, then = await calls(desk, 2)

        assert first.attempts == ["first;model_missing;404", OF_SECOND]
        assert then.attempts == ["first;skipped;parked", OF_SECOND]


async def test_a_key_that_was_cured_is_used_after_ten_minutes() -> None:
    async with pool() as desk:
        desk["first"].plays("bad_key", "ok", "ok", limited(30), "ok")
        await calls(desk, 2)
        desk.clock.ahead_s = 601
        await calls(desk, 1)

        assert keys_used(desk) == "abbba"
        assert await desk.counted("keys_parked", provider="first") == 0


# A key that proves bad in other places than an answer's status

LIMIT = openai("Rate limit reached", "requests", "rate_limit_exceeded")


@pytest.mark.parametrize("said", [status(200, LIMIT), speaks(LIMIT)], ids=["body", "event"])
async def test_a_limit_that_came_with_a_200_is_of_the_key_as_well(said: Fault) -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=said, b="ok"))

        assert (await desk.chat(stream=True)).attempts == ["first;rate_limit;200", OK]


async def test_a_limit_amid_an_answer_leaves_the_other_key_to_the_next_call() -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=speaks(WORD, LIMIT), b="ok"))
        await desk.chat(stream=True)

        assert (await desk.chat()).attempts == [OK]
        assert keys_used(desk) == "ab"


@BAD
async def test_what_is_passed_through_tries_the_next_key_too(reason: str, word: str) -> None:
    async with pool() as desk:
        desk["first"].plays(by_key(a=reason, b="ok"))
        await desk.http.get(f"http://{desk.sidecar.api}/v1/files")
        await desk.http.get(f"http://{desk.sidecar.api}/v1/files")

        assert keys_used(desk)[-1] == "b"
        assert (await desk.standing("first"))["cooldown_s"] == []


async def test_a_probe_that_meets_a_limited_key_goes_on_with_the_next() -> None:
    async with pool() as desk:
        desk["first"].plays(*[status(500)] * 3, limited(30), "ok")
        await calls(desk, 3)
        desk.clock.ahead_s = 61

        heard = await desk.chat()

        assert heard.attempts == [LIMITED, OK]


# A lone key


async def test_a_lone_key_that_is_limited_cools_its_provider() -> None:
    async with lone() as desk:
        desk["first"].plays(limited(20))

        first, then = await calls(desk, 2)

        assert first.attempts == [LIMITED, OF_SECOND]
        assert then.attempts == ["first;skipped;cooldown", OF_SECOND]


async def test_a_lone_key_that_is_bad_parks_its_provider() -> None:
    async with lone() as desk:
        desk["first"].plays("bad_key")

        first, then = await calls(desk, 2)

        assert first.attempts == ["first;auth;401", OF_SECOND]
        assert then.attempts == ["first;skipped;parked", OF_SECOND]


async def test_of_a_lone_key_no_pool_is_told() -> None:
    async with lone() as desk:
        assert (await desk.standing("first"))["keys"] is None
        assert 'keys_parked{provider="first"}' not in await desk.page("/metrics")


# What is shown of keys: nothing


def echoing(code: int) -> Fault:
    """Says its key wherever it can."""

    def play(scene: Scene) -> Iterator[Step]:
        key = scene.call.headers["authorization"].removeprefix("Bearer ")
        error = {"message": f"key {key}", "type": key, "code": key, "param": key}
        yield from status(code, {"error": error}, x_key=key, retry_after=30).script(scene)

    return Fault("echo", "echoes its key", Effect.FAILS_OVER, play)


async def test_no_key_is_in_anything_that_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async with pool() as desk:
        heard: deque[Heard] = deque()
        for code in (401, 429, 400, 403, 200, 500):
            desk["first"].plays(echoing(code))
            desk["second"].plays(echoing(code))
            heard += [await desk.chat(), await desk.chat(stream=True)]
            desk.clock.ahead_s += 3600
        said = "\n".join([*(one.everything for one in heard), await desk.shown(), caplog.text])

        assert set(keys_used(desk)) == {"a", "b"}
        assert [key for key in (A, B, LONE) if key in said] == []


async def test_the_configuration_shows_how_many_keys_there_are_and_none_of_them() -> None:
    async with pool() as desk:
        shown = await desk.page("/config")

        assert shown.count("***") == 3
