"""What an operator sees of it: metrics and log lines that say what really happened."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from sidecar.faults.catalog import Effect, Fault, ok, status
from sidecar.faults.fault import reply
from tests.stories.world import CHAT, World, eventually

Samples = dict[str, float]


async def counted(world: World) -> Samples:
    """Every sample that is not 0, by its name and labels."""
    async with world.http.get(f"{world.admin}/metrics") as answer:
        text = await answer.text()
    return {
        f"{sample.name}{sorted(sample.labels.values())}": sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.value
    }


async def test_a_failover_is_counted_once_wherever_it_shows(world: World) -> None:
    world.first.plays(status(503))

    await world.chat()

    seen = await counted(world)
    assert seen["llm_failover_requests_total['*', '200', 'chat', 'failover_success']"] == 1
    assert seen["llm_failover_failovers_total['*', 'first', 'overloaded', 'second']"] == 1
    assert seen["llm_failover_attempts_total['first', 'first-model', 'overloaded']"] == 1
    assert seen["llm_failover_attempts_total['ok', 'second', 'second-model']"] == 1
    assert seen["llm_failover_failover_seconds_count['*']"] == 1


async def test_a_breakers_way_is_counted_and_its_skips(world: World) -> None:
    world.first.plays(status(503))

    for _ in range(5):
        await world.chat()

    seen = await counted(world)
    moves = "llm_failover_breaker_transitions_total['closed', 'failures', 'first', 'open', 'self']"
    assert seen[moves] == 1
    assert seen["llm_failover_breaker_state['first', 'open']"] == 1
    assert "llm_failover_breaker_state['closed', 'first']" not in seen
    assert seen["llm_failover_skips_total['first', 'open']"] == 2


async def test_tokens_are_counted_where_the_provider_said_them(world: World) -> None:
    answer = await world.chat()
    usage = (await answer.json())["usage"]

    seen = await counted(world)

    tokens = "llm_failover_tokens_total['first', 'first-model', '{}']"
    assert seen[tokens.format("input")] == usage["prompt_tokens"]
    assert seen[tokens.format("output")] == usage["completion_tokens"]


async def test_what_is_left_of_a_rate_limit_is_shown(world: World) -> None:
    left = {"x-ratelimit-remaining-requests": "3", "x-ratelimit-remaining-tokens": "1500"}
    script = reply(503, b"{}", "application/json", left)
    world.first.plays(Fault("limited", "says what is left", Effect.FAILS_OVER, script))

    await world.chat()

    seen = await counted(world)
    remaining = "llm_failover_provider_rate_limit_remaining['first', '{}']"
    assert seen[remaining.format("requests")] == 3
    assert seen[remaining.format("tokens")] == 1500


async def test_a_stream_that_breaks_is_counted_by_its_stage(world: World) -> None:
    world.first.plays("role_then_end", "cut")
    for _ in range(2):
        async with world.http.post(f"{world.api}/chat", json={**CHAT, "stream": True}) as answer:
            await answer.read()

    seen = await counted(world)

    assert seen["llm_failover_stream_interruptions_total['before_content', 'first']"] == 1
    assert seen["llm_failover_stream_interruptions_total['after_content', 'first']"] == 1
    assert seen["llm_failover_requests_total['*', '200', 'chat', 'interrupted']"] == 1


async def test_nothing_stays_in_flight_when_callers_hang_up(world: World) -> None:
    world.first.plays(ok(words=50, delay_s=0.05))
    answer = await world.chat(stream=True)
    seen = await counted(world)
    assert seen["llm_failover_requests_in_flight['*']"] == 1

    answer.close()
    await eventually(lambda: len(world.requests()) == 1)

    seen = await counted(world)
    assert "llm_failover_requests_in_flight['*']" not in seen
    assert seen["llm_failover_requests_total['*', '499', 'cancelled', 'chat']"] == 1


async def test_an_exhausted_chain_is_counted(world: World) -> None:
    world.first.plays(status(500))
    world.second.plays("refuse")

    await world.chat()

    seen = await counted(world)
    assert seen["llm_failover_chain_exhausted_total['*']"] == 1
    assert seen["llm_failover_requests_total['*', '503', 'chat', 'exhausted']"] == 1
