"""Keys that can be none, told without showing them."""

from __future__ import annotations

import pytest

from sidecar.core.settings import Provider, Secret
from sidecar.dialects.presets import PRESETS
from sidecar.doctor.finding import Finding, Mark
from sidecar.doctor.keys import judge_keys

REAL = "sk-proj-T3BlbkFJ9aXr7Q"


def judged(*keys: str, kind: str = "gemini", base_url: str = "http://there/v1") -> Finding:
    provider = Provider(name="one", kind=kind, base_url=base_url, api_keys=tuple(map(Secret, keys)))
    return judge_keys(provider, PRESETS[kind])


@pytest.mark.parametrize(
    "text",
    [
        *("sk-...", "sk-xxxxxxxxxxxx", "changeme", "CHANGE_ME", "your-api-key", "sk-your-key-here"),
        *("<your key>", "<key>", "${GEMINI_API_KEY}", "$KEY", "-", "xxx", "TODO", "AIza…", "****"),
    ],
)
def test_a_placeholder_is_told(text: str) -> None:
    found = judged(text)

    assert (found.mark, found.cure) != (Mark.GOOD, "")
    assert text not in found.seen.split() or text == "-"


@pytest.mark.parametrize(
    "text", [REAL, "AIzaSyD-9tSrke72PouQMnMX", "hf_test_but_long", "0f3a" * 8, "sk-ant-api03-x-y"]
)
def test_what_may_be_a_key_is_one(text: str) -> None:
    assert judged(text) == Finding("one", "keys", Mark.GOOD, "1 key")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (f"{REAL}\n", "has white space in or around it"),
        (f"Bearer {REAL}", "has white space in or around it"),
        (f'"{REAL}"', "has quotes around it"),
    ],
)
def test_what_was_copied_with_it_is_told(text: str, wrong: str) -> None:
    found = judged(text)

    assert (found.mark, found.seen) == (Mark.BAD, f"the key {wrong}")
    assert "$GEMINI_API_KEY" in found.cure


def test_a_key_of_several_is_told_by_its_number() -> None:
    found = judged(REAL, "changeme", REAL)

    assert (found.mark, found.seen) == (Mark.BAD, "key 2 of 3 is a placeholder")


def test_several_good_ones_are_counted() -> None:
    assert judged(REAL, f"{REAL}2").seen == "2 keys"


def test_a_server_that_may_want_none_may_take_any() -> None:
    assert judged("dummy", kind="vllm").mark is Mark.DOUBT


def test_who_is_asked_for_real_wants_a_real_one() -> None:
    openai = PRESETS["openai"].base_url or ""

    assert judged("sk-...", kind="openai", base_url=openai).mark is Mark.BAD


@pytest.mark.parametrize(
    ("kind", "seen"),
    [("vllm", "none, and none is required"), ("vertex", "Google's own credentials")],
)
def test_no_key_is_well_where_none_is_wanted(kind: str, seen: str) -> None:
    assert judged(kind=kind) == Finding("one", "keys", Mark.GOOD, seen)
