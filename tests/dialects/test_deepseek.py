"""What DeepSeek thought comes back to it, where it called tools."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.dialects.deepseek import Thoughts
from sidecar.dialects.dialect import Json, Target
from sidecar.dialects.memory import ENTRY_BYTES
from sidecar.dialects.quirks import mend_request
from tests.dialects.targets import target
from tests.dialects.test_anything import CHOICES, ODD

THINKER = "deepseek-reasoner"
HI = {"role": "user", "content": "hi"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ACTING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
FOUND = {"role": "tool", "tool_call_id": "call_1", "content": "42"}


def choice(finish: str | None = None, **said: Any) -> Json:
    return {"choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


def whole(**said: Any) -> Json:
    return {"choices": [{"index": 0, "message": said, "finish_reason": "tool_calls"}]}


def heard(aim: Target, *turns: Json, **fields: Any) -> list[Json]:
    messages: list[Json] = mend_request({"messages": [*turns], **fields}, aim)[0]["messages"]
    return messages


ANSWERS = {
    "whole": [whole(reasoning_content="Hm.", **ACTING)],
    "streamed": [
        choice(reasoning_content="H"),
        choice(reasoning_content="m."),
        choice(tool_calls=[{"index": 0, **CALL}]),
        choice(tool_calls=[{"index": 1, **CALL, "id": "call_2"}]),
        choice("tool_calls"),
    ],
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_a_thought_that_the_client_loses_is_back_with_its_call(answer: list[Json]) -> None:
    aim = target("deepseek", THINKER)
    thoughts = Thoughts(aim)
    for chunk in answer:
        thoughts.note(chunk)

    assert heard(aim, HI, ACTING, FOUND)[1] == ACTING | {"reasoning_content": "Hm."}


def test_a_thought_that_the_client_kept_is_its_own_word() -> None:
    aim = target("deepseek", THINKER)
    Thoughts(aim).note(ANSWERS["whole"][0])
    kept = ACTING | {"reasoning_content": "Mine."}

    assert heard(aim, HI, kept, FOUND)[1] == kept


def test_an_answer_of_another_model_goes_with_an_empty_thought() -> None:
    assert heard(target("deepseek", THINKER), HI, ACTING, FOUND) == [
        HI,
        ACTING | {"reasoning_content": ""},
        FOUND,
    ]


@pytest.mark.parametrize(
    ("model", "fields", "wanted"),
    [
        (THINKER, {}, True),
        ("deepseek-v4", {"thinking": {"type": "disabled"}}, False),
        ("deepseek-chat", {}, False),
        ("deepseek-chat", {"thinking": {"type": "enabled"}}, True),
    ],
)
def test_thoughts_are_wanted_only_while_it_thinks(model: str, fields: Json, wanted: bool) -> None:
    [_, acting, _] = heard(target("deepseek", model), HI, ACTING, FOUND, **fields)

    assert ("reasoning_content" in acting) is wanted


def test_what_is_too_long_to_be_kept_is_not_gathered() -> None:
    thoughts = Thoughts(target("deepseek", THINKER))
    for _ in range(9):
        thoughts.note(choice(reasoning_content="x" * ENTRY_BYTES))

    assert len("".join(thoughts.texts)) <= 2 * ENTRY_BYTES


CHUNKS = st.fixed_dictionaries({"choices": ODD | CHOICES})


@given(st.lists(CHUNKS, max_size=3))
def test_any_answer_is_noted(chunks: list[Json]) -> None:
    aim = target("deepseek", THINKER)
    thoughts = Thoughts(aim)

    for chunk in chunks:
        thoughts.note(chunk)

    assert len(heard(aim, HI, ACTING, FOUND)) == 3
