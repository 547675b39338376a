"""What a collector gets to see: a span of each request, and within it one of each attempt."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sidecar.core.policies import BreakerPolicy, Hedge, Timeouts
from sidecar.core.settings import Tracing
from sidecar.faults.catalog import cut, ok
from sidecar.faults.provider import ScriptedProvider, refusing_port
from tests.stories.collector import Collector, Seen, a_collector
from tests.stories.process import a_process
from tests.stories.world import CHAT, World, a_world, eventually

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
NOT_SAMPLED = {"traceparent": f"00-{TRACE}-{SPAN}-00"}
TOLERANCE_S = 0.01  # between two clocks


@asynccontextmanager
async def traced(
    collector: Collector, tracing: dict[str, Any] | None = None, **changes: Any
) -> AsyncIterator[World]:
    """A world whose spans have all been sent when it is left."""
    told = Tracing(otlp=collector.url, **tracing or {})
    async with a_world(tracing=told, **changes) as world:
        yield world


async def ask(world: World, headers: dict[str, str] | None = None, **fields: Any) -> int:
    """One call, read to its end; the status."""
    url = f"{world.api}/v1/chat/completions"
    async with world.http.post(url, json={**CHAT, **fields}, headers=headers) as answer:
        await answer.read()
        return answer.status


def within(inner: Seen, outer: Seen) -> bool:
    """Whether `inner` is a part of `outer`, also by its times."""
    begins = inner.began_s >= outer.began_s - TOLERANCE_S
    ends = inner.began_s <= inner.ended_s <= outer.ended_s + TOLERANCE_S
    same_trace = (inner.trace_id, inner.parent_id) == (outer.trace_id, outer.span_id)
    return same_trace and begins and ends


async def test_a_request_is_a_span_of_its_callers_trace_with_its_attempt_within() -> None:
    async with a_collector() as collector:
        async with traced(collector) as world:
            await ask(world, {**SAMPLED, "tracestate": "a=1", "x-request-id": "r-1"})

        server, (client,) = collector.server(), collector.clients()
    assert (server.trace_id, server.parent_id, server.state) == (TRACE, SPAN, "a=1")
    assert (server.name, client.name) == ("chat *", "chat first-model")
    assert within(client, server)
    assert not server.is_error
    assert not client.is_error
    assert server["llm_failover.request_id"] == "r-1"
    assert server["llm_failover.outcome"] == "success"
    assert server["http.response.status_code"] == client["http.response.status_code"] == 200


async def test_an_attempt_is_told_in_the_words_of_the_conventions() -> None:
    async with a_collector() as collector:
        async with traced(collector) as world:
            port = world.first.port
            await ask(world, stream=True, stream_options={"include_usage": True})

        (client,) = collector.clients()
    assert 0 < client.attributes.pop("gen_ai.response.time_to_first_chunk") < 1
    assert client.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "first-model",
        "gen_ai.request.stream": True,
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
        "server.address": "127.0.0.1",
        "server.port": port,
        "http.response.status_code": 200,
        "llm_failover.provider": "first",
        "llm_failover.outcome": "ok",
    }


async def test_a_process_says_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.namespace.name=shop,service.name=shop-llm")
    async with a_collector() as collector:
        async with traced(collector) as world:
            await ask(world)

        told = collector.resource
    assert told["service.name"] == "shop-llm"
    assert told["k8s.namespace.name"] == "shop"
    assert {"service.version", "service.instance.id"} <= told.keys()


async def test_a_failover_is_an_event_between_two_attempts() -> None:
    async with a_collector() as collector:
        async with traced(collector) as world:
            world.first.plays("status_503")
            await ask(world)

        server, (first, second) = collector.server(), collector.clients()
    providers = {"llm_failover.from_provider": "first", "llm_failover.to_provider": "second"}
    assert server.events == [("failover", {**providers, "llm_failover.reason": "overloaded"})]
    assert server["llm_failover.outcome"] == "failover_success"
    assert (first.is_error, first["error.type"]) == (True, "overloaded")
    assert (second.is_error, second["error.type"]) == (False, None)
    assert within(first, server)
    assert within(second, server)
    assert first.ended_s <= second.began_s + TOLERANCE_S


async def test_a_provider_that_is_passed_over_is_an_event() -> None:
    async with a_collector() as collector:
        async with traced(collector, policy=BreakerPolicy(failure_threshold=1)) as world:
            world.first.plays("status_503")
            await ask(world, NOT_SAMPLED)
            await ask(world, SAMPLED)

        server, (client,) = collector.server(), collector.clients()
    skip = {"llm_failover.provider": "first", "llm_failover.reason": "open"}
    assert server.events == [("skip", skip)]
    assert client["llm_failover.provider"] == "second"


async def test_a_request_that_nobody_answers_is_an_error() -> None:
    async with a_collector() as collector:
        async with traced(collector) as world:
            world.first.plays("status_500")
            world.second.plays("silence")
            await ask(world)

        server, clients = collector.server(), collector.clients()
    assert server.is_error
    assert server["error.type"] == server["llm_failover.outcome"] == "exhausted"
    assert [one["error.type"] for one in clients] == ["server_error", "timeout_answer"]
    assert clients[1]["http.response.status_code"] is None


async def test_a_stream_that_breaks_before_content_is_an_error_of_its_attempt_alone() -> None:
    async with a_collector() as collector:
        async with traced(collector) as world:
            world.first.plays("role_then_end")
            await ask(world, stream=True)

        server, (first, second) = collector.server(), collector.clients()
    assert first["llm_failover.broken_at"] == "before_content"
    assert (first["error.type"], first.is_error) == ("stream_truncated", True)
    assert (second.is_error, server.is_error) == (False, False)


async def test_a_stream_that_breaks_after_content_is_an_error_of_the_request() -> None:
    async with a_collector() as collector:
        async with traced(collector) as world:
            world.first.plays(cut(2))
            await ask(world, stream=True)

        server, (client,) = collector.server(), collector.clients()
    assert client["llm_failover.broken_at"] == "after_content"
    assert (client["error.type"], client.is_error) == ("transport", True)
    assert (server["error.type"], server.is_error) == ("interrupted", True)
    assert server["http.response.status_code"] == 200


async def test_who_is_asked_beside_a_slow_one_is_seen_beside_it() -> None:
    patient: dict[str, Any] = {"hedge": Hedge(after=0.1), "timeouts": Timeouts()}
    async with a_collector() as collector:
        async with traced(collector, **patient) as world:
            world.first.plays(ok(first_after_s=2.0))
            await ask(world, stream=True)

        server, (first, second) = collector.server(), collector.clients()
    assert first["llm_failover.outcome"] == "hedge_lost"
    assert second["llm_failover.outcome"] == "ok"
    assert not first.is_error
    assert second.began_s < first.ended_s
    assert within(first, server)
    assert within(second, server)


async def test_a_client_that_hangs_up_is_nobodys_error() -> None:
    async with a_collector() as collector:
        async with traced(collector) as world:
            world.first.plays("silence")
            call = asyncio.create_task(ask(world))
            await eventually(lambda: world.first.hits == 1)
            call.cancel()
            await eventually(lambda: bool(world.requests()))

        server, (client,) = collector.server(), collector.clients()
    assert server["llm_failover.outcome"] == client["llm_failover.outcome"] == "cancelled"
    assert server["http.response.status_code"] == 499
    assert (server.is_error, client.is_error) == (False, False)


async def test_what_is_passed_through_is_no_operation_of_generative_ai() -> None:
    async with a_collector() as collector:
        async with traced(collector) as world:
            await world.http.get(f"{world.api}/v1/files/secret-name?key=secret")

        server, (client,) = collector.server(), collector.clients()
    assert (server.name, client.name) == ("passthrough *", "passthrough first-model")
    assert "gen_ai.operation.name" not in client.attributes
    assert within(client, server)
    assert b"secret" not in b"".join(collector.bodies)


async def test_a_request_without_a_route_is_a_span_as_well() -> None:
    async with a_collector() as collector:
        async with traced(collector, models=("known",)) as world:
            await ask(world)

        server = collector.server()
    assert (server.name, server["http.response.status_code"]) == ("chat", 404)
    assert not server.is_error
    assert collector.clients() == []


async def test_requests_under_one_id_at_once_keep_their_own_attempts() -> None:
    async with a_collector() as collector:
        async with traced(collector) as world:
            world.first.plays("status_503", "ok", "status_503", "ok", "status_503", "ok")
            await asyncio.gather(*(ask(world, {"x-request-id": "same"}) for _ in range(6)))

        servers = {span.span_id: span for span in collector.spans if not span.parent_id}
        clients = collector.clients()
    assert len(servers) == 6
    assert len(clients) == 9
    assert all(within(client, servers[client.parent_id]) for client in clients)
    assert sorted(len(server.events) for server in servers.values()) == [0, 0, 0, 1, 1, 1]


async def test_what_the_caller_does_not_record_is_not_sent() -> None:
    async with a_collector() as collector, traced(collector) as world:
        world.first.plays("status_503")
        await ask(world, NOT_SAMPLED)

    assert collector.bodies == []


async def test_of_the_traces_that_begin_here_a_share_is_recorded() -> None:
    async with a_collector() as collector:
        async with traced(collector, {"sample_ratio": 0.0}) as world:
            await ask(world)
            await ask(world, SAMPLED)

        assert collector.server().trace_id == TRACE


async def test_providers_hear_of_the_very_spans_that_are_sent() -> None:
    async with a_collector() as collector:
        async with traced(collector, {"to_providers": True}) as world:
            world.first.plays("status_503")
            await ask(world)
            told = [one.calls[-1].headers["traceparent"] for one in (world.first, world.second)]

        sent = [f"00-{one.trace_id}-{one.span_id}-01" for one in collector.clients()]
    assert told == sent


CONFIG = """
listen: 127.0.0.1:0
admin: 127.0.0.1:0
providers: {{first: {{kind: openai, base_url: "{provider}", api_key: k}}}}
routes: [{{models: ["*"], chain: [first/m]}}]
tracing: {{otlp: "http://127.0.0.1:{port}"}}
"""


async def test_a_collector_that_is_gone_costs_a_line_of_the_log(tmp_path: Path) -> None:
    config = tmp_path / "sidecar.yaml"
    environ = {**os.environ, "OTEL_EXPORTER_OTLP_TIMEOUT": "0.1"}
    async with ScriptedProvider("first") as first, aiohttp.ClientSession() as http:
        with refusing_port() as port:
            config.write_text(CONFIG.format(provider=first.base_url, port=port))
            async with a_process("--config", str(config), environ=environ) as running:
                url = f"{running.api}/v1/chat/completions"
                served = [(await http.post(url, json=CHAT)).status for _ in range(40)]
                lost = await running.read_until("spans are lost: the collector does not take them")
                running.process.terminate()
                assert await running.end() == 0

    assert served == [200] * 40
    assert lost["problem"]
    assert [line["msg"] for line in running.log].count(lost["msg"]) == 1
    assert (running.log[-1]["msg"], running.log[-1]["lost_requests"]) == ("spans were lost", 40)
