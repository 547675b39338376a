"""What only the operator can cure costs no answer, opens no breaker, and is said loudly."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from sidecar.core.outcome import Outcome
from sidecar.faults.catalog import Fault, status
from sidecar.faults.refusals import google, openai
from sidecar.terminal.overview import overview
from sidecar.terminal.screen import Screen
from tests.stories.desk import WORD, Desk, Heard, a_desk, speaks

CONFIG = """
providers:
  first: {{kind: {kind}, base_url: "${{FIRST}}", api_key: key-of-first}}
  second: {{kind: openai, base_url: "${{SECOND}}", api_key: key-of-second}}
routes:
  - {{models: [other], chain: [first/other-model, second/a-model]}}
  - {{models: ["*"], chain: [first/a-model, second/a-model]}}
"""
OF_FIRST, OF_SECOND, PARKED = "first;ok;200", "second;ok;200", "first;skipped;parked"


def claudes(kind: str, message: str) -> Any:
    return {"type": "error", "error": {"type": kind, "message": message}}


def problems(message: str) -> Any:
    return {"success": False, "errors": [{"code": 10000, "message": message}]}


POOR = "Your credit balance is too low to access the Anthropic API."
DENIED = google(403, "PERMISSION_DENIED", "Generative Language API has not been used")
UNKNOWN = google(404, "NOT_FOUND", "models/a-model is not found for API version v1beta")
NO_MODEL = claudes("not_found_error", "model: a-model")

# The kind of provider, what it says, and what that means.
FAULTS: list[tuple[str, str | Fault, Outcome]] = [
    ("openai", "bad_key", Outcome.AUTH),
    ("openai", "forbidden", Outcome.FORBIDDEN),
    ("openai", "insufficient_quota", Outcome.QUOTA_EXHAUSTED),
    ("openai", "credit_balance_exhausted", Outcome.QUOTA_EXHAUSTED),
    ("openai", "model_not_found", Outcome.MODEL_MISSING),
    ("gemini", "bad_key_gemini", Outcome.AUTH),
    ("gemini", status(403, DENIED), Outcome.FORBIDDEN),
    ("gemini", status(404, UNKNOWN), Outcome.MODEL_MISSING),
    ("huggingface", "no_credit", Outcome.QUOTA_EXHAUSTED),
    ("huggingface", "model_not_supported", Outcome.MODEL_MISSING),
    ("anthropic", status(401, claudes("authentication_error", "invalid key")), Outcome.AUTH),
    ("anthropic", status(403, claudes("permission_error", "not yours")), Outcome.FORBIDDEN),
    ("anthropic", status(400, claudes("invalid_request_error", POOR)), Outcome.QUOTA_EXHAUSTED),
    ("anthropic", status(404, NO_MODEL), Outcome.MODEL_MISSING),
    ("cloudflare", status(401, problems("Authentication error")), Outcome.AUTH),
]
EACH = pytest.mark.parametrize(
    ("kind", "said", "outcome"), FAULTS, ids=[f"{row[0]} {row[2]}" for row in FAULTS]
)
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
WORDS = pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("bad_key", Outcome.AUTH),
        ("forbidden", Outcome.FORBIDDEN),
        ("insufficient_quota", Outcome.QUOTA_EXHAUSTED),
        ("model_not_found", Outcome.MODEL_MISSING),
    ],
)


def desk_of(kind: str = "openai", **more: str) -> AbstractAsyncContextManager[Desk]:
    return a_desk(CONFIG.format(kind=kind) + more.get("more", ""))


async def calls(desk: Desk, count: int) -> list[Heard]:
    return [await desk.chat() for _ in range(count)]


@EACH
@STREAMED
async def test_another_provider_answers(
    kind: str, said: str | Fault, outcome: Outcome, stream: bool
) -> None:
    async with desk_of(kind) as desk:
        desk["first"].plays(said)

        heard = await desk.chat(stream=stream)

        assert heard.code == 200
        assert [one.rpartition(";")[0] for one in heard.attempts] == [
            f"first;{outcome}",
            "second;ok",
        ]


@WORDS
async def test_it_is_parked_and_said_so(word: str, outcome: Outcome) -> None:
    async with desk_of() as desk:
        desk["first"].plays(word)
        await desk.chat()

        (parked,) = (await desk.standing("first"))["parked"]
        assert (parked["reason"], parked["retry_in_s"] > 590) == (outcome, True)
        assert await desk.counted("parked", provider="first", reason=outcome) == 1
        (line,) = desk.logged("Provider parked")
        assert (line["level"], line["provider"], line["outcome"]) == ("warning", "first", outcome)


@WORDS
async def test_whoever_looks_at_the_status_reads_it_first(word: str, outcome: Outcome) -> None:
    async with desk_of() as desk:
        desk["first"].plays(word)
        await desk.chat()
        status = json.loads(await desk.page("/status.json"))

        told = " ".join(overview(status, Screen()).split())
        reason = outcome.replace("_", " ")
        assert told.startswith("second is serving")
        assert f"first is set aside ({reason}), for another 10 min. " in told


@WORDS
async def test_it_is_passed_over_from_then_on(word: str, outcome: Outcome) -> None:
    async with desk_of() as desk:
        desk["first"].plays(word)

        _, *then = await calls(desk, 4)

        assert {tuple(heard.attempts) for heard in then} == {(PARKED, OF_SECOND)}
        assert await desk.counted("skips_total", provider="first", reason="parked") == 3


@WORDS
async def test_no_breaker_opens(word: str, outcome: Outcome) -> None:
    async with desk_of() as desk:
        desk["first"].plays(word)
        await asyncio.gather(*(desk.chat() for _ in range(20)))
        desk.clock.ahead_s = 601
        await asyncio.gather(*(desk.chat() for _ in range(20)))

        assert desk["first"].hits >= 4
        assert (await desk.standing("first"))["state"] == "closed"
        assert await desk.counted("breaker_transitions_total", provider="first") == 0


async def test_calls_that_were_under_way_together_say_it_once() -> None:
    async with desk_of() as desk:
        desk["first"].plays("bad_key")
        await asyncio.gather(*(desk.chat() for _ in range(20)))

        assert len(desk.logged("Provider parked")) == 1


async def test_it_is_asked_last_and_only_when_nobody_else_answers() -> None:
    async with desk_of() as desk:
        desk["first"].plays("bad_key")
        await desk.chat()
        desk["second"].plays(status(500))

        heard = await desk.chat()

        assert heard.attempts == [PARKED, "second;server_error;500", "first;auth;401"]
        assert (heard.code, heard.json["error"]["code"]) == (503, "all_providers_failed")


@WORDS
async def test_an_answer_takes_it_back(word: str, outcome: Outcome) -> None:
    async with desk_of() as desk:
        desk["first"].plays(word, "ok")
        desk["second"].plays("ok", status(500), "ok")

        _, rescued, then = await calls(desk, 3)

        assert rescued.attempts == [PARKED, "second;server_error;500", OF_FIRST]
        assert then.attempts == [OF_FIRST]
        assert (await desk.standing("first"))["parked"] == []
        assert await desk.counted("parked", provider="first") == 0


async def test_after_ten_minutes_it_is_tried_again() -> None:
    async with desk_of() as desk:
        desk["first"].plays("bad_key", "ok")
        await desk.chat()
        desk.clock.ahead_s = 601

        assert (await desk.chat()).attempts == [OF_FIRST]


async def test_what_was_tried_again_in_vain_is_said_again() -> None:
    async with desk_of() as desk:
        desk["first"].plays("bad_key")
        await desk.chat()
        desk.clock.ahead_s = 601
        await desk.chat()

        assert len(desk.logged("Provider parked")) == 2


@pytest.mark.parametrize(
    ("word", "attempt"),
    [
        ("bad_key", PARKED),
        ("insufficient_quota", PARKED),
        ("forbidden", OF_FIRST),
        ("model_not_found", OF_FIRST),
    ],
)
async def test_a_key_is_parked_for_all_models_and_a_model_for_itself(
    word: str, attempt: str
) -> None:
    async with desk_of() as desk:
        desk["first"].plays(word, "ok")
        await desk.chat()

        assert (await desk.chat(model="other")).attempts[0] == attempt


async def test_a_reset_by_the_operator_who_cured_it_asks_at_once() -> None:
    async with desk_of() as desk:
        desk["first"].plays("bad_key", "ok")
        await desk.chat()
        await desk.http.post(f"http://{desk.sidecar.admin}/-/breakers/first/reset")

        assert (await desk.chat()).attempts == [OF_FIRST]


async def test_when_everybody_is_the_operators_fault_the_application_hears_no_401() -> None:
    async with desk_of() as desk:
        desk["first"].plays("bad_key")
        desk["second"].plays("forbidden")

        first, then = await calls(desk, 2)

        assert (first.code, then.code) == (503, 503)
        assert then.attempts == [
            *(PARKED, "second;skipped;parked"),
            *("first;auth;401", "second;forbidden;403"),
        ]


# What the operator knows better

BUDGET = status(400, openai("Team budget is used up until Monday", "gateway_error", "E4711"))
RULE = '  - {{match: {match}, class: "{outcome}"}}\n'


def ruled(match: str, outcome: str, *, of_first: bool = False) -> AbstractAsyncContextManager[Desk]:
    """A desk with one rule, for everybody or for `first` alone."""
    if of_first:
        rule = f"errors: [{{match: {match}, class: {outcome}}}]"
        return a_desk(CONFIG.format(kind="openai").replace("key-of-first", f"k, {rule}"))
    return desk_of(more="errors:\n" + RULE.format(match=match, outcome=outcome))


@pytest.mark.parametrize("of_first", [False, True], ids=["global", "of the provider"])
@pytest.mark.parametrize(
    "match",
    [
        "{status: 400, text: BUDGET}",
        "{code: E4711}",
        "{type: gateway_error}",
        "{status: 400, code: E4711, type: gateway_error, text: team budget}",
    ],
)
async def test_a_gateways_own_words_can_be_told_apart(match: str, of_first: bool) -> None:
    async with ruled(match, "quota_exhausted", of_first=of_first) as desk:
        desk["first"].plays(BUDGET)

        first, then = await calls(desk, 2)

        assert first.attempts == ["first;quota_exhausted;400", OF_SECOND]
        assert then.attempts == [PARKED, OF_SECOND]
        assert await desk.counted("parked", provider="first", reason="quota_exhausted") == 1


async def test_without_the_rule_it_is_the_callers_fault() -> None:
    async with desk_of() as desk:
        desk["first"].plays(BUDGET)

        assert (await desk.chat()).attempts == ["first;bad_request;400", OF_SECOND]


@pytest.mark.parametrize("match", ["{status: 403, text: budget}", "{code: E4712}"])
async def test_a_rule_of_which_a_part_does_not_hold_changes_nothing(match: str) -> None:
    async with ruled(match, "quota_exhausted") as desk:
        desk["first"].plays(BUDGET)

        assert (await desk.chat()).attempts == ["first;bad_request;400", OF_SECOND]


async def test_the_rule_of_a_provider_goes_before_that_of_all() -> None:
    rule = "errors: [{match: {code: E4711}, class: overloaded}]"
    text = CONFIG.format(kind="openai").replace("key-of-first", f"k, {rule}")
    text += "errors: [{match: {code: E4711}, class: quota_exhausted}]\n"
    async with a_desk(text) as desk:
        desk["first"].plays(BUDGET)
        desk["second"].plays(BUDGET)

        heard = await desk.chat()

        assert heard.attempts == ["first;overloaded;400", "second;quota_exhausted;400"]


async def test_the_rule_of_a_provider_is_not_for_the_others() -> None:
    async with ruled("{code: E4711}", "overloaded", of_first=True) as desk:
        desk["first"].plays(BUDGET)
        desk["second"].plays(BUDGET)

        heard = await desk.chat()

        assert heard.attempts == ["first;overloaded;400", "second;bad_request;400"]


async def test_a_rule_can_make_a_breaker_count_what_it_would_not() -> None:
    async with ruled("{status: 400, text: budget}", "server_error") as desk:
        desk["first"].plays(BUDGET)
        await calls(desk, 3)

        assert (await desk.standing("first"))["state"] == "open"


async def test_a_rule_can_make_a_limit_of_what_looks_like_an_outage() -> None:
    async with ruled("{status: 503}", "rate_limit") as desk:
        desk["first"].plays(status(503, retry_after=30))

        first, then = await calls(desk, 2)

        assert first.attempts == ["first;rate_limit;503", OF_SECOND]
        assert then.attempts == ["first;skipped;cooldown", OF_SECOND]


# The same words where an answer should be, and in the midst of one.
WITHIN = openai("Team budget is used up until Monday", "gateway_error", "E4711")


@pytest.mark.parametrize(
    ("said", "stream"),
    [(status(200, WITHIN), False), (status(200, WITHIN), True), (speaks(WITHIN), True)],
    ids=["whole", "whole for a stream", "first event"],
)
@pytest.mark.parametrize("outcome", ["quota_exhausted", "overloaded"])
async def test_a_rule_holds_for_an_error_that_came_with_a_200(
    said: Fault, stream: bool, outcome: str
) -> None:
    async with ruled("{code: E4711, text: budget}", outcome) as desk:
        desk["first"].plays(said)

        heard = await desk.chat(stream=stream)

        assert heard.attempts == [f"first;{outcome};200", OF_SECOND]


async def test_a_rule_holds_for_what_ends_a_stream() -> None:
    async with ruled("{code: E4711}", "quota_exhausted") as desk:
        desk["first"].plays(speaks(WORD, WITHIN))

        heard = await desk.chat(stream=True)

        assert "Team budget" in heard.text
        assert await desk.counted("attempts_total", outcome="quota_exhausted") == 1
        assert await desk.counted("parked", provider="first", reason="quota_exhausted") == 1


# Fields that a model refuses

SEED = "first;unsupported_param;400"
REFUSES = openai("Unsupported parameter: 'seed' is not supported with this model.")
REFUSES["error"] |= {"type": "invalid_request_error", "param": "seed"}
REFUSES["error"]["code"] = "unsupported_parameter"


@STREAMED
async def test_a_refused_field_is_left_out_within_the_call(stream: bool) -> None:
    async with desk_of() as desk:
        desk["first"].plays(status(400, REFUSES), "ok")

        heard = await desk.chat(seed=7, stream=stream)

        assert (heard.code, heard.attempts) == (200, [SEED, OF_FIRST])
        assert ["seed" in call.json for call in desk["first"].calls] == [True, False]
        assert await desk.counted("failovers_total") == 0


async def test_what_was_learned_is_known_to_the_next_call() -> None:
    async with desk_of() as desk:
        desk["first"].plays(status(400, REFUSES), "ok")
        await desk.chat(seed=7)

        heard = await desk.chat(seed=7)

        assert (heard.attempts, "seed" in desk["first"].calls[-1].json) == ([OF_FIRST], False)


async def test_every_field_that_was_left_out_is_counted() -> None:
    async with desk_of() as desk:
        desk["first"].plays(status(400, REFUSES), "ok")
        for _ in range(3):
            await desk.chat(seed=7)
        await desk.chat()

        assert await desk.counted("dropped_params_total", provider="first", param="seed") == 3


async def test_what_one_model_refuses_another_may_take() -> None:
    async with desk_of() as desk:
        desk["first"].plays(status(400, REFUSES), "ok")
        await desk.chat(seed=7)
        await desk.chat(model="other", seed=7)

        assert desk["first"].calls[-1].json["seed"] == 7


async def test_what_one_provider_refuses_another_may_take() -> None:
    async with desk_of() as desk:
        desk["first"].plays(status(400, REFUSES), status(500))

        heard = await desk.chat(seed=7)

        assert heard.attempts == [SEED, "first;server_error;500", OF_SECOND]
        assert desk["second"].calls[-1].json["seed"] == 7


async def test_a_refused_field_is_no_failure() -> None:
    async with desk_of() as desk:
        desk["first"].plays(status(400, REFUSES))
        for number in range(4):
            await desk.chat(seed=number)

        assert (await desk.standing("first"))["state"] == "closed"
