"""What a provider wants back with the next turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sidecar.dialects.legal import safe_id
from sidecar.dialects.memory import Memory


def test_what_was_kept_is_found_under_the_id_that_the_application_was_shown() -> None:
    memory = Memory()
    memory.keep("google", "call_g/1.x", b"signature")

    assert memory.recall("google", safe_id("call_g/1.x")) == b"signature"


def test_vendors_are_kept_apart() -> None:
    memory = Memory()
    memory.keep("google", "call_1", b"signature")

    assert memory.recall("anthropic", "call_1") is None


def test_the_latest_used_stay() -> None:
    memory = Memory(max_entries=2)
    memory.keep("google", "a", b"1")
    memory.keep("google", "b", b"2")
    memory.recall("google", "a")
    memory.keep("google", "c", b"3")

    assert [memory.recall("google", one) for one in "abc"] == [b"1", None, b"3"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.binary(max_size=30)), max_size=40))
def test_it_never_holds_more_than_it_may(entries: list[tuple[str, bytes]]) -> None:
    memory = Memory(max_entries=3, max_bytes=40)
    for call_id, value in entries:
        memory.keep("google", call_id, value)
    held = [memory.recall("google", one) for one in "abcdef"]
    values = [value for value in held if value is not None]

    assert len(values) <= 3
    assert sum(map(len, values)) + len(values) <= 40


def test_what_is_too_long_for_a_signature_is_not_kept() -> None:
    memory = Memory()
    memory.keep("google", "a", b"x" * 10**6)

    assert memory.recall("google", "a") is None
