"""The status page stands alone, and shows what the status tells."""

from __future__ import annotations

import re

import pytest

from sidecar.observe.fanout import fan_out
from sidecar.observe.page import status_page
from sidecar.observe.seats import ASIDES, SERVING
from sidecar.observe.standing import Keys, Looks
from sidecar.observe.status import Status
from tests.observe.scene import (
    SETTINGS,
    USAGE,
    StillClock,
    attempt_ended,
    failed_over,
    request_ended,
)
from tests.observe.test_report import report_of
from tests.observe.test_status import Aside, Breaker, Held

PAGE = status_page().decode()


def test_the_page_loads_nothing_from_anywhere() -> None:
    assert not re.search(r"https?:|//[a-z]|\bsrc=|@import|url\(", PAGE)


def test_what_the_sidecar_tells_never_becomes_markup() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", PAGE)


@pytest.mark.parametrize(
    "asked",
    [
        *(
            'ask("report.json")',
            'ask("status.json")',
            'EventSource("status/events")',
            'ask("status/rights")',
        ),
        *("ask(`status/request?id=", "ask(`-/breakers/"),
    ],
)
def test_the_page_asks_beside_itself_so_that_a_prefix_before_it_does_not_matter(asked: str) -> None:
    assert asked in PAGE


def test_the_page_reads_no_key_that_the_status_does_not_have() -> None:
    breaker = Breaker(held=Held(), parked=(Aside(),), cooldown_s=(Aside(),))
    status = Status(SETTINGS, StillClock(), Looks(breakers=lambda: [breaker]), "0.1.0")
    for event in (failed_over(), attempt_ended(), request_ended()):
        fan_out(status.handlers)(event)
    told, request = status.as_json(), status.request("req-1")
    assert request
    (provider,), (failover,), route = told["providers"], told["failovers"], told["routes"][0]
    objects = {
        "status": told,
        "store": told["store"],
        "config": told["config"],
        "route": route,
        "seat": route["seats"][0],
        "provider": provider,
        "held": provider["held"],
        "request": request,
        "attempt": {**request["tries"][0], "reason": ""},
        "failover": failover,
        "one": {**provider["parked"][0], "what": "", "count": 1},
    }
    objects["one"] |= told["store"]["pods"][0]

    names = "|".join(objects)
    read = set(re.findall(rf"(?<![.\w])({names})\.(?!json\b)(\w+)", PAGE))

    assert {name for name, _ in read} == set(objects)
    assert {(name, key) for name, key in read if key not in objects[name]} == set()


def test_the_page_reads_no_key_that_the_report_does_not_have() -> None:
    report = report_of(attempt_ended(usage=USAGE), prices=False).as_json()
    objects = {
        "report": report,
        "served": report["requests"],
        "cost": report["failover"],
        "life": report["providers"][0],
        "advice": report["suggestions"][0],
    }

    names = "|".join(objects)
    read = set(re.findall(rf"(?<![.\w])({names})\.(?!json\b)(\w+)", PAGE))

    assert {name for name, _ in read} == set(objects)
    assert {(name, key) for name, key in read if key not in objects[name]} == set()


def test_the_page_has_a_word_for_every_standing() -> None:
    standings = {"open", "half_open", "held_open", "unknown", *SERVING, *ASIDES}

    assert set(re.findall(r"(\w+): {word:", PAGE)) == standings


def test_the_page_tells_how_many_keys_of_a_pool_are_in_use() -> None:
    assert set(re.findall(r"\.keys\.(\w+)", PAGE)) == set(Keys._fields)


@pytest.mark.parametrize("word", ["failover.reason", "one.what", "attempt.reason"])
def test_words_of_the_vocabularies_are_shown_as_people_write_them(word: str) -> None:
    assert PAGE.count(word) == PAGE.count(f"plain({word})") > 0


def test_the_page_names_the_product() -> None:
    assert "<title>LLM failover sidecar</title>" in PAGE
    assert re.search("<p [^>]*><b>LLM failover sidecar</b>", PAGE)


def test_the_page_has_no_style_that_its_policy_forbids() -> None:
    assert not re.search(r"\bstyle=|\.style\b", PAGE)


def test_the_page_is_read_once() -> None:
    assert status_page() is status_page()
