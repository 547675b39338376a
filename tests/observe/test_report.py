"""The report tells what the events came to over the life of the process."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from sidecar.core.events import Event, Skipped, Usage
from sidecar.core.outcome import Outcome, RequestOutcome, SkipReason
from sidecar.core.settings import Price
from sidecar.observe.fanout import fan_out
from sidecar.observe.metrics import Build, Metrics
from sidecar.observe.report import LifeReport
from sidecar.observe.standing import Keys, Looks
from tests.observe.scene import SETTINGS, USAGE, StillClock, attempt_ended, request_ended
from tests.observe.test_status import Aside, Breaker

Json = dict[str, Any]

GEMINI, HUGGINGFACE = "gemini/gemini-3-flash", "huggingface/meta-llama/Llama-3.3"
PRICES = ((GEMINI, Price(input=1.0, output=2.0)), (HUGGINGFACE, Price(input=3.0, output=4.0)))
PRICED = replace(SETTINGS, prices=PRICES)
LLAMA: Json = {"provider": "huggingface", "model": "meta-llama/Llama-3.3"}
RESCUED = request_ended(outcome=RequestOutcome.FAILOVER_SUCCESS, lost_s=0.2, **LLAMA)


def report_of(*events: Event, looks: Looks | None = None, prices: bool = True) -> LifeReport:
    settings, clock = PRICED if prices else SETTINGS, StillClock()
    looks = looks or Looks()
    metrics = Metrics(settings, clock, Build("0.1.0", ""), looks)
    report = LifeReport(settings, clock, metrics, looks)
    for event in events:
        fan_out(metrics.handlers)(event)
    clock.pass_s(3600)
    return report


def told(*events: Event, **more: Any) -> Json:
    return report_of(*events, **more).as_json()


def provider(name: str, *events: Event, **more: Any) -> Json:
    return next(one for one in told(*events, **more)["providers"] if one["name"] == name)


def test_before_anything_happened_nothing_is_known() -> None:
    report = told()

    assert (report["uptime_s"], report["suggestions"]) == (3600, [])
    assert report["requests"]["served_ratio"] is None
    assert [one["name"] for one in report["providers"]] == [GEMINI, HUGGINGFACE, "local"]
    unknown = ("availability", "ttft_p50_s", "ttft_p99_s", "usd_per_1000")
    assert {one[key] for one in report["providers"] for key in unknown} == {None}


def test_availability_is_the_share_that_was_not_the_providers_failure() -> None:
    outcomes = [
        *(Outcome.OK, Outcome.OK, Outcome.BAD_REQUEST, Outcome.RATE_LIMIT),
        *(Outcome.AUTH, Outcome.SERVER_ERROR, Outcome.TIMEOUT_IDLE, Outcome.CANCELLED),
    ]

    one = provider(GEMINI, *(attempt_ended(outcome=outcome) for outcome in outcomes))

    assert (one["attempts"], one["availability"]) == (8, 0.75)
    assert (one["failures"], one["cooldowns"], one["refusals"]) == (2, 1, 1)


def test_first_tokens_are_told_as_estimates() -> None:
    one = provider(GEMINI, *(attempt_ended(ttft_s=0.2) for _ in range(100)))

    assert one["first_tokens"] == 100
    assert (one["ttft_p50_s"], one["ttft_p95_s"], one["ttft_p99_s"]) == (0.175, 0.2425, 0.2485)


def test_a_thousand_answers_cost_what_their_tokens_do() -> None:
    one = provider(GEMINI, *[attempt_ended(usage=Usage(100, 50))] * 4)

    assert one["tokens"] == {"input": 400, "output": 200, "cached_input": 0}
    assert (one["usd"], one["usd_per_1000"]) == (0.0008, 0.2)


def test_without_a_price_the_cost_is_not_known_and_that_is_told() -> None:
    report = told(attempt_ended(usage=USAGE), prices=False)

    assert report["providers"][0]["usd_per_1000"] is None
    assert [one["about"] for one in report["suggestions"]] == [GEMINI]


def test_what_failover_saved_and_lost_is_told() -> None:
    endings = [
        *(request_ended(), RESCUED, RESCUED, request_ended(route="")),
        request_ended(outcome=RequestOutcome.EXHAUSTED, code=503),
        request_ended(outcome=RequestOutcome.INTERRUPTED),
        request_ended(outcome=RequestOutcome.CLIENT_ERROR, code=400),
        request_ended(outcome=RequestOutcome.CANCELLED, code=499),
    ]

    report = told(*endings)

    assert report["requests"] == {
        "total": 7,
        "served": 3,
        "served_ratio": 0.6,
        "saved": 2,
        "exhausted": 1,
        "interrupted": 1,
    }
    assert (report["failover"]["lost_s"], report["failover"]["lost_p50_s"]) == (0.4, 0.175)


def test_extra_spend_is_against_the_first_of_the_chain() -> None:
    usage = Usage(input=1_000_000, output=500_000)

    failover = told(replace(RESCUED, usage=usage))["failover"]

    assert failover["extra_usd"] == pytest.approx((3 + 2) - (1 + 1))
    assert failover["unpriced_tokens"] == 0


def test_answers_by_the_first_of_the_chain_cost_nothing_extra() -> None:
    assert told(request_ended())["failover"]["extra_usd"] is None


def test_tokens_that_cannot_be_compared_are_counted() -> None:
    local = replace(RESCUED, provider="local", model="*")

    failover = told(local, replace(RESCUED, usage=None))["failover"]

    assert (failover["extra_usd"], failover["unpriced_tokens"]) == (None, 46)


def test_what_is_set_aside_or_full_becomes_a_suggestion() -> None:
    breaker = Breaker(parked=(Aside(reason="auth"),))
    looks = Looks(breakers=lambda: [breaker], keys=lambda: {"gemini": Keys(3, 2)})
    full = Skipped(request_id="req-1", route="*", provider="gemini", reason=SkipReason.FULL)

    life = report_of(full, looks=looks).life()

    assert (life.full, life.parked) == ({"gemini": 1}, {"gemini": "auth"})
    reasons = [one["reason"] for one in told(looks=looks)["suggestions"]]
    assert [reason.partition(" is ")[0].partition(" keys")[0] for reason in reasons] == [
        *("gemini", "2 of the 3"),
    ]


def test_the_rescues_of_unknown_names_make_no_rows_of_their_own() -> None:
    report = report_of(*(replace(RESCUED, model=f"made-up-{one}") for one in range(99)))

    assert report.life().failover.unpriced_tokens == 99 * (USAGE.input + USAGE.output)
    assert len(report.as_json()["providers"]) == 3


def test_it_is_json() -> None:
    report = told(attempt_ended(usage=USAGE), RESCUED)

    assert orjson.loads(orjson.dumps(report)) == report
