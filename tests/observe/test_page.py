"""The status page stands alone, and shows what the status tells."""

from __future__ import annotations

import re

import pytest

from sidecar.observe.fanout import fan_out
from sidecar.observe.standing import Keys, Looks
from sidecar.observe.status import Status, status_page
from tests.observe.scene import SETTINGS, StillClock, failed_over
from tests.observe.test_status import Aside, Breaker, Held

PAGE = status_page().decode()


def test_the_page_loads_nothing_from_anywhere() -> None:
    assert not re.search(r"https?:|//[a-z]|\bsrc=|@import|url\(", PAGE)


def test_what_the_sidecar_tells_never_becomes_markup() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", PAGE)


def test_the_page_asks_beside_itself_so_that_a_prefix_before_it_does_not_matter() -> None:
    assert 'fetch("status.json"' in PAGE


def test_the_page_reads_no_key_that_the_status_does_not_have() -> None:
    breaker = Breaker(held=Held(), parked=(Aside(),), cooldown_s=(Aside(),))
    status = Status(SETTINGS, StillClock(), Looks(breakers=lambda: [breaker]), "0.1.0")
    fan_out(status.handlers)(failed_over())
    told = status.as_json()
    (provider,), (failover,) = told["providers"], told["failovers"]
    asides = (*provider["parked"], *provider["cooldown_s"])

    read = set(re.findall(r"\b(?:one|provider|status|store|route|held)\??\.(?!json\b)(\w+)", PAGE))

    assert read <= {
        *told,
        *told["store"],
        *told["routes"][0],
        *provider,
        *provider["held"],
        *(key for aside in asides for key in aside),
        *failover,
    }


def test_the_page_looks_at_all_that_keeps_calls_from_a_provider() -> None:
    read = set(re.findall(r"\bprovider\.(\w+)", PAGE))

    assert {"parked", "cooldown_s", "retry_in_s"} <= read


def test_the_page_tells_how_many_keys_of_a_pool_are_in_use() -> None:
    assert set(re.findall(r"\bkeys\.(\w+)", PAGE)) == set(Keys._fields)


@pytest.mark.parametrize("word", ["provider.cause", "one.reason"])
def test_words_of_the_vocabularies_are_shown_as_people_write_them(word: str) -> None:
    assert PAGE.count(word) == PAGE.count(f"plain({word})") > 0


def test_the_page_names_the_product() -> None:
    assert "<title>LLM failover sidecar</title>" in PAGE
    assert re.search("<p [^>]*>LLM failover sidecar</p>", PAGE)


def test_the_page_has_no_style_that_its_policy_forbids() -> None:
    assert not re.search(r"\bstyle=|\.style\b", PAGE)


def test_the_page_is_read_once() -> None:
    assert status_page() is status_page()
