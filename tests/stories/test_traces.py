"""A request goes on with its caller's trace, or begins one; providers hear of it if they are to."""

from __future__ import annotations

import re

import pytest

from sidecar.core.settings import Tracing
from sidecar.faults.catalog import status
from sidecar.observe.logs import access_fields
from tests.stories.world import CHAT, World, a_world

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STATED = f"00-{TRACE}-{SPAN}-01"
FORM = re.compile("00-([0-9a-f]{32})-([0-9a-f]{16})-0([01])")
TOLD = Tracing(to_providers=True)


async def ask(world: World, **headers: str) -> tuple[str, str, str]:
    """Trace, span and flag as the answer to one call says them."""
    url = f"{world.api}/v1/chat/completions"
    async with world.http.post(url, json=CHAT, headers=headers) as answer:
        said = FORM.fullmatch(answer.headers["traceparent"])
        assert said
        return said[1], said[2], said[3]


async def test_the_callers_trace_goes_on_with_a_span_of_our_own(world: World) -> None:
    trace, span, flag = await ask(world, traceparent=STATED)

    assert (trace, flag) == (TRACE, "1")
    assert span != SPAN
    assert world.requests()[-1].trace[:2] == (TRACE, span)
    assert world.requests()[-1].parent_id == SPAN


async def test_what_vendors_say_of_a_trace_is_answered(world: World) -> None:
    headers = {"traceparent": STATED, "tracestate": "a=1, b=2"}
    async with world.http.get(f"{world.api}/v1/models", headers=headers) as answer:
        assert answer.headers.getall("tracestate") == ["a=1,b=2"]
        assert answer.headers["traceparent"].startswith(f"00-{TRACE}-")


@pytest.mark.parametrize("stated", ["", "garbage", STATED[:-1], f"00-{'0' * 32}-{SPAN}-01"])
async def test_a_trace_that_cannot_be_read_is_replaced(stated: str, world: World) -> None:
    trace, _, flag = await ask(world, traceparent=stated, tracestate="a=1")

    assert trace not in stated
    assert flag == "0"
    assert world.requests()[-1].trace.state == world.requests()[-1].parent_id == ""


async def test_every_request_without_a_trace_begins_one(world: World) -> None:
    first, second = await ask(world), await ask(world)

    assert len({*first[:2], *second[:2]}) == 4
    assert world.requests()[-1].trace.trace_id == second[0]


async def test_an_error_of_our_own_says_its_trace_too(world: World) -> None:
    async with world.http.get(f"{world.api}/nothing", headers={"traceparent": STATED}) as answer:
        assert answer.status == 404
        assert answer.headers["traceparent"].startswith(f"00-{TRACE}-")


async def test_a_providers_own_span_does_not_reach_the_application(world: World) -> None:
    world.first.plays(status(200, {"data": []}, traceparent=STATED, tracestate="theirs=1"))

    async with world.http.get(f"{world.api}/v1/files") as answer:
        assert TRACE not in ",".join(answer.headers.getall("traceparent"))
        assert "tracestate" not in answer.headers


async def test_providers_hear_of_no_trace_unless_they_are_to(world: World) -> None:
    await ask(world, traceparent=STATED, tracestate="a=1")

    assert {"traceparent", "tracestate"}.isdisjoint(world.first.calls[-1].headers)


async def test_each_attempt_tells_its_provider_a_span_of_its_own() -> None:
    async with a_world(tracing=TOLD) as world:
        world.first.plays("status_500")
        trace, span, _ = await ask(world, traceparent=STATED, tracestate="a=1")
        told = [one.calls[-1].headers for one in (world.first, world.second)]

    said = [FORM.fullmatch(headers["traceparent"]) for headers in told]
    assert [found and found[1] for found in said] == [trace, trace]
    assert len({SPAN, span, *(found and found[2] for found in said)}) == 4
    assert [headers["tracestate"] for headers in told] == ["a=1", "a=1"]


async def test_what_is_passed_through_tells_its_trace_too() -> None:
    async with a_world(tracing=TOLD) as world:
        headers = {"traceparent": STATED}
        async with world.http.get(f"{world.api}/v1/files", headers=headers) as answer:
            assert answer.status == 200
        assert world.first.calls[-1].headers["traceparent"].startswith(f"00-{TRACE}-")


async def test_the_log_the_answer_and_the_metrics_name_one_trace(world: World) -> None:
    trace, _, _ = await ask(world)

    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with world.http.get(f"{world.admin}/metrics", headers=accept) as answer:
        metrics = await answer.text()
    assert f'# {{trace_id="{trace}"}}' in metrics
    assert access_fields(world.requests()[-1])["trace_id"] == trace
