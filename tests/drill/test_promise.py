"""What is promised follows from the configuration, and what was seen is held against it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sidecar.drill.heard import Ending, Heard
from sidecar.drill.outage import is_tight
from sidecar.drill.place import LeftOut, Mode
from sidecar.drill.promise import Evidence, Hits, Promise, judge
from sidecar.drill.table import ROWS
from tests.drill.settings import CHAIN, ROUTE, place_of

TEXTS = {"gemini": "one two three", "huggingface": "uno dos tres"}
SERVED = Heard(
    status=200, text="uno dos tres", finish="stop", done=True, provider="huggingface", seconds=1.0
)
ERROR = {"message": "m", "type": "server_error", "code": "all_providers_failed"}
REFUSED = Heard(status=503, error=ERROR, should_retry="false", seconds=0.1)
IN_BAND = Heard(status=200, text="one two", error=ERROR, provider="gemini", seconds=0.4)
NEXT = Promise(
    endings=frozenset((Ending.SERVED,)),
    within_s=1.3,
    by=frozenset(("huggingface",)),
    hits=Hits(1, 1),
)
CLEAR = Promise(
    endings=frozenset((Ending.REFUSED,)),
    within_s=1.6,
    statuses=frozenset((503,)),
    code="all_providers_failed",
)
TOLD = Promise(endings=frozenset((Ending.INTERRUPTED,)), within_s=0.9)
BLAMING = {"message": "m", "type": "invalid_request_error", "code": "invalid_value"}


def seen(heard: Heard, asked_s: tuple[float, ...] = (), **hits: int) -> Evidence:
    return Evidence(
        heard=heard, texts=TEXTS, hits=hits or {"gemini": 1}, own="gemini", asked_s=asked_s
    )


@pytest.mark.parametrize(
    ("promise", "evidence", "wrongs"),
    [
        (NEXT, seen(SERVED), ()),
        (NEXT, seen(SERVED, gemini=2), ("2 hits on gemini",)),
        (NEXT, seen(SERVED, huggingface=1), ("0 hits on gemini",)),
        (NEXT, seen(replace(SERVED, text="uno")), ("it ended as a lie",)),
        (NEXT, seen(replace(SERVED, done=False)), ("it ended as broken",)),
        (NEXT, seen(REFUSED), ("it ended as one clear error",)),
        (
            NEXT,
            seen(replace(SERVED, provider="gemini")),
            ("x-sidecar-provider says gemini",),
        ),
        (
            NEXT,
            seen(replace(SERVED, text="one two three", provider="gemini")),
            ("served by gemini",),
        ),
        (CLEAR, seen(REFUSED), ()),
        (CLEAR, seen(replace(REFUSED, status=500)), ("status 500",)),
        (CLEAR, seen(replace(REFUSED, should_retry="")), ("x-should-retry is not false",)),
        (
            CLEAR,
            seen(replace(REFUSED, error=ERROR | {"code": "other"})),
            ("code other",),
        ),
        (CLEAR, seen(SERVED), ("it ended as served",)),
        (TOLD, seen(IN_BAND), ()),
        (TOLD, seen(replace(IN_BAND, finish="stop")), ("it ended as a lie",)),
        (TOLD, seen(replace(IN_BAND, text="one dos")), ("it ended as a lie",)),
        (TOLD, seen(replace(IN_BAND, error=BLAMING)), ("the error blames the call",)),
        (
            replace(TOLD, untouched=frozenset(("huggingface",))),
            seen(IN_BAND, gemini=1, huggingface=1),
            ("huggingface was asked",),
        ),
        (
            replace(NEXT, gap_s=2.0, hits=None),
            seen(SERVED, (10.0, 12.0)),
            (),
        ),
        (
            replace(NEXT, gap_s=2.0, hits=None),
            seen(SERVED, (10.0, 11.9)),
            ("it was not asked again after 2 s",),
        ),
        (
            replace(NEXT, gap_s=2.0, hits=None),
            seen(SERVED, (10.0,)),
            ("it was not asked again after 2 s",),
        ),
    ],
)
def test_what_was_seen_is_held_against_the_promise(
    promise: Promise, evidence: Evidence, wrongs: tuple[str, ...]
) -> None:
    sight = judge(promise, evidence)

    assert sight.wrongs == wrongs
    assert sight.held == (not wrongs)


def test_what_is_late_is_broken_and_nothing_else() -> None:
    sight = judge(NEXT, seen(replace(SERVED, seconds=1.31)))

    assert (sight.held, sight.only_late, sight.late) == (False, True, "1.31 s")


def test_what_is_wrong_is_more_than_late() -> None:
    assert not judge(NEXT, seen(replace(REFUSED, seconds=9.0))).only_late


# From the configuration


def promised(fault: str, position: int = 0, mode: Mode = Mode.STREAM, **changes: Any) -> str:
    promise = ROWS[fault].promise(place_of(position, **changes), mode)
    return f"left out: {promise}" if isinstance(promise, LeftOut) else str(promise)


def entries(*more: str) -> str:
    """The chain of three with more said of each."""
    names = ("gemini", "huggingface", "anthropic")
    pairs = zip(names, more, strict=True)
    told = ", ".join(f"{{provider: {name}, model: m{said}}}" for name, said in pairs)
    return f'routes:\n  - models: ["*"]\n    chain: [{told}]\n'


@pytest.mark.parametrize(
    ("fault", "position", "more", "promise"),
    [
        ("reset", 0, "", "served ≤ 1.3 s"),
        ("reset", 1, "", "served ≤ 1.4 s"),
        ("reset", 2, "", "one clear error ≤ 1.5 s"),
        ("silence", 0, "", "served ≤ 13.3 s, 1 hit"),
        ("silence", 0, "timeouts: {first_token: 300ms}", "served ≤ 1.6 s, 1 hit"),
        ("silence", 0, "timeouts: {total: 10s}", "served ≤ 4.63 s, 1 hit"),
        ("rate_limit", 0, "", "served ≤ 1.6 s, ≤ 2 hits"),
        ("rate_limit_wait", 0, "", "served ≤ 3.2 s after a wait of 2 s, 2 hits"),
        ("rate_limit_wait", 2, "", "served ≤ 3.4 s after a wait of 2 s, 2 hits"),
        ("rate_limit_wait", 0, "retry: {attempts: 0}", "served ≤ 1.6 s"),
        ("rate_limit_wait", 2, "retry: {attempts: 0}", "one clear error ≤ 1.8 s"),
        (
            "rate_limit_wait",
            0,
            "retry: {max_wait: 400ms}",
            "served ≤ 1.6 s after a wait of 0.4 s, 2 hits",
        ),
        ("rate_limit_wait", 0, "retry: {max_wait: 0s}", "served ≤ 1.6 s"),
        ("rate_limit_wait", 0, "retry: {budget: {floor: 0}}", "served ≤ 1.6 s"),
        (
            "rate_limit_wait",
            0,
            "retry: {budget: {floor: 0, ratio: 1}}",
            "served ≤ 3.2 s after a wait of 2 s, 2 hits",
        ),
        (
            "rate_limit_wait",
            0,
            "breaker: {failure_threshold: 1}",
            "served ≤ 3.2 s after a wait of 2 s, 2 hits",
        ),
        (
            "rate_limit_wait",
            2,
            "timeouts: {total: 3s}",
            "served ≤ 2.25 s after a wait of 0.85 s, 2 hits",
        ),
        ("rate_limit_wait", 0, "timeouts: {total: 3s, first_token: 1s}", "served ≤ 1.6 s"),
        ("error_once", 0, "", "served ≤ 1.3 s, ≤ 2 hits"),
        ("error_once", 2, "retry: {attempts: 0}", "one clear error ≤ 1.5 s, 1 hit"),
        ("error_once", 2, "breaker: {failure_threshold: 1}", "one clear error ≤ 1.5 s, 1 hit"),
        ("error_once", 2, "breaker: {min_requests: 1}", "one clear error ≤ 1.5 s, 1 hit"),
        (
            "error_once",
            0,
            "breaker: {min_requests: 1, open_timeout: 100ms}",
            "left out: its breaker opens, and may let a probe in",
        ),
        ("cut", 0, "", "an error in band ≤ 0.939 s"),
        ("cut", 0, "streaming: {after_content: buffer}", "served ≤ 1.94 s"),
        ("cut", 2, "streaming: {after_content: buffer}", "one clear error ≤ 2.14 s"),
        ("cut", 0, "streaming: {after_content: resume}", "served ≤ 1.94 s"),
        ("cut", 2, "streaming: {after_content: resume}", "an error in band ≤ 1.14 s"),
        ("stall", 0, "", "an error in band ≤ 30.9 s"),
        ("stall", 0, "timeouts: {idle: 300ms}", "an error in band ≤ 1.24 s"),
        ("content_filter", 0, "", "400 content_filter ≤ 1.6 s, 1 hit"),
        ("content_filter", 0, "content_filter: fail_over", "served ≤ 1.6 s, 1 hit"),
        ("context_length", 0, "", "served ≤ 1.6 s, 1 hit"),
        ("prefill_rejected", 0, "", "left out: nobody is given the beginning"),
        ("client_leaves_retry", 0, "retry: {attempts: 0}", "left out: no wait is waited for"),
        ("client_leaves_words", 0, "", "1 hit, closed ≤ 0.1 s, no breaker moved"),
        ("outage", 0, "", "served ≤ 1.6 s, ≤ 5 hits while it is down, back ≤ 5 s"),
        (
            "outage",
            0,
            "breaker: {failure_threshold: 9}",
            "served ≤ 1.6 s, ≤ 11 hits while it is down, back ≤ 5 s",
        ),
        ("all_down", 0, "", "503 all_providers_failed ≤ 1.9 s"),
        (
            "overloaded",
            0,
            "breaker: {failure_window: 1s, failure_threshold: 90, min_requests: 90}",
            "left out: its breaker forgets failures",
        ),
        (
            "overloaded",
            0,
            "breaker: {failure_threshold: 900, min_requests: 900}",
            "left out: its breaker takes 900 failures",
        ),
        ("big_event", 0, "limits: {response_body: 1MiB}", "left out: limits.response_body is less"),
    ],
)
def test_a_promise_follows_from_the_configuration(
    fault: str, position: int, more: str, promise: str
) -> None:
    told = promised(fault, position, more=more)

    assert told == promise or (promise.startswith("left out") and told.startswith(promise))


@pytest.mark.parametrize(
    ("more", "promise"),
    [
        ("", "served ≤ 121 s, 1 hit"),
        ("streaming: {upstream: always}", "served ≤ 13.3 s, 1 hit"),
    ],
)
def test_a_whole_answer_has_a_clock_of_its_own(more: str, promise: str) -> None:
    assert promised("silence", mode=Mode.WHOLE, more=more) == promise


def test_a_beginning_can_be_rejected_by_who_is_given_one() -> None:
    more = "streaming: {after_content: resume}"
    route = entries("", ", prefill: true", ", prefill: true")

    rejected = [promised("prefill_rejected", at, more=more, route=route) for at in range(3)]

    assert rejected == [
        "served or an error in band ≤ 1.94 s",
        "an error in band ≤ 1.04 s",
        "left out: nobody is given the beginning of an answer",
    ]


@pytest.mark.parametrize(
    ("windows", "promise"),
    [
        ((", context: 9", ", context: 9", ", context: 10"), "served ≤ 1.6 s, 1 hit"),
        ((", context: 9", ", context: 9", ", context: 8"), "400 ≤ 1.6 s, 1 hit"),
        ((", context: 9", "", ", context: 8"), "served ≤ 1.6 s, 1 hit"),
    ],
    ids=["a larger one", "none larger", "one unknown"],
)
def test_too_long_a_prompt_goes_to_a_larger_window(windows: tuple[str, ...], promise: str) -> None:
    assert promised("context_length", route=entries(*windows)) == promise


def test_a_tool_call_is_not_asked_of_who_has_no_tools() -> None:
    route = entries(", cannot: [tools]", "", "")

    assert promised("tool_call_cut", route=route) == "left out: it cannot call tools"


def test_with_more_keys_nothing_is_waited_for() -> None:
    chain = CHAIN.replace("api_key: secret-of-gemini", "api_keys: [k1, k2, k3]")

    assert promised("rate_limit_wait", chain=chain) == "served ≤ 1.6 s"
    assert promised("rate_limit", chain=chain) == "served ≤ 1.6 s, ≤ 3 hits"


TWICE = ROUTE.replace("huggingface/", "gemini/")
ONLY_TWICE = 'routes: [{models: ["*"], chain: [gemini/pro, gemini/flash]}]\n'


@pytest.mark.parametrize(
    ("fault", "route", "more", "promise"),
    [
        ("silence", TWICE, "", "served ≤ 13.3 s, 1 hit"),
        ("silence", TWICE, "hedge: {after: 1s}", "served ≤ 13.3 s, ≤ 2 hits"),
        ("silence", ONLY_TWICE, "", "one clear error ≤ 13.3 s, 1 hit"),
        ("rate_limit_wait", ONLY_TWICE, "retry: {attempts: 0}", "served ≤ 1.6 s"),
        ("error_once", ONLY_TWICE, "retry: {attempts: 0}", "served ≤ 1.3 s, ≤ 2 hits"),
        (
            "error_once",
            ONLY_TWICE,
            "breaker: {failure_threshold: 1}",
            "one clear error ≤ 1.3 s, ≤ 2 hits",
        ),
        (
            "error_once",
            ONLY_TWICE,
            "breaker: {failure_threshold: 1, scope: model}",
            "served ≤ 1.3 s, ≤ 2 hits",
        ),
        ("cut", TWICE, "streaming: {after_content: buffer}", "served ≤ 2.28 s"),
    ],
    ids=[
        *("a clock is for all its entries", "both asked at once", "a clock, and nobody else"),
        *("another model after a limit", "another model after an error"),
        *("not where its breaker is open", "unless that is another one", "both break off"),
    ],
)
def test_a_later_entry_of_the_same_provider_may_answer(
    fault: str, route: str, more: str, promise: str
) -> None:
    assert promised(fault, route=route, more=more) == promise


@pytest.mark.parametrize(
    ("fault", "position", "promise"),
    [
        ("rate_limit_wait", 0, "served ≤ 3.2 s, ≤ 2 hits"),
        ("error_once", 0, "served ≤ 1.9 s, ≤ 2 hits"),
        ("cut", 0, "served or an error in band ≤ 1.9 s"),
        ("cut", 2, "an error in band ≤ 1.14 s"),
        ("tool_call_cut", 0, "served or an error in band ≤ 2.4 s, 1 hit"),
        ("content_filter", 0, "served or 400 content_filter ≤ 1.9 s, 1 hit"),
        ("content_filter", 2, "400 content_filter ≤ 1.8 s, 1 hit"),
        ("no_done", 0, "served ≤ 1.9 s, 1 hit"),
        ("reset", 0, "served ≤ 1.3 s"),
        ("all_down", 0, "503 all_providers_failed ≤ 1.9 s"),
    ],
)
def test_with_hedging_the_next_one_may_answer(fault: str, position: int, promise: str) -> None:
    assert promised(fault, position, more="hedge: {after: 1ms}") == promise


@pytest.mark.parametrize("fault", ["tool_call_cut", "content_filter", "client_leaves_words"])
def test_with_hedging_the_next_one_may_be_asked(fault: str) -> None:
    def untouched(more: str) -> frozenset[str]:
        promise = ROWS[fault].promise(place_of(more=more), Mode.STREAM)
        assert isinstance(promise, Promise)
        return promise.untouched

    assert untouched("") == frozenset(("huggingface", "anthropic"))
    assert untouched("hedge: {after: 1ms}") == frozenset()


@pytest.mark.parametrize("fault", ["one_byte", "utf8", "no_done", "rate_limit_wait"])
def test_with_hedging_whoever_is_faster_answers(fault: str) -> None:
    promise = ROWS[fault].promise(place_of(more="hedge: {after: 1ms}"), Mode.STREAM)

    assert isinstance(promise, Promise)
    assert promise.by == frozenset(("gemini", "huggingface", "anthropic"))


def rule(status: int, outcome: str) -> str:
    return f"errors: [{{match: {{status: {status}}}, class: {outcome}}}]\n"


@pytest.mark.parametrize(
    ("fault", "more", "promise"),
    [
        ("rate_limit", rule(429, "overloaded"), "served ≤ 1.6 s, ≤ 2 hits"),
        ("rate_limit", rule(429, "content_filter"), "left out: a rule of `errors` makes content_"),
        (
            "rate_limit_wait",
            rule(429, "overloaded"),
            "served ≤ 3.2 s after a wait of 2 s, 2 hits",
        ),
        (
            "rate_limit_wait",
            rule(429, "overloaded") + "breaker: {failure_threshold: 1}",
            "served ≤ 1.6 s",
        ),
        ("rate_limit_wait", rule(429, "server_error"), "left out: a rule of `errors` makes server"),
        ("error_once", rule(500, "auth"), "left out: a rule of `errors` makes auth of it"),
        ("overloaded", rule(503, "server_error"), "served ≤ 1.6 s, then 0 hits"),
        ("overloaded", rule(503, "bad_request"), "left out: a rule of `errors` makes bad_request"),
        ("outage", rule(503, "bad_request"), "left out: a rule of `errors` makes bad_request"),
        ("all_down", rule(529, "bad_request"), "left out: a rule of `errors` makes bad_request"),
        ("context_length", rule(400, "overloaded"), "left out: a rule of `errors` makes overload"),
        ("content_filter", rule(400, "overloaded"), "left out: a rule of `errors` makes overload"),
        ("ok_error", rule(500, "auth"), "left out: a rule of `errors` makes auth of it"),
    ],
)
def test_what_the_rules_make_of_an_error_is_promised_or_left_out(
    fault: str, more: str, promise: str
) -> None:
    assert promised(fault, more=more).startswith(promise)


def test_a_rule_that_makes_no_limit_of_a_429_leaves_the_other_keys_alone() -> None:
    chain = CHAIN.replace("api_key: secret-of-gemini", "api_keys: [k1, k2, k3]")
    more = rule(429, "overloaded") + "breaker: {failure_threshold: 1}"

    promise = ROWS["rate_limit_wait"].promise(place_of(chain=chain, more=more), Mode.STREAM)

    assert isinstance(promise, Promise)
    assert promise.by == frozenset(("huggingface", "anthropic"))


@pytest.mark.parametrize(
    ("limits", "tight"),
    [
        ("", False),
        ("limits: {in_flight: 3}", True),
        ("max_in_flight: 1", True),
    ],
)
def test_calls_do_not_overlap_where_few_may_be_under_way(limits: str, tight: bool) -> None:
    chain = CHAIN.replace("kind: gemini", f"kind: gemini, {limits}") if "max" in limits else CHAIN
    more = "" if "max" in limits else limits

    assert is_tight(place_of(chain=chain, more=more)) == tight


def test_too_long_for_one_is_too_long_for_who_has_no_more() -> None:
    route = """\
routes:
  - models: ["*"]
    chain:
      - {provider: gemini, model: a, context: 9}
      - {provider: gemini, model: b, context: 90}
      - {provider: huggingface, model: c, context: 50}
"""

    assert promised("context_length", route=route) == "400 ≤ 1.6 s, ≤ 2 hits"
