"""Ids that say whose a response is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.dialects.responses.ids import (
    REASONING,
    brought_back,
    mint,
    mint_reasoning,
    minted_by,
    token_for,
)

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
ORIGINALS = st.text() | st.text().map("resp_{}".format) | NAMES.map("resp_{}".format)


def test_an_id_names_its_provider() -> None:
    assert mint("openai", "resp_68af") == "resp_openai_68af"


@given(provider=NAMES, others=st.lists(NAMES, max_size=3), original=ORIGINALS)
def test_every_id_is_read_as_it_was_made(provider: str, others: list[str], original: str) -> None:
    assert minted_by(mint(provider, original), [*others, provider]) == (provider, original)


@pytest.mark.parametrize("provider", ["a", "a_b", "a_b_c", "a-b"])
@pytest.mark.parametrize("original", ["resp_b_c_d", "resp_", "b", "", "resp_~2x", "~1"])
def test_a_name_may_begin_with_another(provider: str, original: str) -> None:
    providers = ["a", "a_b", "a_b_c", "a-b"]

    assert minted_by(mint(provider, original), providers) == (provider, original)


@pytest.mark.parametrize(
    "given_id", ["", "resp_68af", "resp_mistral_68af", "openai_68af", "resp_openai"]
)
def test_an_id_of_nobody_known_is_nobodys(given_id: str) -> None:
    assert minted_by(given_id, ["openai"]) is None


def reasoning(item_id: str) -> dict[str, str]:
    return {"type": "reasoning", "id": item_id, "encrypted_content": "gAAA"}


def test_reasoning_comes_back_to_its_provider_as_it_was() -> None:
    ours = mint("openai", "rs_68af", REASONING)

    assert ours == "rs_openai_68af"
    assert brought_back([reasoning(ours)], "openai") == [reasoning("rs_68af")]


@pytest.mark.parametrize("item_id", [mint("azure", "rs_1", REASONING), mint_reasoning("t", 0)])
def test_reasoning_of_others_does_not_come(item_id: str) -> None:
    assert brought_back([reasoning(item_id)], "openai") == []


def test_a_reference_to_what_another_keeps_is_for_the_provider_to_refuse() -> None:
    item = {"type": "item_reference", "id": mint("azure", "rs_1", REASONING)}

    assert brought_back([item], "openai") == [item]


@pytest.mark.parametrize(
    "item",
    [7, "x", {}, reasoning("rs_68af"), reasoning(""), {"type": "message", "id": "msg_openai_1"}],
    ids=repr,
)
def test_everything_else_comes_as_it_is(item: object) -> None:
    assert brought_back([item], "openai") == [item]


def test_calls_with_the_same_seed_at_other_times_have_other_items() -> None:
    assert token_for("s", 1) != token_for("s", 2)
