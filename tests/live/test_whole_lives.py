"""Pods that come later, think otherwise, or serve many calls; and what operators decided."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from sidecar.faults.catalog import status
from tests.fleet.stores import etcd_server, redis_server
from tests.live.load import a_load
from tests.live.measured import note
from tests.live.pods import Fleet, Pod, a_fleet
from tests.live.shelves import SHELVES

CALLS = 10_000
SYNC_S = 2.0
TOKEN_S = 1
SELDOM_S = 1.3  # longer than a lease waits for a call
LONG_OPEN = "breaker: {open_timeout: 5m}\n"


async def trip(fleet: Fleet, pod: Pod, calls: int = 3) -> None:
    fleet.first.plays(status(503))
    for _ in range(calls):
        await pod.chat()


@pytest.mark.parametrize("kind", SHELVES)
async def test_a_pod_that_joins_while_it_is_open_knows_and_moves_nothing(kind: str) -> None:
    with SHELVES[kind]() as shelf:
        async with a_fleet(shelf.url, 1, LONG_OPEN) as fleet:
            await trip(fleet, fleet.pods[0])
            await fleet.until(has_moved_the_fleet)
            epochs = await fleet.epochs()
            fleet.first.hits = 0

            (newcomer,) = await fleet.start(fleet.text() + LONG_OPEN)
            await fleet.until_all_are_seen()
            await fleet.until_state("open")
            heard = await newcomer.chat()

            assert heard.attempts.startswith("first;skipped;open;")
            assert fleet.first.hits == 0
            assert await fleet.epochs() == epochs


async def test_pods_of_two_configurations_agree_in_one_incident() -> None:
    async with a_fleet(redis_server.shared().url) as fleet:
        early = "breaker: {failure_threshold: 2, open_timeout: 4m}\n"
        late = "breaker: {failure_threshold: 5, open_timeout: 1m}\n"
        hasty, patient = await fleet.start(fleet.text() + early, fleet.text() + late)
        await fleet.until_all_are_seen()

        await trip(fleet, patient, 2)
        assert (await patient.standing())["state"] == "closed"
        await trip(fleet, hasty, 2)
        await fleet.until_state("open")

        assert len(await fleet.epochs()) == 1
        assert len({(await pod.standing())["open_until"] for pod in fleet.pods}) == 1
        in_s = (await patient.standing())["open_until"] - time.time()
        assert 60 < in_s <= 240
        assert await fleet.moves(to_state="open", origin="self") == 1


@pytest.mark.parametrize("kind", SHELVES)
async def test_what_is_held_stays_held_through_restarts_and_outages(kind: str) -> None:
    with SHELVES[kind]() as shelf:
        async with a_fleet(shelf.url, 2) as fleet:
            one, other = fleet.pods
            assert await one.order("hold", mode="open", reason="drill") < 300
            await fleet.until(is_held)
            await other.end()
            fleet.pods.remove(other)
            (again,) = await fleet.start(fleet.text())
            await fleet.until(is_held)
            shelf.stop()
            await fleet.until(is_alone)

            heard = [await pod.chat() for pod in (one, again)]

            assert [one.attempts.split(";")[:3] for one in heard] == [
                ["first", "skipped", "held"]
            ] * 2
            assert fleet.first.hits == 0
            assert await one.order("release") == 503
            shelf.start()
            await fleet.until_all_follow()
            await fleet.until(is_held)
            assert await one.order("release") < 300
            assert (await one.chat()).attempts.startswith("first;ok;")


async def test_what_is_held_closed_refuses_nobody() -> None:
    async with a_fleet(redis_server.shared().url, 2) as fleet:
        assert await fleet.pods[0].order("hold", mode="closed") < 300
        await fleet.until(is_held)
        fleet.first.plays(status(503))

        heard = [await pod.chat() for pod in fleet.pods for _ in range(10)]

        assert {one.code for one in heard} == {200}
        assert fleet.first.hits == len(heard)


async def test_who_is_well_again_is_asked_however_seldom_calls_come() -> None:
    async with a_fleet(redis_server.shared().url, 1, "breaker: {open_timeout: 1s}\n") as fleet:
        (pod,) = fleet.pods
        await trip(fleet, pod)
        fleet.first.plays("ok")

        heard = []
        for _ in range(5):
            await asyncio.sleep(SELDOM_S)
            heard.append((await pod.chat()).attempts.split(";")[1])

        assert heard[-1] == "ok"
        assert (await pod.standing())["state"] == "closed"


async def has_moved_the_fleet(pod: Pod) -> bool:
    return await pod.counted("breaker_transitions_total", origin="self", to_state="open") == 1


async def is_held(pod: Pod) -> bool:
    return bool((await pod.standing())["held"])


async def is_alone(pod: Pod) -> bool:
    return bool((await pod.status())["store"]["degraded"])


async def test_calls_cost_the_store_nothing() -> None:
    server = redis_server.RedisServer()
    try:
        async with a_fleet(server.url) as fleet:
            await fleet.start(*[fleet.text(sync=f"{SYNC_S}s")] * 4)
            await fleet.until_all_are_seen()
            server.ask("CONFIG", "RESETSTAT")
            began_s = time.monotonic()
            async with a_load(fleet.pods, each=4, pause_s=0.0) as load:
                await load.more(CALLS)
            took_s = time.monotonic() - began_s
            count = server.count()
            syncs = count["evalsha"]

            assert {heard.code for heard in load.heard.values()} == {200}
            assert not {"hset", "publish", "eval", "set"} & count.keys()
            assert syncs <= len(fleet.pods) * (took_s / (0.85 * SYNC_S) + 1)
            note(
                f"{len(load.heard)} calls in {took_s:.0f} s at {len(fleet.pods)} pods",
                f"{syncs} syncs of the store, no write",
            )
    finally:
        server.remove()


async def test_no_killed_member_of_etcd_keeps_a_word_from_the_pods(tmp_path: Path) -> None:
    with etcd_server.cluster(tmp_path) as members:
        url = f"etcd://{','.join(member.host for member in members)}"
        async with a_fleet(url, 2, LONG_OPEN) as fleet:
            for member in members:
                member.kill()

                await trip(fleet, fleet.pods[0])
                await fleet.until_state("open")

                assert (await fleet.pods[1].chat()).attempts.startswith("first;skipped;open;")
                await asyncio.to_thread(member.restart)
                fleet.first.plays("ok")
                await fleet.until_all_follow()
                assert await fleet.pods[0].order("reset") < 300
                await fleet.until_state("closed")


async def test_a_login_of_etcd_that_runs_out_keeps_no_word_from_the_pods(tmp_path: Path) -> None:
    prefix = "llm-failover/guarded/"
    with etcd_server.guarded(tmp_path, prefix, TOKEN_S) as member:
        async with a_fleet(f"etcd://pod:p%40ss@{member.host}") as fleet:
            fleet.namespace = "guarded"
            one, other = await fleet.start(*[fleet.text() + LONG_OPEN] * 2)
            await fleet.until_all_are_seen()
            await asyncio.sleep(TOKEN_S + 1.0)  # by then it has run out
            await trip(fleet, one)
            await fleet.until_state("open")

            assert (await other.chat()).attempts.startswith("first;skipped;open;")
